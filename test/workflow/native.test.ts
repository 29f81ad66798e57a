/** Temporal's own tools: cancel and terminate from the Web UI or the command line, descriptions, current details. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { agentAt, echo, gated } from '../support/app.ts';
import { allEvents, atRest, eventually, Gate, harness, types, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer, newest } from '../support/model-server.ts';

let h: Harness;
let model: ModelServer;
const held = gated('held');

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start((call) => (newest(call).includes('hang') ? { hang: true } : 'ok'));
  await h.work({ agents: [agentAt(model.url)], tasks: [echo, held.task] });
});

afterAll(async () => {
  held.gate.open();
  await h[Symbol.asyncDispose]();
  await model.stop();
});

test('cancelling a session in Temporal closes it with its runs kept, and the workflow ends Cancelled', async () => {
  const session = await h.client.startSession(uniqueId());
  const handle = h.temporal.workflow.getHandle(session.sessionId);
  await session.submitTurn({ input: 'hang' });
  const { runId, workflowId } = await session.startRun({ agent: 'held', input: 1 });
  await eventually('the start', async () => Promise.resolve(held.started.some((one) => one.runId === runId)));
  await handle.cancel();
  await expect(handle.result()).rejects.toThrow();
  expect((await handle.describe()).status.name).toBe('CANCELLED');
  expect(types(await allEvents(session)).slice(-2)).toEqual(['turn.cancelled', 'session.closed']);
  expect((await h.temporal.workflow.getHandle(workflowId).describe()).status.name).toBe('RUNNING');
});

test('a session cancelled in Temporal ends Cancelled however long its history has become, and answers until then', async () => {
  await using own = await harness();
  const slow = new Gate();
  const app = gated('app');
  await own.work({
    agents: [agentAt(model.url)],
    tasks: [echo, app.task],
    handlers: { slow: async () => slow.opened },
  });
  const session = await own.client.startSession(uniqueId(), { limits: { historyEvents: 30 } });
  const handle = own.temporal.workflow.getHandle(session.sessionId);
  const { runId } = await session.startRun({ agent: 'app', input: 1 });
  await session.startRun({ agent: 'echo', input: 1, detached: { onFinish: 'slow', notify: 'silent' } });
  await eventually('the run', async () => (await session.getSession()).runs.completed === 1);
  await handle.cancel();
  await eventually('the end to begin', async () => (await session.getSession()).status === 'closing');
  const { runId: executing } = await handle.describe();
  for (let i = 0; i < 15; i++) await handle.signal('answer', { requestId: `${session.sessionId}/nobody#1`, value: i });
  expect(await session.cancelRun({ runId })).toMatchObject({ runId });
  slow.open();
  await expect(handle.result()).rejects.toThrow();
  expect(await handle.describe()).toMatchObject({ status: { name: 'CANCELLED' }, runId: executing });
  app.gate.open();
});

test('cancelling a run in Temporal is cancelRun: it settles as cancelled, its workflow ends Completed, and its session hears', async () => {
  const session = await h.client.startSession(uniqueId());
  const { runId, workflowId } = await session.startRun({ agent: 'held', input: 1 });
  await eventually('the start', async () => Promise.resolve(held.started.some((one) => one.runId === runId)));
  await h.temporal.workflow.getHandle(workflowId).cancel();
  const row = await eventually('the settle', async () => {
    const one = await session.getRun({ runId });
    return one?.status === 'cancelled' ? one : undefined;
  });
  expect(row).toMatchObject({ reason: 'cancelled_by_user' });
  await atRest(session);
  expect(await h.temporal.workflow.getHandle(workflowId).result()).toMatchObject({
    status: 'cancelled',
    delivered: true,
  });
  expect((await allEvents(session)).filter((event) => event.type === 'run.delivered')).toHaveLength(1);
});

test('what an operator completes a task with, in Temporal, is its result', async () => {
  const session = await h.client.startSession(uniqueId());
  const { runId, workflowId } = await session.startRun({ agent: 'held', input: 1 });
  await eventually('the start', async () => Promise.resolve(held.started.some((one) => one.runId === runId)));
  const { raw, runId: executing } = await h.temporal.workflow.getHandle(workflowId).describe();
  await h.temporal.activity.complete(
    { workflowId, runId: executing, activityId: raw.pendingActivities?.[0]?.activityId ?? '' },
    'by hand',
  );
  expect(await session.run(runId).result()).toBe('by hand');
});

test('D-10 a run terminated in Temporal settles as failed / lost', async () => {
  const session = await h.client.startSession(uniqueId());
  const { runId, workflowId } = await session.startRun({ agent: 'held', input: 1 });
  await eventually('the start', async () => Promise.resolve(held.started.some((one) => one.runId === runId)));
  await h.temporal.workflow.getHandle(workflowId).terminate('by an operator');
  await eventually('the settle', async () => (await session.getRun({ runId }))?.status === 'failed');
  expect(await session.getRun({ runId })).toMatchObject({ reason: 'lost' });
});

test('a run whose task ignores its cancellation settles as cancelled after cancelGraceMs', async () => {
  const { defineTask } = await import('../../src/define.ts');
  const begun: string[] = [];
  await using own = await harness();
  let free: () => void = () => undefined;
  const freed = new Promise<void>((resolve) => {
    free = resolve;
  });
  await own.work({
    agents: [agentAt(model.url)],
    tasks: [
      defineTask({
        name: 'deaf',
        run: async (_input, ctx) => {
          begun.push(ctx.runId);
          await freed;
          return 1;
        },
      }),
    ],
  });
  const session = await own.client.startSession(uniqueId(), { limits: { cancelGraceMs: 500 } });
  const { runId } = await session.startRun({ agent: 'deaf', input: 1 });
  await eventually('the start', async () => Promise.resolve(begun.includes(runId)));
  expect(await session.cancelRun({ runId })).toMatchObject({ status: 'cancelled', cancelled: [runId] });
  free();
});

test('current details are a page about the session, and handlers have descriptions', async () => {
  const session = await h.client.startSession(uniqueId(), { title: 'A title' });
  await session.startRun({ agent: 'held', input: 1, label: 'the label' });
  const metadata = await h.temporal.workflow.getHandle(session.sessionId).query<{
    currentDetails: string;
    definition: {
      updateDefinitions: { name: string; description: string }[];
      signalDefinitions: { name: string }[];
      queryDefinitions: { name: string; description: string }[];
    };
  }>('__temporal_workflow_metadata');
  expect(metadata.currentDetails).toContain('the label');
  const names = metadata.definition.updateDefinitions.map((one) => one.name);
  expect(names.toSorted()).toEqual([
    'answer',
    'cancelRun',
    'cancelTurn',
    'close',
    'detachRun',
    'messageRun',
    'resetTurns',
    'rewind',
    'startRun',
    'startRuns',
    'submitTurn',
  ]);
  for (const one of [
    ...metadata.definition.updateDefinitions,
    ...metadata.definition.queryDefinitions.filter((query) => query.name.startsWith('get')),
  ])
    expect(one.description).not.toBe('');
});
