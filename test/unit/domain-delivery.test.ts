/** Delivery slots: each filled once, by the run's `notify`, and who is told of a cancellation (§4.4, §4.5). */
import { describe, expect, test } from 'vitest';
import { close } from '../../src/domain/closing.ts';
import { cancelRun } from '../../src/domain/run/cancel.ts';
import { getRun } from '../../src/domain/view/queries.ts';
import { textOf } from '../../src/domain/delivery/transcript.ts';
import type { Detached } from '../../src/domain/state/types.ts';
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
