/**
 * A query, asked again where it only came at a bad moment: while a workflow does not answer (docs/design.md, "Queries"), or when the
 * worker that it was handed to was lost with it.
 */
import { QueryNotRegisteredError, type WorkflowHandle } from '@temporalio/client';
import { ASK_AGAIN } from '../contract.ts';
import { CANCELLED, serverError } from './server-codes.ts';

/** The answer waits for the workflow task from then on, so that twice is once more than needed. */
const MOST_TIMES = 5;

export async function ask<T>(handle: Pick<WorkflowHandle, 'query'>, name: string, argument: unknown = {}): Promise<T> {
  for (let times = 1; ; times++) {
    try {
      return await handle.query<T, [unknown]>(name, argument);
    } catch (error) {
      if (times === MOST_TIMES || !mayAskAgain(error)) throw error;
    }
  }
}

function mayAskAgain(error: unknown): boolean {
  if (error instanceof QueryNotRegisteredError) return error.message.includes(ASK_AGAIN);
  const server = serverError(error);
  // By the server, not by whoever asks: then it says "Cancelled on client".
  return server?.code === CANCELLED && server.message.includes('context canceled');
}
