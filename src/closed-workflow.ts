/**
 * How a run has ended whose workflow Temporal has closed without the run's own word: read the same by the workflow that started it, by a
 * look from outside and by a client.
 */
import { ApplicationFailure, CancelledFailure, TerminatedFailure, TimeoutFailure } from '@temporalio/common';
import type { Outcome } from './domain/state/row.ts';
import { TEXT_CHARS } from './domain/state/sizes.ts';
import type { Failure } from './domain/state/types.ts';

const TYPE_CHARS = 256;

/**
 * @param cause of the error with which Temporal tells the end.
 * @param isCancelled Temporal calls it Canceled: a workflow that fails by a cancellation of its own making has failed.
 */
export function endInTemporal(cause: unknown, isCancelled = cause instanceof CancelledFailure): Outcome {
  if (cause instanceof TimeoutFailure)
    return {
      status: 'failed',
      reason: 'timed_out',
      error: { type: 'TimedOut', message: 'Temporal timed the run out.' },
    };
  if (isCancelled) return { status: 'cancelled', reason: 'cancelled_by_user' };
  return { status: 'failed', reason: 'lost', error: failureOf(cause) };
}

/** What was thrown, as it is kept: its type, at most 256 characters, and its message, at most 2,000. */
export function failureOf(thrown: unknown): Failure {
  const message = cut(thrown instanceof Error ? thrown.message : String(thrown));
  // Temporal says nothing where the operator has given no reason.
  if (thrown instanceof TerminatedFailure)
    return { type: 'Terminated', message: message === '' ? 'The workflow was terminated.' : message };
  const type = thrown instanceof ApplicationFailure ? thrown.type : thrown instanceof Error ? thrown.name : undefined;
  // What an operator fails by hand has an empty one.
  return { type: type === undefined || type === null || type === '' ? 'Error' : type.slice(0, TYPE_CHARS), message };
}

/** A message as it is kept. */
export function cut(text: string): string {
  return text.length > TEXT_CHARS ? text.slice(0, TEXT_CHARS).toWellFormed() : text;
}
