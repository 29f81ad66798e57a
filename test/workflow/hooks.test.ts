/** Handlers of the app: told of every slot once it has succeeded, at most ten times, and never in anybody's way. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SessionHandle } from '../../src/client/index.ts';
import type { Row } from '../../src/contract.ts';
import type { HandlerCall } from '../../src/define.ts';
import { UnknownHandler } from '../../src/errors.ts';
import { agentAt, echo, gated } from '../support/app.ts';
import { allEvents, atRest, eventually, Gate, harness, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer } from '../support/model-server.ts';

let h: Harness;
let model: ModelServer;
const held = gated('held', async (input, ctx) => {
  await ctx.milestone('half');
  return input;
});
const calls: HandlerCall[] = [];
const flaky: string[] = [];
const broken: string[] = [];
const started: { key: string; run: Row }[] = [];
const finished: { key: string; run: Row; result?: unknown }[] = [];

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start(() => 'ok');
  await h.work({
    agents: [agentAt(model.url, { canStart: ['echo'] })],
    tasks: [echo, held.task],
    handlers: {
      records: (call) => {
        calls.push(call);
      },
      flaky: ({ key }) => {
        flaky.push(key);
        if (flaky.length < 3) throw new Error('not yet');
      },
      broken: ({ key }) => {
        broken.push(key);
        throw new Error('never');
      },
    },
    onRunStart: (call) => {
      started.push(call);
    },
    onRunFinish: (call) => {
      finished.push(call);
    },
  });
});

afterAll(async () => {
  held.gate.open();
  await h[Symbol.asyncDispose]();
  await model.stop();
});

async function told(session: SessionHandle, runId: string): Promise<void> {
  await eventually('onRunFinish', async () =>
    Promise.resolve(finished.some((call) => call.key === `run-finish:${session.sessionId}/${runId}`)),
  );
}

test('onFinish is called for each slot with its key, the run and its result, and does not change notify', async () => {
  const session = await h.client.startSession(uniqueId());
  const { runId } = await session.startRun({
    agent: 'held',
    input: { a: 1 },
    detached: { notify: 'silent', onFinish: 'records', onMilestones: ['half'] },
  });
  held.gate.open();
  await eventually('both calls', async () =>
    Promise.resolve(calls.filter((call) => call.run.runId === runId).length === 2),
  );
  const [milestone, finish] = calls
    .filter((call) => call.run.runId === runId)
    .toSorted((a, b) => b.kind.localeCompare(a.kind));
  expect(milestone).toMatchObject({ kind: 'milestone', key: `bg-task:${session.sessionId}:${runId}:milestone:half` });
  expect(finish).toMatchObject({
    kind: 'finish',
    key: `bg-task:${session.sessionId}:${runId}`,
    run: { status: 'completed' },
    result: { a: 1 },
  });
  await atRest(session);
  expect((await session.getRun({ runId })) as Row).toMatchObject({ delivery: { finish: { state: 'not_required' } } });
});

test('a handler that fails is called again until it has succeeded once', async () => {
  const session = await h.client.startSession(uniqueId());
  const { runId } = await session.startRun({ agent: 'echo', input: 1, detached: { onFinish: 'flaky' } });
  await eventually('the third call', async () => Promise.resolve(flaky.length === 3));
  await atRest(session);
  expect(new Set(flaky)).toEqual(new Set([`bg-task:${session.sessionId}:${runId}`]));
});

test('onRunStart and onRunFinish hear of every run, also of silent, never-started and nested ones', async () => {
  const session = await h.client.startSession(uniqueId(), { limits: { maxConcurrentRuns: 1 } });
  const block = gated('blocks');
  await using own = await harness();
  const heard: string[] = [];
  await own.work({
    agents: [agentAt(model.url)],
    tasks: [block.task],
    onRunStart: ({ key }) => {
      heard.push(key);
    },
    onRunFinish: ({ key, run }) => {
      heard.push(`${key} ${run.status}`);
    },
  });
  const other = await own.client.startSession(uniqueId(), { limits: { maxConcurrentRuns: 1 } });
  await other.startRuns({
    runs: [
      { agent: 'blocks', input: 1, runId: 'runs' },
      { agent: 'blocks', input: 1, runId: 'waits' },
    ],
  });
  await other.cancelRun({ runId: 'waits' });
  block.gate.open();
  await eventually('all of them', async () => Promise.resolve(heard.length === 3));
  const id = `${other.sessionId}/`;
  expect(heard.toSorted()).toEqual([
    `run-finish:${id}runs completed`,
    `run-finish:${id}waits cancelled`,
    `run-start:${id}runs`,
  ]);
  const { runId } = await session.startRun({ agent: 'echo', input: 7, detached: { notify: 'silent' } });
  await told(session, runId);
  expect(finished.find((call) => call.run.runId === runId)).toMatchObject({ run: { status: 'completed' }, result: 7 });
  expect(started.find((call) => call.run.runId === runId)).toMatchObject({
    key: `run-start:${session.sessionId}/${runId}`,
  });
});

test('case 31 D-37 a run that outlives its session calls onRunFinish once itself', async () => {
  await using own = await harness();
  const kept = gated('kept');
  const heard: { key: string; run: Row; result?: unknown }[] = [];
  let failures = 1;
  await own.work({
    agents: [agentAt(model.url)],
    tasks: [kept.task],
    onRunFinish: (call) => {
      if (failures-- > 0) throw new Error('not yet');
      heard.push(call);
    },
  });
  const session = await own.client.startSession(uniqueId());
  const { runId, workflowId } = await session.startRun({ agent: 'kept', input: 7, label: 'orphan' });
  await eventually('it to run', async () => Promise.resolve(kept.started.length === 1));
  await session.close({ runs: 'keep' });
  await own.temporal.workflow.getHandle(session.sessionId).result();
  kept.gate.open();
  expect(await own.temporal.workflow.getHandle(workflowId).result()).toMatchObject({ delivered: false, result: 7 });
  expect(heard).toMatchObject([
    { key: `run-finish:${workflowId}`, result: 7, run: { runId, agent: 'kept', label: 'orphan', status: 'completed' } },
  ]);
});

test('case 35 continuing as new waits for a call of a handler that is under way, and does not repeat it', async () => {
  await using own = await harness();
  const gate = new Gate();
  const calls: string[] = [];
  await own.work({
    agents: [agentAt(model.url)],
    tasks: [echo],
    handlers: {
      slow: async ({ key }) => {
        calls.push(key);
        await gate.opened;
      },
    },
  });
  const session = await own.client.startSession(uniqueId(), { limits: { historyEvents: 40 } });
  const first = (await own.temporal.workflow.getHandle(session.sessionId).describe()).runId;
  await session.startRun({ agent: 'echo', input: 1, detached: { notify: 'silent', onFinish: 'slow' } });
  await eventually('the call', async () => Promise.resolve(calls.length === 1));
  for (let i = 0; i < 20; i++) await session.submitTurn({ input: `hello ${i}` });
  gate.open();
  await eventually(
    'the next execution',
    async () => (await own.temporal.workflow.getHandle(session.sessionId).describe()).runId !== first,
  );
  await atRest(session);
  expect(calls).toHaveLength(1);
});

test('an unknown handler is refused, by update and by signal', async () => {
  const session = await h.client.startSession(uniqueId());
  await expect(session.startRun({ agent: 'echo', input: 1, detached: { onFinish: 'nobody' } })).rejects.toThrow(
    UnknownHandler,
  );
  await h.temporal.workflow
    .getHandle(session.sessionId)
    .signal('startRun', { agent: 'echo', input: 1, detached: { onFinish: 'nobody' } });
  await eventually('the refusal', async () =>
    (await allEvents(session)).some(
      (event) => event.type === 'input.refused' && String(event['message']).includes('nobody'),
    ),
  );
});

test("D-12 a handler that always throws is in nobody else's way, and is told at most ten times", async () => {
  const session = await h.client.startSession(uniqueId());
  await session.startRun({ agent: 'echo', input: 1, detached: { onFinish: 'broken' } });
  await session.startRun({ agent: 'echo', input: 2, detached: { onFinish: 'records' }, runId: 'other' });
  await eventually('the other call', async () =>
    Promise.resolve(
      calls.some((call) => call.run.runId === 'other' && call.run.workflowId.startsWith(session.sessionId)),
    ),
  );
  await session.submitTurn({ input: 'hello' });
  await eventually(
    'the turn',
    async () => (await session.getSession()).turn === null && (await session.getSession()).queue.length === 0,
  );
  await eventually('a few calls', async () => Promise.resolve(broken.length >= 3));
  // Who closes does not wait for minutes: the last calls come one after another.
  await session.close();
  await eventually('the last call', async () => Promise.resolve(broken.length === 10));
  await eventually('the end', async () => (await session.getSession()).status === 'closed');
  const events = await allEvents(session);
  expect(events.filter((event) => event.type === 'handler.failed')).toMatchObject([
    { handler: 'broken', error: { message: 'never' } },
  ]);
  expect(events.at(-1)?.type).toBe('session.closed');
  expect(broken).toHaveLength(10);
});
