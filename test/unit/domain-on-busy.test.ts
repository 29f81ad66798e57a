/** What new user input does to those before it, for every value of `onBusy`, and that none touches background inputs. */
import { describe, expect, test } from 'vitest';
import type { OnBusy } from '../../src/domain/state/types.ts';
import { submitTurn } from '../../src/domain/turn/submit.ts';
import { getTurn } from '../../src/domain/view/queries.ts';
import { textOf } from '../../src/domain/delivery/transcript.ts';
import { Driver, refusal, user } from '../support/domain.ts';

/** A session whose turn `one` runs. */
function busy(given: Parameters<typeof Driver.session>[0] = {}): Driver {
  const d = Driver.session(given);
  d.submit('one', { turnId: 'one' });
  return d;
}

function queue(d: Driver): string[] {
  return d.state.queue.map((turn) => turn.turnId);
}

/** Texts of users in the order in which the model reads them. */
function read(d: Driver): string[] {
  return d.state.transcript
    .filter((entry) => entry.message.role === 'user' && entry.message.metadata === undefined)
    .map((entry) => textOf(entry.message));
}

test('T-01 ten inputs submitted at once run one at a time in order of acceptance', () => {
  const d = Driver.session();
  const receipts = Array.from({ length: 10 }, (_, i) => d.submit(`input ${i}`));
  expect(receipts.map((receipt) => receipt.position)).toEqual([1, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  for (let i = 0; i < 10; i++) {
    expect(d.asked.filter((effect) => effect.do === 'model')).toHaveLength(1);
    d.say(`answer ${i}`);
  }
  expect(read(d)).toEqual(Array.from({ length: 10 }, (_, i) => `input ${i}`));
  expect(d.state.past.map((turn) => turn.turnId)).toEqual(receipts.map((receipt) => receipt.turnId));
});

test('T-03 queue goes last, behind background inputs too', () => {
  const d = busy();
  d.running('a');
  d.settled('a');
  d.submit('two', { turnId: 'two' });
  expect(queue(d)).toEqual([d.row('a').delivery.finish.turnId, 'two']);
});

test('T-03 latest: user turns still queued become skipped / superseded, this one is queued, the running one goes on', () => {
  const d = busy();
  d.submit('two', { turnId: 'two' });
  d.submit('three', { turnId: 'three' });
  const before = d.state.lastSeq;
  d.submit('four', { turnId: 'four', onBusy: 'latest' });
  expect(d.story(before)).toEqual([
    'turn.skipped superseded [] two',
    'turn.skipped superseded [] three',
    'turn.queued [] four',
  ]);
  expect(getTurn(d.state, 'two')).toMatchObject({ status: 'skipped', reason: 'superseded', messages: [] });
  d.say('1');
  d.say('4');
  expect(read(d)).toEqual(['one', 'four']);
});

test('T-03 latest is measured against the queue without what it replaces', () => {
  const d = busy({ limits: { maxQueuedBytes: 1000, maxQueuedTurns: 1 } });
  d.submit('x'.repeat(800), { turnId: 'two' });
  d.submit('y'.repeat(800), { turnId: 'three', onBusy: 'latest' });
  expect(queue(d)).toEqual(['three']);
});

test('T-03 merge joins the last queued user turn, whose id the receipt names; with none queued it is queue', () => {
  const d = busy();
  expect(d.submit('two', { turnId: 'two', onBusy: 'merge' })).toMatchObject({
    turnId: 'two',
    status: 'queued',
    position: 1,
  });
  const before = d.state.lastSeq;
  expect(d.submit('three', { turnId: 'three', idempotencyKey: 'k3', onBusy: 'merge' })).toEqual({
    turnId: 'two',
    status: 'queued',
    position: 1,
    deduplicated: false,
  });
  expect(d.story(before)).toEqual(['turn.joined [k3] two']);
  d.say('1');
  expect(d.state.turn).toMatchObject({ turnId: 'two', inputs: [{ source: 'user' }, { source: 'user', key: 'k3' }] });
  expect(read(d)).toEqual(['one', 'two', 'three']);
});

test('T-03 drop: the receipt says skipped, one turn.skipped and no turn.queued, nothing is appended; in a free lane it runs', () => {
  const d = busy();
  const before = d.state.lastSeq;
  expect(d.submit('two', { turnId: 'two', onBusy: 'drop' })).toEqual({
    turnId: 'two',
    status: 'skipped',
    position: 0,
    deduplicated: false,
  });
  expect(d.story(before)).toEqual(['turn.skipped dropped [] two']);
  d.say('1');
  expect(d.submit('three', { onBusy: 'drop' }).status).toBe('queued');
  expect(read(d)).toEqual(['one', 'three']);
});

test('T-03 drop is never refused for want of room', () => {
  const d = busy({ limits: { maxQueuedTurns: 1, maxQueuedBytes: 1 } });
  expect(d.submit('x'.repeat(200_000), { onBusy: 'drop' }).status).toBe('skipped');
});

test('T-03 interrupt: the running turn becomes cancelled / interrupted, its step is aborted, what it finished stays, this one goes first', () => {
  const d = busy();
  d.say([{ id: 'c1' }]);
  d.answerTool('kept');
  d.submit('two', { turnId: 'two' });
  const before = d.state.lastSeq;
  d.submit('now', { turnId: 'now', onBusy: 'interrupt' });
  expect(d.story(before)).toEqual([
    'turn.cancelled interrupted [] one',
    'turn.queued [] now',
    'turn.started [] now',
    'message.added user now',
  ]);
  expect(d.did.some((effect) => effect.do === 'abort-step')).toBe(true);
  expect(getTurn(d.state, 'one')?.messages[1]?.parts[0]).toMatchObject({ state: 'output-available', output: 'kept' });
  d.say('0');
  d.say('2');
  expect(read(d)).toEqual(['one', 'now', 'two']);
});

test('T-03 debounce: it starts when no input came for so long, and inputs in between merge', () => {
  const d = Driver.session();
  const first = d.submit('a', { onBusy: { debounceMs: 1000 } });
  d.pass(900);
  expect(d.state.turn).toBeNull();
  expect(d.submit('b', { onBusy: { debounceMs: 1000 } })).toMatchObject({ turnId: first.turnId, status: 'queued' });
  d.pass(900);
  expect(d.state.turn).toBeNull();
  d.pass(100);
  expect(d.state.turn?.turnId).toBe(first.turnId);
  expect(read(d)).toEqual(['a', 'b']);
});

test('T-03 debounce does not hold up results or other input', () => {
  const d = Driver.session();
  d.submit('wait', { turnId: 'quiet', onBusy: { debounceMs: 60_000 } });
  d.running('a');
  d.settled('a');
  expect(d.state.turn?.inputs).toEqual([{ source: 'background-run', key: 'bg-task:s:a' }]);
  d.say('read');
  d.submit('other', { turnId: 'other' });
  expect(d.state.turn?.turnId).toBe('other');
  d.pass(60_000);
  d.say('other done');
  expect(d.state.turn?.turnId).toBe('quiet');
});

test('case 21 T-27 a debounced turn starts in its time though other turns come and go', () => {
  const d = busy();
  d.submit('quiet', { turnId: 'quiet', onBusy: { debounceMs: 1000 } });
  d.pass(600_000);
  d.submit('late', { turnId: 'late' });
  d.say('the first is done');
  expect(d.state.turn?.turnId).toBe('quiet');
  d.say('in its time');
  expect(d.state.turn?.turnId).toBe('late');
});

test('T-03 any user input for the queue begins the wait anew, the last debounceMs counts, and only debounced inputs merge', () => {
  const d = Driver.session();
  d.submit('a', { turnId: 'quiet', onBusy: { debounceMs: 1000 } });
  d.pass(900);
  d.submit('b', { turnId: 'other' });
  d.say('b is done');
  d.pass(900);
  expect(d.state.turn).toBeNull();
  d.submit('c', { onBusy: { debounceMs: 5000 } });
  d.pass(4900);
  expect(d.state.turn).toBeNull();
  d.pass(100);
  expect(d.state.turn?.turnId).toBe('quiet');
  expect(read(d)).toEqual(['b', 'a', 'c']);
});

test('T-27 one that is not ripe lets others pass, and is next when it is', () => {
  const d = busy();
  d.submit('quiet', { turnId: 'quiet', onBusy: { debounceMs: 1000 } });
  for (let i = 0; i < 5; i++) d.submit(`${i}`, { turnId: `other-${i}` });
  d.say('the first is done');
  expect(d.state.turn?.turnId).toBe('other-0');
  d.pass(1000);
  d.say('other-0 is done');
  expect(d.state.turn?.turnId).toBe('quiet');
});

test('T-03 debounce behind other user input counts against maxQueuedTurns', () => {
  const d = busy({ limits: { maxQueuedTurns: 1 } });
  d.submit('two');
  expect(refusal(d.send((cx) => submitTurn(cx, { input: user('x'), onBusy: { debounceMs: 5 } })))).toBe('QueueFull');
});

test('a debounced turn whose time has come while the workflow holds still starts in the next execution and keeps no timer alive', () => {
  const d = Driver.session();
  d.submit('wait', { turnId: 'quiet', onBusy: { debounceMs: 1000 } });
  d.holding = true;
  d.pass(5000);
  expect(d.state.turn).toBeNull();
  d.continueAsNew();
  expect(d.state.turn?.turnId).toBe('quiet');
});

describe.each<OnBusy>(['latest', 'merge', 'drop', 'interrupt', 'steer', { debounceMs: 10 }, 'queue'])(
  'T-03 onBusy %j',
  (onBusy) => {
    test('never touches background inputs: none is refused, dropped, merged into a user turn or skipped', () => {
      const d = busy();
      d.running('a');
      d.running('b');
      d.settled('a');
      const background = d.row('a').delivery.finish.turnId;
      d.submit('two', { turnId: 'two', onBusy });
      d.settled('b');
      d.submit('three', { turnId: 'three', onBusy });
      expect(queue(d)).toContain(background);
      for (let i = 0; i < 10 && d.asks('model'); i++) d.say('ok');
      d.pass(1000);
      for (let i = 0; i < 10 && d.asks('model'); i++) d.say('ok');
      for (const runId of ['a', 'b']) expect(d.row(runId).delivery.finish.state).toBe('delivered');
      expect(d.row('a').delivery.finish.turnId).toBe(background);
      // Input that steers says to be read with whatever runs.
      const mixed = d.state.past.filter((turn) => new Set(turn.inputs.map((input) => input.source)).size > 1);
      if (onBusy !== 'steer') expect(mixed).toEqual([]);
    });

    test('in a free lane the input runs', () => {
      const d = Driver.session();
      d.submit('one', { turnId: 'one', onBusy });
      d.pass(10);
      expect(d.state.turn?.turnId).toBe('one');
    });

    test('the default of the session is what is left out', () => {
      const d = Driver.session({ turns: { onBusy } });
      const first = d.submit('a', { idempotencyKey: 'k' });
      expect(d.submit('a', { idempotencyKey: 'k', onBusy })).toMatchObject({
        turnId: first.turnId,
        deduplicated: true,
      });
    });
  },
);

test('empty input is skipped without a model call: one turn.skipped, a turn of its own, nothing else touched', () => {
  for (const onBusy of ['queue', 'merge', 'interrupt', 'latest', { debounceMs: 5 }] as const) {
    const d = busy();
    d.submit('two', { turnId: 'two', onBusy: { debounceMs: 9 } });
    const before = d.state.lastSeq;
    expect(d.submit([], { turnId: 'none', onBusy })).toEqual({
      turnId: 'none',
      status: 'skipped',
      position: 0,
      deduplicated: false,
    });
    expect(d.story(before)).toEqual(['turn.skipped empty [] none']);
    expect(queue(d)).toEqual(['two']);
    expect(d.state.turn?.turnId).toBe('one');
  }
});
