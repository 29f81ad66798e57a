/** Input that joins the running turn: when it is read, and what becomes of it when the turn ends before that. */
import { expect, test } from 'vitest';
import { close } from '../../src/domain/closing.ts';
import { followTurn } from '../../src/domain/view/follow-turn.ts';
import { getTurn } from '../../src/domain/view/queries.ts';
import { textOf } from '../../src/domain/delivery/transcript.ts';
import { cancelTurn, resetTurns } from '../../src/domain/turn/cancel.ts';
import { turnNamed } from '../../src/domain/turn/queue.ts';
import { submitTurn } from '../../src/domain/turn/submit.ts';
import { Driver, refusal, user } from '../support/domain.ts';

/** A session whose turn `one` runs. */
function busy(given: Parameters<typeof Driver.session>[0] = {}): Driver {
  const d = Driver.session(given);
  d.submit('one', { turnId: 'one' });
  return d;
}

/** The transcript, a line a message. */
function read(d: Driver): string[] {
  return d.state.transcript.map(({ message }) => `${message.role} ${textOf(message) || message.parts[0]?.type}`);
}

const steered = (d: Driver, text: string, more: object = {}) => d.submit(text, { onBusy: 'steer', ...more });

test('T-22 a steer is read after the results of the running step and before the next model call, once', () => {
  const d = busy();
  d.say([{ id: 'c1' }, { id: 'c2' }]);
  const before = d.state.lastSeq;
  expect(steered(d, 'in blue', { turnId: 'blue', idempotencyKey: 'k' })).toEqual({
    turnId: 'one',
    status: 'running',
    position: 0,
    deduplicated: false,
    ownTurnId: 'blue',
  });
  expect(d.story(before)).toEqual(['turn.joined [k] one']);
  expect(getTurn(d.state, 'one')?.inputs).toEqual([{ source: 'user' }, { source: 'user', key: 'k' }]);
  d.answerTool('first', 'c1');
  expect(read(d)).toEqual(['user one']);
  d.answerTool('second', 'c2');
  expect(read(d)).toEqual(['user one', 'assistant tool-tool', 'user in blue']);
  expect(d.asked.filter((effect) => effect.do === 'model')).toHaveLength(1);
  d.say('blue it is');
  expect(getTurn(d.state, 'one')).toMatchObject({ status: 'completed', steps: 2, inputs: [{}, { key: 'k' }] });
  expect(d.state.queue).toEqual([]);
  expect(read(d).filter((line) => line.includes('in blue'))).toHaveLength(1);
});

test('T-22 a turn that was about to end goes on by one step, also one that answers a background run', () => {
  const d = Driver.session();
  d.running('a');
  d.settled('a');
  const turnId = d.state.turn?.turnId ?? '';
  steered(d, 'first');
  steered(d, 'second');
  d.say('done');
  expect(d.state.turn).toMatchObject({ turnId, step: 2 });
  expect(read(d).slice(1)).toEqual(['assistant done', 'user first', 'user second']);
  d.say('done again');
  expect(getTurn(d.state, turnId)).toMatchObject({ status: 'completed', steps: 2 });
  expect(getTurn(d.state, turnId)?.inputs.map(({ source }) => source)).toEqual(['background-run', 'user', 'user']);
});

test('T-22 none running: it is queued', () => {
  const d = Driver.session();
  expect(steered(d, 'one')).toEqual({
    turnId: d.state.turn?.turnId,
    status: 'queued',
    position: 1,
    deduplicated: false,
  });
});

const ends: [string, (d: Driver) => void, string][] = [
  ['fails', (d) => d.stumble({ how: 'final', error: { type: 'ProviderError', message: 'no' } }), 'failed'],
  ['is cancelled', (d) => d.send((cx) => cancelTurn(cx, {})), 'cancelled'],
  ['has no time left', (d) => d.pass(30 * 60_000), 'failed'],
];

test.each(ends)(
  'T-22 the running turn %s before it was read: they come first, in order, under their own ids',
  (_how, end, status) => {
    const d = busy();
    d.submit('two', { turnId: 'two' });
    d.running('a');
    d.settled('a');
    steered(d, 'blue', { turnId: 'blue', idempotencyKey: 'k' });
    const { ownTurnId = '' } = steered(d, 'red');
    expect(getTurn(d.state, turnNamed(d.state, ownTurnId))?.turnId).toBe('one');
    const before = d.state.lastSeq;
    end(d);
    expect(d.story(before).slice(0, 4)).toEqual([
      expect.stringMatching(/^turn\.(failed|cancelled) .*\[\] one$/u),
      'turn.queued [k] blue',
      `turn.queued [] ${ownTurnId}`,
      'turn.started [k] blue',
    ]);
    expect(getTurn(d.state, 'one')).toMatchObject({ status, inputs: [{ source: 'user' }] });
    const background = d.row('a').delivery.finish.turnId ?? '';
    expect(d.state.turn?.turnId).toBe('blue');
    expect(d.state.queue.map(({ turnId }) => turnId)).toEqual([ownTurnId, 'two', background]);
    expect(steered(d, 'blue', { turnId: 'blue', idempotencyKey: 'k' })).toEqual({
      turnId: 'blue',
      status: 'running',
      position: 0,
      deduplicated: true,
    });
    for (let i = 0; i < 4; i++) d.say('ok');
    expect(read(d).filter((line) => /blue|red|two/u.test(line))).toEqual(['user blue', 'user red', 'user two']);
  },
);

