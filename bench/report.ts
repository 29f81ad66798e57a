/** Results as a person reads them. */
import type { Goal, Results } from './goals.ts';
import { againstBaseline } from './goals.ts';
import type { Cost } from './scenarios/fanout.ts';
import type { Latencies } from './scenarios/latency.ts';
import { ratios, shown, spread, table } from './stats.ts';

const COLUMNS: readonly [title: string, of: (cost: Cost) => number | undefined, digits: number][] = [
  ['runs/s', ({ runsPerSecond }) => runsPerSecond, 1],
  ['server ms', ({ serverCpuMs }) => serverCpuMs, 1],
  ['worker ms', ({ workerCpuMs }) => workerCpuMs, 1],
  ['parent events', ({ parentEvents }) => parentEvents, 1],
  ['tasks', ({ parentTasks }) => parentTasks, 1],
  ['bytes', ({ parentBytes }) => parentBytes, 0],
  ['child events', ({ childEvents }) => childEvents, 0],
  ['tasks', ({ childTasks }) => childTasks, 0],
  ['bytes', ({ childBytes }) => childBytes, 0],
];

/** A line for each contender; with a floor, a line for each ratio to it. */
export function costTable(title: string, contenders: Record<string, Cost[]>): string {
  const { floor } = contenders;
  const rows = Object.entries(contenders).map(([name, costs]) => [
    name,
    ...COLUMNS.map(([, of, digits]) => figure(costs, of, digits)),
  ]);
  const compared = Object.entries(contenders).filter(([name]) => floor !== undefined && name !== 'floor');
  const relative = compared.map(([name, costs]) => [
    `${name} ÷ floor`,
    ...COLUMNS.map(([, of]) => shown(ratios(values(costs, of), values(floor ?? [], of)), 2)),
  ]);
  return `${title}\n${table(['', ...COLUMNS.map(([name]) => name)], [...rows, ...relative])}`;
}

function values(costs: readonly Cost[], of: (cost: Cost) => number | undefined): number[] {
  return costs.map((cost) => of(cost) ?? Number.NaN);
}

function figure(costs: readonly Cost[], of: (cost: Cost) => number | undefined, digits: number): string {
  const found = spread(values(costs, of));
  return Number.isNaN(found.median) ? '–' : shown(found, digits);
}

export function latencyTable(rows: readonly [what: string, latencies: Latencies][]): string {
  return `latency, ms\n${table(
    ['', 'outlive', 'baseline', 'ratio of medians'],
    rows.map(([what, latencies]) => [
      what,
      shown(spread(latencies.outlive), 0),
      shown(spread(latencies.baseline), 0),
      shown(againstBaseline(latencies), 2),
    ]),
  )}`;
}

export function goalTable(goals: readonly Goal[]): string {
  return `goals\n${table(
    ['', 'kind', 'wanted', 'got', ''],
    goals.map(({ what, kind, most, least, got, met }) => [
      what,
      kind,
      most === undefined ? `≥ ${String(least)}` : `≤ ${most}`,
      shown(got, 2),
      met ? 'met' : 'missed',
    ]),
  )}`;
}

export function report(results: Results): string {
  const { fanout, old, history, ack, handover, step } = results;
  const latencies: [string, Latencies][] = ack.map(({ behind, latencies: found }) => [
    `ack behind ${behind} runs, beside a bare update`,
    found,
  ]);
  if (handover !== undefined)
    latencies.push(['handover: activity ended → turn started, floor: → parent’s task', handover]);
  if (step !== undefined)
    latencies.push(
      ['step: turn started → model called', step.first],
      ['step: model ended → next step called', step.next],
    );
  return [
    ...fanout.map(({ runs, contenders }) =>
      costTable(`fanout of ${runs} runs (CPU, events, tasks, bytes: of one run)`, contenders),
    ),
    ...(Object.keys(old).length === 0 ? [] : [costTable('ten runs older than a minute', old)]),
    ...(Object.keys(history).length === 0 ? [] : [costTable('history of a single run', history)]),
    ...(latencies.length === 0 ? [] : [latencyTable(latencies)]),
  ].join('\n\n');
}
