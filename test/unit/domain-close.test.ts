/** The end of a session in all its variants, in the order of the contract (§7, path 3), and that nothing comes after it. */
import { describe, expect, test } from 'vitest';
import { close, runsToldGone } from '../../src/domain/closing.ts';
import { notTerminated } from '../../src/domain/deadlines.ts';
import { recordRefusal } from '../../src/domain/log/refusals.ts';
import { cancelRun } from '../../src/domain/run/cancel.ts';
import { startRun } from '../../src/domain/run/start.ts';
import { messageRun } from '../../src/domain/run/to-runs.ts';
import { resetTurns } from '../../src/domain/turn/cancel.ts';
import { submitTurn } from '../../src/domain/turn/submit.ts';
import { sessionView } from '../../src/domain/view/queries.ts';
import { accepted, Driver, refusal, user } from '../support/domain.ts';

/** A session with a running turn, a queued user turn, a result that waits, a running and a queued run. */
function full(given: Parameters<typeof Driver.session>[0] = {}): { d: Driver; before: number } {
  const d = Driver.session({ ...given, limits: { maxConcurrentRuns: 2 } });
  d.submit('running');
  d.running('done');
  d.running('live');
  d.start({ runId: 'wait' });
  d.settled('done');
  d.confirm();
  d.submit('queued', { turnId: 'q' });
  d.start({ runId: 'behind' });
  return { d, before: d.state.lastSeq };
}

test('a run that the server does not let be ended by force holds up no end, and is told that nobody hears it any more', () => {
  const d = Driver.session();
  d.running('stuck');
  d.confirm();
  d.send((cx) => close(cx, { runs: 'cancel' }));
  d.pass(60_000);
  expect(d.take('terminate').runId).toBe('stuck');
  expect(sessionView(d.state).status).toBe('closing');
  d.send((cx) => notTerminated(cx, 'stuck'));
  expect(d.did.filter((effect) => effect.do === 'tell-gone')).toEqual([{ do: 'tell-gone', runs: ['stuck'] }]);
  expect(sessionView(d.state).status).toBe('closed');
  expect(d.row('stuck').status).toBe('running');
});

test('a run that takes nothing of what it was sent holds up the end of its session for 30 s, and the log says what was lost', () => {
  const d = Driver.session();
  d.running('deaf');
  d.confirm();
  accepted(d.send((cx) => messageRun(cx, { runId: 'deaf', message: 'hello', messageId: 'm1' })));
  d.arrives('runMessage', 'refused');
  d.send((cx) => close(cx, { runs: 'keep' }));
  for (let seconds = 0; seconds < 29; seconds++) {
    d.pass(1000);
    if (d.tells('runMessage')) d.arrives('runMessage', 'refused');
  }
  expect(sessionView(d.state).status).toBe('closing');
  d.pass(1000);
  expect(sessionView(d.state).status).toBe('closed');
  expect(d.log().find(({ type }) => type === 'input.refused')).toMatchObject({ message: expect.stringMatching(/m1/u) });
});

test('close, everything cancelled: queued user turns, the running one, background inputs, runs, session.closed last', () => {
  const { d, before } = full();
  d.send((cx) => close(cx, { reason: 'over', runs: 'cancel' }));
  expect(sessionView(d.state).status).toBe('closing');
  d.settled('live', { status: 'cancelled', reason: 'session_closed' });
  d.settled('wait', { status: 'cancelled', reason: 'session_closed' });
  expect(d.story(before)).toEqual([
    'turn.cancelled session_closed [] q',
    'turn.cancelled session_closed [] t-00000001-1',
    'message.added user hidden t-00000001-2',
    'run.delivered done finish t-00000001-2',
    'run.cancel_requested live session_closed',
    'run.cancel_requested wait session_closed',
    'run.cancel_requested behind session_closed',
    'run.settled behind cancelled session_closed',
    'run.settled live cancelled session_closed',
    'run.settled wait cancelled session_closed',
    'session.closed over',
  ]);
  for (const runId of ['live', 'wait', 'behind']) expect(d.row(runId).delivery.finish.state).toBe('not_required');
  expect(sessionView(d.state).status).toBe('closed');
});

test("close: the caller's reason is the comment of every turn and run that ends by it", () => {
  const { d, before } = full();
  d.send((cx) => close(cx, { reason: 'over', runs: 'cancel' }));
  d.settled('live', { status: 'cancelled' });
  const told = d
    .log()
    .filter(
      (event) => event.seq > before && ['turn.cancelled', 'run.cancel_requested', 'run.settled'].includes(event.type),
    );
  expect(told.length).toBeGreaterThan(5);
  for (const event of told) expect(event).toMatchObject({ comment: 'over' });
});

