/** The order of events on the common paths, exactly as the contract writes it (§7, paths 1, 2 and 4). */
import { expect, test } from 'vitest';
import { cancelRun } from '../../src/domain/run/cancel.ts';
import { Driver } from '../support/domain.ts';

const FINISH = 'bg-task:s:a';
const GAVE_UP = 'bg-task:s:a:gave-up';
const DAY = 24 * 3600 * 1000;

/** A session whose log begins after its `session.started`. */
function session(given: Parameters<typeof Driver.session>[0] = {}): Driver {
  return Driver.session(given);
}

test('D-03 start to turn, lane free: queued, started, milestones, settled, one turn that carries the finish key, delivered right after its message', () => {
  const d = session();
  d.running('a');
  d.reached('a', [
    [1, 'half'],
    [2, 'most'],
  ]);
  d.settled('a');
  d.say([{ id: 'c1' }]);
  d.answerTool('seen');
  d.say('done');
  expect(d.story(1)).toEqual([
    'run.queued a',
    'run.started a',
    'run.milestone a half',
    'run.milestone a most',
    'run.settled a completed',
    `turn.queued [${FINISH}] t-00000001-1`,
    `turn.started [${FINISH}] t-00000001-1`,
    'message.added user hidden t-00000001-1',
    'run.delivered a finish t-00000001-1',
    'message.added assistant t-00000001-1',
    'message.added assistant t-00000001-1',
    `turn.completed [${FINISH}] t-00000001-1`,
  ]);
});

test('D-03 start to turn, lane busy: the turn of the result starts after the end of every turn before it', () => {
  const d = session();
  d.submit('one');
  d.submit('two');
  d.running('a');
  d.settled('a');
  for (const text of ['1', '2', 'a']) d.say(text);
  const story = d.story(1);
  expect(story.slice(story.indexOf('run.settled a completed'))).toEqual([
    'run.settled a completed',
    `turn.queued [${FINISH}] t-00000001-3`,
    'message.added assistant t-00000001-1',
    'turn.completed [] t-00000001-1',
    'turn.started [] t-00000001-2',
    'message.added user t-00000001-2',
    'message.added assistant t-00000001-2',
    'turn.completed [] t-00000001-2',
    `turn.started [${FINISH}] t-00000001-3`,
    'message.added user hidden t-00000001-3',
    'run.delivered a finish t-00000001-3',
    'message.added assistant t-00000001-3',
    `turn.completed [${FINISH}] t-00000001-3`,
  ]);
});

test('D-03 batched: turn.joined stands in place of turn.queued, and each message is followed by its own delivery', () => {
  const d = session();
  d.submit('busy');
  d.running('a');
  d.running('b');
  d.settled('a');
  d.settled('b');
  const before = d.state.lastSeq;
  d.say('free');
  d.say('both read');
  expect(d.story(1).filter((line) => line.startsWith('turn.joined'))).toEqual([
    'turn.joined [bg-task:s:b] t-00000001-2',
  ]);
  expect(d.story(before)).toEqual([
    'message.added assistant t-00000001-1',
    'turn.completed [] t-00000001-1',
    'turn.started [bg-task:s:a bg-task:s:b] t-00000001-2',
    'message.added user hidden t-00000001-2',
    'run.delivered a finish t-00000001-2',
    'message.added user hidden t-00000001-2',
    'run.delivered b finish t-00000001-2',
    'message.added assistant t-00000001-2',
    'turn.completed [bg-task:s:a bg-task:s:b] t-00000001-2',
  ]);
});

test('D-03 narrate: an assistant message and its delivery without a turn; silent: run.settled is the last', () => {
  const d = session();
  d.running('a', { detached: { notify: 'narrate' } });
  d.running('b', { detached: { notify: 'silent' } });
  const before = d.state.lastSeq;
  d.settled('a');
  d.settled('b');
  expect(d.story(before)).toEqual([
    'run.settled a completed',
    'message.added assistant',
    'run.delivered a finish',
    'run.settled b completed',
  ]);
  expect(d.asked).toEqual([]);
});

test('D-06 D-29 give up and cancel: gave_up, then its cancel request, then its delivery; its own cancelled is recorded, not announced', () => {
  const d = session();
  d.running('a');
  const before = d.state.lastSeq;
  d.pass(DAY);
  d.settled('a', { status: 'cancelled', reason: 'cancelled_by_budget' });
  d.say('so be it');
  expect(d.story(before)).toEqual([
    'run.gave_up a interrupted budget_exceeded',
    'run.cancel_requested a cancelled_by_budget',
    `turn.queued [${GAVE_UP}] t-00000001-1`,
    `turn.started [${GAVE_UP}] t-00000001-1`,
    'message.added user hidden t-00000001-1',
    'run.delivered a gave-up t-00000001-1',
    'run.settled a cancelled cancelled_by_budget',
    'message.added assistant t-00000001-1',
    `turn.completed [${GAVE_UP}] t-00000001-1`,
  ]);
  expect(d.row('a').delivery).toMatchObject({ finish: { state: 'not_required' }, gaveUp: { state: 'delivered' } });
});

