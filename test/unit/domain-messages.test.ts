/** Messages between workflows: repeated, stale, foreign and ill-timed ones, and milestones watched and unwatched. */
import { totalOf } from '../../src/domain/state/usage.ts';
import { describe, expect, test } from 'vitest';
import { getRun } from '../../src/domain/view/queries.ts';
import type { Detached } from '../../src/domain/state/types.ts';
import { Driver, refusal } from '../support/domain.ts';

const OTHER = '01990000-0000-7000-8000-ffffffffffff';

test('D-04 the same runSettled again changes nothing and leaves no event: by hand, after continue-as-new, 1,000 events later', () => {
  const d = Driver.session();
  d.running('a');
  d.settled('a');
  d.say('read');
  const row = structuredClone(d.row('a'));
  const again = (): void => {
    const before = d.state.lastSeq;
    expect(d.settled('a')).toBeUndefined();
    expect(
      d.settled('a', { status: 'failed', reason: 'agent_error', error: { type: 'E', message: 'm' } }),
    ).toBeUndefined();
    expect(d.story(before)).toEqual([]);
    expect(d.row('a')).toEqual(row);
  };
  again();
  d.continueAsNew();
  again();
  for (let i = 0; i < 200; i++) {
    d.submit('x');
    d.say('y');
  }
  d.continueAsNew();
  again();
  expect(d.log().filter((event) => event.type === 'run.delivered')).toHaveLength(1);
});

test('D-04 a repeated settle of a forgotten run leaves no event, also when only its key is known', () => {
  const d = Driver.session();
  d.running('a', { detached: { notify: 'silent' } });
  d.settled('a');
  for (let i = 0; i < 201; i++) {
    d.running(`b${i}`, { detached: { notify: 'silent' } });
    d.settled(`b${i}`);
  }
  expect(getRun(d.state, 'a')).toMatchObject({ forgotten: true, status: 'completed' });
  expect(d.settled('a')).toBeUndefined();
  d.state.runs.forgetOld(0);
  expect(d.settled('a')).toBeUndefined();
  expect(d.reached('a', [[1, 'half']])).toBeUndefined();
});

test('D-04 one of another epoch is refused, changes nothing, and its sender is told that its parent is gone', () => {
  const d = Driver.session();
  d.running('a');
  const before = d.state.lastSeq;
  expect(refusal(d.settled('a', {}, OTHER))).toBe('InvalidInput');
  expect(refusal(d.reached('a', [[1, 'half']], OTHER))).toBe('InvalidInput');
  expect(d.story(before)).toEqual([]);
  expect(d.row('a').status).toBe('running');
  expect(d.asked).toEqual([
    { do: 'answer-gone', workflowId: 's/a', epoch: OTHER },
    { do: 'answer-gone', workflowId: 's/a', epoch: OTHER },
  ]);
});

test('a refusal echoes at most 200 characters of what came', () => {
  const answer = Driver.session().settled('a', {}, 'e'.repeat(256));
  expect(answer?.message).not.toContain('e'.repeat(201));
});

test('a message about a run that never was is refused and answered to nobody', () => {
  const d = Driver.session();
  expect(refusal(d.settled('ghost'))).toBe('UnknownRun');
  expect(refusal(d.reached('ghost', [[1, 'half']]))).toBe('UnknownRun');
  expect(d.asked).toEqual([]);
});

test('the settle of a fast run may come before its start is confirmed', () => {
  const d = Driver.session();
  d.start({ runId: 'a' });
  d.settled('a');
  d.say('read');
  d.confirm();
  expect(d.row('a')).toMatchObject({ status: 'completed', delivery: { finish: { state: 'delivered' } } });
  d.continueAsNew();
  expect(d.row('a').status).toBe('completed');
});

test('a settle without a reason gets the one of its status, and a completed run has none', () => {
  const d = Driver.session();
  for (const runId of ['a', 'b', 'c']) d.running(runId);
  d.settled('a', { status: 'completed', reason: 'agent_error' });
  d.settled('b', { status: 'failed' });
  d.settled('c', { status: 'cancelled' });
  expect(['a', 'b', 'c'].map((runId) => d.row(runId).reason)).toEqual([undefined, 'agent_error', 'cancelled_by_user']);
});

test('usage of a run is merged into the session once', () => {
  const d = Driver.session();
  d.running('a');
  for (let i = 0; i < 3; i++)
    d.settled('a', { usage: { inputTokens: 10, outputTokens: 5, totalTokens: 15, modelCalls: 2, costUsd: 0.5 } });
  expect(totalOf(d.state.spent)).toEqual({
    inputTokens: 10,
    outputTokens: 5,
    totalTokens: 15,
    modelCalls: 2,
    costUsd: 0.5,
  });
});

test('the last progress of a run stands in its row, and an older one never replaces it', () => {
  const d = Driver.session();
  d.running('a');
  d.row('a').progress = { n: 7, at: '2030-01-01T00:00:00.000Z', message: 'seen' };
  d.settled('a', { progress: { n: 5, at: '2030-01-01T00:00:00.000Z', message: 'older' } });
  expect(d.row('a').progress?.message).toBe('seen');
});

