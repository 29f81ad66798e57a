/** What goes from one execution to the next, and in which order it is shed when it does not fit. */
import { copyOf, Driver, noise, refusal, user } from '../support/domain.ts';
import { describe, expect, test } from 'vitest';
import { LOG_BYTES, pack, unpack, type Carried } from '../../src/domain/carry/carry.ts';
import { CARRY_BYTES, CARRY_VERSION } from '../../src/domain/carry/encode.ts';
import { LogSize, parts } from '../../src/domain/carry/log-size.ts';
import { entryKey, rememberEnd } from '../../src/domain/log/dedupe.ts';
import { ownMilestone } from '../../src/domain/run/own-milestones.ts';
import { taskAborted } from '../../src/domain/self/self.ts';
import { cancelTurn } from '../../src/domain/turn/cancel.ts';
import { getTranscript, getTurn } from '../../src/domain/view/queries.ts';
import { textOf } from '../../src/domain/delivery/transcript.ts';
import type { OutliveEvent } from '../../src/contract.ts';

function carried(d: Driver): Carried {
  const packed = pack({ state: copyOf(d.state), now: d.now, effects: [] });
  const { head, body } = packed.carried;
  expect(body.length + Buffer.byteLength(JSON.stringify(head))).toBeLessThanOrEqual(CARRY_BYTES);
  return structuredClone(packed.carried);
}

/** A turn between two attempts of a tool, so that the lane is held while nothing is in flight. */
function held(d: Driver, input: string | number = 'x'): void {
  d.submit('hold the lane');
  d.say([{ id: 'open', input, retries: 1000 }]);
  d.failTool('threw');
}

/** A session with something of everything. */
function everything(): Driver {
  const d = Driver.session({ limits: { maxConcurrentRuns: 4 }, budgets: { turnMs: 1e12 } });
  d.submit('first', { turnId: 'first', idempotencyKey: 'k', metadata: { tag: 1 } });
  d.say('answer');
  d.running('done', { detached: { notify: 'silent' } });
  d.settled('done', {
    result: [1, 2],
    usage: { inputTokens: 1, outputTokens: 2, totalTokens: 3, modelCalls: 1, costUsd: 0.1 },
  });
  d.running('failed', {
    label: 'label',
    metadata: { m: 1 },
    detached: { notify: 'narrate', onBudget: 'keep', maxBudgetMs: 5, onMilestones: { names: ['half'], mode: 'react' } },
  });
  d.reached('failed', [[1, 'half', { rows: 1 }]]);
  d.say([{ id: 'c', start: { agent: 'check', input: 0, label: 'from a model' } }]);
  d.confirm();
  d.say('seen');
  held(d);
  d.pass(5);
  d.running('big');
  d.settled('big', { result: 'x'.repeat(70_000) });
  d.settled('failed', {
    status: 'failed',
    reason: 'agent_error',
    error: { type: 'E', message: 'm' },
    progress: { n: 3, at: '2030-01-01T00:00:00.000Z', fraction: 0.5 },
  });
  d.running('live');
  for (let i = 0; i < 4; i++) d.start({ runId: `queued-${i}`, input: { i }, metadata: { i } });
  d.confirm();
  d.submit('queued', { turnId: 'queued', idempotencyKey: 'k2' });
  d.submit('merged', { idempotencyKey: 'k3', onBusy: 'merge' });
  d.submit('later', { onBusy: { debounceMs: 1e9 } });
  return d;
}

test('X-11 a state that fits comes back as it was, field by field', () => {
  const d = everything();
  expect(JSON.parse(JSON.stringify(unpack(carried(d))))).toEqual(JSON.parse(JSON.stringify(d.state)));
});

