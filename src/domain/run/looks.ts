/**
 * Finding out about runs that cannot speak: terminated, timed out, failed by a bug, or silent for too long.
 *
 * One look at a time goes to all runs that are due, after 5, 15, 30 and then every 120 s, and before a run is given up for its
 * silence. One look that finds nothing proves nothing; four in a row mean that the run is lost. A run that Temporal has closed
 * without a settle settles from what Temporal knows.
 */
import { giveUp } from './give-up.ts';
import { moved, seeProgress } from './progress.ts';
import { settle, type Settled } from './settle.ts';
import { dueBy, findRun, isLost, isOver, isSettled, type Cx, type RunState, type State } from '../state/state.ts';
import type { Progress } from '../state/types.ts';

/** What one look has seen of a run. */
export type Sight =
  | { runId: string; found: 'open'; progress?: Progress; attempt?: number; movedAt?: number; events?: number }
  | { runId: string; found: 'closed'; outcome: Settled }
  | { runId: string; found: 'nothing' };

const WAITS_MS = [5000, 15_000, 30_000];
const WAIT_MOST_MS = 120_000;
const LOST_AFTER = 4;
/** After a look that did not come to a run. */
const AGAIN_MS = 5000;
/** Looks that would come within this time of another go with it. */
const TOGETHER_MS = 1000;

/** True as long as there is something to find out about a run. */
export function isLookedAt(row: RunState): boolean {
  return row.startedAt !== undefined && row.starting !== true && !isSettled(row) && !isLost(row);
}

/** When a run has been silent for as long as it may; nothing while that does not count. */
export function silenceAt(row: RunState): number | undefined {
  const { noProgressBudgetMs } = row.detached;
  if (
    row.status !== 'running' ||
    !isLookedAt(row) ||
    row.cancelRequestedAt !== undefined ||
    noProgressBudgetMs === 0 ||
    row.silent === true
  )
    return undefined;
  return (row.movedAt ?? Date.parse(row.startedAt ?? row.createdAt)) + noProgressBudgetMs;
}

/** Marks the runs that are to be looked at by now. */
export function passLooks(cx: Cx): void {
  const { state, now } = cx;
  const due = dueBy(cx);
  const runs = state.runs.filter(isLookedAt);
  for (const row of runs) {
    if ((silenceAt(row) ?? Infinity) <= due) {
      row.silent = true;
      row.due = true;
    }
    if (row.lookAt === undefined && state.looking !== true) {
      row.looks ??= 0;
      row.lookAt = now + wait(row);
    }
  }
  if (!runs.some((row) => row.due === true || (row.lookAt ?? Infinity) <= due)) return;
  for (const row of runs) if ((row.lookAt ?? Infinity) <= due + TOGETHER_MS) row.due = true;
}

/** How long until the next look, a little different for every run so that they spread. */
function wait(row: RunState): number {
  const looks = row.looks ?? 0;
  const spread =
    1 + (Array.from(row.runId).reduce((sum, character) => sum + (character.codePointAt(0) ?? 0), looks) % 10) / 100;
  return Math.round((WAITS_MS[looks] ?? WAIT_MOST_MS) * spread);
}

/** Looks at every run that is due, unless a look is under way. */
export function startLook(cx: Cx): void {
  const { state } = cx;
  if (state.looking === true) return;
  const due = state.runs.filter((row) => row.due === true && isLookedAt(row));
  if (due.length === 0) return;
  state.looking = true;
  for (const row of due) {
    delete row.due;
    delete row.lookAt;
  }
  cx.effects.push({
    do: 'look',
    runs: due.map((row) => ({
      runId: row.runId,
      workflowId: row.workflowId,
      epoch: row.epoch ?? '',
      kind: row.kind,
      closely: row.silent === true,
    })),
  });
}

/** What a look has seen. A run that it did not come to is looked at again; one that failed altogether is repeated later. */
export function looked(cx: Cx, asked: readonly string[], sights: readonly Sight[] | undefined): void {
  const { state } = cx;
  delete state.looking;
  if (isOver(state)) return;
  for (const runId of asked) {
    const row = findRun(state, runId);
    if (row === undefined || !isLookedAt(row)) continue;
    const sight = sights?.find((one) => one.runId === runId);
    if (sight === undefined) row.lookAt = cx.now + AGAIN_MS;
    else see(cx, row, sight);
  }
}

function see(cx: Cx, row: RunState, sight: Sight): void {
  row.lookedAt = cx.now;
  switch (sight.found) {
    case 'closed':
      settle(cx, row, sight.outcome);
      return;
    case 'nothing':
      row.missed = (row.missed ?? 0) + 1;
      if (row.missed >= LOST_AFTER) {
        giveUp(cx, row, 'lost');
        return;
      }
      break;
    case 'open':
      delete row.missed;
      seeOpen(cx, row, sight);
      break;
    default:
      sight satisfies never;
  }
  if (!isLookedAt(row)) return;
  row.looks = row.missed === 1 ? 0 : (row.looks ?? 0) + 1;
  row.lookAt = cx.now + wait(row);
}

function seeOpen(
  cx: Cx,
  row: RunState,
  { progress, attempt, movedAt, events }: Extract<Sight, { found: 'open' }>,
): void {
  if (attempt !== undefined) row.attempt = attempt;
  if (progress !== undefined) seeProgress(row, progress, cx.now);
  if (movedAt !== undefined) moved(row, movedAt, cx.now);
  if (events !== undefined && events > (row.seenEvents ?? 0)) {
    if (row.seenEvents !== undefined) moved(row, cx.now, cx.now);
    row.seenEvents = events;
  }
  if (row.silent !== true) return;
  delete row.silent;
  if ((silenceAt(row) ?? Infinity) <= dueBy(cx)) giveUp(cx, row, 'no_progress');
}

/** The deadlines that come of looking. */
export function* lookDeadlines(state: State): Generator<{ at: number; what: string }> {
  for (const row of state.runs) {
    if (!isLookedAt(row) || row.due === true) continue;
    if (row.lookAt !== undefined) yield { at: row.lookAt, what: `look at run ${row.runId}` };
    const silence = silenceAt(row);
    if (silence !== undefined) yield { at: silence, what: `silence of run ${row.runId}` };
  }
}
