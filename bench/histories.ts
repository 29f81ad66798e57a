/** What histories tell: how long, how large, and when something happened, by the server's clock. */
import type { Client } from '@temporalio/client';
import { executionsOf, type HistoryEvent } from '../test/support/histories.ts';

/** Of all executions of a workflow id together; bytes are those of the newest one, as the server counts them. */
export interface Extent {
  events: number;
  workflowTasks: number;
  bytes: number;
  /** When its last workflow task had been completed, milliseconds. */
  lastTaskAt: number;
}

/** Every event of a workflow id, through every continue-as-new, oldest first. */
export async function eventsOf(client: Client, workflowId: string): Promise<HistoryEvent[]> {
  return (await executionsOf(client, workflowId)).flat();
}

export async function extentOf(client: Client, workflowId: string): Promise<Extent> {
  const events = await eventsOf(client, workflowId);
  const tasks = events.filter(isTaskCompleted);
  const last = tasks.at(-1);
  const { historySize } = await client.workflow.getHandle(workflowId).describe();
  return {
    events: events.length,
    workflowTasks: tasks.length,
    bytes: historySize ?? 0,
    lastTaskAt: last === undefined ? Number.NaN : timeOf(last),
  };
}

function isTaskCompleted(event: HistoryEvent): boolean {
  return Boolean(event.workflowTaskCompletedEventAttributes);
}

/** When it happened, milliseconds. */
export function timeOf({ eventTime }: HistoryEvent): number {
  return Number(eventTime?.seconds ?? 0) * 1000 + (eventTime?.nanos ?? 0) / 1e6;
}
