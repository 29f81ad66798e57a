/** The arithmetic of the bench: medians, ratios of the same round, goals. */
import { expect, test } from 'vitest';
import { goalsOf, type Results } from '../../bench/goals.ts';
import type { Cost } from '../../bench/scenarios/fanout.ts';
import { ratios, shown, spread, table } from '../../bench/stats.ts';

function cost(given: Partial<Cost> = {}): Cost {
  return {
    seconds: 10,
    runsPerSecond: 10,
    serverCpuMs: 40,
    workerCpuMs: 20,
    parentEvents: 5,
    parentTasks: 0.3,
    parentBytes: 1000,
    childEvents: 16,
    childTasks: 3,
    childBytes: 2400,
    ...given,
  };
}

function results(given: Partial<Results> = {}): Results {
  return { fanout: [], old: {}, history: {}, ack: [], ...given };
}

test('a spread is the median with the smallest and the largest value', () => {
  expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3, n: 3 });
  expect(spread([4, 1, 2, 3]).median).toBe(2.5);
  expect(shown(spread([1, 2, 3]))).toBe('2.0 (1.0–3.0)');
  expect(shown(spread([2]))).toBe('2.0');
});

test('ratios are those of the same round, so that a slow minute does not count', () => {
  expect(ratios([2, 20, 200], [1, 10, 100])).toEqual({ median: 2, min: 2, max: 2, n: 3 });
});

test('a goal is met or missed by the median of its rounds', () => {
  const fanout = [
    {
      runs: 100,
      contenders: {
        floor: [cost(), cost()],
        react: [cost({ runsPerSecond: 8, workerCpuMs: 30 }), cost({ runsPerSecond: 7.8, workerCpuMs: 70 })],
      },
    },
  ];
  const goals = new Map(goalsOf(results({ fanout })).map(({ what, met }) => [what, met]));
  expect(goals.get('react: rate ÷ floor at 100')).toBe(true);
  expect(goals.get('react: worker CPU a run ÷ floor at 100')).toBe(false);
  expect(goals.get('react: events of a child at 100')).toBe(true);
  // What was not measured is neither met nor missed.
  expect(goals.has('silent: rate ÷ floor at 100')).toBe(false);
  expect(goals.has('react: rate ÷ native at 100')).toBe(false);
});

test('without a server whose CPU time can be read the others are told all the same', () => {
  const unread = cost({ serverCpuMs: undefined });
  const goals = goalsOf(results({ fanout: [{ runs: 100, contenders: { floor: [unread], silent: [unread] } }] })).map(
    ({ what }) => what,
  );
  expect(goals).not.toContain('silent: server CPU a run ÷ floor at 100');
  expect(goals).toContain('silent: worker CPU a run ÷ floor at 100');
});

test('an acknowledgement that grows with the runs behind it is missed', () => {
  const latencies = (outlive: number): { outlive: number[]; baseline: number[] } => ({
    outlive: [outlive],
    baseline: [20],
  });
  const goals = goalsOf(
    results({
      ack: [
        { behind: 0, latencies: latencies(20) },
        { behind: 1000, latencies: latencies(26) },
      ],
    }),
  );
  expect(goals.map(({ what, met }) => [what, met])).toEqual([
    ['ack behind 0 runs ÷ bare update', true],
    ['ack behind 1000 runs ÷ bare update', true],
    ['ack behind 1000 ÷ behind 0', false],
  ]);
});

test('the old and the cap have goals of their own', () => {
  const fanout = [{ runs: 100, contenders: { react: [cost({ runsPerSecond: 13 })], 'react, cap 16': [cost()] } }];
  const goals = goalsOf(results({ fanout, old: { outlive: [cost({ childEvents: 25 })] } }));
  expect(goals.find(({ what }) => what.includes('cap of 16'))?.met).toBe(false);
  expect(goals.find(({ what }) => what.includes('older than a minute'))?.met).toBe(false);
});

test('a table has its columns one under the other', () => {
  expect(
    table(
      ['', 'n'],
      [
        ['one', '1'],
        ['eleven', '11'],
      ],
    ),
  ).toBe(['         n', '------  --', 'one      1', 'eleven  11'].join('\n'));
});
