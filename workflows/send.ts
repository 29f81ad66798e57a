/** Signals to other workflows: to the newest execution of an id, again when the server refuses, and knowing when nobody is there. */
import { getExternalWorkflowHandle, sleep } from '@temporalio/workflow';
import { backoff } from '../src/domain/state/backoff.ts';
import { jsonBytes } from '../src/domain/state/json.ts';
import { atHome } from './here.ts';
import { isGone } from './failures.ts';
import type { Stage } from './stage.ts';

export const ONCE = 1;
export const FEW = 5;
export const ALWAYS = Number.POSITIVE_INFINITY;
const SEND_BACKOFF_MS = 1000;
const SEND_BACKOFF_MOST_MS = 60_000;

/** Signals another workflow, the newest execution of its id; backs off when the server refuses it. */
export async function send(
  stage: Stage,
  workflowId: string,
  name: string,
  about: object,
  attempts: number,
): Promise<'sent' | 'gone' | 'refused'> {
  const argument = { v: 1, ...about };
  const bytes = jsonBytes(argument);
  for (let attempt = 1; ; attempt++) {
    const room = stage.outgoing.admit(bytes);
    if (room !== undefined) await room;
    try {
      await atHome(async () => getExternalWorkflowHandle(workflowId).signal(name, argument));
      return 'sent';
    } catch (error) {
      if (isGone(error)) return 'gone';
      if (attempt >= attempts) return 'refused';
      const wait = backoff(attempt, SEND_BACKOFF_MS, SEND_BACKOFF_MOST_MS);
      await atHome(async () => sleep(wait, { summary: `retry of ${name}` }));
    }
  }
}
