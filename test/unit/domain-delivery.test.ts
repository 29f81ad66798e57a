/** Delivery slots: each filled once, by the run's `notify`, and who is told of a cancellation (§4.4, §4.5). */
import { describe, expect, test } from 'vitest';
import { close } from '../../src/domain/closing.ts';
import { cancelRun } from '../../src/domain/run/cancel.ts';
import { cancelTurn } from '../../src/domain/turn/cancel.ts';
import { jsonBytes } from '../../src/domain/state/json.ts';
import { KIB } from '../../src/domain/state/sizes.ts';
import { getRun, getTurn } from '../../src/domain/view/queries.ts';
import { textOf } from '../../src/domain/delivery/transcript.ts';
import type { Detached, EndedTurnStatus } from '../../src/domain/state/types.ts';
import { Driver } from '../support/domain.ts';

type Notify = Detached['notify'];
const DAY = 24 * 3600 * 1000;

/** Each way in which a run is cancelled, with whether it is announced. */
const causes: [reason: string, announced: boolean, cancel: (d: Driver) => void][] = [
  [
    'cancelled_by_user',
    true,
    (d) => {
      d.send((cx) => cancelRun(cx, { runId: 'a' }));
    },
  ],
  ['cancelled_by_agent', false, () => undefined],
  ['cancelled_by_parent', false, () => undefined],
  ['cancelled_by_budget', false, (d) => d.pass(DAY)],
  [
    'session_closed',
    false,
    (d) => {
      d.send((cx) => close(cx, { runs: 'cancel' }));
    },
  ],
];

describe.each<Notify>(['react', 'narrate', 'silent'])('notify %s', (notify) => {
  test.each(['cancelled', 'completed'] as const)(
    'D-38 nobody is told of the end of a run whose cancellation is not to be announced: %s',
    (status) => {
      const d = Driver.session();
      d.running('a', { detached: { notify } });
      d.send((cx) => cancelRun(cx, { runId: 'a', announce: false }));
      d.settled('a', { status });
      expect(d.row('a')).toMatchObject({ status, delivery: { finish: { state: 'not_required' } } });
      expect(d.asks('model')).toBe(false);
    },
  );

  test.each(causes)('a run that ends as %s is announced: %s', (reason, announced, cancel) => {
    const d = Driver.session();
    d.running('a', { detached: { notify } });
    cancel(d);
    d.settled('a', { status: 'cancelled', reason });
    while (d.asks('model')) d.say('read');
    expect(d.row('a')).toMatchObject({ status: 'cancelled', reason });
    expect(d.row('a').delivery.finish.state).toBe(announced && notify !== 'silent' ? 'delivered' : 'not_required');
    expect(
      d.story().filter((line) => line === 'run.delivered a finish' || line.startsWith('run.delivered a finish ')),
    ).toHaveLength(announced && notify !== 'silent' ? 1 : 0);
  });

  test.each(['completed', 'failed'] as const)('a run that has %s fills its finish slot once', (status) => {
    const d = Driver.session();
    d.running('a', { detached: { notify } });
    for (let i = 0; i < 3; i++) d.settled('a', { status });
    while (d.asks('model')) d.say('read');
    expect(d.row('a').delivery.finish.state).toBe(notify === 'silent' ? 'not_required' : 'delivered');
    expect(d.log().filter((event) => event.type === 'run.delivered')).toHaveLength(notify === 'silent' ? 0 : 1);
    const about = d.state.transcript.filter((entry) => entry.message.metadata?.['key'] === 'bg-task:s:a');
    expect(about.map((entry) => entry.message.role)).toEqual(
      notify === 'react' ? ['user'] : notify === 'narrate' ? ['assistant'] : [],
    );
  });

  test('the gave-up slot follows notify: silent is not_required', () => {
    const d = Driver.session();
    d.running('a', { detached: { notify, onBudget: 'keep' } });
    d.pass(DAY);
    while (d.asks('model')) d.say('read');
    expect(d.row('a').delivery.gaveUp).toMatchObject({
      key: 'bg-task:s:a:gave-up',
      state: notify === 'silent' ? 'not_required' : 'delivered',
    });
  });
});

