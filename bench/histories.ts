/** What histories tell: how long, how large, and when something happened, by the server's clock. */
import type { Client } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';

export type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

/** Of all executions of a workflow id together. */
export interface Extent {
  events: number;
  workflowTasks: number;
  bytes: number;
}

/** Every event of a workflow id, through every continue-as-new, oldest first. */
export async function eventsOf(client: Client, workflowId: string): Promise<HistoryEvent[]> {
  const chain: HistoryEvent[][] = [];
  let runId: string | undefined;
  do {
    const { events = [] } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    chain.push(events ?? []);
    runId = events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId || undefined;
  } while (runId !== undefined);
  return chain.toReversed().flat();
}

/** Bytes are those of the newest execution, as the server counts them. */
export async function extentOf(client: Client, workflowId: string): Promise<Extent> {
  const events = await eventsOf(client, workflowId);
  const { historySize } = await client.workflow.getHandle(workflowId).describe();
  return { events: events.length, workflowTasks: events.filter(isTaskCompleted).length, bytes: historySize ?? 0 };
}

export function isTaskCompleted(event: HistoryEvent): boolean {
  return Boolean(event.workflowTaskCompletedEventAttributes);
}

/** When it happened, milliseconds. */
export function timeOf({ eventTime }: HistoryEvent): number {
  return Number(eventTime?.seconds ?? 0) * 1000 + (eventTime?.nanos ?? 0) / 1e6;
}
