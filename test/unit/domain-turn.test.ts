/** A turn as a loop of steps: retries, tools, limits, and what it leaves behind. */
import { totalOf } from '../../src/domain/state/usage.ts';
import { expect, test } from 'vitest';
import { stepAborted } from '../../src/domain/turn/tool-calls.ts';
import { getTranscript, getTurn, sessionView } from '../../src/domain/view/queries.ts';
import { textOf } from '../../src/domain/delivery/transcript.ts';
import { Driver, usage, user } from '../support/domain.ts';

const MINUTE = 60_000;

test('a turn takes steps until the model asks for no tool, and counts their usage', () => {
  const d = Driver.session();
  d.submit('go', { turnId: 'one' });
  d.say([{ id: 'c1' }], { usage: usage(10) });
  d.answerTool({ rows: 3 });
  expect(sessionView(d.state).turn).toMatchObject({ step: 2, attempt: 1, recovering: false });
  d.say('three rows', { usage: usage(5) });
  expect(getTurn(d.state, 'one')).toMatchObject({
    status: 'completed',
    steps: 2,
    usage: { totalTokens: 30, modelCalls: 2 },
  });
  expect(totalOf(d.state.spent).totalTokens).toBe(30);
});

test('T-19 a failed model call is retried with backoff; the session reads recovering until it is over; a finished step resets the count', () => {
  const d = Driver.session();
  d.submit('go', { turnId: 'one' });
  for (let attempt = 1; attempt <= 4; attempt++) {
    expect(sessionView(d.state).turn).toMatchObject({ attempt, recovering: attempt > 1 });
    d.stumble({ maxAttempts: 5 });
    expect(sessionView(d.state).turn).toMatchObject({ attempt: attempt + 1, recovering: true });
    d.pass(MINUTE);
  }
  d.say([{ id: 'c1' }]);
  d.answerTool(1);
  expect(sessionView(d.state).turn).toMatchObject({ step: 2, attempt: 1, recovering: false });
  for (let attempt = 1; attempt <= 4; attempt++) {
    d.stumble({ maxAttempts: 5 });
    d.pass(MINUTE);
  }
  d.say('at last');
  expect(getTurn(d.state, 'one')?.status).toBe('completed');
});

test('T-08 T-16 after the last attempt, or at once when it is not worth another, the turn fails with the error and the next one starts', () => {
  for (const failure of [{ how: 'final' }, { how: 'failed', maxAttempts: 1 }] as const) {
    const d = Driver.session();
    d.submit('go', { turnId: 'one' });
    d.submit('next', { turnId: 'two' });
    d.stumble({ ...failure, error: { type: 'ModelStalled', message: 'The model produced nothing for 60000 ms.' } });
    expect(getTurn(d.state, 'one')).toMatchObject({ status: 'failed', error: { type: 'ModelStalled' } });
    expect(d.state.turn?.turnId).toBe('two');
  }
});

test("T-16 the provider's retry-after is waited for when it is longer than the backoff", () => {
  const d = Driver.session();
  d.submit('go');
  d.stumble({ retryAfterMs: 20_000 });
  d.pass(19_999);
  expect(d.asks('model')).toBe(false);
  d.pass(1);
  expect(d.asks('model')).toBe(true);
});

test('a step that was aborted so that the workflow could continue uses up no attempt', () => {
  const d = Driver.session();
  d.submit('go');
  const { turnId, step } = d.take('model');
  d.holding = true;
  d.send((cx) => stepAborted(cx, { turnId, step }));
  d.continueAsNew();
  expect(d.take('model')).toMatchObject({ turnId, step: 1, attempt: 1 });
});

test('T-10 a tool that must not run twice is not run again when its worker was lost: the model reads that its outcome is unknown', () => {
  const d = Driver.session();
  d.submit('go', { turnId: 'one' });
  d.say([{ id: 'c1', idempotent: false, retries: 3 }]);
  d.failTool('lost');
  expect(d.asks('tool')).toBe(false);
  expect(getTurn(d.state, 'one')?.messages[1]?.parts[0]).toMatchObject({
    state: 'output-error',
    errorText: expect.stringContaining('unknown'),
  });
});

