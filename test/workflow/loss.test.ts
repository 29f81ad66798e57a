/** Runs that fall silent, end without a word, or are there already: found out by looking. */
import { Buffer } from 'node:buffer';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lookAtRuns } from '../../activities/look.ts';
import { PARENT_EPOCH, type Row } from '../../src/contract.ts';
import type { SessionHandle } from '../../src/client/index.ts';
import { defineTask } from '../../src/define.ts';
import { agentAt, echo, gated } from '../support/app.ts';
import { allEvents, atRest, eventually, Gate, harness, types, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer } from '../support/model-server.ts';

let h: Harness;
let model: ModelServer;
const held = gated('held');
const lively = new Gate();

beforeAll(async () => {
  h = await harness();
  let step = 0;
  model = await ModelServer.start(({ messages }) => {
    const said = JSON.stringify(messages);
    if (said.includes('work in steps') && step++ < 12) return { tools: [{ name: 'wait_a_little', input: {} }] };
    return said.includes('never answer') ? { hang: true } : 'ok';
  });
  const { defineTool } = await import('../../src/define.ts');
  const { z } = await import('zod');
  const wait = defineTool({
    name: 'wait_a_little',
    description: 'Waits.',
    idempotent: true,
    input: z.object({}),
    execute: async () => {
      await new Promise((resolve) => {
        setTimeout(resolve, 300);
      });
      return 'waited';
    },
  });
  await h.work({
    agents: [agentAt(model.url, { tools: [wait] }), agentAt(model.url, { name: 'worker', tools: [wait] })],
    tasks: [
      echo,
      held.task,
      defineTask({
        name: 'lively',
        run: async (_input, ctx) => {
          let beat = 0;
          const beats = setInterval(() => ctx.progress({ message: `beat ${++beat}` }), 200);
          await lively.opened;
          clearInterval(beats);
          return 'done';
        },
      }),
    ],
  });
});

afterAll(async () => {
  held.gate.open();
  lively.open();
  await h[Symbol.asyncDispose]();
  await model.stop();
});

async function row(session: SessionHandle, runId: string): Promise<Row> {
  return (await session.getRun({ runId })) as Row;
}

/** Makes the session continue as new, after which Temporal tells it nothing of its runs any more. */
async function continueAsNew(session: SessionHandle): Promise<void> {
  const handle = h.temporal.workflow.getHandle(session.sessionId);
  const { runId } = await handle.describe();
  for (let i = 0; i < 4; i++) await session.submitTurn({ input: `turn ${i}` });
  await eventually('the next execution', async () => (await handle.describe()).runId !== runId);
}

test('D-08 a silent run is given up as no_progress; one that reports goes on; keep-alives do not count', async () => {
  const session = await h.client.startSession(uniqueId(), { budgets: { noProgressBudgetMs: 3000 } });
  await session.startRuns({
    runs: [
      { agent: 'held', input: 1, runId: 'silent', detached: { onBudget: 'keep' } },
      { agent: 'lively', input: 1, runId: 'lively' },
    ],
  });
  await eventually('the give-up', async () => (await row(session, 'silent')).status === 'interrupted');
  expect(await row(session, 'silent')).toMatchObject({
    reason: 'no_progress',
    childStillRunning: true,
    delivery: { gaveUp: { state: expect.any(String) } },
  });
  const before = (await row(session, 'lively')).progress?.n ?? 0;
  await eventually(
    'three more silences to pass',
    async () => ((await row(session, 'lively')).progress?.n ?? 0) > before + 40,
  );
  expect((await row(session, 'lively')).status).toBe('running');
  lively.open();
  held.gate.open();
  await atRest(session);
  expect((await row(session, 'silent')).status).toBe('completed');
  expect((await row(session, 'lively')).status).toBe('completed');
});

test('D-08 an agent that takes steps is not silent, one whose model never answers is', async () => {
  const session = await h.client.startSession(uniqueId(), { budgets: { noProgressBudgetMs: 2000 } });
  await session.startRuns({
    runs: [
      { agent: 'worker', input: 'work in steps', runId: 'steps' },
      { agent: 'worker', input: 'never answer', runId: 'stuck' },
    ],
  });
  await eventually(
    'the give-up',
    async () =>
      (await row(session, 'stuck')).reason === 'no_progress' ||
      (await row(session, 'stuck')).reason === 'cancelled_by_budget',
  );
  await eventually('the steps', async () => (await row(session, 'steps')).status === 'completed');
  await atRest(session);
  expect(types(await allEvents(session)).filter((type) => type === 'run.gave_up')).toHaveLength(1);
});

