/**
 * The activities as workflows call them: on which task queue, and how long and how often they are tried. The workflow owns the
 * retries of steps.
 */
import {
  ActivityCancellationType,
  proxyActivities,
  workflowInfo,
  type ActivityInterfaceFor,
  type ActivityOptions,
} from '@temporalio/workflow';
import { isHere } from './here.ts';
import { hashHex } from '../src/domain/state/ids.ts';
import { cutText } from '../src/domain/turn/step-size.ts';
import { HEARTBEAT_TIMEOUT_MS, taskQueueOf, type Activities, type Served } from '../src/contract.ts';

type Calls = ActivityInterfaceFor<Activities>;

/** Temporal takes 400 bytes. */
const SUMMARY_BYTES = 300;
const YEAR_MS = 365 * 24 * 3600 * 1000;
/** Temporal takes 64 bytes. */
const FAIRNESS_DIGITS = 16;

const NEVER = new Proxy({} as Calls, { get: () => async () => new Promise(() => undefined) });

let fairnessKey: string | undefined;

/** What waits for a place is taken in turns by session, on servers that have fairness turned on. */
function fairly(): { fairnessKey: string } {
  const [sessionId = ''] = workflowInfo().workflowId.split('/');
  fairnessKey ??= hashHex(sessionId, FAIRNESS_DIGITS);
  return { fairnessKey };
}

function calls(served: Served, summary: string, options: ActivityOptions): Calls {
  if (!isHere()) return NEVER;
  return proxyActivities<Activities>({
    taskQueue: taskQueueOf(workflowInfo().taskQueue, served),
    priority: fairly(),
    summary: cutText(summary, SUMMARY_BYTES),
    ...options,
  });
}

const ONE_ATTEMPT: Partial<ActivityOptions> = {
  heartbeatTimeout: HEARTBEAT_TIMEOUT_MS,
  retry: { maximumAttempts: 1 },
  cancellationType: ActivityCancellationType.TRY_CANCEL,
};

/** A model call: one attempt, since a retry is a fact of the turn that readers see. */
export function model(timeoutMs: number, summary: string): Calls {
  return calls('models', summary, { startToCloseTimeout: Math.max(1000, timeoutMs), ...ONE_ATTEMPT });
}

/** A tool: one attempt, as with a model call. */
export function tool(timeoutMs: number, summary: string): Calls {
  return calls('tools', summary, { startToCloseTimeout: Math.max(1000, timeoutMs), ...ONE_ATTEMPT });
}

/** A handler of the app: one call; the workflow owns the repetition. */
export function handler(summary: string): Calls {
  return calls('tools', summary, { startToCloseTimeout: '1m', ...ONE_ATTEMPT });
}

/** A task: retried by the server, which hands the last heartbeat to the next attempt. */
export function task(summary: string): Calls {
  return calls('tasks', summary, {
    startToCloseTimeout: YEAR_MS,
    heartbeatTimeout: HEARTBEAT_TIMEOUT_MS,
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  });
}

/** A look at runs: repeated until it has an answer. */
export function looks(summary: string): Calls {
  return calls('workflows', summary, {
    startToCloseTimeout: '1m',
    heartbeatTimeout: HEARTBEAT_TIMEOUT_MS,
    retry: { initialInterval: '1s', maximumInterval: '1m' },
  });
}

/** A word to another workflow that somebody waits for: not for long. */
export function briefly(summary: string): Calls {
  return calls('workflows', summary, {
    startToCloseTimeout: '10s',
    retry: { initialInterval: '500ms', maximumAttempts: 3 },
  });
}

/** Something that is repeated until it is done. */
export function untilDone(summary: string): Calls {
  return calls('workflows', summary, {
    startToCloseTimeout: '10s',
    retry: { initialInterval: '1s', maximumInterval: '1m' },
  });
}

/** Something that the server may refuse for good, so that it is given up after some attempts. */
export function aFewTimes(summary: string): Calls {
  return calls('workflows', summary, {
    startToCloseTimeout: '10s',
    retry: { initialInterval: '1s', maximumAttempts: 3 },
  });
}

/** Something that nobody waits for, and that need not even run. */
export function unattended(summary: string): Calls {
  return calls('workflows', summary, { startToCloseTimeout: '10s' });
}
