/** Calls that a person is to approve: what waits, what is made, and what the model reads of each end of a request. */
import { expect, test } from 'vitest';
import { close } from '../../src/domain/closing.ts';
import { promptOf } from '../../src/domain/delivery/prompt.ts';
import { answerOwn, type Answer } from '../../src/domain/run/requests.ts';
import { cancelTurn, resetTurns } from '../../src/domain/turn/cancel.ts';
import { getTurn, sessionView } from '../../src/domain/view/queries.ts';
import type { MessagePart, Request } from '../../src/domain/state/types.ts';
import { Driver, refusal } from '../support/domain.ts';

const DAY = 24 * 3600 * 1000;
const deletes = { id: 'c1', name: 'delete', input: { file: 'a' }, idempotent: false, approval: true };

/** A session, or a run, whose turn waits for a person. */
function waiting(d: Driver = Driver.session(), calls: Parameters<Driver['say']>[0] = [deletes]): Driver {
  if (d.state.kind === 'session') d.submit('go', { turnId: 'one' });
  d.say(calls);
  return d;
}

const open = (d: Driver): Request[] => sessionView(d.state).requests;
const decide = (d: Driver, answer: Partial<Answer>, requestId = open(d)[0]?.requestId ?? ''): unknown =>
  d.send((cx) => answerOwn(cx, { requestId, ...answer }));

function part(d: Driver, toolCallId = 'c1'): MessagePart | undefined {
  const { turn, transcript } = d.state;
  return [...transcript.flatMap(({ message }) => message.parts), ...(turn?.parts ?? [])].find(
    (one) => one['toolCallId'] === toolCallId,
  );
}

test('T-11 a call that is to be approved opens a request and is not made', () => {
  const d = waiting();
  const requestId = 's#1';
  expect(open(d)).toEqual([
    {
      requestId,
      kind: 'approval',
      workflowId: 's',
      turnId: 'one',
      toolCallId: 'c1',
      toolName: 'delete',
      input: { file: 'a' },
      status: 'open',
      openedAt: '2030-01-01T00:00:00.000Z',
      expiresAt: '2030-01-31T00:00:00.000Z',
    },
  ]);
  expect(d.asks('tool')).toBe(false);
  expect(sessionView(d.state)).toMatchObject({ status: 'input_required', turn: { status: 'input_required' } });
  expect(getTurn(d.state, 'one')?.messages.at(-1)?.parts).toMatchObject([
    { toolCallId: 'c1', state: 'approval-requested', approval: { id: requestId } },
  ]);
  expect(d.story().slice(-2)).toEqual(['request.opened one', 'step.waiting assistant one']);
});

test('T-11 approved it is made once, whatever comes between; a second answer is told what stands and by whom', () => {
  const d = waiting();
  const requestId = 's#1';
  d.continueAsNew();
  d.pass(3 * DAY);
  const receipt = {
    requestId,
    status: 'approved',
    deduplicated: false,
    answeredAt: '2030-01-04T00:00:00.000Z',
    by: 'anna',
  };
  expect(decide(d, { decision: 'approve', by: 'anna', comment: 'only this once', value: { file: 'b' } })).toEqual(
    receipt,
  );
  expect(decide(d, { decision: 'reject', by: 'ben' }, requestId)).toEqual({ ...receipt, deduplicated: true });
  expect(d.take('tool').call).toMatchObject({ toolName: 'delete', input: { file: 'a' }, attempt: 1 });
  expect(d.asks('tool')).toBe(false);
  expect(part(d)).toMatchObject({
    state: 'approval-responded',
    approval: { id: requestId, approved: true, reason: 'by anna: only this once' },
  });
  expect(d.log().at(-1)).toMatchObject({
    type: 'request.answered',
    requestId,
    kind: 'approval',
    status: 'approved',
    by: 'anna',
    comment: 'only this once',
  });
});

test('T-11 the model reads that it was approved, by whom and with what comment, beside the result', () => {
  const d = waiting();
  decide(d, { decision: 'approve', by: 'anna', comment: 'only this once' });
  d.answerTool({ deleted: 1 });
  const [call] = promptOf(d.state.transcript.map(({ message }) => message)).flatMap(({ parts }) =>
    parts.filter((one) => one['toolCallId'] === 'c1'),
  );
  expect(call).toMatchObject({
    state: 'output-available',
    output: { approval: 'This call was approved by anna: only this once', output: { deleted: 1 } },
  });
  expect(call).not.toHaveProperty('approval');
  expect(part(d)).toMatchObject({ state: 'output-available', output: { deleted: 1 } });
});

const REFUSALS: [how: string, word: string, end: (d: Driver) => void][] = [
  ['rejected', 'ApprovalRejected', (d) => decide(d, { decision: 'reject', by: 'ben', comment: 'not that one' })],
  ['expired', 'ApprovalExpired', (d) => d.pass(30 * DAY)],
  ['withdrawn', 'ApprovalWithdrawn', (d) => d.send((cx) => close(cx, { turn: 'finish' }))],
];

