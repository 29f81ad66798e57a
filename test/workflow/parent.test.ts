/** What becomes of runs when their session continues as new, closes, is terminated, or is followed by another of its id. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defineTask } from '../../src/define.ts';
import { agentAt, echo, gated } from '../support/app.ts';
import {
  allEvents,
  atRest,
  byText,
  eventually,
  Gate,
  harness,
  types,
  uniqueId,
  type Harness,
} from '../support/harness.ts';
import { ModelServer } from '../support/model-server.ts';
import type { RunResult } from '../../src/contract.ts';

let h: Harness;
let model: ModelServer;

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start(() => 'ok');
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await model.stop();
});

async function generations(workflowId: string): Promise<number> {
  let count = 0;
  for await (const _ of h.temporal.workflow.list({ query: `WorkflowId = "${workflowId}"` })) count++;
  return count;
}

test('D-20 E-01 fifty runs finish while their session continues as new twenty times: fifty deliveries, none twice, no gap in the log', async () => {
  const many = gated('many');
  await using own = await harness();
  await own.work({ agents: [agentAt(model.url)], tasks: [many.task] });
  const session = await own.client.startSession(uniqueId(), { limits: { historyEvents: 20, maxConcurrentRuns: 50 } });
  await session.startRuns({
    runs: Array.from({ length: 50 }, (_, i) => ({ agent: 'many', input: i, runId: `run-${i}` })),
  });
  many.gate.open();
  await eventually('fifty settles', async () => (await session.getSession()).runs.completed === 50, 200_000);
  await atRest(session);
  for (let i = 0; (await generations(session.sessionId)) <= 20; i++) {
    await session.submitTurn({ input: `more ${i}`, idempotencyKey: `more-${i}` });
    await atRest(session);
  }
  const events = await allEvents(session);
  expect(events.map((event) => event.seq)).toEqual(events.map((_, i) => i + 1));
  const keys = events.filter((event) => event.type === 'run.delivered').map((event) => event['key']);
  expect(keys).toHaveLength(50);
  expect(new Set(keys).size).toBe(50);
  const { runs } = await session.listRuns({ limit: 1000 });
  expect(runs.map((row) => row.runId)).toEqual(Array.from({ length: 50 }, (_, i) => `run-${i}`));
}, 240_000);

test('T-02 an idempotency key holds across continue-as-new, and another payload under it is a conflict', async () => {
  await using own = await harness();
  await own.work({ agents: [agentAt(model.url)] });
  const session = await own.client.startSession(uniqueId(), { limits: { historyEvents: 25 } });
  const first = await Promise.all(
    Array.from({ length: 10 }, async () => session.submitTurn({ input: 'once', idempotencyKey: 'k' })),
  );
  expect(new Set(first.map((one) => one.turnId)).size).toBe(1);
  expect(first.filter((one) => !one.deduplicated)).toHaveLength(1);
  for (let i = 0; (await generations(session.sessionId)) < 3; i++) {
    await session.submitTurn({ input: `other ${i}` });
    await atRest(session);
  }
  expect(await session.submitTurn({ input: 'once', idempotencyKey: 'k' })).toEqual({
    turnId: first[0]?.turnId,
    status: 'completed',
    position: 0,
    deduplicated: true,
  });
  await expect(session.submitTurn({ input: 'twice', idempotencyKey: 'k' })).rejects.toMatchObject({
    type: 'IdempotencyConflict',
  });
});

test('D-21 a session closed with runs kept: they complete, record that nobody heard it, and keep their ceiling', async () => {
  const kept = gated('kept');
  await using own = await harness();
  await own.work({ agents: [agentAt(model.url)], tasks: [kept.task] });
  const session = await own.client.startSession(uniqueId());
  const done = await session.startRun({ agent: 'kept', input: 'done' });
  const late = await session.startRun({ agent: 'kept', input: 'late', detached: { maxBudgetMs: 4000 } });
  await eventually('both to start', async () => Promise.resolve(kept.started.length === 2));
  await session.close({ reason: 'enough' });
  const closed = (await own.temporal.workflow.getHandle(session.sessionId).result()) as {
    status: string;
    reason: string;
    runs: unknown[];
  };
  expect(closed).toMatchObject({
    status: 'closed',
    reason: 'enough',
    runs: [
      { runId: done.runId, status: 'running' },
      { runId: late.runId, status: 'running' },
    ],
  });
  const result = (await own.temporal.workflow.getHandle(late.workflowId).result()) as RunResult;
  expect(result).toMatchObject({ status: 'cancelled', reason: 'cancelled_by_budget', delivered: false });
  kept.gate.open();
  expect(await own.temporal.workflow.getHandle(done.workflowId).result()).toMatchObject({
    status: 'completed',
    result: 'done',
    delivered: false,
  });
});

test('D-21 runs that end while their session does say truly whether it has heard them', async () => {
  const closes = new Gate();
  const nap = defineTask({
    name: 'nap',
    run: async ({ ms }: { ms: number }) => {
      if (ms > 0) await closes.opened;
      return pause(ms, ms);
    },
  });
  await using own = await harness();
  await own.work({ agents: [agentAt(model.url)], tasks: [nap] });
  const session = await own.client.startSession(uniqueId(), { limits: { maxConcurrentRuns: 20 } });
  const { runs } = await session.startRuns({
    runs: Array.from({ length: 20 }, (_, i) => ({ agent: 'nap', input: { ms: Math.max(0, i - 3) * 150 } })),
  });
  await eventually('the first to be heard', async () => (await session.getSession()).runs.completed > 2);
  closes.open();
  await session.close();
  const closed = (await own.temporal.workflow.getHandle(session.sessionId).result()) as {
    runs: { runId: string; status: string }[];
  };
  const results = await Promise.all(
    runs.map(async ({ runId, workflowId }) => {
      const { delivered } = (await own.temporal.workflow.getHandle(workflowId).result()) as RunResult;
      return { runId, status: delivered ? 'completed' : 'running' };
    }),
  );
  expect(results).toEqual(closed.runs);
  expect(results.some(({ status }) => status === 'running')).toBe(true);
  const settled = (await allEvents(session))
    .filter((event) => event.type === 'run.settled')
    .map((event) => event.runId);
  expect(settled.toSorted(byText)).toEqual(
    results
      .filter(({ status }) => status === 'completed')
      .map(({ runId }) => runId)
      .toSorted(byText),
  );
});

test('E-02 a log of many megabytes is archived in parts, and read after the end', async () => {
  await using own = await harness();
  await own.work({ agents: [agentAt(model.url)] });
  const session = await own.client.startSession(uniqueId());
  const inputs = Array.from({ length: 30 }, (_, i) => `${i} ${'x'.repeat(200 * 1024)}`);
  for (const input of inputs) {
    await session.submitTurn({ input });
    await atRest(session);
  }
  await session.close();
  await own.temporal.workflow.getHandle(session.sessionId).result();
  const events = await allEvents(session);
  expect(events.map((event) => event.seq)).toEqual(events.map((_, i) => i + 1));
  expect(types(events).filter((type) => type === 'turn.completed')).toHaveLength(30);
  expect(types(events).at(-1)).toBe('session.closed');
});

test('D-21 a session closed with runs cancelled waits for them, and session.closed is its last event', async () => {
  const cut = gated('cut');
  await using own = await harness();
  await own.work({ agents: [agentAt(model.url)], tasks: [cut.task] });
  const session = await own.client.startSession(uniqueId(), { limits: { maxConcurrentRuns: 2 } });
  const { runs } = await session.startRuns({ runs: [1, 2, 3].map((input) => ({ agent: 'cut', input })) });
  await eventually('two to start', async () => Promise.resolve(cut.started.length === 2));
  await session.close({ runs: 'cancel' });
  const closed = await own.temporal.workflow.getHandle(session.sessionId).result();
  expect(closed).toMatchObject({ status: 'closed', runs: runs.map(({ runId }) => ({ runId, status: 'cancelled' })) });
  const events = await allEvents(session);
  expect(types(events).slice(-1)).toEqual(['session.closed']);
  expect(events.filter((event) => event.type === 'run.settled').map((event) => event['reason'])).toEqual([
    'session_closed',
    'session_closed',
    'session_closed',
  ]);
  expect(types(events)).not.toContain('run.delivered');
});

test('D-22 a terminated session: its runs complete; a new one of its id hears and lists nothing of them and starts its own', async () => {
  const orphan = gated('orphan');
  await using own = await harness();
  await own.work({ agents: [agentAt(model.url)], tasks: [orphan.task, echo] });
  const id = uniqueId();
  const before = await own.client.startSession(id);
  const old = await before.startRun({ agent: 'orphan', input: 'old' });
  await before.startRun({ agent: 'orphan', input: 'mine', runId: 'mine' });
  await eventually('both to start', async () => Promise.resolve(orphan.started.length === 2));
  await own.temporal.workflow.getHandle(id).terminate('by an operator');
  const session = await own.client.startSession(id);
  const fresh = await session.startRun({ agent: 'echo', input: 'new' });
  expect(fresh.runId).not.toBe(old.runId);
  await session.startRun({ agent: 'echo', input: 'mine too', runId: 'mine' });
  const taken = await eventually('the refused start', async () => {
    const row = await session.getRun({ runId: 'mine' });
    return row?.status === 'failed' && 'error' in row ? row : undefined;
  });
  expect(taken).toMatchObject({
    reason: 'start_failed',
    error: { message: expect.stringContaining('earlier session') },
  });
  orphan.gate.open();
  // Younger than a minute it tells whoever has the id; that is all that `delivered` says then.
  expect(await own.temporal.workflow.getHandle(old.workflowId).result()).toMatchObject({
    status: 'completed',
    result: 'old',
    delivered: true,
  });
  await eventually('the new one to refuse it', async () =>
    (await allEvents(session)).some((event) => event.type === 'input.refused' && event['name'] === 'runSettled'),
  );
  expect(await session.run(fresh.runId).result()).toBe('new');
  await atRest(session);
  expect((await session.listRuns()).runs.map((row) => row.runId)).toEqual([fresh.runId, 'mine']);
  expect(
    (await allEvents(session))
      .filter((event) => event.type === 'run.delivered')
      .map((event) => event.runId)
      .toSorted(byText),
  ).toEqual([fresh.runId, 'mine'].toSorted(byText));
});

test('D-23 getRun of an unknown id is null; inspect finds a run that was only just asked for, and else says unknown', async () => {
  await using own = await harness();
  await own.work({ agents: [agentAt(model.url)], tasks: [echo] });
  const session = await own.client.startSession(uniqueId());
  expect(await session.getRun({ runId: 'nobody' })).toBeNull();
  const looking = session.run('fired').inspect();
  await own.temporal.workflow
    .getHandle(session.sessionId)
    .signal('startRun', { agent: 'echo', input: 1, runId: 'fired' });
  expect(await looking).toMatchObject({ runId: 'fired', agent: 'echo' });
  expect(await session.run('nobody').inspect()).toEqual({
    runId: 'nobody',
    workflowId: `${session.sessionId}/nobody`,
    status: 'unknown',
  });
});

test('D-21 a run that ends after its session has closed is seen as it ended, though the session never heard of it', async () => {
  await using own = await harness();
  const app = gated('app');
  await own.work({ agents: [agentAt(model.url)], tasks: [app.task] });
  const session = await own.client.startSession(uniqueId());
  const { runId, workflowId } = await session.startRun({ agent: 'app', input: 'result' });
  await eventually('the start', async () => Promise.resolve(app.started.length === 1));
  await session.close();
  await own.temporal.workflow.getHandle(session.sessionId).result();
  expect(await session.run(runId).inspect()).toMatchObject({ status: 'running' });
  app.gate.open();
  expect(await own.temporal.workflow.getHandle(workflowId).result()).toMatchObject({ delivered: false });
  expect(await session.run(runId).inspect()).toMatchObject({
    runId,
    agent: 'app',
    status: 'completed',
    result: 'result',
  });
});

test('a cancelRun that waits does not keep a session from continuing as new', async () => {
  await using own = await harness();
  const deaf = new Gate();
  const begun: string[] = [];
  await own.work({
    agents: [agentAt(model.url)],
    tasks: [
      defineTask({
        name: 'deaf',
        run: async (_input, ctx) => {
          begun.push(ctx.runId);
          await deaf.opened;
          return 1;
        },
      }),
    ],
  });
  const session = await own.client.startSession(uniqueId(), {
    limits: { historyEvents: 20, cancelGraceMs: 3_600_000 },
  });
  const handle = own.temporal.workflow.getHandle(session.sessionId);
  const { runId } = await session.startRun({ agent: 'deaf', input: 1 });
  await eventually('the start', async () => Promise.resolve(begun.length === 1));
  const { runId: first } = await handle.describe();
  const enough = new AbortController();
  // One after the other, so that one of them always waits.
  const asking = Array.from({ length: 3 }, async (_, i) => {
    await pause(i * 1700);
    while (!enough.signal.aborted) await session.cancelRun({ runId });
  });
  await eventually('the next execution', async () => (await handle.describe()).runId !== first);
  const { turnId } = await session.submitTurn({ input: 'hello' });
  await eventually('the turn', async () => (await session.getTurn({ turnId }))?.status === 'completed');
  enough.abort();
  deaf.open();
  await Promise.all(asking);
}, 120_000);

test('a session does not rest while the names in a message that has come are looked up', async () => {
  await using own = await harness();
  const config = { agents: [agentAt(model.url)], tasks: [echo] };
  const first = await own.work(config);
  const session = await own.client.startSession(uniqueId());
  await first.stop();
  const blind = await own.work({ ...config, serve: ['workflows'] }, { enableNonLocalActivities: false });
  expect(await session.getSession()).toMatchObject({ status: 'idle', turn: null });
  await own.temporal.workflow
    .getHandle(session.sessionId)
    .signal('startRun', { agent: 'echo', input: 1, runId: 'mine' });
  expect(await session.getSession()).toMatchObject({ status: 'running', turn: null, runs: { queued: 0, running: 0 } });
  await blind.stop();
  await own.work(config);
  await atRest(session);
  expect(await session.getRun({ runId: 'mine' })).toMatchObject({ status: 'completed', result: 1 });
});

test('D-20 no accepted signal is lost when updates and settles pour in while the session continues as new', async () => {
  await using own = await harness();
  await own.work({ agents: [agentAt(model.url)], tasks: [echo] });
  const session = await own.client.startSession(uniqueId(), {
    limits: { historyEvents: 120, maxQueuedRuns: 5000, maxQueuedTurns: 5000, maxConcurrentRuns: 20 },
  });
  const lane = async (name: number): Promise<string[]> => {
    const ids: string[] = [];
    for (let i = 0; i < 25; i++) {
      const input = `${name}-${i}`;
      if (name % 2 === 0)
        ids.push((await session.startRun({ agent: 'echo', input, detached: { notify: 'silent' } })).runId);
      else await session.submitTurn({ input });
    }
    return ids;
  };
  const started = (await Promise.all(Array.from({ length: 8 }, async (_, i) => lane(i)))).flat();
  await eventually(
    'all turns and runs to be done',
    async () => {
      const { status, queue, runs } = await session.getSession();
      return status === 'idle' && queue.length === 0 && runs.queued + runs.running === 0;
    },
    200_000,
  );
  const told = await Promise.all(
    started.map(
      async (runId) =>
        ((await own.temporal.workflow.getHandle(`${session.sessionId}/${runId}`).result()) as { delivered: boolean })
          .delivered,
    ),
  );
  expect(told.every(Boolean)).toBe(true);
  await atRest(session);
  const looks = (await Promise.all(started.map(async (runId) => (await session.getRun({ runId }))?.status))).filter(
    (status) => status !== 'completed',
  );
  expect(looks).toEqual([]);
}, 240_000);

test('runs whose inputs are more together than a workflow task can carry are started all the same', async () => {
  await using own = await harness();
  const session = await own.begin();
  const handle = own.temporal.workflow.getHandle(session.sessionId);
  // Together less than the 4 MiB of history at which the server suggests to continue as new.
  const large = 'x'.repeat(261_000);
  for (let i = 0; i < 16; i++)
    await handle.signal('startRun', { agent: 'echo', input: large, runId: `r-${i}`, detached: { notify: 'silent' } });
  await own.work({ agents: [agentAt(model.url)], tasks: [echo] });
  await eventually('all runs', async () => (await session.getSession()).runs.completed === 16);
  const { events } = await handle.fetchHistory();
  expect(
    (events ?? []).filter(
      (event) => event.workflowTaskFailedEventAttributes ?? event.workflowTaskTimedOutEventAttributes,
    ),
  ).toEqual([]);
  await session.close();
});

test('a backlog of thousands of signals is taken when a worker comes back', async () => {
  await using own = await harness();
  const session = await own.begin();
  const handle = own.temporal.workflow.getHandle(session.sessionId);
  const signals = [
    ...Array.from(
      { length: 600 },
      (_, i) => ['submitTurn', { input: `turn ${i}`, turnId: `t-${i}`, onBusy: i === 0 ? 'queue' : 'merge' }] as const,
    ),
    ...Array.from(
      { length: 200 },
      (_, i) => ['startRun', { agent: 'echo', input: i, runId: `r-${i}`, detached: { notify: 'silent' } }] as const,
    ),
    ...Array.from({ length: 2200 }, () => ['submitTurn', { input: 'turn 1', turnId: 't-1', onBusy: 'merge' }] as const),
  ];
  for (let i = 0; i < signals.length; i += 50)
    await Promise.all(signals.slice(i, i + 50).map(async ([name, argument]) => handle.signal(name, argument)));
  await own.work({ agents: [agentAt(model.url)], tasks: [echo] });
  await eventually('the session to answer', async () => (await session.getSession()).runs.completed === 200, 110_000);
  const { events = [] } = await handle.fetchHistory();
  expect(
    events?.filter(
      (event) => event.workflowTaskFailedEventAttributes?.failure?.message?.includes('timed out') === true,
    ),
  ).toEqual([]);
}, 200_000);
