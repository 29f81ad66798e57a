/** Questions that reach a worker while another one has the workflow's task. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { temporal as proto } from '@temporalio/proto';
import { agentAt } from '../support/app.ts';
import { atRest, eventually, harness, say, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer } from '../support/model-server.ts';
import { replayAll } from '../support/replay.ts';

const { EventType, TaskQueueKind, TaskQueueType } = proto.api.enums.v1;

let h: Harness;
let model: ModelServer;

beforeAll(async () => {
  model = await ModelServer.start(() => 'ok');
});

beforeEach(async () => {
  h = await harness();
});

afterEach(async () => h[Symbol.asyncDispose]());

afterAll(async () => model.stop());

async function historyOf(workflowId: string): Promise<proto.api.history.v1.IHistoryEvent[]> {
  return (await h.temporal.workflow.getHandle(workflowId).fetchHistory()).events ?? [];
}

/** The task queue of the one worker that has a workflow in its memory. */
async function stickyQueueOf(workflowId: string): Promise<string> {
  const queues = (await historyOf(workflowId)).map((event) => event.workflowTaskScheduledEventAttributes?.taskQueue);
  return queues.find((queue) => queue?.kind === TaskQueueKind.TASK_QUEUE_KIND_STICKY)?.name ?? '';
}

/** Takes what comes next to the worker of a queue, by default a sticky one, and stops at once. */
async function takeAndStop(
  name: string,
  kind: 'TASK_QUEUE_KIND_STICKY' | 'TASK_QUEUE_KIND_NORMAL' = 'TASK_QUEUE_KIND_STICKY',
): Promise<'question' | 'task' | 'nothing'> {
  const { taskToken, query } = await h.temporal.withDeadline(Date.now() + 60_000, async () =>
    h.temporal.workflowService.pollWorkflowTaskQueue({
      namespace: 'default',
      taskQueue: { name, kind: TaskQueueKind[kind], normalName: kind.endsWith('STICKY') ? h.taskQueue : '' },
      identity: 'stopped',
    }),
  );
  if (taskToken.length === 0) return 'nothing';
  return query ? 'question' : 'task';
}

async function isWaiting(name: string): Promise<boolean> {
  const taskQueue = { name, kind: TaskQueueKind.TASK_QUEUE_KIND_STICKY };
  const taskQueueType = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW;
  const told = await h.temporal.workflowService.describeTaskQueue({ namespace: 'default', taskQueue, taskQueueType });
  return told.pollers.some(({ identity }) => identity === 'stopped');
}

test('a question that a worker answers while a lost worker has the task takes nothing from that task', async () => {
  const config = { agents: [agentAt(model.url)] };
  const first = await h.work(config, { stickyQueueScheduleToStartTimeout: '3s' });
  const session = await h.client.startSession(uniqueId());
  expect(await say(session, 'hello')).toEqual(['completed']);
  const queue = await stickyQueueOf(session.sessionId);
  await first.stop();

  // The question goes to the lost worker first, and to another one when that has not answered.
  const handle = h.temporal.workflow.getHandle(session.sessionId);
  const taking = takeAndStop(queue);
  await eventually('the lost worker to wait', async () => isWaiting(queue));
  const told = handle.query('getSession').then(
    () => 'answered',
    (error: unknown) => String(error),
  );
  expect(await taking).toBe('question');
  await handle.signal('submitTurn', { input: 'hello again' });
  expect(await takeAndStop(queue)).toBe('task');
  await h.work(config);
  expect(await told).toMatch(/ask again/u);
  expect(EventType[(await historyOf(session.sessionId)).at(-1)?.eventType ?? 0]).toBe(
    'EVENT_TYPE_WORKFLOW_TASK_STARTED',
  );
  await atRest(session);
  expect((await session.getSession()).usage.modelCalls).toBe(2);
  expect(await replayAll(h.temporal, session.sessionId)).toBe(1);
});

test.each(['scheduled', 'started'])('T-26 a session that was terminated while a task was %s answers', async (task) => {
  const config = { agents: [agentAt(model.url)] };
  const first = await h.work(config, { stickyQueueScheduleToStartTimeout: '1s' });
  const session = await h.client.startSession(uniqueId());
  expect(await say(session, 'hello')).toEqual(['completed']);
  await first.stop();
  const handle = h.temporal.workflow.getHandle(session.sessionId);
  await handle.signal('submitTurn', { input: 'hello again' });
  if (task === 'started') expect(await takeAndStop(h.taskQueue, 'TASK_QUEUE_KIND_NORMAL')).toBe('task');
  await handle.terminate();
  await h.work(config);
  expect(await handle.query('getSession')).toMatchObject({ turn: { status: 'running' } });
});