describe('P-04 milestones', () => {
  const watched = (
    onMilestones: NonNullable<Detached['onMilestones']>,
    notify: Detached['notify'] = 'react',
  ): Driver => {
    const d = Driver.session();
    d.running('a', { detached: { notify, onMilestones } });
    return d;
  };

  test('each number is recorded once, in order, however often and in however many messages it comes', () => {
    const d = watched({ names: [], mode: 'react' });
    d.reached('a', [
      [1, 'one'],
      [2, 'two'],
    ]);
    d.reached('a', [
      [1, 'one'],
      [2, 'two'],
      [3, 'one', { x: 1 }],
    ]);
    d.reached('a', [[2, 'two']]);
    expect(d.story().filter((line) => line.startsWith('run.milestone'))).toEqual([
      'run.milestone a one',
      'run.milestone a two',
      'run.milestone a one',
    ]);
    expect(d.row('a').milestones).toMatchObject([
      { n: 1, name: 'one' },
      { n: 2, name: 'two' },
      { n: 3, name: 'one', data: { x: 1 } },
    ]);
    expect(d.row('a').delivery.milestones).toBeUndefined();
  });

  test('a watched one is delivered once per name, although the run repeats it', () => {
    const d = watched({ names: ['half'], mode: 'react' });
    d.reached('a', [
      [1, 'half', { rows: 5 }],
      [2, 'other'],
      [3, 'half', { rows: 9 }],
    ]);
    d.say('seen');
    d.continueAsNew();
    d.reached('a', [[4, 'half']]);
    expect(d.log().filter((event) => event.type === 'run.delivered')).toMatchObject([
      { key: 'bg-task:s:a:milestone:half', kind: 'milestone' },
    ]);
    const message = d.state.transcript.find((entry) => entry.message.metadata?.['kind'] === 'milestone')?.message;
    expect(message?.parts[0]?.['text']).toContain('{"milestone":{"name":"half","n":1,"data":{"rows":5}}}');
    expect(message?.metadata).toMatchObject({
      source: 'background-run',
      hidden: true,
      kind: 'milestone',
      key: 'bg-task:s:a:milestone:half',
      runId: 'a',
      status: 'running',
    });
  });

  test('P-05 narrate adds an assistant line without a model call', () => {
    const d = watched({ names: '*', mode: 'narrate' });
    d.reached('a', [
      [1, 'half'],
      [2, 'most'],
    ]);
    expect(d.asks('model')).toBe(false);
    expect(d.story().slice(-6)).toEqual([
      'run.milestone a half',
      'message.added assistant',
      'run.delivered a milestone',
      'run.milestone a most',
      'message.added assistant',
      'run.delivered a milestone',
    ]);
  });

  test("P-05 in the queue a milestone is never behind its run's completion, also when both come with the settle", () => {
    const d = watched({ names: '*', mode: 'react' });
    d.submit('busy');
    d.settled('a', { milestones: [{ n: 1, name: 'half', at: '2030-01-01T00:00:00.000Z' }] });
    expect(d.state.queue.flatMap((turn) => turn.inputs.map((input) => input.key))).toEqual([
      'bg-task:s:a:milestone:half',
      'bg-task:s:a',
    ]);
  });

  test('one that was asked for is delivered in its own mode, whatever notify says of the end', () => {
    const d = watched({ names: ['half'], mode: 'narrate' }, 'silent');
    d.reached('a', [[1, 'half']]);
    d.settled('a');
    expect(d.row('a').delivery).toMatchObject({
      finish: { state: 'not_required' },
      milestones: { half: { state: 'delivered' } },
    });
  });

  test('after the settle none is taken', () => {
    const d = watched({ names: '*', mode: 'react' });
    d.settled('a');
    const before = d.state.lastSeq;
    d.reached('a', [[1, 'half']]);
    expect(d.story(before)).toEqual([]);
  });

  test('of a given-up run they are still taken', () => {
    const d = watched({ names: '*', mode: 'narrate' });
    d.pass(24 * 3600 * 1000);
    d.reached('a', [[1, 'half']]);
    expect(d.row('a').delivery.milestones?.['half']?.state).toBe('delivered');
  });

  test('a row takes at most 1,000, delivers at most 100 of all that are watched, and stays readable with all their data', () => {
    const d = watched({ names: '*', mode: 'narrate' });
    for (let n = 1; n <= 1200; n++) d.reached('a', [[n, `m${n}`, 'x'.repeat(8000)]]);
    expect(d.row('a').milestones).toHaveLength(1000);
    expect(Object.keys(d.row('a').delivery.milestones ?? {})).toHaveLength(100);
    expect(JSON.stringify(getRun(d.state, 'a')).length).toBeLessThan(1024 * 1024);
  });

  test('an instant in a strange form is kept in the usual one', () => {
    const d = watched({ names: [], mode: 'react' });
    const at = `2030-01-01T00:00:00Z (${'x'.repeat(5000)})`;
    d.settled('a', {
      milestones: [
        { n: 1, name: 'half', at: '1 Jan 2030 00:00:05 GMT' },
        { n: 2, name: 'odd', at },
      ],
    });
    expect(d.row('a').milestones[0]?.at).toBe('2030-01-01T00:00:05.000Z');
    expect(d.row('a').milestones[1]?.at.length).toBe(24);
  });
});
