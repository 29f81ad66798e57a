/** The budget of tokens of a tree: who stops, who waits, and who goes on when a person gives more. */
import { expect, test } from 'vitest';
import { runTokens } from '../../src/domain/run/from-runs.ts';
import { answerOwn } from '../../src/domain/run/requests.ts';
import { takeTokens } from '../../src/domain/run/tokens.ts';
import { parentGone } from '../../src/domain/run/parent-gone.ts';
import { close } from '../../src/domain/closing.ts';
import type { Usage } from '../../src/domain/state/types.ts';
import { sessionView } from '../../src/domain/view/queries.ts';
import { Driver, EPOCH } from '../support/domain.ts';

const MINUTE = 60_000;

function used(totalTokens: number): Usage {
  return { inputTokens: totalTokens, outputTokens: 0, totalTokens, modelCalls: 1 };
}

function lastEnd(d: Driver): unknown {
  return d.log().findLast(({ type }) => type === 'turn.failed' || type === 'turn.completed' || type === 'run.settled');
}

function requests(d: Driver): { kind: string; status: string; requestId: string }[] {
  return d.state.requests.filter(({ kind }) => kind === 'budget');
}

/** What the run says of itself. */
function says(d: Driver, runId: string, tokens: number, waits: boolean, below = false): void {
  d.send((cx) => runTokens(cx, { runId, epoch: d.state.epoch, usage: used(tokens), waits, below }));
}

function asking(): Driver {
  return Driver.session({ budgets: { maxTokens: 100, onMaxTokens: 'ask', turnMs: MINUTE } });
}

test('D-25 a session without a limit goes on whatever was used', () => {
  const d = Driver.session();
  d.submit('one');
  d.say('done', { usage: used(1_000_000) });
  d.submit('two');
  d.say('done');
  expect(lastEnd(d)).toMatchObject({ type: 'turn.completed' });
});

test('D-25 the answer that reaches the limit counts, and the next model call is not made', () => {
  const d = Driver.session({ budgets: { maxTokens: 100 } });
  d.submit('one');
  d.say('done', { usage: used(99) });
  d.submit('two');
  d.say([{ id: 'a', name: 'any' }], { usage: used(1) });
  d.answerTool('found');
  expect(d.asks('model')).toBe(false);
  expect(lastEnd(d)).toMatchObject({
    type: 'turn.failed',
    error: { type: 'BudgetExceeded', message: expect.stringContaining('budgets.maxTokens') as unknown },
  });
  d.submit('three');
  d.submit('four');
  expect(d.state.turn).toBeNull();
  expect(d.state.queue).toEqual([]);
  expect(d.log().filter(({ type }) => type === 'turn.failed')).toHaveLength(3);
});

test('D-25 what runs have used counts, and those that go on are told at once', () => {
  const d = Driver.session({ budgets: { maxTokens: 100 } });
  d.running('x', { agent: 'chat' });
  d.running('y', { agent: 'chat' });
  d.running('z', { agent: 'load' });
  d.settled('x', { usage: used(100) });
  expect(d.arrives('runBudget')).toEqual({ epoch: 'epoch-of-y', left: 0 });
  expect(d.tells('runBudget')).toBe(false);
  d.start({ runId: 'late', agent: 'chat' });
  d.confirm();
  expect(d.arrives('runBudget')).toEqual({ epoch: 'epoch-of-late', left: 0 });
});

test('D-25 a run whose share is used up fails as token_budget, and tells those below it', () => {
  const d = Driver.run('agent', { budgets: { maxTokens: 10 } });
  d.running('y', { agent: 'chat' });
  d.say([{ id: 'a', name: 'any' }], { usage: used(10) });
  expect(d.arrives('runBudget')).toEqual({ epoch: 'epoch-of-y', left: 0 });
  d.answerTool('found');
  expect(d.outcome).toMatchObject({ status: 'failed', reason: 'token_budget', error: { type: 'BudgetExceeded' } });
});

test('D-25 a run that is told that nothing is left ends before its next model call', () => {
  const d = Driver.run('agent', { budgets: { maxTokens: 1000 } });
  d.send((cx) => takeTokens(cx, { epoch: EPOCH, left: 0 }));
  expect(d.outcome).toBeUndefined();
  d.say([{ id: 'a', name: 'any' }], { usage: used(1) });
  d.answerTool('found');
  expect(d.outcome).toMatchObject({ status: 'failed', reason: 'token_budget' });
});

