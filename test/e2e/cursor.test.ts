/** The place to read on from: that it still is one, and that nothing before it is read. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { EventItem, EventsOptions, SessionHandle } from '../../src/client/index.ts';
import { StaleCursor } from '../../src/errors.ts';
import { agentAt, echo } from '../support/app.ts';
import { executionOf, executionsOf } from '../support/histories.ts';
import { atRest, eventually, harness, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer } from '../support/model-server.ts';
import { firstTask, lastTask, resetTo } from '../support/reset.ts';

let h: Harness;
let model: ModelServer;

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start(() => 'ok');
  await h.work({ agents: [agentAt(model.url)], tasks: [echo] });
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await model.stop();
});

async function read(session: SessionHandle, options: EventsOptions = {}): Promise<EventItem[]> {
  const items: EventItem[] = [];
  for await (const item of session.events(options)) items.push(item);
  return items;
}

async function stale(session: SessionHandle, options: EventsOptions): Promise<number | string> {
  const error: unknown = await read(session, options).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(StaleCursor);
  return (error as StaleCursor).after;
}

async function say(session: SessionHandle, ...inputs: string[]): Promise<void> {
  for (const input of inputs) {
    await session.submitTurn({ input });
    await atRest(session);
  }
}

const identity = ({ workflowId, seq, at }: EventItem): string => `${workflowId} ${seq} ${at}`;

test('case 7 E-07 a cursor of an earlier session of the id is stale, whatever the new one has written', async () => {
  const id = uniqueId();
  const first = await h.client.startSession(id);
  await first.startRun({ agent: 'echo', input: 1, runId: 'once' });
  await say(first, 'hello');
  const before = await read(first, { includeRuns: true });
  const old = before.at(-1)?.cursor ?? '';
  await first.close();
  await h.temporal.workflow.getHandle(id).result();
  const second = await h.client.startSession(id);
  await second.getSession();
  for (const inputs of [[], ['hello'], ['hello', 'hello', 'hello']]) {
    await say(second, ...inputs);
    expect(await stale(second, { after: old })).toBe(0);
    expect(await stale(second, { after: old, includeRuns: true })).toBe(0);
  }
  // A run that cannot be started, since one of its id is there, has no log: that is the other's.
  await second.startRun({ agent: 'echo', input: 1, runId: 'once' });
  await atRest(second);
  const items = await read(second, { includeRuns: true });
  expect(items.find(({ type, runId }) => type === 'run.settled' && runId === 'once')).toMatchObject({
    reason: 'start_failed',
  });
  expect(items.filter(({ workflowId }) => workflowId !== id)).toEqual([]);
  expect(await read(second, { after: items.at(-1)?.cursor ?? '', includeRuns: true })).toEqual([]);
});

test('case 7 E-07 a number beyond the end is stale and says where the end is, of an open session and of a closed one', async () => {
  const session = await h.client.startSession(uniqueId());
  await say(session, 'hello');
  const { lastSeq } = await session.getSession();
  expect(await stale(session, { after: lastSeq + 1 })).toBe(lastSeq);
  expect(await read(session, { after: lastSeq })).toEqual([]);
  await session.close();
  await h.temporal.workflow.getHandle(session.sessionId).result();
  const all = await read(session);
  expect(await stale(session, { after: 1_000_000 })).toBe(all.length);
  expect(await read(session, { after: all.length })).toEqual([]);
});

test('E-07 a cursor whose event a reset has rewritten is stale while the log is shorter, equal and longer again, and says what stands', async () => {
  const session = await h.client.startSession(uniqueId());
  await say(session, 'first');
  const task = await lastTask(h.temporal, session.sessionId);
  await say(session, 'second', 'third');
  const before = await read(session);
  const merged = await read(session, { includeRuns: true });
  const [cursor, mergedCursor] = [before.at(-1)?.cursor ?? '', merged.at(-1)?.cursor ?? ''];
  await resetTo(h.temporal, session.sessionId, task);
  await session.getSession();
  const stands = new Set((await read(session)).map(identity));
  const standing = before.findLast((item) => stands.has(identity(item)));
  expect(standing?.seq).toBeGreaterThan(1);
  const lengths: number[] = [];
  for (const inputs of [[], ['second', 'third'], ['fourth']]) {
    await say(session, ...inputs);
    const now = await read(session);
    lengths.push(Math.sign(now.length - before.length));
    const after = await stale(session, { after: cursor });
    expect(after).toBe(standing?.seq);
    expect(await read(session, { after })).toEqual(now.slice(Number(after)));
    const place = await stale(session, { after: mergedCursor, includeRuns: true });
    expect((await read(session, { after: place, includeRuns: true })).map(identity)).toEqual(
      now.slice(Number(after)).map(identity),
    );
    // What the reset has left as it was is no other event.
    expect(await read(session, { after: standing?.cursor ?? '' })).toEqual(now.slice(Number(after)));
  }
  expect(lengths).toEqual([-1, 0, 1]);
});

test('E-07 a run that was reset makes the places in its log stale, and the others stand', async () => {
  const session = await h.client.startSession(uniqueId());
  const handle = h.temporal.workflow.getHandle(`${session.sessionId}/talks`);
  await session.startRun({ agent: 'helper', input: 'hello', runId: 'talks' });
  await atRest(session);
  await handle.result();
  const items = await read(session, { includeRuns: true });
  const within = items.filter(({ workflowId }) => workflowId === handle.workflowId);
  const task = await firstTask(h.temporal, handle.workflowId);
  await resetTo(h.temporal, handle.workflowId, task);
  await handle.result();
  const after = await stale(session, { after: within.at(-1)?.cursor ?? '', includeRuns: true });
  const rest = await read(session, { after, includeRuns: true });
  const now = await read(session, { includeRuns: true });
  expect(rest.map(identity)).toEqual(now.slice(now.length - rest.length).map(identity));
  expect(rest.some(({ workflowId, type }) => workflowId === handle.workflowId && type === 'message.added')).toBe(true);
});

test('E-07 a place in what retention has taken is not stale: one log.truncated, and on', async () => {
  const session = await h.client.startSession(uniqueId(), { limits: { historyEvents: 20 } });
  for (let i = 0; i < 4; i++) {
    await session.startRun({ agent: 'echo', input: 'x'.repeat(30_000), runId: `echo-${i}` });
    await say(session, `hello ${i}`.padEnd(30_000, '.'));
  }
  const before = await read(session);
  const chain = await executionsOf(h.temporal, session.sessionId);
  expect(chain.length).toBeGreaterThan(2);
  const gone = chain.slice(0, -1).map((events) => executionOf(events));
  for (const runId of gone)
    await h.temporal.workflowService.deleteWorkflowExecution({
      namespace: 'default',
      workflowExecution: { workflowId: session.sessionId, runId },
    });
  const early = before[3];
  await eventually('the histories to be gone', async () => {
    const left = gone.map(async (runId) =>
      h.temporal.workflow
        .getHandle(session.sessionId, runId)
        .describe()
        .catch(() => undefined),
    );
    return (await Promise.all(left)).every((one) => one === undefined);
  });
  const [told, ...rest] = await read(session, { after: early?.cursor ?? '' });
  expect(told?.type).toBe('log.truncated');
  expect(told?.['firstSeq']).toBe(rest[0]?.seq);
  expect(rest.map(identity)).toEqual(before.slice(before.length - rest.length).map(identity));
  expect((await read(session, { after: told?.cursor ?? '' })).map(identity)).toEqual(rest.map(identity));
});

test('E-07 resuming reads no history, no run and no page that lies before the place', async () => {
  const session = await h.client.startSession(uniqueId(), { limits: { historyEvents: 20 } });
  for (let i = 0; i < 5; i++) {
    await session.startRun({ agent: 'echo', input: 'x'.repeat(20_000), runId: `echo-${i}` });
    await say(session, `hello ${i}`.padEnd(20_000, '.'));
  }
  await session.close();
  await h.temporal.workflow.getHandle(session.sessionId).result();
  const whole = await read(session, { includeRuns: true });
  const chain = await executionsOf(h.temporal, session.sessionId);
  expect(chain.length).toBeGreaterThan(2);
  const { workflowService } = h.temporal;
  const seen = new Set<string>();
  const spies = (['getWorkflowExecutionHistoryReverse', 'queryWorkflow', 'describeWorkflowExecution'] as const).map(
    (name) => {
      const real = workflowService[name].bind(workflowService) as (...given: unknown[]) => Promise<unknown>;
      return vi.spyOn(workflowService, name).mockImplementation((async (...given: unknown[]) => {
        const { execution } = given[0] as { execution?: { workflowId?: string; runId?: string } };
        seen.add(`${execution?.workflowId} ${execution?.runId}`);
        return real(...given);
      }) as never);
    },
  );
  const place = whole.at(-4);
  expect((await read(session, { after: place?.cursor ?? '', includeRuns: true })).map(identity)).toEqual(
    whole.slice(-3).map(identity),
  );
  for (const spy of spies) spy.mockRestore();
  // By its id alone, to learn which execution is the last, and that one.
  const last = executionOf(chain.at(-1) ?? []);
  expect(
    [...seen].filter(
      (one) =>
        ![`${session.sessionId} `, `${session.sessionId} undefined`, `${session.sessionId} ${last}`].includes(one),
    ),
  ).toEqual([]);
});
