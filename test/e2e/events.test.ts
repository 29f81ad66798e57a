/** The log after the end: every event of every generation and every run, once, with no worker running. */
import { expect, test } from 'vitest';
import type { EventItem, SessionHandle } from '../../src/client/index.ts';
import { defineTask } from '../../src/define.ts';
import { InvalidInput, NoWorker, RunFailed, UnknownRun, UnknownSession } from '../../src/errors.ts';
import { agentAt, echo, gated } from '../support/app.ts';
import { atRest, eventually, harness, uniqueId } from '../support/harness.ts';
import { last, ModelServer } from '../support/model-server.ts';

test('E-01 E-02 with no worker running, a reader that starts at 0 reads every event of a closed session and its runs exactly once', async () => {
  const model = await ModelServer.start((call) =>
    last(call).role === 'user' && last(call).text.startsWith('nest')
      ? { tools: [{ name: 'start_run', input: { agent: 'helper', input: 'inner' } }] }
      : 'ok',
  );
  await using h = await harness();
  const worker = await h.work({ agents: [agentAt(model.url, { canStart: ['helper'] })], tasks: [echo] });
  const session = await h.client.startSession(uniqueId(), { limits: { historyEvents: 30 } });
  for (let i = 0; i < 5; i++) {
    await session.startRun({ agent: 'echo', input: `x`.repeat(20_000), runId: `echo-${i}` });
    await session.submitTurn({ input: `nest ${i}` });
    await atRest(session);
  }
  const during: EventItem[] = [];
  for await (const item of session.events({ includeRuns: true })) during.push(item);
  await session.close();
  await h.temporal.workflow.getHandle(session.sessionId).result();
  for (const { type, workflowId, runId = '' } of during)
    if (type === 'run.queued') await h.temporal.workflow.getHandle(`${workflowId}/${runId}`).result();
  await worker.stop();

  const after: EventItem[] = [];
  for await (const item of session.events({ includeRuns: true })) after.push(item);
  const identity = (item: { workflowId: string; seq: number }): string => `${item.workflowId} ${item.seq}`;
  expect(new Set(after.map(identity)).size).toBe(after.length);
  const own = after.filter((item) => item.workflowId === session.sessionId);
  expect(own.map((item) => item.seq)).toEqual(own.map((_, i) => i + 1));
  expect(own.at(-1)?.type).toBe('session.closed');
  expect(
    after
      .map(identity)
      .filter((one) => during.map(identity).includes(one))
      .toSorted(),
  ).toEqual(during.map(identity).toSorted());
  const nested = after.filter((item) => item.workflowId !== session.sessionId && item.type === 'message.added');
  expect(nested.length).toBe(10);
  expect(nested.every((item) => item.runId !== undefined && item.parentToolCallId !== undefined)).toBe(true);
  expect(after.filter((item) => item.type === 'run.settled')).toHaveLength(10);

  const half = after[Math.floor(after.length / 2)];
  const rest: EventItem[] = [];
  for await (const item of session.events({ includeRuns: true, after: half?.cursor ?? '' })) rest.push(item);
  expect(rest.map(identity)).toEqual(after.slice(Math.floor(after.length / 2) + 1).map(identity));
  const tail: number[] = [];
  for await (const item of session.events({ after: 10 })) tail.push(item.seq);
  expect(tail).toEqual(own.slice(10).map((item) => item.seq));
  await model.stop();
}, 120_000);