test('T-22 what has been read stays read when the turn ends, and its ids answer with that turn', () => {
  const d = busy();
  const { ownTurnId = '' } = steered(d, 'blue', { idempotencyKey: 'k' });
  d.say('one is done');
  d.stumble({ how: 'final', error: { type: 'ProviderError', message: 'no' } });
  expect(d.state.turn).toBeNull();
  expect(d.state.queue).toEqual([]);
  expect(steered(d, 'blue', { idempotencyKey: 'k' })).toEqual({
    turnId: 'one',
    status: 'failed',
    position: 0,
    deduplicated: true,
    ownTurnId,
  });
  expect(getTurn(d.state, turnNamed(d.state, ownTurnId))).toMatchObject({ turnId: 'one', status: 'failed' });
  expect(refusal(d.send((cx) => submitTurn(cx, { input: user('other'), turnId: ownTurnId })))).toBe(
    'IdempotencyConflict',
  );
});

test('T-22 an interrupter goes before what the interrupted turn has not read', () => {
  const d = busy();
  d.submit('two', { turnId: 'two' });
  steered(d, 'blue', { turnId: 'blue' });
  d.submit('now', { turnId: 'now', onBusy: 'interrupt' });
  expect([d.state.turn, ...d.state.queue].map((turn) => turn?.turnId)).toEqual(['now', 'blue', 'two']);
});

test('T-22 resetTurns skips what was not read', () => {
  const d = busy();
  steered(d, 'blue', { turnId: 'blue' });
  expect(d.send((cx) => resetTurns(cx, {}))).toEqual({ cancelled: 'one', skipped: ['blue'] });
  expect(getTurn(d.state, 'blue')).toMatchObject({ status: 'skipped', reason: 'reset' });
});

test.each(['cancel', 'finish'] as const)('T-22 close { turn: "%s" } ends what was not read', (turn) => {
  const d = busy();
  steered(d, 'blue', { turnId: 'blue' });
  const before = d.state.lastSeq;
  d.send((cx) => close(cx, { turn }));
  if (turn === 'finish') d.stumble({ how: 'final', error: { type: 'ProviderError', message: 'no' } });
  const story = d.story(before);
  expect(story.slice(1, 3)).toEqual(['turn.queued [] blue', 'turn.cancelled session_closed [] blue']);
  expect(story.at(-1)).toBe('session.closed');
  expect(getTurn(d.state, 'blue')).toMatchObject({ status: 'cancelled', reason: 'session_closed' });
});

test('T-22 close { turn: "finish" } lets the turn read what has joined it', () => {
  const d = busy();
  steered(d, 'blue', { turnId: 'blue' });
  d.send((cx) => close(cx, { turn: 'finish' }));
  d.say('one');
  d.say('and blue');
  expect(read(d)).toEqual(['user one', 'assistant one', 'user blue', 'assistant and blue']);
  expect(getTurn(d.state, 'one')).toMatchObject({ status: 'completed', steps: 2 });
});

test('T-22 the last step that limits.maxSteps allows is not prolonged: the turn is complete, what joined it comes next', () => {
  const d = busy({ limits: { maxSteps: 1 } });
  steered(d, 'blue', { turnId: 'blue' });
  d.say('done');
  expect(getTurn(d.state, 'one')).toMatchObject({ status: 'completed', inputs: [{ source: 'user' }] });
  expect(d.state.turn?.turnId).toBe('blue');
});

test('T-22 what waits to be read is bounded like what is queued', () => {
  const few = busy({ limits: { maxQueuedTurns: 1 } });
  steered(few, 'blue');
  const more = { input: user('red'), onBusy: 'steer' as const };
  expect(refusal(few.send((cx) => submitTurn(cx, more)))).toBe('QueueFull');
  expect(refusal(few.send((cx) => submitTurn(cx, { input: user('two') })))).toBe('QueueFull');
  const large = busy({ limits: { maxQueuedBytes: 1000 } });
  steered(large, 'x'.repeat(700));
  const second = { input: user('y'.repeat(700)), onBusy: 'steer' as const };
  expect(refusal(large.send((cx) => submitTurn(cx, second)))).toBe('QueueFull');
  large.say('done');
  expect(large.send((cx) => submitTurn(cx, second))).toMatchObject({ status: 'running' });
});

test('T-22 while a step waits for a run what joined the turn waits too', () => {
  const d = busy();
  d.say([{ id: 'w', start: { agent: 'load', input: 1, wait: true } }]);
  d.confirm();
  steered(d, 'blue');
  d.continueAsNew();
  expect(read(d)).toEqual(['user one']);
  const [run] = d.state.runs.all;
  d.settled(run?.runId ?? '', {}, d.state.epoch);
  expect(read(d)).toEqual(['user one', 'assistant tool-start_run', 'user blue']);
});

test('T-22 who follows the turn sees the added step', () => {
  const d = busy();
  steered(d, 'blue');
  d.say('one');
  d.say('and blue');
  expect(followTurn(d.state, { turnId: 'one' })?.steps.map(({ step }) => step)).toEqual([1, 2]);
});
