/** Giving up is not a settle: its own slot, its own announcement, and a settle that still comes is taken. */
import { expect, test } from 'vitest';
import { nextDeadline, notTerminated, terminated } from '../../src/domain/deadlines.ts';
import { cancelReceipt, cancelRun } from '../../src/domain/run/cancel.ts';
import { Driver, refusal } from '../support/domain.ts';

const DAY = 24 * 3600 * 1000;

test('D-07 from the give-up until the settle the row is interrupted, its child still running; the settle repairs it', () => {
  const d = Driver.session();
  d.running('a', { detached: { onBudget: 'keep' } });
  d.pass(DAY);
  expect(d.row('a')).toMatchObject({ status: 'interrupted', reason: 'budget_exceeded', childStillRunning: true });
  d.pass(7 * DAY);
  d.settled('a');
  expect(d.row('a')).toMatchObject({ status: 'completed', result: { of: 'a' } });
  expect(d.row('a')).not.toHaveProperty('childStillRunning');
  expect(d.row('a')).not.toHaveProperty('reason');
});

test('D-09 a run whose ceiling passes while it is queued is given up and settles at once, whatever onBudget, and never starts', () => {
  for (const onBudget of ['cancel', 'keep'] as const) {
    const d = Driver.session({ limits: { maxConcurrentRuns: 1 } });
    d.running('other', { detached: { maxBudgetMs: 30 * DAY } });
    d.start({ runId: 'a', detached: { onBudget } });
    const before = d.log().findLast((event) => event.runId === 'a')?.seq ?? 0;
    d.pass(DAY);
    d.say('noted');
    expect(d.story(before).filter((line) => line.startsWith('run.'))).toEqual([
      'run.gave_up a interrupted budget_exceeded',
      'run.cancel_requested a cancelled_by_budget',
      'run.settled a cancelled cancelled_by_budget',
      'run.delivered a gave-up t-00000001-1',
    ]);
    expect(d.row('a')).toMatchObject({
      status: 'cancelled',
      reason: 'cancelled_by_budget',
      delivery: { finish: { state: 'not_required' } },
    });
    expect(d.row('a')).not.toHaveProperty('childStillRunning');
    d.settled('other');
    expect(d.did.filter((effect) => effect.do === 'start')).toHaveLength(1);
  }
});

test('the ceiling counts from the acceptance, and one earlier or later than the default holds for its run', () => {
  const d = Driver.session({ budgets: { maxBudgetMs: 5000 } });
  d.running('default');
  d.running('short', { detached: { maxBudgetMs: 1000 } });
  d.running('long', { detached: { maxBudgetMs: 9000 } });
  const given = (): string[] => d.state.runs.all.filter((row) => row.status === 'interrupted').map((row) => row.runId);
  d.pass(999);
  expect(given()).toEqual([]);
  d.pass(1);
  expect(given()).toEqual(['short']);
  d.pass(4000);
  expect(given()).toEqual(['default', 'short']);
  d.pass(4000);
  expect(given()).toEqual(['default', 'short', 'long']);
});

test('a run is given up once', () => {
  const d = Driver.session();
  d.running('a', { detached: { onBudget: 'keep', maxBudgetMs: 1000 } });
  d.pass(DAY);
  expect(d.log().filter((event) => event.type === 'run.gave_up')).toHaveLength(1);
  expect(nextDeadline(d.state)).toBeUndefined();
});

test('case 27 D-05 the frame of a give-up says why, and the status of now when the run has settled by the time it is read', () => {
  const d = Driver.session({ budgets: { turnMs: 30 * DAY } });
  d.submit('busy');
  d.running('a');
  d.pass(DAY);
  d.settled('a', { status: 'cancelled', reason: 'cancelled_by_budget' });
  d.say('free');
  const entry = d.state.transcript.find((one) => one.message.metadata?.['kind'] === 'gave-up');
  expect(entry?.message.metadata).toMatchObject({ status: 'cancelled', key: 'bg-task:s:a:gave-up' });
  expect(entry?.message.parts[0]?.['text']).toContain('{"reason":"budget_exceeded"}');
});