test('E-02 a run that was terminated keeps nobody from reading the others with no worker running', async () => {
  const model = await ModelServer.start(() => 'ok');
  await using h = await harness();
  const held = gated('held');
  const worker = await h.work({ agents: [agentAt(model.url)], tasks: [echo, held.task] });
  const session = await h.client.startSession(uniqueId());
  const { runId, workflowId } = await session.startRun({ agent: 'held', input: 1 });
  await session.startRun({ agent: 'helper', input: 'inner', runId: 'fine' });
  await eventually('the start', async () => Promise.resolve(held.started.length === 1));
  await h.temporal.workflow.getHandle(workflowId).terminate();
  await atRest(session);
  await session.close();
  await h.temporal.workflow.getHandle(session.sessionId).result();
  await h.temporal.workflow.getHandle(`${session.sessionId}/fine`).result();
  await worker.stop();
  const events: EventItem[] = [];
  const reading = async (): Promise<void> => {
    for await (const item of session.events({ includeRuns: true })) events.push(item);
  };
  // What the terminated one has said last, only a worker could tell.
  await expect(reading()).rejects.toBeInstanceOf(NoWorker);
  expect(events.at(-1)?.type).toBe('session.closed');
  expect(
    events
      .filter((item) => item.type === 'run.settled')
      .map((item) => `${item.runId} ${String(item['status'])}`)
      .toSorted(),
  ).toEqual(['fine completed', `${runId} failed`].toSorted());
  expect(events.filter((item) => item.workflowId === `${session.sessionId}/fine`).map((item) => item.type)).toContain(
    'message.added',
  );
  await model.stop();
}, 120_000);

test('E-02 a workflow that is none of the session, under the id of one of its runs, keeps nobody from reading', async () => {
  const model = await ModelServer.start(() => 'ok');
  await using h = await harness();
  await h.work({ agents: [agentAt(model.url)], tasks: [echo] });
  const session = await h.client.startSession(uniqueId());
  const idOf = (runId: string): string => `${session.sessionId}/${runId}`;
  const { workflow } = h.temporal;
  await workflow.start('Whatever', { workflowId: idOf('open'), taskQueue: uniqueId('unpolled') });
  // Its id is not one of a session, so that it fails at once.
  const failed = await workflow.start('session', { workflowId: idOf('failed'), taskQueue: h.taskQueue });
  await expect(failed.result()).rejects.toThrow();
  for (const runId of ['open', 'failed', 'fine']) await session.startRun({ agent: 'echo', input: runId, runId });
  await atRest(session);
  expect(await session.getRun({ runId: 'open' })).toMatchObject({
    status: 'failed',
    reason: 'start_failed',
    error: {
      message: `The workflow ${idOf('open')} exists already and is no run of this session; choose another runId.`,
    },
  });
  const seen: EventItem[] = [];
  for await (const item of session.events({ includeRuns: true })) seen.push(item);
  expect(seen.filter((item) => item.type === 'run.settled').map(({ runId, status }) => [runId, status])).toEqual(
    expect.arrayContaining([
      ['open', 'failed'],
      ['failed', 'failed'],
      ['fine', 'completed'],
    ]),
  );
  await session.close();
  await model.stop();
}, 60_000);

test('a reader that was away reads on where it was, also when the session was terminated meanwhile', async () => {
  const model = await ModelServer.start(() => 'ok');
  await using h = await harness();
  await h.work({ agents: [agentAt(model.url)], tasks: [echo] });
  const session = await h.client.startSession(uniqueId());
  await session.submitTurn({ input: 'hello' });
  await atRest(session);
  await h.temporal.workflow.getHandle(session.sessionId).terminate();
  const read = async (after: number): Promise<number[]> => {
    const seqs: number[] = [];
    for await (const item of session.events({ after })) seqs.push(item.seq);
    return seqs;
  };
  const all = await read(0);
  expect(all.length).toBeGreaterThan(3);
  expect(await read(2)).toEqual(all.slice(2));
  await model.stop();
});