test('E-08 a log that grows all the time leaves the state in parts, in order and whole, and what is left is carried as it is', () => {
  const d = Driver.session({ limits: { maxQueuedTurns: 100_000 } });
  const size = new LogSize();
  held(d);
  const archived: OutliveEvent[] = [];
  for (let i = 0; i < 1200; i++) {
    d.send((cx) => cancelTurn(cx, { turnId: d.submit(`${i} ${'x'.repeat(100)}`).turnId }));
    const leaving = size.surplus(d.state);
    archived.push(...leaving);
    d.state.log.splice(0, leaving.length);
    size.left(leaving);
    expect(Buffer.byteLength(JSON.stringify(d.state.log))).toBeLessThanOrEqual(LOG_BYTES + 2);
  }
  const { carried: next, leaving } = pack({ state: d.state, now: d.now, effects: [] });
  expect(leaving).toEqual([]);
  expect(unpack(next).log).toEqual(d.state.log);
  expect(archived.length).toBeGreaterThan(500);
  expect([...archived, ...d.state.log].map(({ seq }) => seq)).toEqual(
    Array.from({ length: d.state.lastSeq }, (_, i) => i + 1),
  );
});

test('E-08 the parts of an archive fit each into one payload, and together are the log', () => {
  const big = (seq: number): OutliveEvent => ({
    seq,
    at: '',
    type: 'message.added',
    workflowId: 's',
    sessionId: 's',
    text: 'x'.repeat(700 * 1024),
  });
  const log = [1, 2, 3, 4].map(big);
  const cut = [...parts(log)];
  expect(cut.flat()).toEqual(log);
  expect(cut).toHaveLength(4);
  expect([...parts([])]).toEqual([]);
});

test('V-02 a newer version than this code knows is refused loudly, and so is one that is none', () => {
  const { head, body } = carried(everything());
  for (const v of [CARRY_VERSION + 1, 0, 1.5, '1' as never])
    expect(() => unpack({ head: { ...head, v }, body })).toThrow(`got version ${v}`);
});

test('X-11 an ordinary session of weeks keeps 200 whole rows, 4,000 older ones, 100 turns and 4,000 keys', () => {
  const d = Driver.session();
  for (let i = 0; i < 4300; i++) {
    d.running(`load-orders-${i}`, { label: 'load the orders', input: { file: `orders-${i}.csv` } });
    d.settled(`load-orders-${i}`, { result: { rows: i } });
    d.say('The file has been loaded.');
  }
  const { runs, past, dedupe, transcript } = unpack(carried(d));
  const forgotten = runs.allForgotten;
  expect(runs.size).toBeGreaterThanOrEqual(200);
  expect(runs.peek('load-orders-4100')).toMatchObject({
    label: 'load the orders',
    result: { rows: 4100 },
    delivery: { finish: { state: 'delivered' } },
  });
  expect(forgotten).toHaveLength(4000);
  expect(past).toHaveLength(100);
  expect(Object.keys(dedupe)).toHaveLength(4000);
  expect(Buffer.byteLength(JSON.stringify(transcript))).toBeGreaterThan(300_000);
});

