/** Workers that are killed or told to stop in the middle: nothing finished is repeated, nothing is lost. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  allEvents,
  atRest,
  byText,
  eventually,
  Gate,
  harness,
  text,
  uniqueId,
  type Harness,
} from '../support/harness.ts';
import { last, ModelServer, type Answer } from '../support/model-server.ts';
import { replay, replayAll } from '../support/replay.ts';
import { Bench } from '../support/worker-process.ts';

let h: Harness;
let model: ModelServer;
let answer: Answer = () => 'ok';
let bench: Bench;

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start((call) => answer(call));
  bench = await Bench.open(h.taskQueue, model.url);
});

afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  await h[Symbol.asyncDispose]();
  await model.stop();
});

test('T-07 killed in a model call: the turn finishes on another worker, and the finished step is not taken again', async () => {
  let second = 0;
  answer = (call) => {
    if (last(call).role === 'user') return { tools: [{ name: 'note', input: { line: 'a' } }] };
    second += 1;
    return second === 1 ? { hang: true } : 'done';
  };
  const before = model.calls.length;
  const first = await bench.worker();
  const session = await h.client.startSession(uniqueId());
  const { turnId } = await session.submitTurn({ input: 'go' });
  await eventually('the second model call', async () => Promise.resolve(second === 1));
  await first.kill();
  await bench.worker();
  await atRest(session);
  expect(await session.getTurn({ turnId })).toMatchObject({ status: 'completed', steps: 2 });
  expect(model.calls.length - before).toBe(3);
  expect(bench.lines('tool-done')).toEqual(['a']);
  await session.close();
});

test('T-07 killed in a tool: the tool is taken again, the model is not asked again', async () => {
  answer = (call) =>
    last(call).role === 'user'
      ? {
          tools: [
            { name: 'note', input: { line: 'b' } },
            { name: 'note', input: { line: 'c', gate: 'tool-gate' } },
          ],
        }
      : 'done';
  const before = model.calls.length;
  const first = await bench.worker();
  const session = await h.client.startSession(uniqueId());
  const { turnId } = await session.submitTurn({ input: 'go' });
  await eventually('both tools to begin and one to finish', async () =>
    Promise.resolve(bench.lines('tool-done').includes('b') && bench.lines('tool-begun').includes('c')),
  );
  await first.kill();
  bench.open('tool-gate');
  await bench.worker();
  await atRest(session);
  expect(await session.getTurn({ turnId })).toMatchObject({ status: 'completed', steps: 2 });
  expect(model.calls.length - before).toBe(2);
  expect(bench.lines('tool-done').filter((line) => line === 'c')).toHaveLength(1);
  expect(bench.lines('tool-begun').filter((line) => line === 'c')).toHaveLength(2);
  await session.close();
});

test('T-07 killed between two steps: the next one is taken once, by another worker', async () => {
  let second = 0;
  answer = (call) => {
    if (last(call).role === 'user') return { tools: [{ name: 'note', input: { line: 'd' } }] };
    second += 1;
    return second === 1 ? { status: 503, headers: { 'retry-after': '2' } } : 'done';
  };
  const first = await bench.worker();
  const session = await h.client.startSession(uniqueId());
  const { turnId } = await session.submitTurn({ input: 'go' });
  await eventually('the pause before the retry', async () => (await session.getSession()).turn?.recovering === true);
  await first.kill();
  await bench.worker();
  await atRest(session);
  const turn = await session.getTurn({ turnId });
  expect(turn).toMatchObject({ status: 'completed', steps: 2 });
  expect(text(turn?.messages.at(-1))).toBe('done');
  expect(bench.lines('tool-done').filter((line) => line === 'd')).toHaveLength(1);
  expect(second).toBe(2);
  await session.close();
});

test('T-07 X-07 a question that comes before the next worker has taken the task changes nothing, though its clock is an old one', async () => {
  let calls = 0;
  answer = () => (++calls === 1 ? { status: 503, headers: { 'retry-after': '2' } } : 'done');
  const first = await bench.worker();
  const session = await h.client.startSession(uniqueId());
  const handle = h.temporal.workflow.getHandle(session.sessionId);
  const { turnId } = await session.submitTurn({ input: 'go' });
  await eventually('the pause before the retry', async () => (await session.getSession()).turn?.recovering === true);
  await first.kill();
  const asked = session.getSession();
  await eventually('the timer to fire with no worker there', async () =>
    ((await handle.fetchHistory()).events ?? []).some((event) => event.timerFiredEventAttributes),
  );
  await bench.worker();
  expect(await asked).toMatchObject({ sessionId: session.sessionId });
  await atRest(session);
  expect(await session.getTurn({ turnId })).toMatchObject({ status: 'completed' });
  expect(calls).toBe(2);
  await replay(await handle.fetchHistory(), session.sessionId);
  await session.close();
});

test('X-07 a question before the task changes nothing of continuing as new either, however long the history is', async () => {
  const failed = new Set<string>();
  // All fail at the same moment, so that the worker is killed before the first of them is tried again.
  const all = new Gate();
  answer = async (call) => {
    const input = last(call).text;
    if (!input.startsWith('fail') || failed.has(input)) return 'done';
    failed.add(input);
    if (failed.size === 30) all.open();
    await all.opened;
    return { status: 503, headers: { 'retry-after': '6' } };
  };
  const first = await bench.worker();
  // One of these limits is just as far away as the history is long when the question comes.
  const sessions = await Promise.all(
    Array.from({ length: 30 }, async (_, i) => {
      const session = await h.client.startSession(uniqueId(), { limits: { historyEvents: 20 + i } });
      for (const input of ['one', `fail ${i}`, 'three']) await session.submitTurn({ input });
      return { session, handle: h.temporal.workflow.getHandle(session.sessionId) };
    }),
  );
  await Promise.all(
    sessions.map(async ({ session }) =>
      eventually('the pause before the retry', async () => (await session.getSession()).turn?.recovering === true),
    ),
  );
  await first.kill();
  const asked = sessions.map(async ({ session }) => session.getSession());
  await Promise.all(
    sessions.map(async ({ handle }) =>
      eventually(
        'the timer to fire with no worker there',
        async () => ((await handle.fetchHistory()).events ?? []).at(-1)?.workflowTaskScheduledEventAttributes,
      ),
    ),
  );
  await bench.worker();
  await Promise.all(asked);
  for (const { session } of sessions) await atRest(session);
  for (const { session } of sessions) await replayAll(h.temporal, session.sessionId);
}, 120_000);

test('D-02 P-03 killed while a run of its turn works: progress stays readable, the retry goes on from it, the result comes once', async () => {
  answer = (call) =>
    last(call).text.includes('<background-run')
      ? 'heard'
      : last(call).role === 'user'
        ? { tools: [{ name: 'start_run', input: { agent: 'count', input: { to: 10, hold: 5, gate: 'count-gate' } } }] }
        : 'started';
  const first = await bench.worker();
  const session = await h.client.startSession(uniqueId());
  await session.submitTurn({ input: 'go' });
  const { runId } = await eventually('the run', async () => (await session.listRuns()).runs[0]);
  await eventually('five', async () => {
    const row = await session.run(runId).inspect();
    return 'progress' in row && row.progress?.message === '5 of 10';
  });
  await first.kill();
  expect(await session.run(runId).inspect()).toMatchObject({
    runId,
    status: 'running',
    progress: { message: '5 of 10', phase: 'counting' },
  });
  await bench.worker();
  expect(await session.run(runId).inspect()).toMatchObject({
    status: 'running',
    progress: { message: '5 of 10', phase: 'counting' },
  });
  bench.open('count-gate');
  expect(await session.run(runId).result()).toEqual({ counted: 10 });
  await atRest(session);
  expect(bench.lines('counted')).toEqual(Array.from({ length: 10 }, (_, i) => `${runId} ${i + 1}`));
  expect(bench.lines('attempts')).toEqual([`${runId} 1 0`, `${runId} 2 5`]);
  const events = await allEvents(session);
  expect(events.filter((event) => event.type === 'run.delivered')).toHaveLength(1);
  expect(events.filter((event) => event.type === 'run.milestone').map((event) => event['name'])).toEqual(['two']);
  await session.close();
});

test("D-28 killed between a model's start_run and the start, or with its step retried: one run", async () => {
  let asked = 0;
  const first = await bench.worker();
  answer = async (call) => {
    if (last(call).text.includes('<background-run')) return 'heard';
    if (last(call).role !== 'user') return 'started';
    asked += 1;
    // The worker dies with the answer on its way; what it may still have recorded goes on.
    if (asked === 1) await first.kill();
    return { tools: [{ name: 'start_run', input: { agent: 'count', input: { to: 2, hold: 9, gate: 'none' } } }] };
  };
  const session = await h.client.startSession(uniqueId());
  await session.submitTurn({ input: 'go' });
  await eventually('the first call', async () => Promise.resolve(asked === 1));
  await bench.worker();
  await eventually('the run', async () => (await session.listRuns()).runs.length === 1);
  await atRest(session);
  const { runs } = await session.listRuns();
  expect(runs).toMatchObject([{ status: 'completed' }]);
  expect(bench.lines('attempts').filter((line) => line.startsWith(runs[0]?.runId ?? '-'))).toHaveLength(1);
  expect((await allEvents(session)).filter((event) => event.type === 'run.queued')).toHaveLength(1);
  await session.close();
});

test('P-05 killed between a milestone and the end: both are delivered, in this order, once', async () => {
  answer = () => 'heard';
  const first = await bench.worker();
  const session = await h.client.startSession(uniqueId());
  const { runId } = await session.startRun({
    agent: 'count',
    input: { to: 6, hold: 4, gate: 'milestone-gate' },
    detached: { onMilestones: { names: ['two'], mode: 'react' } },
  });
  await eventually('the milestone in the run', async () =>
    Promise.resolve(bench.lines('counted').includes(`${runId} 4`)),
  );
  await first.kill();
  bench.open('milestone-gate');
  await bench.worker();
  expect(await session.run(runId).result()).toEqual({ counted: 6 });
  await atRest(session);
  expect(
    (await allEvents(session)).filter((event) => event.type === 'run.delivered').map((event) => event['kind']),
  ).toEqual(['milestone', 'finish']);
  await session.close();
});

test('X-05 SIGTERM: the worker lets a task finish and exits 0; a second one ends it at once', async () => {
  answer = () => 'ok';
  const polite = await bench.worker();
  const session = await h.client.startSession(uniqueId());
  const { runId } = await session.startRun({ agent: 'finishing', input: {} });
  await eventually('the start', async () => Promise.resolve(bench.lines('attempts').includes(`${runId} 1 0`)));
  polite.signal('SIGTERM');
  bench.open('finish');
  expect(await polite.exited).toEqual({ code: 0, signal: null });
  const other = await bench.worker();
  expect(await session.run(runId).result()).toBe('finished');
  expect(bench.lines('attempts').filter((line) => line.startsWith(runId))).toEqual([`${runId} 1 0`]);
  const held = await session.startRun({ agent: 'count', input: { to: 3, hold: 1, gate: 'held-gate' } });
  await eventually('the start', async () =>
    Promise.resolve(bench.lines('attempts').some((line) => line.startsWith(held.runId))),
  );
  other.signal('SIGTERM');
  await eventually('the first signal to be taken', async () =>
    Promise.resolve(other.signal('SIGTERM')).then(() => true),
  );
  expect(await other.exited).toEqual({ code: 0, signal: null });
  bench.open('held-gate');
});

test('X-05 SIGHUP, of a terminal that is closed: the worker lets a task finish and exits 0', async () => {
  answer = () => 'ok';
  const polite = await bench.worker();
  const session = await h.client.startSession(uniqueId());
  const { runId } = await session.startRun({ agent: 'count', input: { to: 3, hold: 1, gate: 'hangup-gate' } });
  await eventually('the start', async () => Promise.resolve(bench.lines('counted').includes(`${runId} 1`)));
  polite.signal('SIGHUP');
  bench.open('hangup-gate');
  expect(await polite.exited).toEqual({ code: 0, signal: null });
  await bench.worker();
  expect(await session.run(runId).result()).toEqual({ counted: 3 });
  expect(bench.lines('attempts').filter((line) => line.startsWith(runId))).toEqual([`${runId} 1 0`]);
});

test('D-18 X-05 a worker that is told to stop hands back a task that waits for a message, and the next one reads it', async () => {
  answer = () => 'ok';
  const polite = await bench.worker();
  const session = await h.client.startSession(uniqueId());
  const { runId } = await session.startRun({ agent: 'hears', input: {} });
  await eventually('the start', async () => Promise.resolve(bench.lines('attempts').includes(`${runId} 1 0`)));
  polite.signal('SIGTERM');
  expect(await polite.exited).toEqual({ code: 0, signal: null });
  await bench.worker();
  await session.messageRun({ runId, message: 'here I am' });
  expect(await session.run(runId).result()).toBe('here I am');
  await atRest(session);
  expect(
    (await allEvents(session)).find((event) => event.type === 'run.settled' && event.runId === runId)?.['unread'],
  ).toBeUndefined();
});

test('D-18 a worker that is lost with the result of a task has not read its message: the next attempt does', async () => {
  answer = () => 'ok';
  const first = await bench.worker({ DIES_WITH: 'the word' });
  const session = await h.client.startSession(uniqueId());
  const { runId } = await session.startRun({ agent: 'hears', input: {}, detached: { notify: 'silent' } });
  await session.messageRun({ runId, message: 'the word' });
  expect(await first.exited).toMatchObject({ code: 1 });
  await bench.worker();
  expect(await session.run(runId).result()).toBe('the word');
  await atRest(session);
  expect(bench.lines('attempts').filter((line) => line.startsWith(runId))).toEqual([`${runId} 1 0`, `${runId} 2 0`]);
  const settled = (await allEvents(session)).find((event) => event.type === 'run.settled');
  expect(settled?.['unread']).toBeUndefined();
  await session.close();
});

test(
  'X-07 messages and questions that pour in while a worker is killed and another comes: each run comes once, and every history replays',
  { timeout: 300_000 },
  async () => {
    answer = () => 'ok';
    const first = await bench.worker();
    const sessions = await Promise.all(
      Array.from({ length: 10 }, async () => h.client.startSession(uniqueId(), { limits: { maxQueuedRuns: 100 } })),
    );
    let killed: Promise<void> | undefined;
    const asked: Promise<unknown>[] = [];
    await Promise.all(
      sessions.map(async (session) => {
        const handle = h.temporal.workflow.getHandle(session.sessionId);
        for (let n = 0; n < 20; n++) {
          await handle.signal('startRun', { agent: 'count', input: { to: 1 }, runId: `run-${n}` });
          // What is asked just now may be lost with the worker; what is asked later is answered.
          asked.push(session.getSession().catch(() => undefined));
          if (n === 8) killed ??= first.kill();
        }
      }),
    );
    await killed;
    await bench.worker();
    await Promise.all(asked);
    for (const session of sessions) {
      await atRest(session);
      const delivered = (await allEvents(session))
        .filter((event) => event.type === 'run.delivered')
        .map((event) => event.runId);
      expect(delivered.toSorted(byText)).toEqual(Array.from({ length: 20 }, (_, n) => `run-${n}`).toSorted(byText));
      await replayAll(h.temporal, session.sessionId);
    }
  },
);
