/** The calls of a step, custom tools' and those that wait: answered, failed, aborted, given up. */
import { findRequest } from '../run/requests.ts';
import { answerCall, pauseAfter, present, showCall } from './turn.ts';
import { isBegun, type ActiveTurn, type ToolCall } from '../state/turn.ts';
import { jsonBytes } from '../state/json.ts';
import { waitForName } from '../state/backoff.ts';
import { presentRun } from '../run/admission.ts';
import { isSettled } from '../state/row.ts';
import type { Cx } from '../state/state.ts';
import { refuse, type Failure, type Json, type Refusal } from '../state/types.ts';
import { stopWaiting, answerOf, type DetachReceipt } from './waits.ts';

const UNKNOWN_OUTCOME =
  'The outcome of this call is unknown: its worker was lost while it ran, and it must not run twice.';

const UNSEEN_OUTCOME =
  'The outcome of this call is unknown: it took longer than its timeoutMs allows, and it must not run twice.';

/** Answers the waiting calls whose fact has come. */
export function passWaits(cx: Cx): void {
  const { turn } = cx.state;
  if (turn?.phase !== 'tools') return;
  for (const call of turn.calls.filter((one) => one.state === 'waiting')) {
    const outcome = answerOf(cx, turn, call);
    if (outcome !== undefined) answerCall(cx, turn, call, outcome);
    else if (call.wait?.for === 'approval') makeApproved(cx, turn, call, call.wait.requestId);
  }
}

/** A call that a person has approved is made. */
function makeApproved({ state }: Cx, turn: ActiveTurn, call: ToolCall, requestId: string): void {
  const request = findRequest(state, requestId);
  if (request?.status !== 'approved') return;
  const { by, comment } = request;
  const who = by === undefined ? 'by a person' : `by ${by}`;
  const reason = comment === undefined ? `${who}.` : `${who}: ${comment}`;
  const approval = { id: requestId, approved: true, reason };
  showCall(turn, call.toolCallId, { state: 'approval-responded', approval });
  delete call.wait;
  call.state = 'ready';
}

/** The turn that waits for a run goes on; the run is not disturbed. */
export function detachRun(cx: Cx, { runId }: { runId: string }): DetachReceipt | Refusal {
  const { state } = cx;
  const { known, status } = presentRun(state, runId);
  if (!known) return refuse('UnknownRun', `Expected runId to name a run of this ${state.kind}, got "${runId}".`);
  const { turn } = state;
  const row = state.runs.get(runId);
  const call = turn?.calls.find((one) => one.wait?.for === 'settle' && one.wait.runId === runId);
  if (turn === null || row === undefined || call === undefined || isSettled(row))
    return { runId, status, deduplicated: true };
  answerCall(cx, turn, call, stopWaiting(cx, row, 'requested'));
  return { runId, status, deduplicated: false };
}

/**
 * A step that was given up so that the workflow could continue as new: it is taken again, and no attempt is used up. A call that must not
 * run twice is given up only where there is no later, and its outcome is unknown.
 */
export function stepAborted(cx: Cx, at: { turnId: string; step: number; toolCallId?: string }): void {
  const turn = present(cx, at.turnId, at.step);
  if (turn === undefined) return;
  if (turn.phase === 'model') turn.phase = 'ready';
  for (const call of turn.calls.slice()) {
    if (call.state !== 'running' || (at.toolCallId !== undefined && at.toolCallId !== call.toolCallId)) continue;
    if (call.policy.idempotent) call.state = 'ready';
    else if (call.policy.repairs === true) {
      call.state = 'ready';
      call.attempt += 1;
    } else
      answerCall(cx, turn, call, {
        errorText: UNKNOWN_OUTCOME,
        isUnknown: true,
        error: { type: 'OutcomeUnknown', message: UNKNOWN_OUTCOME },
      });
  }
}

function presentCall(turn: ActiveTurn | undefined, toolCallId: string, attempt: number): ToolCall | undefined {
  if (turn === undefined || turn.phase !== 'tools') return undefined;
  return turn.calls.find(
    (call) => call.toolCallId === toolCallId && call.attempt === attempt && call.state === 'running',
  );
}

export function toolAnswered(
  cx: Cx,
  at: { turnId: string; step: number; toolCallId: string; attempt: number },
  result: Json,
): void {
  const turn = present(cx, at.turnId, at.step);
  const call = presentCall(turn, at.toolCallId, at.attempt);
  if (turn !== undefined && call !== undefined) answerCall(cx, turn, call, { output: result });
}

/** Gives up the call with the largest input, since it cannot be carried any further; answers how large that was. */
export function giveUpLargestCall(cx: Cx, turn: ActiveTurn): number {
  const [largest] = turn.calls.toSorted((a, b) => jsonBytes(b.input) - jsonBytes(a.input));
  if (largest === undefined) return 0;
  answerCall(cx, turn, largest, {
    errorText: 'This call was given up before it had an answer, because its input was too large to be kept.',
    ...(isBegun(largest) ? { isUnknown: true } : {}),
  });
  return jsonBytes(largest.input);
}