describe('what is shed', () => {
  test('first the log tail, which is in the archive', () => {
    const d = Driver.session();
    for (let i = 0; i < 300; i++) {
      d.submit('x'.repeat(1000));
      d.say('y');
    }
    const { leaving } = pack({ state: d.state, now: d.now, effects: [] });
    expect(leaving.length).toBeGreaterThan(0);
    expect(leaving.some((event) => event.type === 'transcript.compacted')).toBe(false);
  });

  test('then results of old rows, which stay readable at their run, before anything that waits', () => {
    const d = Driver.session({ budgets: { turnMs: 1e12 } });
    for (let i = 0; i < 30; i++) {
      d.running(`old-${i}`, { detached: { notify: 'silent' } });
      d.settled(`old-${i}`, { result: noise(60_000, i) });
    }
    held(d);
    d.running('small');
    d.settled('small', { result: { answer: 42 } });
    d.running('large');
    d.settled('large', { result: noise(60_000, 99) });
    const state = unpack(carried(d));
    expect(state.runs.all.find((row) => row.runId === 'old-0')).toMatchObject({
      resultRef: 's/old-0',
      life: { preview: noise(2048, 0) },
    });
    expect(state.runs.all.find((row) => row.runId === 'small')).toMatchObject({ result: { answer: 42 } });
    expect(state.runs.all.find((row) => row.runId === 'large')).toMatchObject({ result: noise(60_000, 99) });
  });

  test('bodies of waiting results become previews, small ones stay whole, and the delivery says where the rest is', () => {
    const d = Driver.session({ budgets: { turnMs: 1e12 }, limits: { maxConcurrentRuns: 50 } });
    held(d);
    for (let i = 0; i < 30; i++) {
      d.running(`r${i}`);
      d.settled(`r${i}`, { result: i === 0 ? { answer: 42 } : noise(60_000, i) });
    }
    d.continueAsNew();
    d.pass(60_000);
    d.answerTool(1);
    while (d.asks('model')) d.say('free');
    const framed = d.state.transcript
      .filter((entry) => entry.message.metadata?.['source'] === 'background-run')
      .map((entry) => textOf(entry.message).split('\n')[2]);
    expect(framed).toHaveLength(30);
    expect(framed[0]).toBe('{"result":{"answer":42}}');
    expect(framed[1]).toBe(JSON.stringify({ preview: noise(2048, 1), resultRef: 's/r1' }));
  });

  test('tool outputs of the transcript become previews, oldest first, and are not cut again by the next execution', () => {
    const d = Driver.session();
    for (let i = 0; i < 16; i++) {
      d.submit(`q${i}`, { turnId: `turn-${i}` });
      d.say([{ id: `c${i}` }]);
      d.answerTool({ text: noise(100_000, i) });
      d.say(`a${i}`);
    }
    d.continueAsNew();
    const first = getTurn(d.state, 'turn-0')?.messages[1]?.parts[0];
    expect(first?.['output']).toMatchObject({ note: expect.any(String) });
    expect(getTurn(d.state, 'turn-15')?.messages[1]?.parts[0]?.['output']).toEqual({ text: noise(100_000, 15) });
    for (let i = 0; i < 3; i++) d.continueAsNew();
    expect(getTurn(d.state, 'turn-0')?.messages[1]?.parts[0]).toEqual(first);
  });

  test('then the oldest messages leave, which the log keeps, and one event says which', () => {
    const d = Driver.session();
    for (let i = 0; i < 16; i++) {
      d.submit(user(noise(100_000, i)));
      d.say(`a${i}`);
    }
    const ids = d.state.transcript.map((entry) => entry.message.id);
    d.continueAsNew();
    const left = getTranscript(d.state, {}).messages.map((message) => message.id);
    expect(left).toEqual(ids.slice(-left.length));
    expect(left.length).toBeLessThan(ids.length);
    expect(d.log().findLast((event) => event.type === 'transcript.compacted')).toMatchObject({
      from: ids[0],
      to: ids[ids.length - left.length - 1],
      messages: ids.length - left.length,
    });
    expect(d.log().filter((event) => event.type === 'message.added')).toHaveLength(32);
  });

  test('the last message never leaves: it is cut', () => {
    const d = Driver.session({ budgets: { turnMs: 1e12 } });
    d.submit(user('x'.repeat(250_000)), { turnId: 'one' });
    d.submit(user('y'.repeat(250_000)));
    d.say([{ id: 'c', input: 'z'.repeat(200_000) }]);
    d.answerTool('z'.repeat(200_000));
    d.stumble({ retryAfterMs: 1000 });
    d.continueAsNew();
    expect(d.state.transcript.at(-1)?.message.parts[0]).toMatchObject({ toolCallId: 'c', state: 'output-available' });
  });

  test('a call that waits for another attempt keeps its input', () => {
    const d = Driver.session({ budgets: { turnMs: 1e12 } });
    held(d, 'i'.repeat(200_000));
    for (let i = 0; i < 5; i++) {
      d.running(`r${i}`);
      d.settled(`r${i}`, { result: 'y'.repeat(60_000) });
    }
    d.submit(user('q'.repeat(200_000)));
    d.continueAsNew();
    d.pass(60_000);
    expect(d.take('tool').call.input).toBe('i'.repeat(200_000));
    expect(d.state.turn?.parts[0]).toMatchObject({ input: 'i'.repeat(200_000) });
  });
});