test('D-25 with "ask" the turn waits, its time stands still, and it goes on where it was with what was given', () => {
  const d = asking();
  d.submit('one');
  d.say([{ id: 'a', name: 'any' }], { usage: used(120) });
  d.answerTool('found');
  expect(d.asks('model')).toBe(false);
  expect(sessionView(d.state)).toMatchObject({ status: 'input_required', turn: { status: 'input_required', step: 2 } });
  const [request] = requests(d);
  expect(request).toMatchObject({
    kind: 'budget',
    status: 'open',
    question: expect.stringContaining('120') as unknown,
  });
  d.continueAsNew();
  d.pass(60 * MINUTE);
  const { requestId = '' } = request ?? {};
  for (const wrong of [{}, { decision: 'approve' as const, value: 0 }, { decision: 'approve' as const, value: '5' }])
    expect(d.send((cx) => answerOwn(cx, { requestId, ...wrong }))).toMatchObject({ refused: 'InvalidInput' });
  d.send((cx) => answerOwn(cx, { requestId, decision: 'approve', value: 30 }));
  expect(requests(d)).toMatchObject([{ status: 'approved' }]);
  d.say([{ id: 'b', name: 'any' }], { usage: used(9) });
  d.answerTool('found');
  d.say('done', { usage: used(1) });
  expect(lastEnd(d)).toMatchObject({ type: 'turn.completed' });
  // 130 are used up.
  d.submit('two');
  expect(requests(d)).toMatchObject([{ status: 'approved' }, { status: 'open' }]);
});

test('D-25 an approval without a value gives the limit again; one that is not enough asks again', () => {
  const d = asking();
  d.submit('one');
  d.say([{ id: 'a', name: 'any' }], { usage: used(250) });
  d.answerTool('found');
  const approve = (): void => {
    const { requestId = '' } = requests(d).at(-1) ?? {};
    d.send((cx) => answerOwn(cx, { requestId, decision: 'approve' }));
  };
  approve();
  expect(requests(d)).toMatchObject([{ status: 'approved' }, { status: 'open' }]);
  approve();
  expect(d.asks('model')).toBe(true);
});

test.each(['reject', 'expire'])(
  'D-25 the turn that waited ends when its request is not approved (%s), the next asks anew',
  (how) => {
    const d = Driver.session({ budgets: { maxTokens: 100, onMaxTokens: 'ask', requestTtlMs: MINUTE } });
    d.submit('one');
    d.say([{ id: 'a', name: 'any' }], { usage: used(100) });
    d.answerTool('found');
    const [request] = requests(d);
    if (how === 'expire') d.pass(MINUTE);
    else d.send((cx) => answerOwn(cx, { requestId: request?.requestId ?? '', decision: 'reject' }));
    expect(lastEnd(d)).toMatchObject({ type: 'turn.failed', error: { type: 'BudgetExceeded' } });
    expect(d.state.turn).toBeNull();
    d.submit('two');
    expect(requests(d)).toMatchObject([{ status: how === 'expire' ? 'expired' : 'rejected' }, { status: 'open' }]);
  },
);

test('D-25 one request is opened for all that wait, and it is withdrawn when nobody does', () => {
  const d = asking();
  d.running('x', { agent: 'chat', detached: { notify: 'silent' } });
  d.running('y', { agent: 'chat', detached: { notify: 'silent' } });
  says(d, 'x', 60, true);
  // It had less to begin with: there is some left.
  expect(d.arrives('runBudget')).toEqual({ epoch: 'epoch-of-x', left: 40 });
  expect(requests(d)).toEqual([]);
  says(d, 'y', 40, true);
  expect(requests(d)).toMatchObject([{ status: 'open' }]);
  says(d, 'x', 61, true);
  expect(requests(d)).toHaveLength(1);
  expect(d.row('x').status).toBe('input_required');
  expect(d.row('y').status).toBe('input_required');
  d.settled('x', { usage: used(61) });
  expect(requests(d)).toMatchObject([{ status: 'open' }]);
  d.settled('y', { usage: used(40) });
  expect(requests(d)).toMatchObject([{ status: 'withdrawn' }]);
});

