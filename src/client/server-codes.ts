/** What the server's refusals mean, by their gRPC code. */
import { isGrpcServiceError } from '@temporalio/client';

export const CANCELLED = 1;
export const INVALID_ARGUMENT = 3;
export const NOT_FOUND = 5;
/** Of an update: its workflow task was rejected, as something came while the execution ended. */
export const FAILED_PRECONDITION = 9;

const DEADLINE_EXCEEDED = 4;
export const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const ABORTED = 10;
const UNAVAILABLE = 14;
export const UNAUTHENTICATED = 16;

/** Asking again later may help. */
export const PASSING: readonly number[] = [
  CANCELLED,
  DEADLINE_EXCEEDED,
  RESOURCE_EXHAUSTED,
  FAILED_PRECONDITION,
  ABORTED,
  UNAVAILABLE,
];

/** No worker has answered: it was cancelled at the deadline, the deadline has passed, or no poller was seen. */
const UNANSWERED: readonly number[] = [CANCELLED, DEADLINE_EXCEEDED, FAILED_PRECONDITION];

export interface ServerError {
  readonly code: number;
  readonly message: string;
  readonly details?: string;
}

/** The server's own error, which the client wraps. */
export function serverError(error: unknown): ServerError | undefined {
  if (isGrpcServiceError(error)) return error;
  return error instanceof Error && isGrpcServiceError(error.cause) ? error.cause : undefined;
}

/** What is sent is larger than the server takes, or what is read than gRPC carries, and is so each time; the first is said by the server alone. */
const TOO_LARGE = /\bmessage larger than max\b/iu;
const SENT_TOO_LARGE = /grpc: received message larger than max/iu;

/** Sent again it would be refused again. */
export function isTooLarge({ code, message }: ServerError): 'sent' | 'read' | undefined {
  if (code !== RESOURCE_EXHAUSTED || !TOO_LARGE.test(message)) return undefined;
  return SENT_TOO_LARGE.test(message) ? 'sent' : 'read';
}

function codeOf(error: unknown): number {
  return serverError(error)?.code ?? 0;
}

/** No worker has answered, as far as the server can say. */
export function isUnanswered(error: unknown): boolean {
  return UNANSWERED.includes(codeOf(error));
}

/** The server itself could not be reached just now. */
export function isUnavailable(error: unknown): boolean {
  return codeOf(error) === UNAVAILABLE;
}

/** What gRPC says of a call that has found no server. */
const NO_SERVER =
  /no connection established|name resolution failed|no addresses resolved|waiting for (?:lb pick|name resolution)/iu;
/** And of one that its deadline has kept from looking for any. */
const NOT_TRIED = /waiting for metadata filters/iu;

/**
 * No server has been reached, so that none can be asked anything else.
 *
 * @param before whether that was so of the call before: one whose time is over says nothing of the server by itself.
 */
export function isUnreached(error: unknown, before = false): boolean {
  const server = serverError(error);
  if (server === undefined || (server.code !== UNAVAILABLE && server.code !== DEADLINE_EXCEEDED)) return false;
  return NO_SERVER.test(server.message) || (before && NOT_TRIED.test(server.message));
}

/** Asking again will not help: whoever asks may not. */
export function isForbidden(error: unknown): boolean {
  const code = codeOf(error);
  return code === PERMISSION_DENIED || code === UNAUTHENTICATED;
}

/** There is no such workflow, or no longer. */
export function isNotFound(error: unknown): boolean {
  return codeOf(error) === NOT_FOUND;
}

/** What was not found is the namespace; Temporal's client tells it apart for some of the calls only. */
export function isOfNamespace(error: unknown): boolean {
  return isNotFound(error) && /\bNamespace .+ is not found/u.test(serverError(error)?.message ?? '');
}
