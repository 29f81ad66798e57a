/** The end of an execution, closed or continued as new: what it costs, that nothing is lost with it, and that no run is left in the dark. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { WorkflowNotFoundError } from '@temporalio/client';
import { Context } from '@temporalio/activity';
import type { OutliveEvent, RunResult } from '../../src/contract.ts';
import { AesCodec } from '../support/aes-codec.ts';
import { agentAt, echo, gated } from '../support/app.ts';
import { executionsOf, type HistoryEvent } from '../support/histories.ts';
import { allEvents, atRest, eventually, harness, types, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer, newest } from '../support/model-server.ts';
import { replayAll } from '../support/replay.ts';

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

const kindOf = (event: HistoryEvent): string =>
  Object.keys(event)
    .find((key) => key.endsWith('EventAttributes'))
    ?.replace('EventAttributes', '') ?? '';

/** A workflow task that a busy machine has not taken in time is scheduled again, which costs two events and says nothing of the run. */
function ofRetries(events: readonly HistoryEvent[]): number {
  return 2 * events.filter((event) => event.workflowTaskTimedOutEventAttributes).length;
}

function gapless(events: readonly OutliveEvent[]): void {
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
}

test('C-04 a young run of an empty task has at most 18 events and 3 workflow tasks, and adds at most 4 events of its own to its starter', async () => {
  const session = await h.client.startSession(uniqueId(), { limits: { maxConcurrentRuns: 50 } });
  await session.getSession();
  const before = (await executionsOf(h.temporal, session.sessionId)).flat();
  const { runs } = await session.startRuns({
    runs: Array.from({ length: 50 }, (_, i) => ({ agent: 'echo', input: i, detached: { notify: 'silent' } })),
  });
  await eventually('all to settle', async () => (await session.getSession()).runs.completed === 50);
  const after = (await executionsOf(h.temporal, session.sessionId)).flat().slice(before.length);
  // How many of them come into one workflow task, which is three events more, or four, is the machine's to say: the bench counts them.
  // On a slow machine there is a look at runs that have taken 5 s already, an activity after a timer.
  const own = after.filter((event) => !/^(workflowTask|workflowProperties|activityTask|timer)/u.test(kindOf(event)));
  expect(own.length).toBeLessThanOrEqual(50 * 4 + 4);
  for (const { workflowId } of runs) {
    await h.temporal.workflow.getHandle(workflowId).result();
    const [events = []] = await executionsOf(h.temporal, workflowId);
    expect(events.length - ofRetries(events)).toBeLessThanOrEqual(18);
    expect(events.filter((event) => event.workflowTaskCompletedEventAttributes).length).toBeLessThanOrEqual(3);
  }
});

