/**
 * The end of a run as its starter records it, whoever says so: the run itself, Temporal, a look.
 *
 * A row settles once: the first `completed`, `failed` or `cancelled` wins and never changes. It is delivered in its finish slot,
 * unless the one who would be told has caused it.
 */
import { deliver } from '../delivery/slots.ts';
import { entryKey, rememberEnd } from '../log/dedupe.ts';
import { callOnFinish, callOnRunFinish } from './handlers.ts';
import { fitting } from '../state/json.ts';
import { emit } from '../log/events.ts';
import { takeMilestone } from './milestones.ts';
import { seeProgress } from './progress.ts';
import { dropRequests } from './requests.ts';
import { resultAsTold } from './result.ts';
import { KEPT_FORGOTTEN, KEPT_ROWS, MESSAGE_BYTES } from '../state/sizes.ts';
import {
  addUsage,
  isDone,
  iso,
  isOver,
  isSettled,
  isWaitedFor,
  type Cx,
  type Outcome,
  type RunState,
  type State,
} from '../state/state.ts';
import type { Milestone, Progress, Usage } from '../state/types.ts';

export interface Settled extends Outcome {
  usage?: Usage;
  progress?: Progress;
  milestones?: Milestone[];
  cancelled?: string[];
  resultRef?: string;
  preview?: string;
  /** What the run itself says, seen from outside: false when it knew that nobody hears it any more. */
  delivered?: boolean;
}

/** The run has ended, whoever says so: recorded once, delivered once. */
export function settle(cx: Cx, row: RunState, given: Settled): void {
  const { state } = cx;
  const settled: Settled =
    row.forced === true && given.reason === 'lost'
      ? { ...given, status: 'cancelled', reason: 'cancelled_by_user' }
      : given;
  if (isSettled(row) || isOver(state)) return;
  // It was told that this session is gone before it had ended, and has said so for ever.
  if (given.delivered === false && state.closing?.toTell !== undefined) return;
  for (const milestone of settled.milestones ?? []) takeMilestone(cx, row, milestone);
  shrink(row);
  row.status = settled.status;
  delete row.reason;
  delete row.childStillRunning;
  for (const field of [
    'graceAt',
    'movedAt',
    'silent',
    'lookAt',
    'looks',
    'due',
    'missed',
    'seenEvents',
    'lookedAt',
  ] as const)
    delete row[field];
  if (state.self !== undefined) state.self.movedAt = cx.now;
  if (settled.status === 'cancelled') {
    row.reason = row.cancelReason ?? settled.reason ?? 'cancelled_by_user';
    if (row.cancelRequestedAt === undefined) {
      // Asked for at the run itself, with Temporal's own cancel.
      row.cancelRequestedAt = iso(cx.now);
      emit(cx, 'run.cancel_requested', {
        runId: row.runId,
        agent: row.agent,
        label: row.label,
        reason: row.reason,
        comment: settled.comment,
        parentToolCallId: row.parentToolCallId,
      });
    }
  }
  if (settled.status === 'failed') row.reason = settled.reason ?? 'agent_error';
  const comment = settled.status === 'cancelled' ? (row.cancelComment ?? settled.comment) : undefined;
  if (comment !== undefined) row.comment = comment;
  row.settledAt = iso(cx.now);
  if (settled.error !== undefined && settled.status === 'failed') row.error = settled.error;
  if (settled.progress !== undefined) seeProgress(row, settled.progress, cx.now);
  if (settled.usage !== undefined) {
    row.usage = settled.usage;
    addUsage(state.usage, settled.usage);
  }
  if (settled.status === 'completed') keepResult(row, settled);
  if (settled.cancelled !== undefined && settled.cancelled.length > 0)
    row.cancelledBelow = fitting(settled.cancelled, MESSAGE_BYTES);
  rememberEnd(state.dedupe, entryKey('run', row.runId), row.status);
  emit(cx, 'run.settled', {
    runId: row.runId,
    agent: row.agent,
    label: row.label,
    status: row.status,
    reason: row.reason,
    comment: row.comment,
    error: row.error,
    resultRef: row.resultRef,
    usage: { ...row.usage },
    cancelled: row.cancelledBelow?.map((path) => `${row.runId}/${path}`),
    parentToolCallId: row.parentToolCallId,
    // What it was told and never read.
    unread: row.unread?.map((one) => one.messageId),
  });
  dropRequests(cx, row);
  callOnRunFinish(cx, row);
  callOnFinish(cx, row, { runId: row.runId, kind: 'finish' });
  delete row.unread;
  if (isWaitedFor(state, row.runId)) return;
  if (announced(row)) deliver(cx, row, { runId: row.runId, kind: 'finish' }, row.detached.notify);
  else row.delivery.finish.state = 'not_required';
  forgetOldRows(state);
}

/** What a run was asked with is not needed any more. */
export function shrink(row: RunState): void {
  delete row.request;
  delete row.inputBytes;
}

function keepResult(row: RunState, settled: Settled): void {
  const { result = null, preview = '', resultRef } = settled;
  Object.assign(row, resultRef === undefined ? resultAsTold(result, row.workflowId) : { preview, resultRef });
}

/** One announcement per fact: who caused a cancellation is not told of it again. */
function announced(row: RunState): boolean {
  if (row.detached.notify === 'silent') return false;
  return !(row.status === 'cancelled' && row.reason !== 'cancelled_by_user');
}

/** Rows of runs that settled long ago, with nothing left to deliver, shrink to what a receipt needs. */
function forgetOldRows(state: State): void {
  forgetAllBut(
    state,
    state.runs.filter((row) => isSettled(row) && isDone(row)),
    KEPT_ROWS,
  );
}

/** Forgets of these rows all but the last that settled. */
export function forgetAllBut(state: State, rows: readonly RunState[], kept: number): void {
  const surplus = rows.length - kept;
  if (surplus <= 0) return;
  const when = (row: RunState): number => Date.parse(row.settledAt ?? row.createdAt);
  for (const row of rows.toSorted((a, b) => when(a) - when(b)).slice(0, surplus)) forget(state, row);
}

export function forget(state: State, row: RunState): void {
  state.runs.splice(state.runs.indexOf(row), 1);
  if (!isSettled(row)) {
    rememberEnd(state.dedupe, entryKey('run', row.runId), row.status);
    return;
  }
  state.forgotten.push({
    ordinal: row.ordinal,
    runId: row.runId,
    status: row.status as 'completed' | 'failed' | 'cancelled',
    ...(row.reason === undefined ? {} : { reason: row.reason }),
    settledAt: row.settledAt ?? row.createdAt,
    forgotten: true,
  });
  if (state.forgotten.length > KEPT_FORGOTTEN) state.forgotten.splice(0, state.forgotten.length - KEPT_FORGOTTEN);
}
