/** The deadlines of one run, as its starter keeps them: its ceiling, the end of its grace, the next look, the end of its silence. */
import { begunOf, type RunState } from './row.ts';

/** `at`: milliseconds. */
export interface Deadline {
  at: number;
  what: string;
}

/** True as long as there is something to find out about a run. */
export function isLookedAt({ life }: RunState): boolean {
  return life.stage === 'live' || (life.stage === 'given-up' && life.epoch !== undefined && !life.lost);
}

/** When a run has been silent for as long as it may; nothing while that does not count. */
export function silenceAt(row: RunState): number | undefined {
  const { life, own, status } = row;
  const { noProgressBudgetMs } = own.detached;
  if (life.stage !== 'live' || status !== 'running' || row.cancelRequestedAt !== undefined) return undefined;
  if (noProgressBudgetMs === 0 || life.watch.silent === true) return undefined;
  return life.watch.movedAt + noProgressBudgetMs;
}

/** The instant of the ceiling, as long as it counts. */
export function ceilingAt({ life, own, status }: RunState): number | undefined {
  if (life.stage === 'settled' || status === 'interrupted') return undefined;
  return life.stage !== 'queued' && life.pausedAt !== undefined ? undefined : own.deadline;
}

/** The nearest deadline of a run, if it has one. */
export function deadlineOf(row: RunState): Deadline | undefined {
  const begun = begunOf(row);
  const isWatched = isLookedAt(row) && begun?.watch.due !== true;
  let nearest: Deadline | undefined;
  for (const [at, what] of [
    [ceilingAt(row), 'ceiling of'],
    [begun?.graceAt, 'cancellation of'],
    [isWatched ? begun?.watch.lookAt : undefined, 'look at'],
    [isWatched ? silenceAt(row) : undefined, 'silence of'],
  ] as const)
    if (at !== undefined && (nearest === undefined || at < nearest.at))
      nearest = { at, what: `${what} run ${row.runId}` };
  return nearest;
}
