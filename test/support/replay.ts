/** Replays a history with the workflow code of the present test run. */
import { readFileSync } from 'node:fs';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { inject } from 'vitest';
import type { Client } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import type { DataConverter } from '@temporalio/common';
import { dataConverterOf } from '../../src/data-converter.ts';
import { executionsOf } from './histories.ts';

try {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
} catch {
  // Installed by another file of this process.
}

/** Rejects when the code does something else than the history says. Ids of runs are made from the workflow's own id, so a replay needs the real one. */
export async function replay(
  history: unknown,
  workflowId: string,
  dataConverter?: Pick<DataConverter, 'payloadCodecs'>,
): Promise<void> {
  const code = readFileSync(inject('bundlePath'), 'utf8');
  await Worker.runReplayHistory(
    { workflowBundle: { code }, dataConverter: dataConverterOf(dataConverter) },
    history,
    workflowId,
  );
}

/** Types of the events that bring a workflow something, and of those that its commands become. */
const BROUGHT =
  /^EVENT_TYPE_(WORKFLOW_EXECUTION_(STARTED|SIGNALED|CANCEL_REQUESTED)|TIMER_FIRED|ACTIVITY_TASK_(COMPLETED|FAILED|TIMED_OUT)|(START_)?CHILD_WORKFLOW_EXECUTION_(STARTED|COMPLETED|FAILED|CANCELED|TERMINATED|TIMED_OUT)|EXTERNAL_WORKFLOW_EXECUTION_SIGNALED|SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED)$/;
const ASKED =
  /^EVENT_TYPE_(TIMER_(STARTED|CANCELED)|ACTIVITY_TASK_(SCHEDULED|CANCEL_REQUESTED)|\w+_EXECUTION_INITIATED|WORKFLOW_PROPERTIES_MODIFIED|WORKFLOW_EXECUTION_(UPDATE_ACCEPTED|UPDATE_COMPLETED|COMPLETED|FAILED|CANCELED|CONTINUED_AS_NEW))$/;

/** Event types, as a history that was fetched and one that was kept as JSON have them. */
const nameOf = (type: unknown): string =>
  (typeof type === 'number' ? temporal.api.enums.v1.EventType[type] : String(type)) ?? '';

interface Kept {
  eventType?: unknown;
  eventId?: unknown;
  [attributes: string]: unknown;
}

/** Of an activity: which one it is about. What the workflow had called off brings nothing when it ends all the same. */
function scheduledBy(event: Kept): string | undefined {
  const attributes = Object.values(event).find(
    (one) => typeof one === 'object' && one !== null && 'scheduledEventId' in one,
  );
  return attributes === undefined ? undefined : String(attributes.scheduledEventId);
}

/**
 * The ids of the workflow tasks that brought an event and asked for nothing. The SDK would join such a task with what follows it, and in
 * another way in a replay.
 */
export function emptyTasks(history: readonly Kept[]): string[] {
  const found: string[] = [];
  const calledOff = new Set<string | undefined>();
  let brought = false;
  for (const [i, event] of history.entries()) {
    const type = nameOf(event.eventType);
    if (type.endsWith('ACTIVITY_TASK_CANCEL_REQUESTED')) calledOff.add(scheduledBy(event));
    if (BROUGHT.test(type) && !(type.includes('ACTIVITY_TASK') && calledOff.has(scheduledBy(event)))) brought = true;
    if (!type.endsWith('WORKFLOW_TASK_COMPLETED')) continue;
    if (brought && !ASKED.test(nameOf(history[i + 1]?.eventType))) found.push(String(event.eventId));
    brought = false;
  }
  return found;
}

/** Replays every execution of a workflow id, and answers how many there are. */
export async function replayAll(
  client: Client,
  workflowId: string,
  dataConverter?: Pick<DataConverter, 'payloadCodecs'>,
): Promise<number> {
  const executions = await executionsOf(client, workflowId);
  for (const events of executions) await replay({ events }, workflowId, dataConverter);
  return executions.length;
}
