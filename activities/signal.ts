/**
 * The signal by which what runs in an activity hears that it is to end. An operator's pause or reset is not passed on: what runs goes on and its
 * result counts, and only a next attempt waits. The SDK tells of one cancellation only, so after a pause or a reset the server is asked
 * whether a true one has come since.
 */
import { CancelledFailure, Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { describe } from '../src/client/describe.ts';

const ASK_MS = 1000;
/** `temporal.api.enums.v1.PendingActivityState` */
const CANCEL_REQUESTED = 3;

const signals = new WeakMap<Context, AbortSignal>();

/** Aborted when the activity that is running is to end. */
export function ownSignal(): AbortSignal {
  const context = Context.current();
  return signals.get(context) ?? context.cancellationSignal;
}

/** Runs an activity that hears of no pause and of no reset. */
export async function unlessPaused<T>(client: Client, work: () => Promise<T>): Promise<T> {
  const context = Context.current();
  const controller = new AbortController();
  let asking: NodeJS.Timeout | undefined;
  const end = (reason: unknown): void => {
    clearInterval(asking);
    controller.abort(reason);
  };
  const hear = (): void => {
    if (!byOperator(context)) end(context.cancellationSignal.reason);
    else asking ??= setInterval(() => void askAgain().catch(() => undefined), ASK_MS);
  };
  const askAgain = async (): Promise<void> => {
    if (!byOperator(context)) end(new CancelledFailure('WORKER_SHUTDOWN'));
    else if (await isOver(client, context)) end(new CancelledFailure('CANCELLED'));
  };
  signals.set(context, controller.signal);
  if (context.cancellationSignal.aborted) hear();
  else context.cancellationSignal.addEventListener('abort', hear, { once: true });
  try {
    return await work();
  } finally {
    clearInterval(asking);
    context.cancellationSignal.removeEventListener('abort', hear);
  }
}

function byOperator({ cancellationDetails: details }: Context): boolean {
  if (details === undefined || details.cancelRequested || details.timedOut || details.notFound) return false;
  return !details.workerShutdown && (details.paused || details.reset);
}

/** Its workflow does not want this activity any more, or not this attempt of it. */
async function isOver(client: Client, { info }: Context): Promise<boolean> {
  const { workflowExecution, activityId } = info;
  const description = await describe(client, workflowExecution?.workflowId ?? '');
  if (description === undefined || description.runId !== workflowExecution?.runId) return true;
  const pending = description.raw.pendingActivities?.find((one) => one.activityId === activityId);
  return pending === undefined || Number(pending.state) === CANCEL_REQUESTED;
}
