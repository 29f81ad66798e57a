/** Milestones of a run as its starter takes them: each number once, in order; the first of each watched name is delivered. */
import { begunOf, isSettled, type RunState } from '../state/row.ts';
import { deliver } from '../delivery/slots.ts';
import { callOnFinish } from './handlers.ts';
import { milestoneKey } from '../state/ids.ts';
import { emit } from '../log/events.ts';
import { moved } from './progress.ts';
import { liveBytes } from '../log/capacity.ts';
import { HOOK_BYTES, LIVE_BYTES, MAX_MILESTONES, MAX_WATCHED, WATCHED_BYTES } from '../state/sizes.ts';
import { instant, isOver, type Cx } from '../state/state.ts';
import type { Milestone } from '../state/types.ts';

/** The number of the last milestone that was taken, also when it was shed since. */
export function lastNumber(row: Readonly<RunState>): number {
  return Math.max(row.milestones.at(-1)?.n ?? 0, row.own.lastMilestone ?? 0);
}

export function takeMilestone(cx: Cx, row: RunState, given: Milestone): void {
  const { state } = cx;
  if (isOver(state) || isSettled(row) || given.n <= lastNumber(row) || row.milestones.length >= MAX_MILESTONES) return;
  const milestone: Milestone = {
    n: given.n,
    name: given.name,
    at: instant(given.at, cx.now),
    ...(given.data === undefined ? {} : { data: given.data }),
  };
  row.milestones.push(milestone);
  moved(row, cx.now, cx.now);
  delete begunOf(row)?.watch.silent;
  emit(cx, 'run.milestone', {
    runId: row.runId,
    n: milestone.n,
    name: milestone.name,
    data: milestone.data,
    parentToolCallId: row.parentToolCallId,
  });
  const watch = row.own.detached.onMilestones;
  if (watch === undefined || (watch.names !== '*' && !watch.names.includes(milestone.name))) return;
  row.delivery.milestones ??= {};
  const slots = row.delivery.milestones;
  if (Object.hasOwn(slots, milestone.name)) return;
  if (watch.names === '*') {
    // Names that nobody listed were not counted when the run was accepted.
    const bytes =
      2 * milestone.name.length + WATCHED_BYTES + (row.own.detached.onFinish === undefined ? 0 : HOOK_BYTES);
    if (Object.keys(slots).length >= MAX_WATCHED || liveBytes(state) + bytes > LIVE_BYTES) return;
    row.own.bytes += bytes;
  }
  slots[milestone.name] = { key: milestoneKey(state.workflowId, row.runId, milestone.name), state: 'pending' };
  callOnFinish(cx, row, { runId: row.runId, kind: 'milestone', name: milestone.name });
  deliver(cx, row, { runId: row.runId, kind: 'milestone', name: milestone.name }, watch.mode);
}
