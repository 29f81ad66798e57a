/**
 * Failures as they come from Temporal, as the classes of `errors.ts`: nothing else leaves the client. The sentence says which server and which
 * namespace, as what is wrong is as often there as with what was asked for.
 */
import {
  QueryNotRegisteredError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  type Client,
  type WorkflowExecutionDescription,
} from '@temporalio/client';
import { ApplicationFailure, NamespaceNotFoundError } from '@temporalio/common';
import { ASK_AGAIN } from '../contract.ts';
import { truncate } from '../domain/state/text.ts';
import {
  errorOfType,
  Forbidden,
  Internal,
  InvalidInput,
  isErrorType,
  OutliveError,
  SessionClosed,
  Unauthorized,
  Unavailable,
  UnknownSession,
} from '../errors.ts';
import { describe, isOpen, isOurs, whyOf } from './describe.ts';
import {
  FAILED_PRECONDITION,
  INVALID_ARGUMENT,
  isOfNamespace,
  isTooLarge,
  isUnreached,
  NOT_FOUND,
  PASSING,
  PERMISSION_DENIED,
  serverError,
  UNAUTHENTICATED,
  type ServerError,
} from './server-codes.ts';

const DETAIL_CHARS = 300;

/** What the server says of an update that it has not recorded. */
const CUT_OFF =
  /workflow execution already completed|workflow was continued as new|workflow is closing|due to unexpected workflow task failure|workflow update was aborted|concurrent in-flight updates/iu;

/** What an update is answered that was accepted by an execution which ended with it, and one that no worker has taken with its task. */
const NOT_DONE = ['AcceptedUpdateCompletedWorkflow', 'UnprocessedUpdate'];

/** A query of a workflow that does not answer at this moment. */
export function cameAtABadMoment(error: unknown): boolean {
  return error instanceof QueryNotRegisteredError && error.message.includes(ASK_AGAIN);
}

/** What the work comes to; whatever it throws is one of the failures of the contract. `sessionId`: of whom something was asked. */
export async function orFailure<T>(client: Client, sessionId: string | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw await failureOf(client, sessionId, error);
  }
}

/** The failure of the contract behind an error. */
export async function failureOf(client: Client, sessionId: string | undefined, error: unknown): Promise<OutliveError> {
  const known = told(error);
  if (known !== undefined) return known;
  // Of a session the server is asked what has become of it.
  const isOfSession = [WorkflowNotFoundError, QueryNotRegisteredError, WorkflowUpdateFailedError].some(
    (one) => error instanceof one,
  );
  if (sessionId !== undefined && isOfSession) {
    const found = await whyOf(client, async () => ({ description: await describe(client, sessionId) }));
    if (found !== undefined) return ofSession(client, sessionId, error, found.description);
  }
  return because(error, ofServer(client, error));
}

/** What says itself what it is. */
function told(error: unknown): OutliveError | undefined {
  if (error instanceof OutliveError) return error;
  const cause = error instanceof WorkflowUpdateFailedError ? error.cause : error;
  if (cause instanceof ApplicationFailure && isErrorType(cause.type)) return errorOfType(cause.type, cause.message);
  // What a query throws comes back without its type.
  if (error instanceof QueryNotRegisteredError && error.message.startsWith('Expected '))
    return new InvalidInput(error.message);
  return undefined;
}

async function ofSession(
  client: Client,
  sessionId: string,
  error: unknown,
  description: WorkflowExecutionDescription | undefined,
): Promise<OutliveError> {
  if (description === undefined || !isOurs(description))
    return because(error, unknownSession(client, sessionId, description));
  const got = quoted(client, sessionId);
  const refused = await refusedStart(client, description).catch(() => undefined);
  if (error instanceof QueryNotRegisteredError && refused !== undefined) return refused;
  if (isOpen(description) || error instanceof QueryNotRegisteredError) return because(error, ofServer(client, error));
  const how = refused === undefined ? ENDS[description.status.name] : `failed at its start: ${refused.message}`;
  const sentence = `Expected an open session, got ${got}, which ${how ?? 'is closed'}`;
  return because(error, new SessionClosed(sentence.endsWith('.') ? sentence : `${sentence}.`));
}

/** What has the id of a session, if anything has, is none. */
export function unknownSession(
  client: Client,
  sessionId: string,
  description: WorkflowExecutionDescription | undefined,
): UnknownSession {
  const what =
    description === undefined || isOurs(description)
      ? 'none'
      : `a workflow of type "${truncate(description.type, DETAIL_CHARS)}"`;
  return new UnknownSession(`Expected the id of a session, got ${quoted(client, sessionId)}, which is ${what}.`);
}

function quoted(client: Client, sessionId: string): string {
  return `"${truncate(sessionId, DETAIL_CHARS)}" (${placeOf(client)})`;
}

