/** What takes its worker with it, again and again: failed after `limits.maxLosses` in a row, and nobody else is harmed by it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SessionHandle } from '../../src/client/index.ts';
import { atRest, eventually, harness, uniqueId, type Harness } from '../support/harness.ts';
import { last, ModelServer } from '../support/model-server.ts';
import { Operator } from '../support/operator.ts';
import { Bench } from '../support/worker-process.ts';

let h: Harness;
let model: ModelServer;

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start((call) =>
    last(call).text === 'do it once' ? { tools: [{ name: 'once', input: { gate: 'never' } }] } : 'ok',
  );
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await model.stop();
});

/** Starts a worker again whenever the last one has gone, as a supervisor does, until the work is done. */
async function supervised(work: (bench: Bench) => Promise<void>): Promise<void> {
  await using bench = await Bench.open(h.taskQueue, model.url);
  const done = new AbortController();
  const supervise = async (): Promise<void> => {
    while (!done.signal.aborted) await (await bench.worker()).exited;
  };
  const supervising = supervise();
  try {
    await work(bench);
  } finally {
    done.abort();
    await bench.stop();
    await supervising;
  }
}

async function settled(session: SessionHandle, runId: string): Promise<void> {
  await eventually('the run to settle', async () => (await session.getRun({ runId }))?.status !== 'running', 150_000);
}

test('case 17 D-36 a task that ends its process is failed as WorkerLost after maxLosses, and its neighbours go on meanwhile', async () => {
  await supervised(async (bench) => {
    const session = await h.client.startSession(uniqueId(), { limits: { maxLosses: 2 } });
    const neighbour = await h.client.startSession(uniqueId());
    await session.startRun({
      agent: 'deadly',
      input: { times: 99, moves: false },
      runId: 'x',
      detached: { notify: 'silent' },
    });
    await eventually('the second attempt', async () => Promise.resolve(bench.lines('attempts').length === 2));
    await neighbour.submitTurn({ input: 'hello' });
    await neighbour.startRun({ agent: 'count', input: { to: 1, gate: '', hold: 9 }, detached: { notify: 'silent' } });
    await settled(session, 'x');
    await atRest(neighbour);
    expect(await session.getRun({ runId: 'x' })).toMatchObject({
      status: 'failed',
      reason: 'agent_error',
      error: { type: 'WorkerLost', message: expect.stringContaining('limits.maxLosses') },
    });
    expect(bench.lines('attempts').filter((line) => line.startsWith('x '))).toEqual(['x 1 0', 'x 2 0']);
    expect((await neighbour.getSession()).runs.completed).toBe(1);
  });
}, 240_000);

test('D-36 a task that shows progress before each loss goes on beyond maxLosses, and the row shows the attempts', async () => {
  await supervised(async (bench) => {
    const session = await h.client.startSession(uniqueId(), { limits: { maxLosses: 2 } });
    await session.startRun({
      agent: 'deadly',
      input: { times: 3, moves: true },
      runId: 'y',
      detached: { notify: 'silent' },
    });
    for (let attempt = 1; attempt <= 3; attempt++) {
      await eventually(`the progress of attempt ${attempt}`, async () =>
        JSON.stringify(await session.run('y').inspect()).includes(`attempt ${attempt}`),
      );
      bench.open(`die-${attempt}`);
    }
    await settled(session, 'y');
    expect(await session.getRun({ runId: 'y' })).toMatchObject({ status: 'completed', result: 'survived' });
    expect(await session.getRun({ runId: 'y' })).toMatchObject({ attempt: expect.any(Number) });
  });
}, 240_000);

test('case 4 D-33 T-10 a call that must not run twice, reset and then lost with its worker, is not run again: its outcome is unknown', async () => {
  await using bench = await Bench.open(h.taskQueue, model.url);
  const first = await bench.worker();
  const session = await h.client.startSession(uniqueId());
  const { turnId } = await session.submitTurn({ input: 'do it once' });
  await eventually('the tool', async () => Promise.resolve(bench.lines('once-begun').length === 1));
  const operator = new Operator(h.temporal, session.sessionId);
  await operator.reset('tool');
  await first.kill();
  await bench.worker();
  await atRest(session);
  expect(bench.lines('once-begun')).toHaveLength(1);
  const turn = await session.getTurn({ turnId });
  expect(turn?.status).toBe('completed');
  expect(turn?.messages.flatMap(({ parts }) => parts).find(({ type }) => type === 'tool-once')).toMatchObject({
    state: 'output-error',
    errorText: expect.stringMatching(/^The outcome of this call is unknown/u),
  });
}, 120_000);

test('case 18 D-36 a task that never pauses is failed as WorkerLost, the log says what blocked, and sessions of its worker go on', async () => {
  await using bench = await Bench.open(h.taskQueue, model.url);
  await bench.worker();
  const session = await h.client.startSession(uniqueId(), { limits: { maxLosses: 2 } });
  await session.startRun({ agent: 'blocks', input: { ms: 15_000 }, runId: 'x', detached: { notify: 'silent' } });
  const neighbour = h.client.session(uniqueId());
  await settled(session, 'x');
  expect(await session.getRun({ runId: 'x' })).toMatchObject({
    status: 'failed',
    reason: 'agent_error',
    error: { type: 'WorkerLost' },
  });
  expect(bench.lines('attempts')).toEqual(['x 1 0', 'x 2 0']);
  expect(bench.lines('log').filter((line) => line.includes('did not pause: task blocks'))).not.toEqual([]);
  expect(bench.lines('log').filter((line) => line.includes('lost 1 workers'))).not.toEqual([]);
  await h.client.startSession(neighbour.sessionId);
  await neighbour.submitTurn({ input: 'hello' });
  await atRest(neighbour);
}, 240_000);

test.each([true, false])(
  'case 30 X-05 SIGTERM with a handler that hangs (heeds its signal: %s): exit 0, and at most one sentence',
  async (heeds) => {
    await using bench = await Bench.open(h.taskQueue, model.url);
    const worker = await bench.worker();
    if (heeds) bench.open('heed');
    const session = await h.client.startSession(uniqueId());
    await session.startRun({
      agent: 'count',
      input: { to: 1, gate: '', hold: 9 },
      detached: { notify: 'silent', onFinish: 'hangs' },
    });
    await eventually('the handler', async () => Promise.resolve(bench.lines('handler').includes('begun')));
    worker.signal('SIGTERM');
    expect(await worker.exited).toEqual({ code: 0, signal: null });
    expect(bench.lines('handler')).toContain('told');
  },
  120_000,
);
