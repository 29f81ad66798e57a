/** Rows of runs that settled long ago, with nothing left to deliver, shrink to what a receipt needs. */
import { entryKey, rememberEnd } from '../log/dedupe.ts';
import { isSettled, type OldRow, type RunState } from '../state/row.ts';
import { KEPT_FORGOTTEN, KEPT_ROWS } from '../state/sizes.ts';
import type { State } from '../state/state.ts';
import type { SettledStatus } from '../state/types.ts';

/** Keeps of the ended rows the last ones. */
export function forgetOldRows(state: State): void {
  const surplus = state.runs.ended - KEPT_ROWS;
  if (surplus > 0) for (const row of state.runs.firstEnded(surplus)) forget(state, row);
}

/** Forgets of these rows all but the last that settled. */
export function forgetAllBut(state: State, rows: readonly RunState[], kept: number): void {
  const surplus = rows.length - kept;
  if (surplus <= 0) return;
  const when = (row: RunState): number => Date.parse(row.settledAt ?? row.createdAt);
  for (const row of rows.toSorted((a, b) => when(a) - when(b)).slice(0, surplus)) forget(state, row);
}

function forget(state: State, row: RunState): void {
  if (!isSettled(row)) rememberEnd(state.dedupe, entryKey('run', row.runId), row.status);
  state.runs.forget(row, isSettled(row) ? oldRowOf(row) : undefined, KEPT_FORGOTTEN);
}

function oldRowOf({ runId, status, reason, settledAt, createdAt, own }: RunState): OldRow {
  return {
    ordinal: own.ordinal,
    runId,
    status: status as SettledStatus,
    ...(reason === undefined ? {} : { reason }),
    settledAt: settledAt ?? createdAt,
    forgotten: true,
  };
}