test('T-10 what a call has come to that must not run twice is asked of the app where the agent says so: once more after each loss, not after it threw', () => {
  const d = Driver.session({ limits: { maxLosses: 3 } });
  d.submit('go', { turnId: 'one' });
  d.say([{ id: 'c1', idempotent: false, repairs: true }]);
  for (const attempt of [1, 2]) {
    expect(d.state.turn?.calls[0]).toMatchObject({ attempt, state: 'running' });
    d.failTool('lost');
    d.pass(MINUTE);
  }
  d.failTool('threw', 'It was done.');
  expect(d.asks('tool')).toBe(false);
  expect(getTurn(d.state, 'one')?.messages[1]?.parts[0]).toMatchObject({ errorText: 'It was done.' });
});

test('T-10 a call that may be repaired takes its worker with it at most maxLosses times, and its time is over at most once', () => {
  for (const [how, times] of [
    ['lost', 3],
    ['timed-out', 2],
  ] as const) {
    const d = Driver.session({ limits: { maxLosses: 3 } });
    d.submit('go', { turnId: 'one' });
    d.say([{ id: 'c1', idempotent: false, repairs: true }]);
    for (let i = 0; i < times; i++) {
      expect(d.asks('tool')).toBe(true);
      d.failTool(how, 'it took too long');
      d.pass(MINUTE);
    }
    expect(d.asks('tool')).toBe(false);
    expect(getTurn(d.state, 'one')?.messages[1]?.parts[0]).toMatchObject({
      errorText: expect.stringContaining('unknown'),
    });
  }
});

test('a tool that must not run twice is not run again either when it threw, whatever its retries say', () => {
  const d = Driver.session();
  d.submit('go', { turnId: 'one' });
  d.say([{ id: 'c1', idempotent: false, retries: 3 }]);
  d.failTool('threw', 'disk full');
  d.pass(MINUTE);
  expect(d.asks('tool')).toBe(false);
  expect(getTurn(d.state, 'one')?.messages[1]?.parts[0]).toMatchObject({
    state: 'output-error',
    errorText: 'disk full',
  });
});

test('case 29 of a tool that must not run twice and ran out of its time the model reads that the outcome is unknown', () => {
  for (const [idempotent, words] of [
    [false, /outcome of this call is unknown.*timeoutMs/u],
    [true, /^it took too long$/u],
  ] as const) {
    const d = Driver.session();
    d.submit('go', { turnId: 'one' });
    d.say([{ id: 'c1', idempotent, retries: 0 }]);
    d.failTool('timed-out', 'it took too long');
    expect(getTurn(d.state, 'one')?.messages[1]?.parts[0]).toMatchObject({
      state: 'output-error',
      errorText: expect.stringMatching(words),
    });
  }
});

test('an idempotent tool whose worker was lost is run again and uses up no retry; what a tool throws does', () => {
  const d = Driver.session();
  d.submit('go', { turnId: 'one' });
  d.say([{ id: 'c1', retries: 1 }]);
  d.failTool('lost');
  d.pass(MINUTE);
  d.failTool('threw');
  d.pass(MINUTE);
  d.failTool('lost');
  d.pass(MINUTE);
  d.failTool('threw', 'disk full');
  expect(getTurn(d.state, 'one')?.messages[1]?.parts[0]).toMatchObject({
    state: 'output-error',
    errorText: 'disk full',
  });
  expect(d.asks('model')).toBe(true);
});

test('maxSteps ends a turn as failed with BudgetExceeded, which names it; its last step stays', () => {
  const d = Driver.session({ limits: { maxSteps: 2 } });
  d.submit('go', { turnId: 'one' });
  for (const id of ['c1', 'c2']) {
    d.say([{ id }]);
    d.answerTool(id);
  }
  expect(getTurn(d.state, 'one')).toMatchObject({
    status: 'failed',
    steps: 2,
    error: { type: 'BudgetExceeded', message: expect.stringContaining('limits.maxSteps') },
  });
  expect(getTurn(d.state, 'one')?.messages).toHaveLength(3);
  expect(sessionView(d.state).status).toBe('idle');
});

