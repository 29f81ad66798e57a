/** Cancelling and resetting turns: what stays, what is appended, and what a receipt says of turns that have ended. */
import { expect, test } from 'vitest';
import { cancelTurn, resetTurns } from '../../src/domain/turn/cancel.ts';
import { getTurn } from '../../src/domain/view/queries.ts';
import { Driver, refusal } from '../support/domain.ts';

test('T-04 cancelling a queued user turn appends none of its messages', () => {
  const d = Driver.session();
  d.submit('one');
  d.submit('two', { turnId: 'two' });
  const before = d.state.lastSeq;
  expect(d.send((cx) => cancelTurn(cx, { turnId: 'two', reason: 'changed my mind' }))).toEqual({
    turnId: 'two',
    status: 'cancelled',
  });
  expect(d.story(before)).toEqual(['turn.cancelled cancelled_by_user [] two']);
  expect(getTurn(d.state, 'two')).toMatchObject({
    status: 'cancelled',
    reason: 'cancelled_by_user',
    comment: 'changed my mind',
    messages: [],
  });
  d.say('1');
  expect(d.state.turn).toBeNull();
  expect(JSON.stringify(d.state.transcript)).not.toContain('two');
});

test('T-04 cancelling the running turn aborts the model call, keeps what was finished, and the next turn starts', () => {
  const d = Driver.session();
  d.submit('one', { turnId: 'one' });
  d.say([{ id: 'c1' }]);
  d.answerTool('kept');
  d.submit('two', { turnId: 'two' });
  expect(d.send((cx) => cancelTurn(cx, { reason: 'stop' }))).toEqual({ turnId: 'one', status: 'cancelled' });
  expect(d.did.at(-2)).toEqual({ do: 'abort-step' });
  expect(getTurn(d.state, 'one')).toMatchObject({
    status: 'cancelled',
    reason: 'cancelled_by_user',
    comment: 'stop',
    steps: 1,
  });
  expect(d.state.turn?.turnId).toBe('two');
  expect(d.state.transcript.map((entry) => entry.message.role)).toEqual(['user', 'assistant', 'user']);
});

test('T-04 cancelled while tools run: answers that came stay, the rest get an error result, so that every call has one', () => {
  const d = Driver.session();
  d.submit('one', { turnId: 'one' });
  d.say([{ id: 'c1' }, { id: 'c2' }, { id: 'c3', invalid: 'no such tool' }]);
  d.answerTool('first', 'c1');
  d.send((cx) => cancelTurn(cx, {}));
  expect(getTurn(d.state, 'one')?.messages[1]?.parts).toMatchObject([
    { toolCallId: 'c1', state: 'output-available', output: 'first' },
    { toolCallId: 'c2', state: 'output-error', errorText: 'The turn ended before this call had an answer.' },
    { toolCallId: 'c3', state: 'output-error', errorText: 'no such tool' },
  ]);
});

const startsTwo = (d: Driver, turnId: string): void => {
  d.submit(turnId, { turnId });
  d.say(['a', 'b'].map((label) => ({ id: label, start: { agent: 'load', input: 1, label } })));
};

test.each(['running', 'ended'])(
  'D-38 cancelTurn with runs: "cancel" of a turn that is %s cancels exactly what it has started, queued or running, and wakes nobody',
  (state) => {
    const d = Driver.session({ limits: { maxConcurrentRuns: 2 } });
    d.running('other');
    startsTwo(d, 'one');
    d.confirm();
    const own = d.state.runs.all.filter(({ turnId }) => turnId === 'one').map(({ runId }) => runId);
    expect(own.map((runId) => d.row(runId).status)).toEqual(['running', 'queued']);
    if (state === 'ended') d.say('done');
    const answer = d.send((cx) => cancelTurn(cx, { turnId: 'one', runs: 'cancel', reason: 'stop' }));
    expect(answer).toEqual({ turnId: 'one', status: state === 'ended' ? 'completed' : 'cancelled', runIds: own });
    const [running = '', queued = ''] = own;
    expect(d.row(queued)).toMatchObject({ status: 'cancelled', reason: 'cancelled_by_user', comment: 'stop' });
    d.continueAsNew();
    d.settled(running, { status: 'cancelled', reason: 'cancelled_by_user' });
    for (const runId of own) expect(d.row(runId).delivery.finish.state).toBe('not_required');
    expect(d.row('other').cancelRequestedAt).toBeUndefined();
    expect(d.state.turn).toBeNull();
    expect(d.state.queue).toEqual([]);
  },
);

test('D-38 resetTurns with runs: "cancel" cancels what the running turn has started; with keep, or left out, nothing', () => {
  const d = Driver.session();
  startsTwo(d, 'one');
  expect(d.send((cx) => resetTurns(cx, {}))).toEqual({ cancelled: 'one', skipped: [] });
  expect(d.state.runs.all.every(({ cancelRequestedAt }) => cancelRequestedAt === undefined)).toBe(true);
  startsTwo(d, 'two');
  const own = d.state.runs.all.filter(({ turnId }) => turnId === 'two').map(({ runId }) => runId);
  expect(d.send((cx) => resetTurns(cx, { runs: 'cancel' }))).toEqual({ cancelled: 'two', skipped: [], runIds: own });
  expect(d.send((cx) => resetTurns(cx, { runs: 'cancel' }))).toEqual({ skipped: [], runIds: [] });
});