test('D-03 the row shows each state of a delivery, and the turn id that was set with queued never changes', () => {
  const d = Driver.session();
  d.submit('busy');
  d.running('a');
  const state = (): unknown => (getRun(d.state, 'a') as { delivery: unknown }).delivery;
  expect(state()).toEqual({ finish: { key: 'bg-task:s:a', state: 'pending' } });
  d.settled('a');
  expect(state()).toEqual({ finish: { key: 'bg-task:s:a', state: 'queued', turnId: 't-00000001-2' } });
  d.pass(1000);
  d.say('free');
  expect(state()).toEqual({
    finish: { key: 'bg-task:s:a', state: 'delivered', turnId: 't-00000001-2', at: '2030-01-01T00:00:01.000Z' },
  });
});

test('a narrated line waits for the tool results of the running step, and is appended at once otherwise', () => {
  const d = Driver.session();
  d.submit('go');
  d.running('a', { detached: { notify: 'narrate' }, label: 'orders' });
  d.running('b', { detached: { notify: 'narrate' } });
  d.settled('a');
  expect(d.row('a').delivery.finish.state).toBe('delivered');
  d.say([{ id: 'c1' }]);
  d.settled('b', { status: 'failed', reason: 'agent_error' });
  expect(d.row('b').delivery.finish).toEqual({ key: 'bg-task:s:b', state: 'queued' });
  d.answerTool('x');
  expect(d.row('b').delivery.finish.state).toBe('delivered');
  const [, first, step, second] = d.state.transcript;
  expect([first, second].map((entry) => entry && textOf(entry.message))).toEqual([
    'Background run load · orders completed.',
    'Background run load failed (agent_error).',
  ]);
  expect(step?.message.parts[0]).toMatchObject({ toolCallId: 'c1' });
  expect(first?.message.metadata).toEqual({
    source: 'background-run',
    kind: 'finish',
    key: 'bg-task:s:a',
    runId: 'a',
    agent: 'load',
    status: 'completed',
  });
});

test('a narrated line that waits is appended when the turn ends without its tools', () => {
  const d = Driver.session({ budgets: { turnMs: 1000 } });
  d.submit('go');
  d.running('a', { detached: { notify: 'narrate' } });
  d.say([{ id: 'c1' }]);
  d.settled('a');
  d.pass(1000);
  expect(d.row('a').delivery.finish.state).toBe('delivered');
});

test('batching: fewer than 20 inputs, only background, only the last turn of the queue', () => {
  const d = Driver.session({ limits: { maxConcurrentRuns: 100 } });
  d.submit('busy');
  for (let i = 0; i < 45; i++) d.running(`a${i}`);
  for (let i = 0; i < 41; i++) d.settled(`a${i}`);
  expect(d.state.queue.map((turn) => turn.inputs.length)).toEqual([20, 20, 1]);
  d.submit('user');
  d.settled('a41');
  d.settled('a42');
  expect(d.state.queue.map((turn) => `${turn.origin} ${turn.inputs.length}`)).toEqual([
    'background 20',
    'background 20',
    'background 1',
    'user 1',
    'background 2',
  ]);
});

test('batching: a turn holds at most 256 KiB', () => {
  const d = Driver.session();
  d.submit('busy');
  for (let i = 0; i < 6; i++) d.running(`a${i}`);
  for (let i = 0; i < 6; i++) d.settled(`a${i}`, { result: 'x'.repeat(60_000) });
  expect(d.state.queue.map((turn) => turn.inputs.length)).toEqual([4, 2]);
});