test('D-16 cancelRun on a given-up run asks it, once', () => {
  const d = Driver.session();
  d.running('a', { detached: { onBudget: 'keep' } });
  d.pass(DAY);
  for (let i = 0; i < 2; i++)
    expect(d.send((cx) => cancelRun(cx, { runId: 'a' }))).toEqual({ runId: 'a', status: 'interrupted' });
  expect(d.did.filter((effect) => effect.do === 'cancel-run')).toEqual([
    { do: 'cancel-run', runId: 'a', reason: 'cancelled_by_user', cascade: true },
  ]);
});

test('D-16 receipts: queued, running, settled, forgotten and unknown runs', () => {
  const d = Driver.session({ limits: { maxConcurrentRuns: 1 } });
  d.running('a');
  d.start({ runId: 'b' });
  const cancel = (runId: string): unknown => {
    const answer = d.send((cx) => cancelRun(cx, { runId }));
    return refusal(answer) === answer ? cancelReceipt(d.state, runId) : refusal(answer);
  };
  expect(cancel('b')).toEqual({ runId: 'b', status: 'cancelled', cancelled: ['b'], pending: [] });
  expect(cancel('a')).toEqual({ runId: 'a', status: 'running', cancelled: [], pending: ['a'] });
  expect(cancel('ghost')).toBe('UnknownRun');
  d.settled('a', { status: 'cancelled', cancelled: ['x', 'x/y'] });
  expect(cancel('a')).toEqual({ runId: 'a', status: 'cancelled', cancelled: ['a', 'a/x', 'a/x/y'], pending: [] });
  d.running('c');
  d.settled('c');
  expect(cancel('c')).toEqual({ runId: 'c', status: 'completed', cancelled: [], pending: [] });
  expect(d.log().findLast((event) => event.type === 'run.settled' && event.runId === 'a')?.['cancelled']).toEqual([
    'a/x',
    'a/x/y',
  ]);
});

test('D-16 a run that completes before its cancel takes effect is completed, and delivered', () => {
  const d = Driver.session();
  d.running('a');
  d.send((cx) => cancelRun(cx, { runId: 'a' }));
  d.settled('a');
  d.say('read');
  expect(d.row('a')).toMatchObject({ status: 'completed', delivery: { finish: { state: 'delivered' } } });
  expect(d.row('a')).not.toHaveProperty('reason');
});

test('a run that is cancelled while its start is under way is asked once the start is confirmed', () => {
  const d = Driver.session();
  d.start({ runId: 'a' });
  d.send((cx) => cancelRun(cx, { runId: 'a', reason: 'oops', cascade: false }));
  expect(d.asks('cancel-run')).toBe(false);
  d.confirm();
  expect(d.take('cancel-run')).toEqual({
    do: 'cancel-run',
    runId: 'a',
    reason: 'cancelled_by_user',
    comment: 'oops',
    cascade: false,
  });
});

test('a run that ignores its cancellation is terminated after its grace, ever more rarely when the server refuses, and settles as cancelled', () => {
  const d = Driver.session({ limits: { cancelGraceMs: 1000 } });
  d.running('a');
  d.send((cx) => cancelRun(cx, { runId: 'a' }));
  d.pass(1000);
  expect(d.asks('terminate')).toBe(false);
  d.pass(10_000);
  expect(d.take('terminate')).toMatchObject({ runId: 'a', reason: 'cancelled_by_user' });
  d.pass(DAY);
  expect(d.asks('terminate')).toBe(false);
  for (const minutes of [1, 2, 4]) {
    d.send((cx) => notTerminated(cx, 'a'));
    d.pass(minutes * 60_000 - 1);
    expect(d.asks('terminate')).toBe(false);
    d.pass(1);
    expect(d.take('terminate').runId).toBe('a');
  }
  d.send((cx) => terminated(cx, 'a'));
  expect(d.row('a')).toMatchObject({ status: 'cancelled', reason: 'cancelled_by_user' });
  expect(d.state.runs.placesTaken).toBe(0);
});

test('D-10 what Temporal knows of a run settles it, if its own settle has not', () => {
  const d = Driver.session();
  d.running('a');
  d.running('b');
  d.ended('a', { status: 'failed', reason: 'lost', error: { type: 'Terminated', message: 'by an operator' } });
  d.settled('b');
  d.ended('b', { status: 'failed', reason: 'lost' });
  expect(d.row('a')).toMatchObject({ status: 'failed', reason: 'lost' });
  expect(d.row('b')).toMatchObject({ status: 'completed' });
});
