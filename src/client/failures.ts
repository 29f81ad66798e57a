/** Failures as they come from Temporal, as the classes of `errors.ts`. */
import { QueryNotRegisteredError, WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { ASK_AGAIN } from '../contract.ts';
import { errorOfType, InvalidInput, isErrorType, SessionClosed, Unavailable } from '../errors.ts';
import { FAILED_PRECONDITION, serverError } from './server-codes.ts';

/** What the server says of an update that it has not recorded. */
const CUT_OFF =
  /workflow execution already completed|workflow was continued as new|workflow is closing|due to unexpected workflow task failure|workflow update was aborted|concurrent in-flight updates/iu;

/** What an update is answered that was accepted by an execution which ended with it, and one that no worker has taken with its task. */
const NOT_DONE = ['AcceptedUpdateCompletedWorkflow', 'UnprocessedUpdate'];

/** A query of a workflow that does not answer at this moment. */
export function cameAtABadMoment(error: unknown): boolean {
  return error instanceof QueryNotRegisteredError && error.message.includes(ASK_AGAIN);
}

/** The refusal or the typed failure behind an error; any other error as it is. */
export function typed(error: unknown, sessionId: string): unknown {
  const cause = error instanceof WorkflowUpdateFailedError ? error.cause : error;
  if (cause instanceof ApplicationFailure && isErrorType(cause.type)) return errorOfType(cause.type, cause.message);
  if (cameAtABadMoment(error))
    return new Unavailable(`Expected "${sessionId}" to answer by now, got no answer: it is busy; ask again.`);
  // What a query throws comes back without its type, and a session knows every query of its client.
  if (error instanceof QueryNotRegisteredError) return new InvalidInput(error.message);
  if (error instanceof WorkflowNotFoundError)
    return new SessionClosed(`Expected an open session, got "${sessionId}", which is closed or does not exist.`);
  return error;
}

/** An update that the end of an execution or of a workflow task cut off before it was recorded; it can be sent again. */
export function cutOff(error: unknown): boolean {
  if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure)
    return NOT_DONE.includes(String(error.cause.type));
  const server = serverError(error);
  return server !== undefined && (server.code === FAILED_PRECONDITION || CUT_OFF.test(server.message));
}