test('an answer of a step that was cancelled is not listened to', () => {
  const d = Driver.session();
  d.submit('one', { turnId: 'one' });
  const [effect] = d.asked;
  d.send((cx) => cancelTurn(cx, {}));
  if (effect === undefined) throw new Error('Expected a model call.');
  d.asked.push(effect);
  const before = d.state.lastSeq;
  d.say('too late');
  expect(d.story(before)).toEqual([]);
});

test('cancelling a queued background turn appends its inputs without a model call', () => {
  const d = Driver.session();
  d.submit('one');
  d.running('a');
  d.running('b');
  d.settled('a');
  d.settled('b');
  const turnId = d.row('a').delivery.finish.turnId ?? '';
  const before = d.state.lastSeq;
  expect(d.send((cx) => cancelTurn(cx, { turnId }))).toEqual({ turnId, status: 'cancelled' });
  expect(d.story(before)).toEqual([
    `message.added user hidden ${turnId}`,
    `run.delivered a finish ${turnId}`,
    `message.added user hidden ${turnId}`,
    `run.delivered b finish ${turnId}`,
    `turn.cancelled cancelled_by_user [bg-task:s:a bg-task:s:b] ${turnId}`,
  ]);
  d.say('1');
  expect(d.asks('model')).toBe(false);
});

test('a delivered message stays when its turn is cancelled or fails, and the next turn sees it', () => {
  const d = Driver.session();
  d.running('a');
  d.settled('a');
  d.send((cx) => cancelTurn(cx, {}));
  expect(d.row('a').delivery.finish.state).toBe('delivered');
  d.running('b');
  d.settled('b');
  d.stumble({ how: 'final' });
  expect(d.state.past.map((turn) => turn.status)).toEqual(['cancelled', 'failed']);
  expect(d.state.transcript).toHaveLength(2);
});

test('resetTurns ends the running turn and skips queued user turns; background inputs stay queued, runs are not touched', () => {
  const d = Driver.session();
  d.submit('one', { turnId: 'one' });
  d.running('a');
  d.running('b');
  d.settled('a');
  d.submit('two', { turnId: 'two' });
  d.submit('three', { turnId: 'three' });
  const before = d.state.lastSeq;
  expect(d.send((cx) => resetTurns(cx, { reason: 'again' }))).toEqual({ cancelled: 'one', skipped: ['two', 'three'] });
  const background = d.row('a').delivery.finish.turnId;
  expect(d.story(before)).toEqual([
    'turn.cancelled reset [] one',
    'turn.skipped reset [] two',
    'turn.skipped reset [] three',
    `turn.started [bg-task:s:a] ${background}`,
    `message.added user hidden ${background}`,
    `run.delivered a finish ${background}`,
  ]);
  expect(getTurn(d.state, 'three')).toMatchObject({ status: 'skipped', reason: 'reset', comment: 'again' });
  expect(d.row('b').status).toBe('running');
  expect(d.send((cx) => resetTurns(cx, {}))).toEqual({ cancelled: background, skipped: [] });
  expect(d.send((cx) => resetTurns(cx, {}))).toEqual({ skipped: [] });
});

test('cancelTurn without a running turn, or of an unknown one: UnknownTurn; of an ended one: its status', () => {
  const d = Driver.session();
  expect(refusal(d.send((cx) => cancelTurn(cx, {})))).toBe('UnknownTurn');
  expect(refusal(d.send((cx) => cancelTurn(cx, { turnId: 'ghost' })))).toBe('UnknownTurn');
  d.submit('one', { turnId: 'one' });
  d.say('1');
  d.submit([], { turnId: 'none' });
  expect(d.send((cx) => cancelTurn(cx, { turnId: 'one' }))).toEqual({ turnId: 'one', status: 'completed' });
  expect(d.send((cx) => cancelTurn(cx, { turnId: 'none' }))).toEqual({ turnId: 'none', status: 'skipped' });
});

test('an ended turn is still known by its id when a hundred others have ended since', () => {
  const d = Driver.session();
  d.submit('one', { turnId: 'one' });
  d.stumble({ how: 'final' });
  for (let i = 0; i < 150; i++) {
    d.submit('x');
    d.say('y');
  }
  d.continueAsNew();
  expect(getTurn(d.state, 'one')).toBeNull();
  expect(d.send((cx) => cancelTurn(cx, { turnId: 'one' }))).toEqual({ turnId: 'one', status: 'failed' });
  expect(d.state.past).toHaveLength(100);
});

test('a turn id whose input was merged stands for the turn that it joined', () => {
  const d = Driver.session();
  d.submit('one');
  d.submit('two', { turnId: 'two' });
  d.submit('three', { turnId: 'three', onBusy: 'merge' });
  expect(d.send((cx) => cancelTurn(cx, { turnId: 'three' }))).toEqual({ turnId: 'two', status: 'cancelled' });
  expect(d.send((cx) => cancelTurn(cx, { turnId: 'three' }))).toEqual({ turnId: 'two', status: 'cancelled' });
  d.say('1');
  expect(d.state.turn).toBeNull();
});