test('without batchBackground each result has a turn of its own', () => {
  const d = Driver.session({ turns: { batchBackground: false } });
  d.submit('busy');
  for (const runId of ['a', 'b']) d.running(runId);
  for (const runId of ['a', 'b']) d.settled(runId);
  expect(d.state.queue.map((turn) => turn.inputs.length)).toEqual([1, 1]);
});

test('a running turn takes nothing more: what comes while it runs waits for the next', () => {
  const d = Driver.session();
  for (const runId of ['a', 'b']) d.running(runId);
  d.settled('a');
  d.settled('b');
  expect(d.state.turn?.inputs.map((input) => input.key)).toEqual(['bg-task:s:a']);
  expect(d.state.queue[0]?.inputs.map((input) => input.key)).toEqual(['bg-task:s:b']);
});

test('background inputs are taken whatever the queue limits', () => {
  const d = Driver.session({ limits: { maxQueuedTurns: 1, maxQueuedBytes: 1 }, turns: { batchBackground: false } });
  d.submit('busy');
  for (let i = 0; i < 16; i++) d.running(`a${i}`);
  for (let i = 0; i < 16; i++) d.settled(`a${i}`, { result: 'x'.repeat(10_000) });
  expect(d.state.queue).toHaveLength(16);
});

test('who caused a cancellation first decides whether it is announced', () => {
  const d = Driver.session();
  d.running('a', { detached: { maxBudgetMs: 1000 } });
  d.send((cx) => cancelRun(cx, { runId: 'a', reason: 'enough' }));
  d.pass(1000);
  d.settled('a', { status: 'cancelled', reason: 'cancelled_by_budget' });
  while (d.asks('model')) d.say('read');
  expect(d.row('a')).toMatchObject({
    reason: 'cancelled_by_user',
    comment: 'enough',
    delivery: { finish: { state: 'delivered' }, gaveUp: { state: 'delivered' } },
  });
});

test('D-24 a result up to 64 KiB travels whole, a larger one as a preview of 2 KiB and its place', () => {
  const d = Driver.session();
  d.running('a');
  d.running('b');
  d.settled('a', { result: 'x'.repeat(64 * 1024 - 2) });
  d.settled('b', { result: 'x'.repeat(64 * 1024 - 1) });
  expect(d.row('a')).toMatchObject({ result: 'x'.repeat(64 * 1024 - 2) });
  expect(d.row('b')).toMatchObject({ resultRef: 's/b', life: { preview: 'x'.repeat(2048) } });
  expect(d.row('b')).not.toHaveProperty('result');
});

test('T-29 twenty large results that wait are previews with their places, in one turn within its bounds', () => {
  const d = Driver.session({ limits: { maxConcurrentRuns: 100 } });
  d.submit('busy');
  const runIds = Array.from({ length: 20 }, (_, i) => `run-${i}`);
  for (const runId of runIds) d.running(runId);
  for (const runId of runIds) d.settled(runId, { result: 'x'.repeat(200 * KIB) });
  expect(d.state.queue.map(({ inputs }) => inputs.length)).toEqual([20]);
  d.say('free');
  const read = d.state.transcript.filter(({ message }) => message.metadata?.['hidden'] === true);
  expect(read).toHaveLength(20);
  for (const [i, { message }] of read.entries()) {
    const [, , body = ''] = textOf(message).split('\n');
    expect(JSON.parse(body)).toEqual({ preview: 'x'.repeat(2 * KIB), resultRef: `s/run-${i}` });
  }
  expect(jsonBytes(read)).toBeLessThan(64 * KIB);
});