test('E-08 with no worker running, what only a worker can tell of an open or a terminated session is NoWorker, after all that is archived', async () => {
  const model = await ModelServer.start(() => 'ok');
  await using h = await harness();
  const worker = await h.work({ agents: [agentAt(model.url)], tasks: [echo] });
  const [open, ended] = await Promise.all(
    [1, 2].map(async () => h.client.startSession(uniqueId(), { limits: { historyEvents: 20 } })),
  );
  const seqs = async (session: SessionHandle, includeRuns: boolean, after: number | string = 0): Promise<number[]> => {
    const read: number[] = [];
    const reading = async (): Promise<void> => {
      for await (const item of session.events({ includeRuns, after })) read.push(item.seq);
    };
    await expect(reading()).rejects.toSatisfy(
      (error) => error instanceof NoWorker && error.message.includes(`"${h.taskQueue}"`),
    );
    return read;
  };
  const known: string[] = [];
  for (const session of [open, ended]) {
    for (let i = 0; i < 4; i++) {
      await session?.submitTurn({ input: `${i} ${'x'.repeat(60_000)}` });
      if (session !== undefined) await atRest(session);
    }
    for await (const item of session?.events() ?? []) known.push(item.cursor);
  }
  await h.temporal.workflow.getHandle(ended?.sessionId ?? '').terminate();
  await worker.stop();
  for (const [session, includeRuns] of [
    [open, false],
    [ended, true],
  ] as const) {
    if (session === undefined) continue;
    const read = await seqs(session, includeRuns);
    expect(read.length).toBeGreaterThan(0);
    expect(read).toEqual(read.map((_, i) => i + 1));
  }
  // A place that lies in what only a worker can tell is no stale one.
  if (ended !== undefined) expect(await seqs(ended, false, known.at(-1))).toEqual([]);
  await model.stop();
}, 240_000);

test('a run that failed is told as failed, also when only Temporal can be asked, and one that never was is unknown', async () => {
  const model = await ModelServer.start(() => 'ok');
  await using h = await harness();
  const worker = await h.work({
    agents: [agentAt(model.url)],
    tasks: [
      defineTask({
        name: 'throws',
        retries: 0,
        run: () => {
          throw new Error('no');
        },
      }),
    ],
  });
  const session = await h.client.startSession(uniqueId());
  const { runId } = await session.startRun({ agent: 'throws', input: 1 });
  await eventually('the settle', async () => (await session.getRun({ runId }))?.status === 'failed');
  await expect(session.run('nobody').result()).rejects.toThrow(UnknownRun);
  await atRest(session);
  await h.temporal.workflow.getHandle(session.sessionId).terminate();
  await worker.stop();
  await expect(session.run(runId).result()).rejects.toThrow(RunFailed);
  expect(await session.run(runId).inspect()).toMatchObject({ status: 'failed' });
  await model.stop();
}, 120_000);

test('what is no session, no id, no place in a stream is refused with a typed error', async () => {
  const model = await ModelServer.start(() => 'ok');
  await using h = await harness();
  await h.work({ agents: [agentAt(model.url, { canStart: ['helper'] })], tasks: [echo] });
  const all = async (stream: AsyncIterable<unknown>): Promise<number> => {
    let count = 0;
    for await (const _ of stream) count++;
    return count;
  };
  for (const id of ['', 'a/b', 'x'.repeat(500)])
    await expect(h.client.startSession(id)).rejects.toBeInstanceOf(InvalidInput);
  await expect(all(h.client.session(uniqueId()).events())).rejects.toBeInstanceOf(UnknownSession);
  const session = await h.client.startSession(uniqueId());
  const other = await h.client.startSession(uniqueId());
  await session.submitTurn({ input: 'hello' });
  const { runId, workflowId } = await session.startRun({ agent: 'helper', input: 'inner' });
  await session.run(runId).result();
  await atRest(session);
  const cursors: string[] = [];
  for await (const { cursor } of session.events({ includeRuns: true })) cursors.push(cursor);
  for (const after of [-1, 0.5, Number.NaN, 'rubbish', 'e30x'])
    await expect(all(session.events({ after })), String(after)).rejects.toBeInstanceOf(InvalidInput);
  await expect(all(other.events({ after: cursors.at(-1) ?? '', includeRuns: true }))).rejects.toBeInstanceOf(
    InvalidInput,
  );
  expect(await all(session.events({ after: cursors.at(-1) ?? '', includeRuns: true }))).toBe(0);
  await expect(session.getTranscript({ after: 'nothing' })).rejects.toThrow(
    /Expected after to name a message of this session, got "nothing"/u,
  );
  expect(await h.client.session(workflowId).getSession()).toMatchObject({
    sessionId: session.sessionId,
    status: 'closed',
  });
  await model.stop();
});