test('X-11 the keys of many turns that others joined are carried with their turn ids', () => {
  const d = Driver.session();
  for (let i = 0; i < 500; i++) {
    const turnId = `${'t'.repeat(50)}-${i}`;
    d.submit('a', { turnId, onBusy: { debounceMs: 1e9 } });
    d.submit('b', { idempotencyKey: `k${i}`, onBusy: { debounceMs: 1e9 } });
    d.send((cx) => cancelTurn(cx, { turnId }));
  }
  d.continueAsNew();
  expect(d.submit('b', { idempotencyKey: 'k7', onBusy: { debounceMs: 1e9 } })).toEqual({
    turnId: `${'t'.repeat(50)}-7`,
    status: 'cancelled',
    position: 0,
    deduplicated: true,
  });
});

describe('a run', () => {
  test('of a task carries its input, checkpoint and the number of its last milestone; what the parent knows is left behind', () => {
    const d = Driver.run('task', { self: { input: 'x'.repeat(250_000) } });
    d.state.metadata = { m: 'y'.repeat(8000) };
    for (let n = 1; n <= 500; n++) {
      d.send((cx) => ownMilestone(cx, `m${n}`, 'x'.repeat(8000)));
      d.arrives('runMilestones');
    }
    d.take('task');
    d.send((cx) =>
      taskAborted(cx, { n: 3, at: '2030-01-01T00:00:00.000Z', data: 'x'.repeat(8000) }, { page: 'x'.repeat(8000) }),
    );
    const { self } = unpack(carried(Object.assign(d, { holding: true })));
    expect(self).toMatchObject({
      input: 'x'.repeat(250_000),
      work: { checkpoint: { page: 'x'.repeat(8000) } },
      told: 500,
    });
    expect(self?.milestones.map((one) => one.n)).toEqual([500]);
  });

  test('goes on telling milestones where it was', () => {
    const d = Driver.run('agent');
    d.send((cx) => ownMilestone(cx, 'one', undefined));
    d.arrives('runMilestones');
    d.stumble({ retryAfterMs: 1000 });
    d.continueAsNew();
    d.send((cx) => ownMilestone(cx, 'two', undefined));
    expect(d.arrives('runMilestones').milestones).toMatchObject([{ n: 2, name: 'two' }]);
  });
});

test('D-05 a run that is lost is not forgotten for lack of room: its late result is taken and delivered', () => {
  const d = Driver.session({ limits: { maxQueuedBytes: 1e6 } });
  d.running('x');
  for (let i = 0; i < 4; i++) {
    while (!d.asks('look')) d.pass(1000);
    d.glance({ runId: 'x', found: 'nothing' });
  }
  d.say(noise(250_000, 11));
  expect(d.row('x')).toMatchObject({ status: 'interrupted', delivery: { gaveUp: { state: 'delivered' } } });
  d.submit('hold the lane');
  d.say([{ id: 'a' }, { id: 'b' }, { id: 'c' }, { id: 'open', retries: 1000 }]);
  ['a', 'b', 'c'].forEach((id, i) => d.answerTool(noise(250_000, i), id));
  d.failTool('threw');
  d.submit(noise(250_000, 9));
  d.submit(noise(250_000, 10));
  d.continueAsNew();
  d.settled('x', { result: 'after all' });
  expect(d.row('x')).toMatchObject({
    status: 'completed',
    result: 'after all',
    delivery: { finish: { state: 'queued' } },
  });
});

test('D-05 a late result of a run that is lost and forgotten leaves an event that says so', () => {
  const d = Driver.session();
  d.running('x');
  d.send(({ state }) => {
    state.runs.forget(d.row('x'), undefined, 0);
    rememberEnd(state.dedupe, entryKey('run', 'x'), 'interrupted');
  });
  expect(refusal(d.settled('x', { result: 'after all' }))).toBe('UnknownRun');
});