test('D-10 a run terminated in Temporal settles as failed / lost, also when its session has continued as new since', async () => {
  const waits = gated('waits');
  await using own = await harness();
  await own.work({ agents: [agentAt(model.url)], tasks: [waits.task] });
  const session = await own.client.startSession(uniqueId(), { limits: { historyEvents: 20 } });
  const { runId, workflowId } = await session.startRun({ agent: 'waits', input: 1 });
  await eventually('the start', async () => Promise.resolve(waits.started.length === 1));
  await continueAsNew(session);
  await own.temporal.workflow.getHandle(workflowId).terminate('by an operator');
  await eventually('the settle', async () => (await row(session, runId)).status === 'failed');
  expect(await row(session, runId)).toMatchObject({ reason: 'lost', error: { type: 'Terminated' } });
  await atRest(session);
  expect((await allEvents(session)).filter((event) => event.type === 'run.delivered')).toHaveLength(1);
});

test('D-10 a run that Temporal timed out, or that failed by a bug, settles as timed_out and lost', async () => {
  const session = await h.client.startSession(uniqueId());
  const { epoch } = await session.getSession();
  // Runs that are there already, started by this session in an earlier life: what a reset leaves.
  const there = async (
    runId: string,
    more: { args: unknown[]; workflowRunTimeout?: '1s'; taskQueue?: string },
  ): Promise<void> => {
    await h.temporal.workflow.start('run', {
      workflowId: `${session.sessionId}/${runId}`,
      taskQueue: h.taskQueue,
      memo: { [PARENT_EPOCH]: epoch },
      ...more,
    });
  };
  await there('late', { args: [{}], workflowRunTimeout: '1s', taskQueue: uniqueId('nobody') });
  await there('broken', { args: [{ not: 'a run' }] });
  await session.startRuns({
    runs: [
      { agent: 'held', input: 1, runId: 'late' },
      { agent: 'held', input: 1, runId: 'broken' },
    ],
  });
  await eventually(
    'the settles',
    async () => (await row(session, 'late')).status === 'failed' && (await row(session, 'broken')).status === 'failed',
  );
  expect(await row(session, 'late')).toMatchObject({ reason: 'timed_out' });
  expect(await row(session, 'broken')).toMatchObject({ reason: 'lost', error: { type: 'InvalidInput' } });
});

test('a session that is reset goes on with the runs that it has started, and each is delivered once', async () => {
  const waits = gated('waits');
  await using own = await harness();
  await own.work({ agents: [agentAt(model.url)], tasks: [waits.task] });
  const session = await own.client.startSession(uniqueId());
  await session.submitTurn({ input: 'hello' });
  await atRest(session);
  const handle = own.temporal.workflow.getHandle(session.sessionId);
  const { events = [] } = await handle.fetchHistory();
  const completed =
    events?.filter(
      (event) =>
        event.workflowTaskCompletedEventAttributes !== undefined && event.workflowTaskCompletedEventAttributes !== null,
    ) ?? [];
  const { runId: execution } = await handle.describe();
  await session.startRun({ agent: 'waits', input: 1, runId: 'x' });
  await eventually('the start', async () => Promise.resolve(waits.started.length === 1));
  await own.temporal.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: session.sessionId, runId: execution },
    reason: 'test',
    requestId: uniqueId(),
    workflowTaskFinishEventId: completed.at(-1)?.eventId ?? null,
  });
  await eventually('the next execution', async () => (await handle.describe()).runId !== execution);
  await session.startRun({ agent: 'waits', input: 1, runId: 'x' });
  await eventually('the run', async () => (await row(session, 'x'))?.status === 'running');
  waits.gate.open();
  await eventually('the settle', async () => (await row(session, 'x')).status === 'completed');
  await atRest(session);
  expect(waits.started).toHaveLength(1);
  expect(
    (await allEvents(session)).filter((event) => event.type === 'run.delivered' && event['kind'] === 'finish'),
  ).toHaveLength(1);
});

test('a look tells open, closed and nowhere apart, and another workflow of the same id is not the run', async () => {
  const session = await h.client.startSession(uniqueId());
  const quick = await session.startRun({ agent: 'echo', input: { big: 'x'.repeat(100_000) } });
  // It is acknowledged before it is started, and the session has heard of its end before its workflow has ended.
  await session.run(quick.runId).result();
  await h.temporal.workflow.getHandle(quick.workflowId).result();
  const { runId: epoch } = await h.temporal.workflow.getHandle(quick.workflowId).describe();
  const ask = { runId: 'r', kind: 'task' as const, closely: false };
  const look = async (workflowId: string, of: string): Promise<unknown> =>
    new MockActivityEnvironment().run(
      async () => (await lookAtRuns(h.temporal, [{ ...ask, workflowId, epoch: of }]))[0],
    );
  const seen = await look(quick.workflowId, epoch);
  expect(seen).toMatchObject({ found: 'closed', outcome: { status: 'completed', resultRef: quick.workflowId } });
  expect(Buffer.byteLength(JSON.stringify(seen))).toBeLessThan(4096);
  expect(await look(quick.workflowId, 'another-epoch')).toEqual({ runId: 'r', found: 'nothing' });
  expect(await look(`${session.sessionId}/none`, '')).toEqual({ runId: 'r', found: 'nothing' });
  expect(await look(session.sessionId, '')).toMatchObject({ found: 'open' });
});
