/** What Temporal's failures mean to the domain. */
import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  ChildWorkflowFailure,
  isCancellation,
  TimeoutFailure,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  HANDED_BACK,
  UNKNOWN_HERE,
  type Failure,
  type ModelHeartbeat,
  type Progress,
  type Refusal,
  type TaskHeartbeat,
} from '../src/contract.ts';
import { cut, endInTemporal, failureOf as failureOfThrown } from '../src/closed-workflow.ts';
import type { Outcome } from '../src/domain/state/row.ts';
import type { StepFailure } from '../src/domain/turn/model-step.ts';
import type { ToolFailure } from '../src/domain/turn/tool-calls.ts';

/** What an activity throws on purpose carries these details. */
interface Details {
  maxAttempts?: number;
  retryAfterMs?: number;
  statusCode?: number;
  progress?: Progress;
  checkpoint?: unknown;
}

function causeOf(error: unknown): unknown {
  return error instanceof ActivityFailure || error instanceof ChildWorkflowFailure ? error.cause : error;
}

function detailsOf(error: unknown): Details {
  const cause = causeOf(error);
  const details =
    cause instanceof ApplicationFailure || cause instanceof CancelledFailure
      ? (cause.details?.[0] as Details | null | undefined)
      : undefined;
  return details ?? {};
}

export function failureOf(error: unknown): Failure {
  return failureOfThrown(causeOf(error));
}

/** Losing a worker and running out of an attempt's time are retried; what the activity threw says itself whether it may be. */
export function stepFailure(error: unknown): StepFailure {
  const cause = causeOf(error);
  const unknown = unknownHere(error);
  if (unknown !== undefined) return { how: 'unknown', error: unknown };
  if (cause instanceof TimeoutFailure) return { how: 'lost', said: saidBefore(cause.lastHeartbeatDetails) };
  const { maxAttempts, retryAfterMs, statusCode } = detailsOf(error);
  const failure = {
    ...failureOf(error),
    ...(statusCode !== undefined && Number.isInteger(statusCode) ? { statusCode } : {}),
  };
  if (cause instanceof ApplicationFailure && cause.nonRetryable === true) return { how: 'final', error: failure };
  return {
    how: 'failed',
    error: failure,
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

/** How many characters had come of the answer. Whatever a heartbeat carries may be an operator's or another build's. */
function saidBefore(details: unknown): number {
  const { parts } = (details ?? {}) as Partial<ModelHeartbeat>;
  if (!Array.isArray(parts)) return 0;
  return parts.reduce((sum, part: unknown) => {
    const { text } = (part ?? {}) as { text?: unknown };
    return sum + (typeof text === 'string' ? text.length : 0);
  }, 0);
}

/** A worker that stopped handed the step back undone, or one that passes on what an operator does has called it off. */
export function isHandedBack(error: unknown): boolean {
  const cause = causeOf(error);
  return cause instanceof ApplicationFailure && (cause.type === HANDED_BACK || isByOperator(cause));
}

/** What the SDK says of an activity that has ended because an operator paused or reset it: nothing that it did itself. */
function isByOperator({ type }: ApplicationFailure): boolean {
  return type === 'ActivityPause' || type === 'ActivityReset';
}

/** No worker has the handler: calling it again would change nothing. */
export function isKnownNowhere(error: unknown): boolean {
  const cause = causeOf(error);
  return cause instanceof ApplicationFailure && cause.nonRetryable === true && cause.type === 'UnknownHandler';
}

/** A worker gave something back because it does not know the name in it; the failure that it is if nobody does. */
export function unknownHere(error: unknown): Failure | undefined {
  const cause = causeOf(error);
  if (!(cause instanceof ApplicationFailure) || cause.type !== UNKNOWN_HERE) return undefined;
  const [type] = cause.details ?? [];
  return { type: typeof type === 'string' ? type.slice(0, 256) : 'UnknownAgent', message: cut(cause.message) };
}

const TIMED_OUT: Failure = { type: 'ToolTimedOut', message: 'The tool took longer than its timeoutMs allows.' };

export function toolFailure(error: unknown): ToolFailure {
  const cause = causeOf(error);
  const unknown = unknownHere(error);
  if (unknown !== undefined) return { how: 'unknown', error: unknown };
  if (isHandedBack(error)) return { how: 'handed-back' };
  // Out of its own time: that is the tool's doing, unlike the loss of its worker.
  if (cause instanceof TimeoutFailure && cause.timeoutType === 'START_TO_CLOSE')
    return { how: 'timed-out', error: TIMED_OUT };
  return cause instanceof ApplicationFailure
    ? { how: 'threw', error: failureOf(error), isFinal: cause.nonRetryable === true }
    : { how: 'lost' };
}

export function taskFailure(error: unknown): {
  failure: Failure & { reason?: string };
  progress: Progress | undefined;
  checkpoint: unknown;
} {
  const cause = causeOf(error);
  const { progress, checkpoint } =
    cause instanceof TimeoutFailure ? ((cause.lastHeartbeatDetails ?? {}) as Partial<TaskHeartbeat>) : detailsOf(error);
  return {
    failure: { ...failureOf(error), ...(cause instanceof TimeoutFailure ? { reason: 'timed_out' } : {}) },
    progress,
    checkpoint,
  };
}

/** An activity that was asked to stop, or whose worker was lost meanwhile: nothing that it did itself. */
export function isAborted(error: unknown): boolean {
  return isCancellation(error) || causeOf(error) instanceof TimeoutFailure || isHandedBack(error);
}

/** How the workflow of a `workflow:` run ended that did not complete. `isItsOwn`: Temporal says that it has failed, and nothing else. */
export function workflowFailure(error: unknown, isItsOwn: boolean): Failure & { reason?: string } {
  if (error instanceof WorkflowExecutionAlreadyStartedError)
    return { type: 'StartFailed', message: `The workflow ${error.workflowId} exists already.`, reason: 'start_failed' };
  // What it threw is its own error, a cancellation that nobody has asked for too; everything else happened to it.
  if (isItsOwn) return failureOf(error);
  const { error: failure = { type: 'Cancelled', message: 'The workflow was cancelled.' }, reason } = endOfChild(error);
  return { ...failure, ...(reason === undefined ? {} : { reason }) };
}

/** What a workflow has thrown on purpose is a failure whatever else is known of it. */
export function isThrown(error: unknown): boolean {
  return causeOf(error) instanceof ApplicationFailure;
}

/** How a run ended whose workflow Temporal closed without a settle. */
export function endOfChild(error: unknown): Outcome {
  return endInTemporal(causeOf(error));
}

/** A refusal as the failure that a client, the CLI or any SDK sees. */
export function refusal({ refused, message }: Refusal): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, refused);
}

/** True when the workflow that a signal was for is closed or never was. */
export function isGone(error: unknown): boolean {
  return error instanceof ApplicationFailure && error.type === 'ExternalWorkflowExecutionNotFound';
}
