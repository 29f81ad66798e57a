/**
 * Finding out about runs that cannot speak: terminated, timed out, failed by a bug, or silent for too long.
 *
 * One look at a time goes to all runs that are due, after 5, 15, 30 and then every 120 s, and before a run is given up for its
 * silence. One look that finds nothing proves nothing; four in a row mean that the run is lost. A run that Temporal has closed
 * without a settle settles from what Temporal knows.
 */
import { begunOf, epochOf, type RunState, type Watch } from '../state/row.ts';
import { giveUp } from './give-up.ts';
import { moved, seeProgress, seeUsage } from './progress.ts';
import { settle, type Settled } from './settle.ts';
import type { LookedFor } from '../state/effects.ts';
import { isLookedAt, silenceAt } from '../state/row-deadlines.ts';
import { dueBy, isOver, type Cx } from '../state/state.ts';
import type { Progress, Usage } from '../state/types.ts';

/** What one look has seen of a run. */
export type Sight =
  | ({ runId: string; found: 'open' } & Seen)
  | { runId: string; found: 'closed'; outcome: Settled }
  | { runId: string; found: 'nothing' };

/** `usage`: of the run and all below it, so far. */
export interface Seen {
  progress?: Progress;
  attempt?: number;
  movedAt?: number;
  events?: number;
  usage?: Usage;
}

const WAITS_MS = [5000, 15_000, 30_000];
const WAIT_MOST_MS = 120_000;
const LOST_AFTER = 4;
/** After a look that did not come to a run. */
const AGAIN_MS = 5000;
/** Looks that would come within this time of another go with it. */
const TOGETHER_MS = 1000;

/** Marks the runs that are to be looked at by now. */
export function passLooks(cx: Cx): void {
  const { runs } = cx.state;
  const due = dueBy(cx);
  let isAnyDue = runs.due().length > 0;
  for (const row of runs.until(due)) {
    const watch = watched(row);
    if (watch === undefined) continue;
    if ((silenceAt(row) ?? Infinity) <= due) {
      watch.silent = true;
      watch.due = true;
    }
    isAnyDue ||= watch.due === true || (watch.lookAt ?? Infinity) <= due;
  }
  if (!isAnyDue) return;
  for (const row of runs.until(due + TOGETHER_MS)) {
    const watch = watched(row);
    if (watch !== undefined && (watch.lookAt ?? Infinity) <= due + TOGETHER_MS) watch.due = true;
  }
}

function watched(row: RunState): Watch | undefined {
  return isLookedAt(row) ? begunOf(row)?.watch : undefined;
}

/** The first look at a run that has been started. */
export function scheduleLook({ now }: Cx, row: RunState): void {
  const watch = watched(row);
  if (watch !== undefined) watch.lookAt = now + wait(row, watch);
}

/** A run is looked at as soon as may be. */
export function lookSoon({ state }: Cx, runId: string): void {
  const row = state.runs.get(runId);
  const watch = row === undefined ? undefined : watched(row);
  if (watch !== undefined) watch.due = true;
}

/** How long until the next look, a little different for every run so that they spread. */
function wait(row: RunState, { looks }: Watch): number {
  const spread =
    1 + (Array.from(row.runId).reduce((sum, character) => sum + (character.codePointAt(0) ?? 0), looks) % 10) / 100;
  return Math.round((WAITS_MS[looks] ?? WAIT_MOST_MS) * spread);
}

/** Looks at every run that is due, unless a look is under way. */
export function startLook(cx: Cx): void {
  const { state } = cx;
  if (state.looking === true) return;
  const runs = state.runs.due().flatMap((row): LookedFor[] => {
    const { runId, workflowId, kind } = row;
    const watch = watched(row);
    if (watch === undefined) return [];
    delete watch.due;
    delete watch.lookAt;
    return [{ runId, workflowId, epoch: epochOf(row), kind, closely: watch.silent === true }];
  });
  if (runs.length === 0) return;
  state.looking = true;
  cx.effects.push({ do: 'look', runs });
}

/** What a look has seen. A run that it did not come to is looked at again; one that failed altogether is repeated later. */
export function looked(cx: Cx, asked: readonly string[], sights: readonly Sight[] | undefined): void {
  const { state } = cx;
  delete state.looking;
  if (isOver(state)) return;
  for (const runId of asked) {
    const row = state.runs.get(runId);
    const watch = row === undefined ? undefined : watched(row);
    if (row === undefined || watch === undefined) continue;
    const sight = sights?.find((one) => one.runId === runId);
    if (sight === undefined) watch.lookAt = cx.now + AGAIN_MS;
    else see(cx, row, watch, sight);
  }
}

function see(cx: Cx, row: RunState, watch: Watch, sight: Sight): void {
  watch.lookedAt = cx.now;
  switch (sight.found) {
    case 'closed':
      settle(cx, row, sight.outcome);
      return;
    case 'nothing':
      watch.missed += 1;
      if (watch.missed >= LOST_AFTER) {
        giveUp(cx, row, 'lost');
        return;
      }
      break;
    case 'open':
      watch.missed = 0;
      seeOpen(cx, row, watch, sight);
      break;
    default:
      sight satisfies never;
  }
  if (!isLookedAt(row)) return;
  watch.looks = watch.missed === 1 ? 0 : watch.looks + 1;
  watch.lookAt = cx.now + wait(row, watch);
}

function seeOpen(cx: Cx, row: RunState, watch: Watch, { progress, attempt, movedAt, events, usage }: Seen): void {
  if (attempt !== undefined) row.attempt = attempt;
  if (progress !== undefined) seeProgress(row, progress, cx.now);
  if (movedAt !== undefined) moved(row, movedAt, cx.now);
  if (usage !== undefined) seeUsage(cx, row, usage);
  if (events !== undefined && events > (watch.events ?? 0)) {
    if (watch.events !== undefined) moved(row, cx.now, cx.now);
    watch.events = events;
  }
  if (watch.silent !== true) return;
  delete watch.silent;
  if ((silenceAt(row) ?? Infinity) <= dueBy(cx)) giveUp(cx, row, 'no_progress');
}