const ENDS: Record<string, string> = { TERMINATED: 'was terminated', TIMED_OUT: 'was timed out by Temporal' };

/** Why a session took nothing: what its start was refused with; nothing of one that took its start, or is open. */
export async function refusedStart(
  client: Client,
  { workflowId, runId, type, status }: WorkflowExecutionDescription,
): Promise<OutliveError | undefined> {
  if (type !== 'session' || status.name !== 'FAILED') return undefined;
  try {
    await client.workflow.getHandle(workflowId, runId).result();
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    return told(error.cause);
  }
  return undefined;
}

/** What is left is the server's, or that of what lies between. */
function ofServer(client: Client, error: unknown): OutliveError {
  const place = placeOf(client);
  if (error instanceof NamespaceNotFoundError || isOfNamespace(error))
    return new Unavailable(
      `Expected a namespace that Temporal at ${addressOf(client)} has, got "${client.options.namespace}".`,
    );
  const server = serverError(error);
  const detail = detailOf(server ?? error);
  if (server !== undefined) return ofCode(server, place, detail);
  if (error instanceof QueryNotRegisteredError)
    return cameAtABadMoment(error)
      ? new Unavailable(`Expected the workflow to answer by now (${place}), got no answer: it is busy; ask again.`)
      : new InvalidInput(`Expected what the workflow takes (${place}), got ${detail}.`);
  if (error instanceof WorkflowNotFoundError)
    return new Unavailable(`Expected the workflow to take what it was sent (${place}), got ${detail}.`);
  if (error instanceof WorkflowUpdateFailedError)
    return cutOff(error)
      ? new Unavailable(`Expected the session to answer before it went on elsewhere (${place}), got ${detail}.`)
      : new Internal(`Expected the session to answer (${place}), got ${detail}.`);
  return new Internal(`Expected to write and read what Temporal carries (${place}), got ${detail}.`);
}

function ofCode(server: ServerError, place: string, detail: string): OutliveError {
  const tooLarge = isTooLarge(server);
  if (tooLarge === 'sent') return new InvalidInput(`Expected what Temporal carries (${place}), got ${detail}.`);
  if (tooLarge === 'read') return new Internal(`Expected an answer that Temporal carries (${place}), got ${detail}.`);
  if (isUnreached(server))
    return new Unavailable(
      `Expected Temporal to answer (${place}), got no connection: nothing answers at that address (${detail}).`,
    );
  const { code } = server;
  switch (code) {
    case PERMISSION_DENIED:
      return new Forbidden(`Expected Temporal to grant access (${place}), got ${detail}.`);
    case UNAUTHENTICATED:
      return new Unauthorized(`Expected Temporal to know who asks (${place}), got ${detail}.`);
    case INVALID_ARGUMENT:
      return new InvalidInput(`Expected what Temporal takes (${place}), got ${detail}.`);
    case NOT_FOUND:
      return new Unavailable(`Expected Temporal to find what was asked for (${place}), got ${detail}.`);
    default:
      if (PASSING.includes(code)) return new Unavailable(`Expected Temporal to answer (${place}), got ${detail}.`);
      return new Internal(`Expected Temporal to do what was asked for (${place}), got ${detail}.`);
  }
}

function because<E extends OutliveError>(error: unknown, failure: E): E {
  return Object.defineProperty(failure, 'cause', { value: error, configurable: true, writable: true });
}

/** On one line, without what gRPC puts around it. */
function detailOf(error: unknown): string {
  const { details, cause } = error as { details?: unknown; cause?: unknown };
  const inner = error instanceof Error && cause instanceof Error && serverError(error) === undefined ? cause : error;
  const text = typeof details === 'string' && details !== '' ? details : inner instanceof Error ? inner.message : inner;
  const whole = String(text).replaceAll(/\s+/gu, ' ').trim();
  // gRPC wraps what has really happened, and has a note that may be empty.
  const line =
    /^No connection established\. Last error: (?:Error: )?(.*)\. Resolution note:/u.exec(whole)?.[1] ?? whole;
  return JSON.stringify(truncate(line === '' ? 'nothing' : line, DETAIL_CHARS));
}

/** Which server it is about, and which namespace. */
export function placeOf(client: Client): string {
  return `namespace "${client.options.namespace}" at ${addressOf(client)}`;
}

export function addressOf({ connection }: Client): string {
  const { options } = connection as { options?: { address?: string } };
  return options?.address ?? 'the configured address';
}

/** An update that the end of an execution or of a workflow task cut off before it was recorded; it can be sent again. */
export function cutOff(error: unknown): boolean {
  if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure)
    return NOT_DONE.includes(String(error.cause.type));
  const server = serverError(error);
  return server !== undefined && (server.code === FAILED_PRECONDITION || CUT_OFF.test(server.message));
}