test('C-04 a run that is older than a minute looks for its starter before it tells, which is at most 24 events in all', async () => {
  await using own = await harness();
  const code = await readFile(inject('bundlePath'), 'utf8');
  const young = /const YOUNG_MS = 60_?000;/u;
  expect(code).toMatch(young);
  // A build to which every run is old.
  await own.work(
    { agents: [agentAt(model.url)], tasks: [echo] },
    { workflowBundle: { code: code.replace(young, 'const YOUNG_MS = 0;') } },
  );
  const session = await own.client.startSession(uniqueId());
  const { runId, workflowId } = await session.startRun({ agent: 'echo', input: 1, detached: { notify: 'silent' } });
  await session.run(runId).result();
  await own.temporal.workflow.getHandle(workflowId).result();
  const [events = []] = await executionsOf(own.temporal, workflowId);
  const looks = events.filter(
    (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'lookAtWorkflow',
  );
  expect(looks).toHaveLength(1);
  expect(events.length - ofRetries(events)).toBeLessThanOrEqual(24);
});

test('C-04 E-08 closing ends the session in the task that takes the update, with no timer, and its log is archived in that task', async () => {
  const session = await h.client.startSession(uniqueId());
  await session.submitTurn({ input: 'hello' });
  await atRest(session);
  const before = (await executionsOf(h.temporal, session.sessionId)).flat().length;
  await session.close();
  await h.temporal.workflow.getHandle(session.sessionId).result();
  const events = (await executionsOf(h.temporal, session.sessionId)).flat().slice(before).map(kindOf);
  const ends = events.slice(events.indexOf('workflowTaskCompleted'));
  expect(ends[0]).toBe('workflowTaskCompleted');
  expect(ends.at(-1)).toBe('workflowExecutionCompleted');
  expect(ends).toContain('activityTaskScheduled');
  expect(ends.filter((kind) => ['timerStarted', 'markerRecorded', 'workflowTaskScheduled'].includes(kind))).toEqual([]);
  await replayAll(h.temporal, session.sessionId);
});

test('C-04 E-08 continuing as new needs no timer and no marker, and keeps every event, whatever is in the task with it', async () => {
  const session = await h.client.startSession(uniqueId(), { limits: { historyEvents: 20 } });
  for (let i = 0; i < 10; i++) {
    await Promise.all([session.submitTurn({ input: `hello ${i}` }), session.startRun({ agent: 'echo', input: i })]);
    await atRest(session);
  }
  const chain = await executionsOf(h.temporal, session.sessionId);
  expect(chain.length).toBeGreaterThan(3);
  for (const events of chain.slice(0, -1)) {
    expect(kindOf(events.at(-1) ?? {})).toBe('workflowExecutionContinuedAsNew');
    expect(events.map(kindOf)).not.toContain('markerRecorded');
    // Deadlines have timers; none only waits for the next task.
    const timers = events.filter((event) => event.timerStartedEventAttributes);
    for (const { userMetadata } of timers)
      expect(Buffer.from(userMetadata?.summary?.data ?? '').toString()).not.toContain('next task');
    expect(timers.length).toBeGreaterThan(0);
  }
  gapless(await allEvents(session));
  await replayAll(h.temporal, session.sessionId);
});

test.each([
  ['', undefined],
  [', with an encrypting codec', { payloadCodecs: [new AesCodec()] }],
])('E-08 an end of every form can be read with no worker running, and replays%s', async (_, dataConverter) => {
  await using own = await harness(uniqueId('q'), dataConverter);
  const worker = await own.work({ agents: [agentAt(model.url)], tasks: [echo] });
  const start = async (limits = {}): Promise<ReturnType<typeof own.client.session>> => {
    const session = await own.client.startSession(uniqueId(), { limits });
    await session.submitTurn({ input: 'hello' });
    await atRest(session);
    return session;
  };
  const handle = (id: string): ReturnType<typeof own.temporal.workflow.getHandle> =>
    own.temporal.workflow.getHandle(id);
  const [closed, cancelled, withUpdate, continued] = await Promise.all([
    start(),
    start(),
    start(),
    start({ historyEvents: 20 }),
  ]);
  await closed.close();
  await handle(cancelled.sessionId).cancel();
  await Promise.all([withUpdate.close(), withUpdate.submitTurn({ input: 'too late?' }).catch(() => undefined)]);
  for (let i = 0; i < 4; i++) await continued.startRun({ agent: 'echo', input: i, detached: { notify: 'silent' } });
  await atRest(continued);
  await continued.close();
  const all = [closed, cancelled, withUpdate, continued];
  for (const { sessionId } of all)
    await handle(sessionId)
      .result()
      .catch(() => undefined);
  await worker.stop();
  for (const session of all) {
    const events = await allEvents(session);
    gapless(events);
    expect(types(events).at(-1)).toBe('session.closed');
    await replayAll(own.temporal, session.sessionId, dataConverter);
  }
  expect((await handle(cancelled.sessionId).describe()).status.name).toBe('CANCELLED');
});

test('C-05 a session that is sent 50 MiB during one step, most of it refused, continues as new in time and lives', async () => {
  const session = await h.client.startSession(uniqueId());
  const handle = h.temporal.workflow.getHandle(session.sessionId);
  await session.submitTurn({ input: 'hang', turnId: 'hangs' });
  const { runId: first } = await handle.describe();
  const input = 'x'.repeat(250 * 1024);
  for (let i = 0; i < 200; i++) await handle.signal('submitTurn', { input: `${i} ${input}` });
  // The history is too large to be read whole.
  await eventually('the next execution', async () => (await handle.describe()).runId !== first);
  expect((await session.getSession()).turn).toMatchObject({ turnId: 'hangs', step: 1 });
  await session.resetTurns({});
  const taken = (await allEvents(session)).filter(({ type }) => type === 'input.refused' || type === 'turn.queued');
  const told = taken.reduce((sum, { suppressed }) => sum + (typeof suppressed === 'number' ? suppressed : 1), 0);
  expect(told).toBe(201);
  await session.submitTurn({ input: 'hello' });
  await atRest(session);
}, 400_000);

test('case 12 C-05 a task with milestones and a result of 1.9 MB settles although its run continues as new, and what is carried stays small', async () => {
  await using own = await harness();
  const result = 'x'.repeat(1_900_000);
  const many = gated('many', async (_input, ctx) => {
    for (let i = 0; i < 30; i++) await ctx.milestone(`m-${i}`, { i });
    return result;
  });
  await own.work({ agents: [agentAt(model.url)], tasks: [many.task] });
  const session = await own.client.startSession(uniqueId(), { limits: { historyEvents: 20 } });
  const { runId, workflowId } = await session.startRun({ agent: 'many', input: 1, detached: { notify: 'silent' } });
  many.gate.open();
  expect(await session.run(runId).result()).toBe(result);
  expect(await session.getRun({ runId })).toMatchObject({ status: 'completed', resultRef: workflowId });
  for (const id of [workflowId, session.sessionId])
    for (const [first] of await executionsOf(own.temporal, id)) {
      const input = first?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
      expect(input.reduce((sum, { data }) => sum + (data?.length ?? 0), 0)).toBeLessThanOrEqual(1024 * 1024);
    }
});

test('C-06 what an operator does to the archive changes nothing: its argument stands in the history all the same', async () => {
  await using own = await harness();
  const config = { agents: [agentAt(model.url)], tasks: [echo] };
  const seeing = await own.work(config);
  const session = await own.client.startSession(uniqueId(), { limits: { maxQueuedTurns: 2000 } });
  const handle = own.temporal.workflow.getHandle(session.sessionId);
  await session.submitTurn({ input: 'hang' });
  await seeing.stop();
  const hangs = async (): Promise<never> => Context.current().cancelled;
  await own.work(config, { activities: { archiveLog: hangs, model: hangs } });
  const metadata = 'x'.repeat(600);
  for (let wave = 0; wave < 2; wave++) {
    // The server buffers a hundred signals while a workflow task is under way.
    for (let i = 0; i < 150; i += 50)
      await Promise.all(
        Array.from({ length: 50 }, async (_, j) =>
          handle.signal('submitTurn', {
            input: 'wait',
            turnId: `turn-${wave}-${i + j}`,
            metadata,
            idempotencyKey: `${wave}-${i + j}-`.padEnd(250, 'k'),
          }),
        ),
      );
    await session.resetTurns({ reason: 'y'.repeat(300) });
    // One that has just been tried in vain is not under way, and is asked for again.
    await eventually('a part of the log to leave, and to be answered by hand', async () => {
      const { pendingActivities = [] } = (await handle.describe()).raw;
      const archiving = pendingActivities?.find((one) => one.activityType?.name === 'archiveLog');
      if (archiving === undefined) return false;
      const about = { namespace: 'default', workflowId: session.sessionId, activityId: archiving.activityId ?? '' };
      const { workflowService } = own.temporal;
      if (wave === 0)
        await workflowService.respondActivityTaskFailedById({
          ...about,
          failure: { message: 'by hand', applicationFailureInfo: { nonRetryable: true } },
        });
      else await workflowService.respondActivityTaskCompletedById(about);
      return true;
    });
  }
  await atRest(session);
  const events = await allEvents(session);
  gapless(events);
  const history = (await executionsOf(own.temporal, session.sessionId)).flat();
  const kinds = history.map(kindOf);
  // The server itself fails a task that was under way while a hundred signals came, or while its worker went.
  const failures = history.flatMap(({ workflowTaskFailedEventAttributes: failed }) => failed ?? []);
  expect(failures.filter(({ identity }) => identity !== 'history-service')).toEqual([]);
  expect(kinds).toContain('activityTaskFailed');
});

test('C-08 runs that outlive their session are told that it is gone, and none tells a stranger of its id', async () => {
  const many = gated('many');
  await using own = await harness();
  await own.work({ agents: [agentAt(model.url)], tasks: [echo, many.task] });
  const id = uniqueId();
  const session = await own.client.startSession(id, { limits: { maxConcurrentRuns: 40 } });
  const { runs } = await session.startRuns({
    runs: Array.from({ length: 40 }, (_, i) => ({ agent: 'many', input: i })),
  });
  await eventually('all to start', async () => Promise.resolve(many.started.length === 40));
  expect(await session.close()).toEqual({ status: 'closing' });
  await own.temporal.workflow.getHandle(id).result();
  const stranger = await own.client.startSession(id);
  many.gate.open();
  const results = await Promise.all(
    runs.map(async ({ workflowId }) => own.temporal.workflow.getHandle(workflowId).result() as Promise<RunResult>),
  );
  for (const result of results) expect(result).toMatchObject({ status: 'completed', delivered: false });
  await stranger.getSession();
  expect(types(await allEvents(stranger))).toEqual(['session.started']);
});

/** What was acknowledged as a signal is in the log as a turn, or was refused there. */
async function accountedFor(events: readonly OutliveEvent[], acknowledged: number): Promise<void> {
  const taken = events.filter(({ type, turnId = '' }) => type === 'turn.queued' && turnId.startsWith('signal-')).length;
  const refused = events.filter(({ type, name }) => type === 'input.refused' && name === 'submitTurn').length;
  expect(taken + refused).toBe(acknowledged);
  return Promise.resolve();
}

async function flood(id: string, count: number, from = 0): Promise<number> {
  const handle = h.temporal.workflow.getHandle(id);
  const sent = await Promise.all(
    Array.from({ length: count }, async (_, i) =>
      handle.signal('submitTurn', { input: 'hello', turnId: `signal-${from + i}` }).then(
        () => true,
        (error: unknown) => {
          if (error instanceof WorkflowNotFoundError) return false;
          throw error;
        },
      ),
    ),
  );
  return sent.filter(Boolean).length;
}

test('X-12 close answers among twenty-five signals at once, two hundred times, and no acknowledged signal is lost', async () => {
  const closed = async (): Promise<void> => {
    const session = await h.client.startSession(uniqueId());
    const [acknowledged, answer] = await Promise.all([flood(session.sessionId, 25), session.close()]);
    expect(answer).toEqual({ status: 'closing' });
    await h.temporal.workflow.getHandle(session.sessionId).result();
    await accountedFor(await allEvents(session), acknowledged);
  };
  for (let rounds = 0; rounds < 200; rounds += 10) await Promise.all(Array.from({ length: 10 }, closed));
}, 300_000);

test('X-12 submitTurn answers among twenty-five signals at once while the session continues as new', async () => {
  const session = await h.client.startSession(uniqueId(), { limits: { historyEvents: 20 } });
  let acknowledged = 0;
  for (let round = 0; round < 8; round++) {
    const [more, receipt] = await Promise.all([
      flood(session.sessionId, 25, acknowledged),
      session.submitTurn({ input: 'hang', onBusy: 'latest' }),
    ]);
    acknowledged += more;
    expect(receipt.deduplicated).toBe(false);
    await session.resetTurns();
  }
  await atRest(session);
  const events = await allEvents(session);
  gapless(events);
  await accountedFor(events, acknowledged);
  expect(await replayAll(h.temporal, session.sessionId)).toBeGreaterThan(2);
}, 240_000);