test('D-25 an approval reaches the runs, which go on and say so', () => {
  const d = asking();
  d.running('x', { agent: 'chat' });
  says(d, 'x', 100, true);
  while (d.tells('runBudget')) d.arrives('runBudget');
  const [request] = requests(d);
  d.send((cx) => answerOwn(cx, { requestId: request?.requestId ?? '', decision: 'approve', value: 50 }));
  expect(d.arrives('runBudget')).toEqual({ epoch: 'epoch-of-x', left: 50 });
  says(d, 'x', 100, false);
  expect(d.row('x').status).toBe('running');
  expect(
    d
      .log()
      .map(({ type }) => type)
      .filter((type) => type === 'run.input_required' || type === 'run.resumed'),
  ).toEqual(['run.input_required', 'run.resumed']);
});

test('D-25 a rejection reaches every run that has started', () => {
  const d = asking();
  d.running('x', { agent: 'chat' });
  d.running('y', { agent: 'chat' });
  says(d, 'x', 100, true);
  while (d.tells('runBudget')) d.arrives('runBudget');
  const [request] = requests(d);
  d.send((cx) => answerOwn(cx, { requestId: request?.requestId ?? '', decision: 'reject' }));
  expect(d.arrives('runBudget')).toEqual({ epoch: 'epoch-of-x', left: 0, final: true });
  expect(d.arrives('runBudget')).toEqual({ epoch: 'epoch-of-y', left: 0, final: true });
  expect(d.state.tokens?.refusing).toEqual([]);
});

test('D-25 a run that waits says so, goes on with what it is given, and ends when it is refused', () => {
  const d = Driver.run('agent', { budgets: { maxTokens: 10, onMaxTokens: 'ask' } });
  d.say([{ id: 'a', name: 'any' }], { usage: used(10) });
  d.answerTool('found');
  expect(d.arrives('runTokens')).toMatchObject({ runId: 'x', usage: { totalTokens: 10 }, waits: true, below: false });
  expect(requests(d)).toEqual([]);
  expect(sessionView(d.state).status).toBe('input_required');
  d.send((cx) => takeTokens(cx, { epoch: EPOCH, left: 5 }));
  expect(d.arrives('runTokens')).toMatchObject({ waits: false });
  d.say([{ id: 'a', name: 'any' }], { usage: used(5) });
  d.answerTool('found');
  expect(d.arrives('runTokens')).toMatchObject({ waits: true });
  d.send((cx) => takeTokens(cx, { epoch: EPOCH, left: 0, final: true }));
  expect(d.outcome).toMatchObject({ status: 'failed', reason: 'token_budget' });
});

test('D-25 what waits below a run is told upwards, and a refusal downwards', () => {
  const d = Driver.run('agent', { budgets: { maxTokens: 10, onMaxTokens: 'ask' } });
  d.running('y', { agent: 'chat' });
  d.asked = d.asked.filter((effect) => effect.do === 'model');
  says(d, 'y', 10, true);
  expect(d.arrives('runTokens')).toMatchObject({ waits: false, below: true });
  d.arrives('runBudget');
  d.send((cx) => takeTokens(cx, { epoch: EPOCH, left: 0, final: true }));
  expect(d.arrives('runBudget')).toEqual({ epoch: 'epoch-of-y', left: 0, final: true });
});

test('D-25 a run that waits and whose parent is gone ends', () => {
  const d = Driver.run('agent', { budgets: { maxTokens: 10, onMaxTokens: 'ask' } });
  d.say([{ id: 'a', name: 'any' }], { usage: used(10) });
  d.answerTool('found');
  d.send((cx) => parentGone(cx, 'parent-epoch'));
  expect(d.outcome).toMatchObject({ status: 'failed', reason: 'token_budget' });
});

test('D-25 a session that closes leaves no request open', () => {
  const d = asking();
  d.running('x', { agent: 'chat' });
  says(d, 'x', 100, true);
  while (d.tells('runBudget')) d.arrives('runBudget');
  d.send((cx) => close(cx, {}));
  expect(requests(d)).toMatchObject([{ status: 'withdrawn' }]);
  expect(d.log().at(-1)?.type).toBe('session.closed');
});