test('T-29 results that travel whole make as many turns as they need, each within its bounds', () => {
  const d = Driver.session({ limits: { maxConcurrentRuns: 100 } });
  d.submit('busy');
  const runIds = Array.from({ length: 20 }, (_, i) => `run-${i}`);
  for (const runId of runIds) d.running(runId);
  for (const runId of runIds) d.settled(runId, { result: 'x'.repeat(60 * KIB) });
  const sizes = d.state.queue.map(({ inputs }) => inputs.length);
  expect(sizes.reduce((sum, n) => sum + n, 0)).toBe(20);
  while (d.state.turn !== null) {
    const { turnId, origin } = d.state.turn;
    const read = d.state.transcript.filter((entry) => entry.turnId === turnId);
    if (origin === 'background')
      expect(jsonBytes(read.map(({ message }) => message.parts))).toBeLessThanOrEqual(256 * KIB);
    d.say('read');
  }
  for (const runId of runIds) expect(d.row(runId).delivery.finish.state).toBe('delivered');
});

const TURN_ENDS: [EndedTurnStatus, (d: Driver) => void][] = [
  ['completed', (d) => d.say('read')],
  ['failed', (d) => d.stumble({ how: 'final', error: { type: 'ProviderError', message: 'no' } })],
  ['cancelled', (d) => d.send((cx) => cancelTurn(cx, {}))],
];

test.each(TURN_ENDS)('a delivery says how the turn that read it ended: %s', (turnStatus, end) => {
  const d = Driver.session();
  d.running('a', { detached: { onMilestones: { names: ['half'], mode: 'react' } } });
  d.running('b');
  d.submit('busy');
  d.reached('a', [[1, 'half']]);
  d.settled('a');
  d.say('free');
  const { finish, milestones } = d.row('a').delivery;
  for (const slot of [finish, milestones?.['half']]) {
    expect(slot).toMatchObject({ state: 'delivered' });
    expect(slot).not.toHaveProperty('turnStatus');
  }
  end(d);
  for (const slot of [d.row('a').delivery.finish, d.row('a').delivery.milestones?.['half']])
    expect(slot).toMatchObject({ state: 'delivered', turnStatus });
  d.settled('b');
  expect(d.row('b').delivery.finish).not.toHaveProperty('turnStatus');
});

test('a delivery that no model call has read says so too: cancelled while it waited, at close, and as the result of a call', () => {
  const d = Driver.session();
  d.submit('busy');
  for (const runId of ['a', 'b']) d.running(runId);
  d.settled('a');
  d.send((cx) => cancelTurn(cx, { turnId: d.row('a').delivery.finish.turnId ?? '' }));
  expect(d.row('a').delivery.finish).toMatchObject({ state: 'delivered', turnStatus: 'cancelled' });
  d.say([{ id: 'w', start: { agent: 'load', input: 1, wait: true } }]);
  d.confirm();
  const waited = d.state.runs.all.at(-1)?.runId ?? '';
  d.settled(waited);
  expect(d.row(waited).delivery.finish).toMatchObject({ state: 'delivered', turnId: d.state.turn?.turnId });
  d.settled('b');
  d.say('done');
  expect(d.row(waited).delivery.finish).toMatchObject({ turnStatus: 'completed' });
  d.send((cx) => close(cx, {}));
  expect(d.row('b').delivery.finish).toMatchObject({ state: 'delivered', turnStatus: 'cancelled' });
});

test('metadata of a run stands in its row, and that of a turn in the turn, while it waits, runs and after its end', () => {
  const d = Driver.session({ limits: { maxConcurrentRuns: 1 } });
  const metadata = { ticket: 7 };
  d.start({ runId: 'a', metadata });
  d.start({ runId: 'b', metadata });
  d.confirm();
  d.continueAsNew();
  d.settled('a');
  for (const runId of ['a', 'b']) expect(getRun(d.state, runId)).toMatchObject({ metadata });
  d.submit('one', { turnId: 'one', metadata });
  expect(getTurn(d.state, 'one')).toMatchObject({ status: 'queued', metadata });
  d.say('a is read');
  expect(getTurn(d.state, 'one')).toMatchObject({ status: 'running', metadata });
  d.say('done');
  expect(getTurn(d.state, 'one')).toMatchObject({ status: 'completed', metadata });
});