test('the turn id of a waiting result was set when it was queued, and closing does not change it', () => {
  const { d } = full();
  const before = d.row('done').delivery.finish.turnId;
  d.send((cx) => close(cx, {}));
  expect(before).toBeDefined();
  expect(d.row('done').delivery.finish).toMatchObject({ state: 'delivered', turnId: before });
});

test('close with turn finish: that turn goes on to its own end, tools and all, and nothing else starts', () => {
  const { d, before } = full();
  d.send((cx) => close(cx, { turn: 'finish' }));
  d.say([{ id: 'c1' }, { id: 'c2', start: { agent: 'load', input: 0 } }]);
  d.answerTool('x');
  d.say('good bye');
  const story = d.story(before);
  expect(story.slice(0, 4)).toEqual([
    'turn.cancelled session_closed [] q',
    'message.added assistant t-00000001-1',
    'message.added assistant t-00000001-1',
    'turn.completed [] t-00000001-1',
  ]);
  expect(story.at(-1)).toBe('session.closed');
  const step = d.state.transcript.find((entry) => entry.message.parts.some((part) => part['toolCallId'] === 'c2'));
  expect(step?.message.parts[1]).toMatchObject({
    state: 'output-error',
    errorText: expect.stringContaining('SessionClosed'),
  });
});

test('close with runs keep: running runs get no event and no request, queued ones settle, the end comes at once', () => {
  const { d, before } = full();
  d.send((cx) => close(cx, { runs: 'keep' }));
  const runs = d.story(before).filter((line) => line.startsWith('run.'));
  expect(runs).toEqual([
    'run.delivered done finish t-00000001-2',
    'run.cancel_requested behind session_closed',
    'run.settled behind cancelled session_closed',
  ]);
  expect(d.asks('cancel-run')).toBe(false);
  expect(d.row('live')).toMatchObject({ status: 'running', delivery: { finish: { state: 'pending' } } });
  expect(d.story().at(-1)).toBe('session.closed');
});

test('a start under way is waited for, so that its failure is told before the end', () => {
  const d = Driver.session();
  d.start({ runId: 'a' });
  d.send((cx) => close(cx, { runs: 'keep' }));
  expect(d.story().at(-1)).not.toBe('session.closed');
  d.failStart('a');
  expect(d.story().slice(-4)).toEqual([
    'run.settled a failed start_failed',
    'message.added user hidden',
    'run.delivered a finish',
    'session.closed',
  ]);
});

test('a run that completes although the close has asked it to end is completed, and its result is appended without a model call', () => {
  const d = Driver.session();
  d.running('a');
  d.running('b');
  d.send((cx) => close(cx, { runs: 'cancel' }));
  const before = d.state.lastSeq;
  d.settled('a');
  d.settled('b', { status: 'failed', reason: 'agent_error', error: { type: 'E', message: 'm' } });
  expect(d.story(before)).toEqual([
    'run.settled a completed',
    'message.added user hidden',
    'run.delivered a finish',
    'run.settled b failed agent_error',
    'message.added user hidden',
    'run.delivered b finish',
    'session.closed',
  ]);
  expect(d.asks('model')).toBe(false);
});

test('a closing session takes no new work, and a second close answers closing and changes nothing', () => {
  const { d } = full();
  d.send((cx) => close(cx, { runs: 'cancel', turn: 'finish' }));
  expect(refusal(d.send((cx) => submitTurn(cx, { input: user('x') })))).toBe('SessionClosed');
  expect(refusal(d.send((cx) => startRun(cx, { agent: 'load', input: 0 })))).toBe('SessionClosed');
  expect(refusal(d.send((cx) => resetTurns(cx, {})))).toBe('SessionClosed');
  const before = d.state.lastSeq;
  expect(d.send((cx) => close(cx, { runs: 'keep', turn: 'cancel', reason: 'other' }))).toEqual({ status: 'closing' });
  expect(d.story(before)).toEqual([]);
  expect(d.state.turn).not.toBeNull();
});