/**
 * How a call of a custom tool failed.
 *
 * `threw`: the tool itself did, and its `retries` count unless that is `final`. `timed-out`: it took longer than its `timeoutMs`, which counts
 * too, and nobody has seen how it ended. `lost`: its worker was, which uses up no retry. `handed-back`: its worker has stopped in order,
 * which is not even a loss. `unknown`: the worker that took it does not have the tool, another one might; nothing has run.
 */
export type ToolFailure =
  | { how: 'threw'; error: Failure; isFinal: boolean }
  | { how: 'timed-out'; error: Failure }
  | { how: 'lost' }
  | { how: 'handed-back' }
  | { how: 'unknown'; error: Failure };

export function toolFailed(
  cx: Cx,
  at: { turnId: string; step: number; toolCallId: string; attempt: number },
  failure: ToolFailure,
): void {
  const turn = present(cx, at.turnId, at.step);
  const call = presentCall(turn, at.toolCallId, at.attempt);
  if (turn === undefined || call === undefined) return;
  if (failure.how === 'unknown' && waitForName(call, cx.now)) {
    call.state = 'backoff';
    return;
  }
  delete call.unknownSince;
  call.losses = failure.how === 'lost' ? call.losses + 1 : 0;
  if (!mayTryAgain(cx, call, failure)) {
    const errorText = errorTextOf(cx, call, failure);
    const isUnknown = leavesUnknown(failure);
    const error = errorOf(call, failure, errorText);
    answerCall(cx, turn, call, { errorText, error, ...(isUnknown ? { isUnknown } : {}) });
    return;
  }
  if (failure.how === 'threw' || failure.how === 'timed-out')
    call.policy = { ...call.policy, retries: call.policy.retries - 1 };
  call.state = 'backoff';
  call.retryAt = cx.now + pauseAfter(call.attempt);
  call.attempt += 1;
}

/** The same for others than a model. */
function errorOf({ policy }: ToolCall, failure: ToolFailure, message: string): Failure {
  switch (failure.how) {
    case 'threw':
    case 'unknown':
      return failure.error;
    case 'timed-out':
      return policy.idempotent ? failure.error : { type: 'OutcomeUnknown', message };
    case 'lost':
    case 'handed-back':
      return {
        type: policy.idempotent ? 'WorkerLost' : 'OutcomeUnknown',
        message: message.replace(/^WorkerLost: /u, ''),
      };
    default:
      return failure satisfies never;
  }
}

/** True when nobody knows whether the call has done what it was to do. */
function leavesUnknown(failure: ToolFailure): boolean {
  switch (failure.how) {
    case 'threw':
      return failure.error.type === 'OutcomeUnknown';
    case 'unknown':
      return false;
    case 'timed-out':
    case 'lost':
    case 'handed-back':
      return true;
    default:
      return failure satisfies never;
  }
}

function mayTryAgain(cx: Cx, call: ToolCall, failure: ToolFailure): boolean {
  const { state } = cx;
  const { policy, losses } = call;
  if (!policy.idempotent) return policy.repairs === true && mayBeRepaired(cx, call, failure);
  switch (failure.how) {
    case 'threw':
      return !failure.isFinal && policy.retries > 0;
    case 'timed-out':
      return policy.retries > 0;
    case 'lost':
      return losses < state.settings.limits.maxLosses;
    case 'handed-back':
      return true;
    case 'unknown':
      return false;
    default:
      return failure satisfies never;
  }
}

/** Nobody knows what came of it. The app is asked what to make of that, and by more than one worker if need be, as that does nothing twice. */
function mayBeRepaired({ state }: Cx, { attempt, losses }: ToolCall, { how }: ToolFailure): boolean {
  switch (how) {
    case 'lost':
      return losses < state.settings.limits.maxLosses;
    case 'handed-back':
      return true;
    case 'timed-out':
      return attempt === 1;
    case 'threw':
    case 'unknown':
      return false;
    default:
      return how satisfies never;
  }
}

/** What the model reads of a call that is not tried again. */
function errorTextOf({ state }: Cx, { policy }: ToolCall, failure: ToolFailure): string {
  switch (failure.how) {
    case 'threw':
    case 'unknown':
      return failure.error.message;
    case 'timed-out':
      return policy.idempotent ? failure.error.message : UNSEEN_OUTCOME;
    case 'lost':
    case 'handed-back':
      return policy.idempotent
        ? `WorkerLost: This call took ${state.settings.limits.maxLosses} workers with it, one after another, and is not tried again (limits.maxLosses).`
        : UNKNOWN_OUTCOME;
    default:
      return failure satisfies never;
  }
}