test('turnMs ends a turn as failed with BudgetExceeded, which names it, also in the middle of a step', () => {
  const d = Driver.session({ budgets: { turnMs: MINUTE } });
  d.submit('go', { turnId: 'one' });
  d.say([{ id: 'c1' }, { id: 'c2' }]);
  d.answerTool('kept', 'c1');
  d.pass(MINUTE);
  expect(getTurn(d.state, 'one')).toMatchObject({
    status: 'failed',
    error: { type: 'BudgetExceeded', message: expect.stringContaining('budgets.turnMs') },
  });
  expect(getTurn(d.state, 'one')?.messages[1]?.parts).toMatchObject([{ output: 'kept' }, { state: 'output-error' }]);
  expect(d.asked).toEqual([]);
});

test('messages keep their ids unless one like it is there; metadata of the turn is that of its messages, less what only the runtime says', () => {
  const d = Driver.session();
  const message = { id: 'mine', role: 'user' as const, parts: [{ type: 'text', text: 'a' }] };
  d.submit([message, { ...message, metadata: { own: 1 } }], {
    metadata: { tag: 'x', hidden: true, source: 'background-run' },
  });
  const { messages } = getTranscript(d.state, {});
  expect(messages.map((one) => one.id)).toEqual(['mine', 'm-00000001-1']);
  expect(messages.map((one) => one.metadata)).toEqual([{ tag: 'x' }, { own: 1 }]);
});

test('a provider that uses one id for two calls of a step still gets a result for each', () => {
  const d = Driver.session();
  d.submit('go', { turnId: 'one' });
  d.say([
    { id: 'same', input: 1 },
    { id: 'same', input: 2 },
  ]);
  d.answerTool('first');
  d.answerTool('second');
  expect(getTurn(d.state, 'one')?.messages[1]?.parts.map((part) => part['output'])).toEqual(['first', 'second']);
});

test("a step's message stays within bounds however much its tools say: the largest outputs become previews", () => {
  const d = Driver.session();
  d.submit('go', { turnId: 'one' });
  d.say(Array.from({ length: 8 }, (_, i) => ({ id: `c${i}` })));
  for (let i = 0; i < 8; i++) d.answerTool({ text: 'x'.repeat(200_000) }, `c${i}`);
  const message = d.log().findLast((event) => event.type === 'message.added');
  expect(JSON.stringify(message).length).toBeLessThan(1_000_000);
  const parts = getTurn(d.state, 'one')?.messages[1]?.parts ?? [];
  expect(parts.every((part) => part['state'] === 'output-available')).toBe(true);
  expect(parts.some((part) => JSON.stringify(part['output']).length > 200_000)).toBe(true);
  expect(parts.some((part) => JSON.stringify(part['output']).includes('left out'))).toBe(true);
});

test('a call whose input is larger than a message may be is answered with an error, not made', () => {
  const d = Driver.session();
  d.submit('go', { turnId: 'one' });
  d.say([
    { id: 'c1', input: 'x'.repeat(200_000) },
    { id: 'c2', input: 'y'.repeat(200_000) },
  ]);
  expect(d.asked.filter((effect) => effect.do === 'tool').map((effect) => effect.call.toolCallId)).toEqual(['c1']);
});

test('a turn that starts later sees what came before it', () => {
  const d = Driver.session();
  d.submit('one');
  d.submit(user('two'));
  d.say('1');
  expect(d.state.transcript.map((entry) => textOf(entry.message))).toEqual(['one', '1', 'two']);
});

test('case 34 one bound holds for the inputs of an answer, of runs that it starts too; what still fits beside the others is run', () => {
  const d = Driver.session();
  d.submit('go');
  d.say([
    { id: 'a', start: { agent: 'load', input: 'x'.repeat(200_000) } },
    { id: 'b', input: 'y'.repeat(200_000) },
    { id: 'c', input: 'z' },
  ]);
  expect(d.take('tool').call.toolCallId).toBe('c');
  expect(d.asks('tool')).toBe(false);
  expect(d.state.turn?.parts.map((part) => part['errorText'])).toEqual([
    undefined,
    expect.stringMatching(/^InvalidInput: Expected the inputs of one answer's calls to be at most 262144 bytes/u),
    undefined,
  ]);
});
