/** Errors on their way out of an activity: cut, and without any configured secret. Stacks stay in the worker. */
import { ApplicationFailure, CancelledFailure } from '@temporalio/activity';
import { HANDED_BACK, UNKNOWN_HERE } from '../src/contract.ts';
import { TEXT_CHARS } from '../src/domain/state/sizes.ts';
import { messageOf } from './fit.ts';
import type { Registry } from './registry.ts';

const RESERVED: readonly string[] = [HANDED_BACK, UNKNOWN_HERE];

export interface Outgoing {
  /** Trying again would change nothing. Default: what `isFinal` says of the error. */
  nonRetryable?: boolean;
  type?: string;
  /** Instead of what the error says. */
  message?: string;
  details?: unknown;
}

/** True of what its thrower says not to try again. */
export function isFinal(error: unknown): boolean {
  return error instanceof ApplicationFailure && error.nonRetryable === true;
}

/** The failure that stands in history for an error. */
export function outgoing(
  registry: Registry,
  error: unknown,
  { nonRetryable = isFinal(error), type, message, details }: Outgoing = {},
): ApplicationFailure {
  const thrown =
    type ??
    (error instanceof ApplicationFailure ? error.type : undefined) ??
    (error instanceof Error ? error.name : 'Error');
  // These say that nothing has run, which only the runtime knows.
  const name = RESERVED.includes(thrown) ? 'Error' : thrown;
  const text = registry.redact(message ?? messageOf(error));
  const cut = text.length > TEXT_CHARS ? `${text.slice(0, TEXT_CHARS - 1).toWellFormed()}…` : text;
  const failure = ApplicationFailure.create({
    message: cut,
    type: name.slice(0, 256),
    nonRetryable,
    details: details === undefined ? [] : [details],
  });
  failure.stack = `${name}: ${cut}`;
  return failure;
}

/** True when the activity was told to end because its worker stops, not because anybody cancelled it. */
export function isShutdown(signal: AbortSignal): boolean {
  const reason: unknown = signal.reason;
  return signal.aborted && reason instanceof CancelledFailure && reason.message === 'WORKER_SHUTDOWN';
}

/** What a worker that stops answers: somebody else is to do it; nobody failed. */
export function handedBack(): ApplicationFailure {
  return ApplicationFailure.retryable('The worker stopped before this was done; another one takes it up.', HANDED_BACK);
}
