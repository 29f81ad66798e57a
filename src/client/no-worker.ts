/** A call that nobody answers: told within 30 s, and why, where no worker polls the task queue. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { NoWorker } from '../errors.ts';
import { describe, whyOf } from './describe.ts';
import { cutOff, placeOf } from './failures.ts';
import { isUnanswered, isUnavailable, isUnreached } from './server-codes.ts';

/** So long a worker is waited for, milliseconds. */
export const ANSWER_MS = 30_000;
/** Longer than a poll that was seen before counts as one of this time. */
const READ_AGAIN_MS = 1500;
const LAST_READ_MS = 5000;
/** `temporal.api.enums.v1.TaskQueueType` */
const WORKFLOW_QUEUE = 1;
/** `temporal.api.enums.v1.PendingWorkflowTaskState` */
const TASK_STARTED = 2;

/**
 * What a worker answers. `started`: what is asked for has been recorded before. `goesOn`: the same may be asked again, so that a worker that is
 * there is waited for. `reads`: it changes nothing, so that it is asked again until the 30 s are over when the server gives up sooner, as it
 * does of a queue that a worker has just left. The last few are asked anew, when a worker that left just before the first is known from one
 * that is there.
 */
export async function fromWorker<T>(
  client: Client,
  workflowId: string,
  ask: () => Promise<T>,
  { started = false, goesOn = false, reads = false }: { started?: boolean; goesOn?: boolean; reads?: boolean } = {},
): Promise<T> {
  const end = Date.now() + ANSWER_MS;
  let unreached: unknown;
  for (;;) {
    const since = Date.now();
    try {
      const deadline = !reads ? since + ANSWER_MS : since < end - LAST_READ_MS ? end - LAST_READ_MS : end;
      return await client.withDeadline(deadline, ask);
    } catch (error) {
      if (!isUnanswered(error) && !isUnavailable(error)) throw error;
      // What an end has cut off was with a worker.
      if (goesOn && cutOff(error)) throw error;
      const isAway = isUnreached(error, unreached !== undefined);
      if (isAway) unreached ??= error;
      else {
        const missing = await whyOf(client, async () => noWorker(client, workflowId, since, started));
        if (missing !== undefined) throw missing;
      }
      if (reads && Date.now() + READ_AGAIN_MS < end) await pause(READ_AGAIN_MS);
      // The first time it was said why; later the time may have been too short for that.
      else if (isAway) throw unreached;
      else if (!goesOn || Date.now() < since + ANSWER_MS) throw error;
    }
  }
}

/** The error that says so, when nobody has polled the queue of a workflow since something was asked of it, milliseconds. */
export async function noWorker(
  client: Client,
  workflowId: string,
  since: number,
  started = false,
): Promise<NoWorker | undefined> {
  const description = await describe(client, workflowId);
  if (description === undefined) return undefined;
  const { taskQueue, raw } = description;
  // A worker has the workflow, and is busy with it: what is asked for comes when that is done.
  if (Number(raw.pendingWorkflowTask?.state) === TASK_STARTED) return undefined;
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: taskQueue },
    taskQueueType: WORKFLOW_QUEUE,
  });
  // Whoever had been waiting for work would have taken this, and waited anew; the server lists pollers for minutes after they have gone.
  if ((pollers ?? []).some(({ lastAccessTime }) => Number(lastAccessTime?.seconds) * 1000 >= since - 1000))
    return undefined;
  return new NoWorker(
    `Expected a worker to answer within 30 s, got none: nobody polls the task queue "${taskQueue}" of ${placeOf(client)}.`,
    started,
  );
}
