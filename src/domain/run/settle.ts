/**
 * The end of a run as its starter records it, whoever says so: the run itself, Temporal, a look.
 *
 * A row settles once: the first `completed`, `failed` or `cancelled` wins and never changes. In this order: what it brings along is taken
 * as long as the run is still live; the row ends; the log says so; what waited for the run goes; handlers are called; the outcome is
 * delivered in its finish slot, unless the one who would be told has caused it.
 */
import { deliver } from '../delivery/slots.ts';
import { entryKey, rememberEnd } from '../log/dedupe.ts';
import { callOnFinish, callOnRunFinish } from './handlers.ts';
import { fitting } from '../state/json.ts';
import { emit } from '../log/events.ts';
import { takeMilestone } from './milestones.ts';
import { seeProgress, seeUsage } from './progress.ts';
import { dropRequests } from './requests.ts';
import { resultAsTold } from './result.ts';
import { dropWants } from './tokens.ts';
import { keyOf } from '../state/outbox.ts';
import { MESSAGE_BYTES } from '../state/sizes.ts';
import {
  begunOf,
  end,
  endedOf,
  isSettled,
  unsettledOf,
  type Cancellation,
  type Ended,
  type Notes,
  type Outcome,
  type RunState,
} from '../state/row.ts';
import { iso, isOver, isWaitedFor, type Cx, type State } from '../state/state.ts';
import type { Milestone, Progress, Usage } from '../state/types.ts';

/** `usage`: of the run and all below it. */
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
  const { runId } = row;
  if (isSettled(row) || isOver(state)) return;
  // It was told that this session is gone before it had ended, and has said so for ever.
  if (given.delivered === false && isToldGone(state)) return;
  const settled = asCaused(row, given);
  takeAlong(cx, row, settled);
  const { cancel, notes, unannounced } = unsettledOf(row) ?? {};
  if (settled.status === 'cancelled') recordCancelRequest(cx, row, cancel, settled);
  endRow(cx, row, settled, cancel);
  record(cx, row, notes);
  dropNotes(cx, row);
  dropRequests(cx, row);
  dropWants(cx, row);
  callOnRunFinish(cx, row);
  callOnFinish(cx, row, { runId, kind: 'finish' });
  // The call that waits for it takes it over.
  if (isWaitedFor(state, runId)) return;
  if (isAnnounced(row, unannounced)) deliver(cx, row, { runId, kind: 'finish' }, row.own.detached.notify);
  else row.delivery.finish.state = 'not_required';
}

/** That Temporal calls it terminated was our own doing. */
function asCaused(row: RunState, given: Settled): Settled {
  return begunOf(row)?.forced === true && given.reason === 'lost'
    ? { ...given, status: 'cancelled', reason: 'cancelled_by_user' }
    : given;
}

/** What its end brings along. */
function takeAlong(cx: Cx, row: RunState, { milestones = [], progress, usage }: Settled): void {
  for (const milestone of milestones) takeMilestone(cx, row, milestone);
  if (progress !== undefined) seeProgress(row, progress, cx.now);
  if (usage !== undefined) seeUsage(cx, row, usage);
  if (cx.state.self !== undefined) cx.state.self.movedAt = cx.now;
}

/** A cancellation that was asked for at the run itself, with Temporal's own cancel. */
function recordCancelRequest(cx: Cx, row: RunState, cancel: Cancellation | undefined, settled: Settled): void {
  if (row.cancelRequestedAt !== undefined) return;
  row.cancelRequestedAt = iso(cx.now);
  emit(cx, 'run.cancel_requested', {
    runId: row.runId,
    agent: row.agent,
    label: row.label,
    reason: cancelledBy(cancel, settled),
    comment: settled.comment,
    parentToolCallId: row.parentToolCallId,
  });
}

function cancelledBy(cancel: Cancellation | undefined, { reason }: Settled): string {
  return cancel?.reason ?? reason ?? 'cancelled_by_user';
}

function endRow(cx: Cx, row: RunState, settled: Settled, cancel: Cancellation | undefined): void {
  const ended: Ended = {};
  if (settled.cancelled !== undefined && settled.cancelled.length > 0)
    ended.cancelledBelow = fitting(settled.cancelled, MESSAGE_BYTES);
  delete row.reason;
  delete row.childStillRunning;
  row.settledAt = iso(cx.now);
  switch (settled.status) {
    case 'completed':
      keepResult(row, ended, settled);
      break;
    case 'failed':
      row.reason = settled.reason ?? 'agent_error';
      if (settled.error !== undefined) row.error = settled.error;
      break;
    case 'cancelled': {
      row.reason = cancelledBy(cancel, settled);
      const comment = cancel?.comment ?? settled.comment;
      if (comment !== undefined) row.comment = comment;
      break;
    }
    default:
      settled.status satisfies never;
  }
  end(row, settled.status, ended);
}

/** Whole, or its beginning and where the whole is read. */
function keepResult(
  row: RunState,
  ended: Ended,
  { result = null, preview = '', resultRef, finishReason }: Settled,
): void {
  const told = resultRef === undefined ? resultAsTold(result, row.workflowId) : { preview, resultRef };
  if ('result' in told) row.result = told.result;
  else {
    row.resultRef = told.resultRef;
    ended.preview = told.preview;
  }
  if (finishReason !== undefined) row.finishReason = finishReason;
}

function record(cx: Cx, row: RunState, notes: Notes | undefined): void {
  const { runId } = row;
  const below = endedOf(row)?.cancelledBelow;
  rememberEnd(cx.state.dedupe, entryKey('run', runId), row.status);
  emit(cx, 'run.settled', {
    runId,
    agent: row.agent,
    label: row.label,
    status: row.status,
    reason: row.reason,
    comment: row.comment,
    error: row.error,
    finishReason: row.finishReason,
    resultRef: row.resultRef,
    usage: { ...row.usage },
    cancelled: below?.map((path) => `${runId}/${path}`),
    parentToolCallId: row.parentToolCallId,
    // What it was told and never read.
    unread: notes === undefined || notes.unread.length === 0 ? undefined : notes.unread.map((one) => one.messageId),
  });
}

/** What it was still to be told nobody would hear. */
function dropNotes({ state: { outbox } }: Cx, { runId }: RunState): void {
  const entry = outbox.get(keyOf({ lane: 'notes', runId }));
  if (entry !== undefined) outbox.drop(entry);
}

/** One announcement per fact: who caused a cancellation is not told of it again. Of one that nobody is to be told of, nor however else it ends. */
function isAnnounced(row: RunState, unannounced: true | undefined): boolean {
  if (row.own.detached.notify === 'silent' || unannounced === true) return false;
  return !(row.status === 'cancelled' && row.reason !== 'cancelled_by_user');
}

/** True once the runs that go on have been told, or are being told, that nobody hears them any more. */
function isToldGone({ closing }: State): boolean {
  return closing !== undefined && closing.stage.is !== 'turn' && closing.stage.is !== 'runs';
}
