/** The result of an agent's run: what it reported last, else its last text; and what becomes of one that has to report and does not. */
import { expect, test } from 'vitest';
import { textOf } from '../../src/domain/delivery/transcript.ts';
import { Driver } from '../support/domain.ts';

const report = (result: unknown, id = 'r') => [{ id, runtime: 'report_result' as const, input: { result } as never }];
const wants = { wantsResult: true };

test('D-39 the last report_result is the result, whatever the last text is', () => {
  const d = Driver.run('agent');
  d.say(report({ rows: 1 }));
  d.say(report({ rows: 2 }, 'r2'));
  d.say('That was all.');
  expect(d.outcome).toEqual({ status: 'completed', result: { rows: 2 } });
});

test('D-39 without a report the last text is the result, with why the model ended if it did not by itself', () => {
  const d = Driver.run('agent');
  d.say('That was all.');
  expect(d.outcome).toEqual({ status: 'completed', result: 'That was all.' });
});

test('D-39 one that has to report and ends without is asked once more, after all its runs have been read', () => {
  const d = Driver.run('agent');
  d.say([{ id: 's', start: { agent: 'load', input: 1 } }], wants);
  d.confirm();
  d.say('I wait for it.', wants);
  expect(d.state.turn).toBeNull();
  d.settled(d.state.runs.all[0]?.runId ?? '');
  d.say('It has come.', wants);
  expect(d.outcome).toBeUndefined();
  expect(d.state.transcript.at(-1)?.message).toMatchObject({ role: 'user', metadata: { hidden: true } });
  expect(d.state.transcript.map(({ message }) => textOf(message)).at(-1)).toContain('report_result');
  d.say(report({ rows: 3 }), wants);
  d.say('Done.', wants);
  expect(d.outcome).toEqual({ status: 'completed', result: { rows: 3 } });
});

test('D-39 one that does not even then has failed with ResultMissing', () => {
  const d = Driver.run('agent');
  d.say('Done.', wants);
  d.say('Really.', wants);
  expect(d.outcome).toMatchObject({ status: 'failed', reason: 'agent_error', error: { type: 'ResultMissing' } });
  expect(d.log().filter(({ type }) => type === 'turn.started')).toHaveLength(2);
});

test('D-39 a report stands although the model goes on to other things, over continue-as-new', () => {
  const d = Driver.run('agent');
  d.say([...report('half'), { id: 's', start: { agent: 'load', input: 1 } }], wants);
  d.confirm();
  d.say('I wait.', wants);
  d.continueAsNew();
  d.settled(d.state.runs.all[0]?.runId ?? '');
  d.say('Nothing to add.', wants);
  expect(d.outcome).toEqual({ status: 'completed', result: 'half' });
});