test('D-05 D-29 give up, and it completes first: the finish is delivered after the gave-up, never before', () => {
  const d = session();
  d.submit('busy');
  d.running('a');
  const before = d.state.lastSeq;
  d.now += DAY;
  d.send(() => undefined);
  d.settled('a');
  expect(d.story(before).slice(0, 6)).toEqual([
    'turn.failed [] t-00000001-1',
    'run.gave_up a interrupted budget_exceeded',
    'run.cancel_requested a cancelled_by_budget',
    `turn.queued [${GAVE_UP}] t-00000001-2`,
    `turn.started [${GAVE_UP}] t-00000001-2`,
    'message.added user hidden t-00000001-2',
  ]);
  d.say('given up');
  d.say('completed after all');
  const delivered = d
    .story(before)
    .filter((line) => line.startsWith('run.delivered') || line.startsWith('run.settled'));
  expect(delivered).toEqual([
    'run.delivered a gave-up t-00000001-2',
    'run.settled a completed',
    'run.delivered a finish t-00000001-3',
  ]);
  expect(d.row('a')).toMatchObject({ status: 'completed', result: { of: 'a' } });
});

test('D-05 in a busy lane the late finish joins the turn of the gave-up, behind it', () => {
  const d = session({ budgets: { turnMs: 10 * DAY } });
  d.submit('busy for days');
  d.running('a');
  d.pass(DAY);
  d.settled('a');
  d.say('free at last');
  expect(d.state.turn?.inputs.map((input) => input.key)).toEqual([GAVE_UP, FINISH]);
  expect(d.story().filter((line) => /a (gave-up|finish)/.test(line))).toEqual([
    'run.delivered a gave-up t-00000001-2',
    'run.delivered a finish t-00000001-2',
  ]);
});

test('D-07 D-29 give up with keep: the same without the request, and the late finish is delivered', () => {
  const d = session();
  d.running('a', { detached: { onBudget: 'keep' } });
  const before = d.state.lastSeq;
  d.pass(DAY);
  d.say('given up');
  expect(d.asks('cancel-run')).toBe(false);
  d.pass(30 * DAY);
  d.settled('a');
  d.say('there it is');
  expect(d.story(before).filter((line) => line.startsWith('run.'))).toEqual([
    'run.gave_up a interrupted budget_exceeded',
    'run.delivered a gave-up t-00000001-1',
    'run.settled a completed',
    'run.delivered a finish t-00000001-2',
  ]);
});

test('D-14 cancel of a queued run: queued, cancel_requested, settled in one task, never started; then as a settle', () => {
  const d = session({ limits: { maxConcurrentRuns: 1 } });
  d.running('other');
  d.start({ runId: 'a' });
  const before = d.log().findLast((event) => event.type === 'run.started')?.seq ?? 0;
  d.send((cx) => cancelRun(cx, { runId: 'a', reason: 'not needed' }));
  d.say('noted');
  expect(d.story(before)).toEqual([
    'run.queued a',
    'run.cancel_requested a cancelled_by_user',
    'run.settled a cancelled cancelled_by_user',
    `turn.queued [${FINISH}] t-00000001-1`,
    `turn.started [${FINISH}] t-00000001-1`,
    'message.added user hidden t-00000001-1',
    'run.delivered a finish t-00000001-1',
    'message.added assistant t-00000001-1',
    `turn.completed [${FINISH}] t-00000001-1`,
  ]);
  expect(
    d
      .log()
      .filter((event) => event.runId === 'a' && event['comment'] === 'not needed')
      .map((event) => event.type),
  ).toEqual(['run.cancel_requested', 'run.settled']);
  d.settled('other');
  expect(d.did.filter((effect) => effect.do === 'start')).toEqual([{ do: 'start', runId: 'other' }]);
});

test('D-16 cancel of a running run: it is asked, keeps its status, and settles with anything between', () => {
  const d = session();
  d.running('a');
  const before = d.state.lastSeq;
  d.send((cx) => cancelRun(cx, { runId: 'a' }));
  expect(d.row('a')).toMatchObject({ status: 'running', cancelRequestedAt: '2030-01-01T00:00:00.000Z' });
  d.submit('meanwhile');
  d.settled('a', { status: 'cancelled', reason: 'cancelled_by_user' });
  const runs = d.story(before).filter((line) => line.startsWith('run.'));
  expect(runs).toEqual(['run.cancel_requested a cancelled_by_user', 'run.settled a cancelled cancelled_by_user']);
  d.say('meanwhile done');
  expect(d.story().at(-1)).toBe('run.delivered a finish t-00000001-2');
});

test('a step with tools: its message comes when the last tool has answered, after the run.queued of the runs it started', () => {
  const d = session();
  d.submit('go');
  const before = d.state.lastSeq;
  d.say([{ id: 'c1', start: { agent: 'load', input: 1 } }, { id: 'c2' }]);
  d.confirm();
  d.answerTool('x');
  const lines = d.story(before).map((line) => line.split(' ')[0]);
  expect(lines).toEqual(['run.queued', 'run.started', 'message.added']);
});

test('every accepted turn has turn.queued and every accepted run run.queued, also when it starts at once', () => {
  const d = session();
  d.submit('go');
  d.start({ runId: 'a' });
  expect(d.story(1)).toEqual([
    'turn.queued [] t-00000001-1',
    'turn.started [] t-00000001-1',
    'message.added user t-00000001-1',
    'run.queued a',
    'run.started a',
  ]);
});

test('a start that fails settles failed / start_failed after run.started, and is told at once', () => {
  const d = session();
  d.start({ runId: 'a' });
  d.failStart('a', 'The workflow s/a exists from an earlier session of this id; choose another runId.');
  expect(d.story(1).slice(0, 4)).toEqual([
    'run.queued a',
    'run.started a',
    'run.settled a failed start_failed',
    `turn.queued [${FINISH}] t-00000001-1`,
  ]);
  expect(d.row('a')).toMatchObject({
    status: 'failed',
    reason: 'start_failed',
    error: { message: 'The workflow s/a exists from an earlier session of this id; choose another runId.' },
  });
});