test('session.closed is the last event, whatever still comes', () => {
  const d = Driver.session();
  d.running('a', { detached: { onMilestones: { names: '*', mode: 'narrate' } } });
  d.send((cx) => {
    for (let i = 0; i < 120; i++) recordRefusal(cx, 'nonsense', 'no');
  });
  d.send((cx) => close(cx, {}));
  const last = d.state.lastSeq;
  expect(d.story().slice(-2)).toEqual(['input.refused', 'session.closed']);
  d.reached('a', [[1, 'half']]);
  d.settled('a');
  d.ended('a', { status: 'failed', reason: 'lost' });
  expect(refusal(d.send((cx) => cancelRun(cx, { runId: 'a' })))).toBe('SessionClosed');
  d.send((cx) => recordRefusal(cx, 'nonsense', 'no'));
  d.pass(30 * 24 * 3600 * 1000);
  expect(d.state.lastSeq).toBe(last);
  expect(d.row('a').status).toBe('running');
});

test('the close survives continue-as-new in its middle', () => {
  const d = Driver.session();
  d.running('a');
  d.send((cx) => close(cx, { runs: 'cancel', reason: 'over' }));
  d.continueAsNew();
  expect(refusal(d.send((cx) => submitTurn(cx, { input: user('x') })))).toBe('SessionClosed');
  d.settled('a', { status: 'cancelled' });
  expect(d.story().slice(-2)).toEqual(['run.settled a cancelled session_closed', 'session.closed over']);
});

test('an empty session closes at once', () => {
  const d = Driver.session();
  expect(d.send((cx) => close(cx, {}))).toEqual({ status: 'closing' });
  expect(d.story()).toEqual(['session.started', 'session.closed']);
});

describe('C-08 runs that go on when their session closes are told that it is gone', () => {
  function closingWith(runs: number): Driver {
    const d = Driver.session({ limits: { maxConcurrentRuns: 1000, maxQueuedRuns: 1000 } });
    d.keepsTelling = true;
    for (let i = 0; i < runs; i++) d.running(`run-${i}`);
    d.send((cx) => close(cx, { runs: 'keep' }));
    return d;
  }

  test('in waves of at most 500, the next when the last has been told, and then the session ends', () => {
    const d = closingWith(1000);
    expect(d.take('tell-gone').runs).toHaveLength(500);
    expect(d.asks('tell-gone')).toBe(false);
    d.send(runsToldGone);
    expect(d.take('tell-gone').runs).toHaveLength(500);
    expect(sessionView(d.state).status).toBe('closing');
    d.send(runsToldGone);
    expect(sessionView(d.state).status).toBe('closed');
  });

  test('a settle that comes meanwhile is taken', () => {
    const d = closingWith(2);
    d.settled('run-0');
    expect(d.row('run-0')).toMatchObject({ status: 'completed', delivery: { finish: { state: 'delivered' } } });
    d.send(runsToldGone);
    expect(sessionView(d.state).status).toBe('closed');
    expect(d.row('run-1').status).toBe('running');
  });

  test('one that says of itself that nobody heard it is not heard through Temporal either', () => {
    const d = closingWith(1);
    d.ended('run-0', { status: 'completed', result: 1, delivered: false });
    d.send(runsToldGone);
    expect(sessionView(d.state).status).toBe('closed');
    expect(d.row('run-0').status).toBe('running');
  });

  test('one that cannot be reached holds the end up for 30 s', () => {
    const d = closingWith(3);
    d.pass(29_999);
    expect(sessionView(d.state).status).toBe('closing');
    d.pass(1);
    expect(sessionView(d.state).status).toBe('closed');
  });

  test('nor does it hold up a session that continues as new', () => {
    const d = closingWith(3);
    d.holding = true;
    d.pass(30_000);
    d.continueAsNew();
    expect(sessionView(d.state).status).toBe('closed');
  });

  test('who is to be told is not forgotten when the session continues as new meanwhile', () => {
    const d = closingWith(600);
    d.take('tell-gone');
    d.holding = true;
    d.send(runsToldGone);
    expect(d.asks('tell-gone')).toBe(false);
    d.continueAsNew();
    expect(d.take('tell-gone').runs).toHaveLength(100);
    d.send(runsToldGone);
    expect(sessionView(d.state).status).toBe('closed');
  });

  test('a session without runs that go on tells nobody', () => {
    const d = Driver.session();
    d.keepsTelling = true;
    d.running('done');
    d.settled('done');
    d.say('ok');
    d.send((cx) => close(cx, {}));
    expect(d.did.some((effect) => effect.do === 'tell-gone')).toBe(false);
    expect(sessionView(d.state).status).toBe('closed');
  });
});
