/**
 * What outlive is measured against: the same work written by hand on the bare SDK, with nothing that a product would need.
 *
 * - native: one workflow that waits for its children, so that they cannot outlive it
 * - floor: a parent that starts abandoned children in an update and counts their signals, the least that a detached run can be
 */
import {
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  getExternalWorkflowHandle,
  ParentClosePolicy,
  proxyActivities,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';

/** What a child does, and what a step of a turn calls: nothing, and when. */
export interface BaselineActivities {
  work(arg: { ms: number }): Promise<{ calledAt: number; endedAt: number }>;
}

interface ChildInput {
  /** How long the activity of the child takes, milliseconds. */
  ms: number;
  /** Task queue of the activity. */
  taskQueue: string;
}

const workOn = (taskQueue: string) =>
  proxyActivities<BaselineActivities>({ taskQueue, startToCloseTimeout: '10m', retry: { maximumAttempts: 1 } });

export async function nativeChild({ ms, taskQueue }: ChildInput): Promise<void> {
  await workOn(taskQueue).work({ ms });
}

export async function nativeParent(runs: number, child: ChildInput): Promise<void> {
  await Promise.all(Array.from({ length: runs }, async () => executeChild(nativeChild, { args: [child] })));
}

const done = defineSignal('done');

export async function floorChild({ ms, taskQueue }: ChildInput): Promise<void> {
  await workOn(taskQueue).work({ ms });
  const { parent } = workflowInfo();
  if (parent !== undefined) await getExternalWorkflowHandle(parent.workflowId).signal(done);
}

/** Runs until it is terminated. `start` answers in the task that takes it, without waiting for what it starts. */
export async function floorParent(): Promise<void> {
  let started = 0;
  let heard = 0;
  setHandler(done, () => {
    heard += 1;
  });
  setHandler(defineQuery<number>('heard'), () => heard);
  setHandler(defineUpdate<number, [number, ChildInput]>('start'), (count, child) => {
    for (let i = 0; i < count; i++) {
      started += 1;
      void startChild(floorChild, {
        workflowId: `${workflowInfo().workflowId}/${started}`,
        args: [child],
        parentClosePolicy: ParentClosePolicy.ABANDON,
      });
    }
    return started;
  });
  await condition(() => false);
}

/** Two calls, one after the other, as a turn of two steps has: `startedAt` is the time of the workflow task that began it. */
export async function floorTurn(taskQueue: string): Promise<void> {
  setHandler(defineUpdate<{ startedAt: number; steps: { calledAt: number; endedAt: number }[] }>('turn'), async () => {
    const startedAt = Date.now();
    const { work } = workOn(taskQueue);
    return { startedAt, steps: [await work({ ms: 0 }), await work({ ms: 0 })] };
  });
  await condition(() => false);
}
