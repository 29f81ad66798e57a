/** C-03: what an input costs is what it concerns. Every read of a row is counted, with few other rows and with many. */
import { expect, test } from 'vitest';
import { runMessagesRead } from '../../src/domain/run/from-runs.ts';
import { messageRun } from '../../src/domain/run/to-runs.ts';
import { cancelRun } from '../../src/domain/run/cancel.ts';
import { close } from '../../src/domain/closing.ts';
import { revived } from '../../src/domain/state/state.ts';
import type { StateJson } from '../../src/domain/state/state.ts';
import { cancelTurn } from '../../src/domain/turn/cancel.ts';
import { Driver } from '../support/domain.ts';

interface Counted {
  d: Driver;
  /** How often a row was read while something was done, and how many rows that were. */
  during: (act: () => unknown) => { reads: number; rows: number };
}

/** A session with so many live runs beside `x`, `y` and `z`, of which some have settled and been delivered. */
function among(others: number): Counted {
  const d = Driver.session({ limits: { maxConcurrentRuns: 5000 }, budgets: { noProgressBudgetMs: 0 } });
  for (const runId of ['x', 'y', 'z']) d.start({ runId });
  const rest = Array.from({ length: others }, (_, i) => `r${i}`);
  for (let i = 0; i < rest.length; i += 200)
    d.startAll(rest.slice(i, i + 200).map((runId) => ({ runId, detached: { onFinish: 'told' } })));
  d.confirm();
  let reads = 0;
  const read = new Set<string>();
  const json = JSON.parse(JSON.stringify(d.state)) as StateJson;
  const rows = json.runs.rows.map(
    (row) =>
      new Proxy(row, {
        get(target, field): unknown {
          reads += 1;
          read.add(target.runId);
          return Reflect.get(target, field);
        },
      }),
  );
  d.state = revived({ ...json, runs: { ...json.runs, rows } });
  d.send(() => undefined);
  return {
    d,
    during(act) {
      reads = 0;
      read.clear();
      act();
      return { reads, rows: read.size };
    },
  };
}

const INPUTS: [string, (d: Driver) => unknown][] = [
  ['a milestone', (d) => d.reached('x', [[1, 'half']])],
  ['a settle, its delivery and the turn that answers it', (d) => [d.settled('x'), d.say('thanks')]],
  ['a start and its confirmation', (d) => [d.start({ runId: 'new' }), d.confirm()]],
  ['a turn of a user', (d) => [d.submit('hello'), d.say('hello')]],
  ['a cancelled turn', (d) => [d.submit('hello'), d.send((cx) => cancelTurn(cx, {}))]],
  [
    'a message to a run, and that it was read',
    (d) => {
      d.send((cx) => messageRun(cx, { runId: 'y', message: 'hurry' }));
      d.arrives('runMessage');
      d.send((cx) => runMessagesRead(cx, { runId: 'y', epoch: d.state.epoch, n: 1 }));
    },
  ],
  [
    'a question of a run',
    (d) => {
      d.question('z');
      d.question('z', { status: 'answered' });
      d.say('so be it');
    },
  ],
  ['a cancellation and the end of its grace', (d) => [d.send((cx) => cancelRun(cx, { runId: 'y' })), d.settled('y')]],
  ['a settle of a run that nobody knows', (d) => d.settled('nobody')],
];

test.each(INPUTS)('C-03 %s reads as much of rows among 1,000 live runs as among 10', (_what, act) => {
  const few = among(10);
  const many = among(1000);
  const cost = few.during(() => act(few.d));
  expect(many.during(() => act(many.d))).toEqual(cost);
  expect(cost.rows).toBeLessThanOrEqual(3);
});

test('C-03 so does a settle in a session that is closing and waits for its runs', () => {
  const cost = (others: number): unknown => {
    const { d, during } = among(others);
    d.send((cx) => close(cx, { runs: 'cancel' }));
    return during(() => d.settled('x', { status: 'cancelled', reason: 'session_closed' }));
  };
  expect(cost(1000)).toEqual(cost(10));
});

test('C-03 a deadline that passes reads only the rows that it concerns', () => {
  const cost = (others: number): { reads: number; rows: number } => {
    const { d, during } = among(others);
    d.send((cx) => cancelRun(cx, { runId: 'x' }));
    for (let seconds = 0; seconds < 4; seconds++) d.pass(1000);
    return during(() => d.pass(500));
  };
  expect(cost(1000)).toEqual(cost(10));
  // The nearest deadline is read for what the timer says of it.
  expect(cost(1000).rows).toBeLessThanOrEqual(1);
});
