/** The activities as workflows call them. The workflow owns the retries of steps. */
import {
  ActivityCancellationType,
  proxyActivities,
  proxyLocalActivities,
  type ActivityInterfaceFor,
} from '@temporalio/workflow';
import { cutText } from '../src/domain/turn/step-size.ts';
import { HEARTBEAT_TIMEOUT_MS, type Activities, type LocalActivities } from '../src/contract.ts';

/** Temporal takes 400 bytes. */
const SUMMARY_BYTES = 300;

function short(summary: string): string {
  return cutText(summary, SUMMARY_BYTES);
}

const YEAR_MS = 365 * 24 * 3600 * 1000;

/** Its answer comes with the next events or before them, as it happens, so that nothing but the archive is local. */
export const local = proxyLocalActivities<LocalActivities>({
  summary: 'the log into the archive',
  startToCloseTimeout: '10s',
  localRetryThreshold: '30s',
  retry: { initialInterval: '100ms', maximumInterval: '5s' },
});

/** A model call or a tool: one attempt, since a retry is a fact of the turn that readers see. */
export function step(timeoutMs: number, summary: string): ActivityInterfaceFor<Activities> {
  return proxyActivities<Activities>({
    startToCloseTimeout: Math.max(1000, timeoutMs),
    heartbeatTimeout: HEARTBEAT_TIMEOUT_MS,
    retry: { maximumAttempts: 1 },
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    summary: short(summary),
  });
}

/** A task: retried by the server, which hands the last heartbeat to the next attempt. */
export function task(summary: string): ActivityInterfaceFor<Activities> {
  return proxyActivities<Activities>({
    startToCloseTimeout: YEAR_MS,
    heartbeatTimeout: HEARTBEAT_TIMEOUT_MS,
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary: short(summary),
  });
}

/** A handler of the app: one call; the workflow owns the repetition. */
export function handler(summary: string): ActivityInterfaceFor<Activities> {
  return proxyActivities<Activities>({
    startToCloseTimeout: '1m',
    heartbeatTimeout: HEARTBEAT_TIMEOUT_MS,
    retry: { maximumAttempts: 1 },
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    summary: short(summary),
  });
}

/** A look at runs: repeated until it has an answer. */
export function inspect(summary: string): ActivityInterfaceFor<Activities> {
  return proxyActivities<Activities>({
    startToCloseTimeout: '1m',
    heartbeatTimeout: HEARTBEAT_TIMEOUT_MS,
    retry: { initialInterval: '1s', maximumInterval: '1m' },
    summary: short(summary),
  });
}

/** A word to another workflow that somebody waits for: not for long. */
export function reach(summary: string): ActivityInterfaceFor<Activities> {
  return proxyActivities<Activities>({
    startToCloseTimeout: '10s',
    retry: { initialInterval: '500ms', maximumAttempts: 3 },
    summary: short(summary),
  });
}

/** Something that is repeated until it is done. */
export function sure(summary: string): ActivityInterfaceFor<Activities> {
  return proxyActivities<Activities>({
    startToCloseTimeout: '10s',
    retry: { initialInterval: '1s', maximumInterval: '1m' },
    summary: short(summary),
  });
}
