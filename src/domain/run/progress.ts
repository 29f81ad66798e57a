/** What a starter has seen of a run's progress: the latest snapshot, and since when there was none. */
import { instant, type RunState } from '../state/state.ts';
import type { Progress } from '../state/types.ts';

/** A run has shown progress at an instant, which cannot be in the future: its silence counts from there. */
export function moved(row: RunState, at: number, now: number): void {
  row.movedAt = Math.max(row.movedAt ?? 0, Math.min(at, now));
}

/** Takes a snapshot unless a newer one has been seen. */
export function seeProgress(row: RunState, progress: Progress, now: number): void {
  const before = row.progress?.n ?? 0;
  if (progress.n < before) return;
  row.progress = { ...progress, at: instant(progress.at, now) };
  if (progress.n > before) moved(row, Date.parse(row.progress.at), now);
}
