/** What a starter has seen of a run's progress: the latest snapshot, since when there was none, and what the run has used. */
import { begunOf, type RunState } from '../state/row.ts';
import { instant, type Cx } from '../state/state.ts';
import { addUsage, growth } from '../state/usage.ts';
import type { Progress, Usage } from '../state/types.ts';

/** A run has shown progress at an instant, which cannot be in the future: its silence counts from there. */
export function moved(row: RunState, at: number, now: number): void {
  const watch = begunOf(row)?.watch;
  if (watch !== undefined) watch.movedAt = Math.max(watch.movedAt, Math.min(at, now));
}

/** Takes a snapshot unless a newer one has been seen. */
export function seeProgress(row: RunState, progress: Progress, now: number): void {
  const before = row.progress?.n ?? 0;
  if (progress.n < before) return;
  row.progress = { ...progress, at: instant(progress.at, now) };
  if (progress.n > before) moved(row, Date.parse(row.progress.at), now);
}

/** What a run and all below it have used so far, as it says itself: what it says again, or later than more, adds nothing. */
export function seeUsage({ state }: Cx, row: RunState, usage: Usage): void {
  const more = growth(row.usage, usage);
  addUsage(row.usage, more);
  addUsage(state.spent.below, more);
}