test.each(REFUSALS)('T-11 %s it is not made, and the model reads so in words of its own', (word, type, end) => {
  const d = waiting();
  end(d);
  const errorText = part(d)?.['errorText'];
  expect(part(d)?.['state']).toBe('output-error');
  expect(errorText).toMatch(new RegExp(`^${type}: .*\\b${word}\\b`, 'u'));
  for (const [other] of REFUSALS) if (other !== word) expect(errorText).not.toContain(other);
  expect(errorText).not.toMatch(/approved/u);
  if (word === 'rejected') expect(errorText).toMatch(/by ben\b.*not that one/u);
  expect(d.asks('tool')).toBe(false);
  expect(d.asks('model')).toBe(true);
  expect(open(d)).toEqual([]);
});

test.each([
  ['cancelTurn', (d: Driver) => d.send((cx) => cancelTurn(cx, {}))],
  ['resetTurns', (d: Driver) => d.send((cx) => resetTurns(cx, {}))],
  ['interrupt', (d: Driver) => d.submit('now', { onBusy: 'interrupt' })],
  ['close', (d: Driver) => d.send((cx) => close(cx, {}))],
] as const)('T-11 %s ends the turn that waits; its request is withdrawn before that', (_how, end) => {
  const d = waiting();
  const before = d.state.lastSeq;
  end(d);
  expect(d.story(before).slice(0, 3)).toEqual([
    'request.answered withdrawn one',
    'message.added assistant one',
    expect.stringMatching(/^turn\.cancelled .* one$/u),
  ]);
  expect(part(d)?.['errorText']).toMatch(/^ApprovalWithdrawn: .*withdrawn/u);
});

test('T-11 waiting costs no turn budget', () => {
  const d = waiting(Driver.session({ budgets: { turnMs: 1000 } }));
  d.pass(DAY);
  decide(d, { decision: 'approve' });
  d.pass(900);
  d.answerTool('done');
  expect(d.state.turn?.step).toBe(2);
  d.pass(200);
  expect(getTurn(d.state, 'one')).toMatchObject({ status: 'failed', error: { type: 'BudgetExceeded' } });
});

test('T-11 other calls of the step go on meanwhile, several requests are answered in any order, each by itself', () => {
  const more = [{ id: 'c0', name: 'read' }, deletes, { ...deletes, id: 'c2', input: { file: 'b' } }];
  const d = waiting(Driver.session(), more);
  expect(sessionView(d.state).status).toBe('running');
  d.answerTool('read', 'c0');
  expect(sessionView(d.state).status).toBe('input_required');
  const [first, second] = open(d).map(({ requestId }) => requestId);
  decide(d, { decision: 'reject' }, second);
  expect(part(d, 'c2')?.['errorText']).toMatch(/^ApprovalRejected/u);
  expect(d.asks('tool')).toBe(false);
  decide(d, { decision: 'approve' }, first);
  d.answerTool('gone', 'c1');
  expect(d.state.turn?.step).toBe(2);
});

test('an approval needs a decision; a large input is shown as a preview', () => {
  const d = waiting(Driver.session(), [{ ...deletes, input: { file: 'x'.repeat(20_000) } }]);
  expect(refusal(decide(d, { value: 'yes' }))).toBe('InvalidInput');
  const [request] = open(d);
  expect(request).not.toHaveProperty('input');
  expect(request?.inputPreview).toHaveLength(2048);
  decide(d, { decision: 'approve' });
  expect(d.take('tool').call.input).toEqual({ file: 'x'.repeat(20_000) });
});

test('a session that closes asks nobody any more', () => {
  const d = Driver.session();
  d.submit('go', { turnId: 'one' });
  d.send((cx) => close(cx, { turn: 'finish' }));
  d.say([deletes]);
  expect(part(d)?.['errorText']).toMatch(/^ApprovalWithdrawn: .*withdrawn/u);
  d.say('done');
  expect(getTurn(d.state, 'one')?.status).toBe('completed');
});

test('T-11 a request of a run is shown above it, where nobody but a person can answer it', () => {
  const d = Driver.session();
  d.running('a');
  d.question('a', { kind: 'approval', toolName: 'delete', input: { file: 'a' } });
  expect(d.row('a').status).toBe('input_required');
  expect(open(d)).toMatchObject([{ requestId: 's/a#1', kind: 'approval', toolName: 'delete' }]);
  expect(d.state.queue).toEqual([]);
  expect(d.state.turn).toBeNull();
  d.submit('say yes to it');
  d.say([{ id: 'm', runtime: 'message_run', input: { runId: 'a', message: 'yes' } }]);
  expect(d.tells('requestAnswered')).toBe(false);
  expect(open(d)).toHaveLength(1);
  d.question('a', { kind: 'approval', status: 'approved', by: 'anna' });
  expect(d.row('a').status).toBe('running');
});
