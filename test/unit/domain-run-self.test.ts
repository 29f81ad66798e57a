/** A run's own side: when it settles and as what, its cancellation and grace. */
import { describe, expect, test } from 'vitest';
import { isQuiet } from '../../src/domain/advance.ts';
import { nextDeadline } from '../../src/domain/deadlines.ts';
import { recordRefusal } from '../../src/domain/log/refusals.ts';
import { cancelSelf, taskAborted, taskDone, taskFailed } from '../../src/domain/self/self.ts';
import { Driver } from '../support/domain.ts';

const FAILED = { type: 'Error', message: 'no rows' };

function cancel(d: Driver, reason = 'cancelled_by_user', cascade = true, comment?: string): void {
  d.send((cx) => cancelSelf(cx, reason, comment, cascade));
}

test('case 12 C-05 a task that ends while its run is about to continue as new settles there: its result is not carried', () => {
  const d = Driver.run('task');
  d.take('task');
  d.holding = true;
  d.send((cx) => taskDone(cx, 'x'.repeat(1_900_000), undefined));
  expect(d.hasSettled).toBe(true);
});

describe('an agent run', () => {
  test('§4.13 settles when its inputs are answered; its result is the text of its last assistant message', () => {
    const d = Driver.run('agent');
    d.say([{ id: 'c1' }]);
    d.answerTool('x');
    expect(d.hasSettled).toBe(false);
    d.say('the answer');
    expect(d.hasSettled).toBe(true);
    expect(d.outcome).toEqual({ status: 'completed', result: 'the answer' });
    expect(d.story().at(-1)).toBe('run.settled x completed');
  });

  test('D-19 and when the runs it started have settled and been delivered; it hears of each once', () => {
    const d = Driver.run('agent');
    d.say([{ id: 'c1', start: { agent: 'load', input: 1 } }]);
    d.confirm();
    const runId = d.state.runs.all[0]?.runId ?? '';
    d.say('started');
    expect(d.hasSettled).toBe(false);
    d.settled(runId);
    d.settled(runId);
    expect(d.hasSettled).toBe(false);
    expect(d.state.turn?.inputs).toEqual([{ source: 'background-run', key: `bg-task:s/x:${runId}` }]);
    d.say('all done');
    expect(d.outcome).toEqual({ status: 'completed', result: 'all done' });
  });

  test('a narrated line is not its answer', () => {
    const d = Driver.run('agent');
    d.start({ runId: 'a', detached: { notify: 'narrate' } });
    d.confirm();
    d.say('the answer');
    d.settled('a');
    expect(d.outcome?.result).toBe('the answer');
  });

  test("§4.13 a failed turn settles it failed / agent_error with that turn's error, and what it started ends with it", () => {
    const d = Driver.run('agent');
    d.start({ runId: 'a' });
    d.start({ runId: 'b', detached: { notify: 'react' } });
    d.confirm();
    d.settled('b');
    const before = d.state.lastSeq;
    d.stumble({ how: 'final', error: { type: 'APICallError', message: 'unknown model' } });
    expect(d.asks('model')).toBe(false);
    expect(d.hasSettled).toBe(false);
    d.settled('a', { status: 'cancelled', reason: 'cancelled_by_parent' });
    expect(d.hasSettled).toBe(true);
    expect(d.outcome).toEqual({
      status: 'failed',
      reason: 'agent_error',
      error: { type: 'APICallError', message: 'unknown model' },
    });
    expect(d.story(before).filter((line) => line.startsWith('turn.started'))).toEqual([]);
    expect(d.story().at(-1)).toBe('run.settled x failed agent_error');
  });

  test('D-17 cancelled, it cancels the runs it started; its settle names every one that ended by it', () => {
    const d = Driver.run('agent', { limits: { maxConcurrentRuns: 1 } });
    d.start({ runId: 'a' });
    d.confirm();
    d.start({ runId: 'b' });
    cancel(d, 'cancelled_by_user', true, 'enough');
    expect(d.take('cancel-run')).toEqual({
      do: 'cancel-run',
      runId: 'a',
      reason: 'cancelled_by_parent',
      comment: 'enough',
      cascade: true,
    });
    expect(d.row('b')).toMatchObject({ status: 'cancelled', reason: 'cancelled_by_parent' });
    d.settled('a', { status: 'cancelled', reason: 'cancelled_by_parent', cancelled: ['deep', 'deep/er'] });
    const settled = d.log().at(-1);
    expect(settled).toMatchObject({
      type: 'run.settled',
      runId: 'x',
      status: 'cancelled',
      reason: 'cancelled_by_user',
      comment: 'enough',
      cancelled: ['a', 'a/deep', 'a/deep/er', 'b'],
    });
  });

  test('with cascade false the runs that it started go on', () => {
    const d = Driver.run('agent');
    d.start({ runId: 'a' });
    d.confirm();
    cancel(d, 'cancelled_by_user', false);
    expect(d.asks('cancel-run')).toBe(false);
    expect(d.hasSettled).toBe(true);
    expect(d.row('a').status).toBe('running');
  });

  test('at its grace time it settles, whatever the runs below it do, and nothing is written after its settle', () => {
    const d = Driver.run('agent', { limits: { cancelGraceMs: 1000, maxDepth: 2 } });
    d.start({ runId: 'a' });
    d.confirm();
    cancel(d);
    // Its own grace time, and five seconds for the one level that may be below it.
    d.pass(5999);
    expect(d.hasSettled).toBe(false);
    d.pass(1);
    expect(d.hasSettled).toBe(true);
    const last = d.state.lastSeq;
    d.settled('a');
    d.send((cx) => recordRefusal(cx, 'nonsense', 'no'));
    d.pass(3600_000);
    expect(d.state.lastSeq).toBe(last);
    expect(nextDeadline(d.state)).toBeUndefined();
  });

  test('a grace time that comes while the workflow holds still keeps no timer alive and holds in the next execution', () => {
    const d = Driver.run('agent', { limits: { cancelGraceMs: 1000, maxDepth: 2 } });
    d.start({ runId: 'a' });
    d.confirm();
    cancel(d);
    d.holding = true;
    d.pass(9000);
    expect(nextDeadline(d.state)?.at ?? Infinity).toBeGreaterThan(d.now);
    d.continueAsNew();
    expect(d.hasSettled).toBe(true);
  });

  test('the first outcome stands', () => {
    const d = Driver.run('agent');
    cancel(d, 'cancelled_by_budget');
    cancel(d, 'cancelled_by_user');
    expect(d.outcome).toEqual({ status: 'cancelled', reason: 'cancelled_by_budget' });
  });

  test('its events carry its id, its starter and the tool call that started it; those of its runs name it as their parent', () => {
    const d = Driver.run('agent', { self: { parentRunId: 'p', parentToolCallId: 'call-1' } });
    d.start({ runId: 'x' });
    const own = d.log().find((event) => event.type === 'turn.queued');
    expect(own).toMatchObject({
      workflowId: 's/x',
      sessionId: 's',
      runId: 'x',
      parentRunId: 'p',
      parentToolCallId: 'call-1',
    });
    expect(d.log().find((event) => event.type === 'run.queued')).toMatchObject({
      workflowId: 's/x',
      runId: 'x',
      parentRunId: 'x',
    });
  });
});

