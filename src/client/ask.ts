/** A query, asked again when it came in the one moment in which a workflow does not answer: see docs/design.md, "Queries". */
import { QueryNotRegisteredError, type WorkflowHandle } from '@temporalio/client';
import { ASK_AGAIN } from '../contract.ts';

/** The answer waits for the workflow task from then on, so that twice is once more than needed. */
const MOST_TIMES = 5;

export async function ask<T>(handle: Pick<WorkflowHandle, 'query'>, name: string, argument: unknown = {}): Promise<T> {
  for (let times = 1; ; times++) {
    try {
      return await handle.query<T, [unknown]>(name, argument);
    } catch (error) {
      if (times === MOST_TIMES || !(error instanceof QueryNotRegisteredError) || !error.message.includes(ASK_AGAIN))
        throw error;
    }
  }
}
