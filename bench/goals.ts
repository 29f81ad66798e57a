/**
 * What a run may cost and how fast it has to be, beside the baseline of the same call. Gates hardly feel how busy the machine is; figures do.
 */
import { ratios, spread, type Spread } from './stats.ts';
import type { Cost } from './scenarios/fanout.ts';
import type { Latencies } from './scenarios/latency.ts';

/** What was measured, as far as it was: by name of the contender, in the order of the rounds. */
export interface Results {
  fanout: { runs: number; contenders: Record<string, Cost[]> }[];
  old: Record<string, Cost[]>;
  history: Record<string, Cost[]>;
  ack: { behind: number; latencies: Latencies }[];
  handover?: Latencies;
  step?: { first: Latencies; next: Latencies };
}

export interface Goal {
  kind: 'gate' | 'figure';
  what: string;
  /** What is to be reached. */
  most?: number;
  least?: number;
  got: Spread;
  met: boolean;
}

type Bound = { most: number } | { least: number };

function goal(kind: Goal['kind'], what: string, bound: Bound, got: Spread): Goal {
  const met = 'most' in bound ? got.median <= bound.most : got.median >= bound.least;
  return { kind, what, ...bound, got, met };
}

/** Against the baseline that was measured in the same moments. */
export function againstBaseline({ outlive, baseline }: Latencies): Spread {
  const { median } = spread(baseline);
  return spread([spread(outlive).median / median]);
}

export function goalsOf({ fanout, old, ack, handover }: Results): Goal[] {
  return [
    ...fanout.flatMap(({ runs, contenders }) => fanoutGoals(runs, contenders)),
    ...oldGoals(old),
    ...ackGoals(ack),
    ...(handover === undefined ? [] : [goal('figure', 'handover ÷ floor', { most: 1.5 }, againstBaseline(handover))]),
  ];
}

function fanoutGoals(
  runs: number,
  { floor = [], native = [], react = [], silent = [], 'react, cap 16': capped = [] }: Record<string, Cost[]>,
): Goal[] {
  const goals: Goal[] = [];
  const at = `at ${runs}`;
  const rate = (costs: readonly Cost[]): number[] => costs.map(({ runsPerSecond }) => runsPerSecond);
  const add = (
    kind: Goal['kind'],
    what: string,
    bound: Bound,
    of: readonly Cost[],
    value: (cost: Cost) => number | undefined,
    base?: readonly Cost[],
  ): void => {
    const known = (costs: readonly Cost[]): number[] => costs.map((cost) => value(cost) ?? Number.NaN);
    if (of.length === 0 || base?.length === 0) return;
    const got = base === undefined ? spread(known(of)) : ratios(known(of), known(base));
    if (!Number.isNaN(got.median)) goals.push(goal(kind, `${what} ${at}`, bound, got));
  };
  for (const [name, costs] of [
    ['react', react],
    ['silent', silent],
  ] as const) {
    add('gate', `${name}: events of a child`, { most: 18 }, costs, ({ childEvents }) => childEvents);
    add('gate', `${name}: workflow tasks of a child`, { most: 3 }, costs, ({ childTasks }) => childTasks);
    add('gate', `${name}: events of the parent a run`, { most: 6 }, costs, ({ parentEvents }) => parentEvents);
    add('gate', `${name}: server CPU a run ÷ floor`, { most: 1.15 }, costs, ({ serverCpuMs }) => serverCpuMs, floor);
    add('gate', `${name}: worker CPU a run ÷ floor`, { most: 1.6 }, costs, ({ workerCpuMs }) => workerCpuMs, floor);
  }
  add('figure', 'silent: rate ÷ floor', { least: 0.9 }, silent, ({ runsPerSecond }) => runsPerSecond, floor);
  add('figure', 'react: rate ÷ floor', { least: 0.75 }, react, ({ runsPerSecond }) => runsPerSecond, floor);
  add(
    'figure',
    'react: rate ÷ native',
    { least: runs >= 500 ? 0.8 : 0.5 },
    react,
    ({ runsPerSecond }) => runsPerSecond,
    native,
  );
  if (capped.length > 0 && react.length > 0) {
    const slower = ratios(rate(react), rate(capped));
    goals.push(goal('figure', `react: time with a cap of 16 ÷ all at once ${at}`, { most: 1.25 }, slower));
  }
  return goals;
}

function oldGoals({ outlive = [] }: Results['old']): Goal[] {
  if (outlive.length === 0) return [];
  return [
    goal(
      'gate',
      'events of a child older than a minute',
      { most: 24 },
      spread(outlive.map(({ childEvents }) => childEvents)),
    ),
  ];
}

function ackGoals(ack: Results['ack']): Goal[] {
  const goals = ack.map(({ behind, latencies }) =>
    goal('figure', `ack behind ${behind} runs ÷ bare update`, { most: 1.5 }, againstBaseline(latencies)),
  );
  const [first, last] = [ack[0], ack.at(-1)];
  if (first === undefined || last === undefined || first === last) return goals;
  const growth = spread(last.latencies.outlive).median / spread(first.latencies.outlive).median;
  return [
    ...goals,
    goal('figure', `ack behind ${last.behind} ÷ behind ${first.behind}`, { most: 1.2 }, spread([growth])),
  ];
}