describe('a task run', () => {
  test('it runs its task and settles with what that returns', () => {
    const d = Driver.run('task');
    d.take('task');
    d.send((cx) => taskDone(cx, { rows: 3 }, { n: 4, at: '2030-01-01T00:00:00.000Z', fraction: 1 }));
    expect(d.outcome).toEqual({ status: 'completed', result: { rows: 3 } });
    expect(d.state.self?.progress).toMatchObject({ n: 4 });
    expect(d.story()).toEqual(['run.settled x completed']);
  });

  test('what it throws settles it failed / agent_error, its timeout failed / timed_out', () => {
    const d = Driver.run('task');
    d.send((cx) => taskFailed(cx, FAILED, undefined));
    expect(d.outcome).toEqual({
      status: 'failed',
      reason: 'agent_error',
      error: { type: 'Error', message: 'no rows' },
    });
    const late = Driver.run('task');
    late.send((cx) => taskFailed(cx, { ...FAILED, reason: 'timed_out' }, undefined));
    expect(late.outcome?.reason).toBe('timed_out');
  });

  test('D-16 completes first: a task that completes although its cancellation was asked for has completed', () => {
    const d = Driver.run('task');
    cancel(d);
    expect(d.asks('cancel-task')).toBe(true);
    d.send((cx) => taskDone(cx, 'done', undefined));
    expect(d.story()).toEqual(['run.settled x completed']);
  });

  test('a task that ends by its cancellation is cancelled, not failed', () => {
    const d = Driver.run('task');
    cancel(d);
    d.send((cx) => taskFailed(cx, FAILED, undefined));
    expect(d.story()).toEqual(['run.settled x cancelled cancelled_by_user']);
  });

  test('a task that ignores its cancellation is not waited for longer than its grace, and what it says then changes nothing', () => {
    const d = Driver.run('task', { limits: { cancelGraceMs: 1000 } });
    cancel(d);
    d.pass(1000);
    expect(d.story()).toEqual(['run.settled x cancelled cancelled_by_user']);
    expect(isQuiet(d.state)).toBe(true);
    d.send((cx) => taskDone(cx, 'too late', undefined));
    expect(d.outcome).toEqual({ status: 'cancelled', reason: 'cancelled_by_user' });
  });

  test('aborted so that the workflow could continue, it is run again from its checkpoint', () => {
    const d = Driver.run('task');
    d.take('task');
    d.holding = true;
    d.send((cx) => taskAborted(cx, { n: 2, at: '2030-01-01T00:00:00.000Z' }, { page: 7 }));
    d.continueAsNew();
    expect(d.asks('task')).toBe(true);
    expect(d.state.self).toMatchObject({ work: { checkpoint: { page: 7 } }, progress: { n: 2 }, input: 'go' });
  });
});

test('D-21 at its own ceiling a run looks for its parent, again and again, and goes on', () => {
  const d = Driver.run('task', { self: { deadline: Date.parse('2030-01-01T01:00:00.000Z') } });
  d.pass(3600_000);
  d.take('check-parent');
  d.pass(3600_000);
  expect(d.asks('check-parent')).toBe(true);
  expect(d.outcome).toBeUndefined();
});
