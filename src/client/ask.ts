/**
 * A query, asked again where it only came at a bad moment: while a workflow does not answer (docs/design.md, "Queries"), or when the
 * worker that it was handed to was lost with it.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { backoff } from '../domain/state/backoff.ts';
import { cameAtABadMoment } from './failures.ts';
import { checkSent } from './sent.ts';
import { CANCELLED, serverError } from './server-codes.ts';

/** Of a query whose worker was lost: another one has it by then. */
const MOST_TIMES = 5;
/** Of one that came at a bad moment, as while a stopped worker has the task, which times out after ten seconds; some fourteen seconds. */
const MOST_MOMENTS = 32;
const FIRST_MS = 10;
const LONGEST_MS = 500;

/** @throws InvalidInput for an argument that is not sent. */
export async function ask<T>(handle: Pick<WorkflowHandle, 'query'>, name: string, argument: unknown = {}): Promise<T> {
  checkSent(argument);
  for (let times = 1; ; times++) {
    try {
      return await handle.query<T, [unknown]>(name, argument);
    } catch (error) {
      if (cameAtABadMoment(error) && times < MOST_MOMENTS) await pause(backoff(times, FIRST_MS, LONGEST_MS));
      else if (times >= MOST_TIMES || !workerWasLost(error)) throw error;
    }
  }
}

function workerWasLost(error: unknown): boolean {
  const server = serverError(error);
  // By the server, not by whoever asks: then it says "Cancelled on client".
  return server?.code === CANCELLED && server.message.includes('context canceled');
}
