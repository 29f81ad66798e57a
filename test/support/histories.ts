/** Histories as the server has them. */
import type { Client } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';

export type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

/** The histories of a workflow id, one for each execution, oldest execution first. */
export async function executionsOf(client: Client, workflowId: string): Promise<HistoryEvent[][]> {
  const chain: HistoryEvent[][] = [];
  let runId: string | undefined;
  do {
    const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    chain.unshift(events ?? []);
    runId = events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId || undefined;
  } while (runId !== undefined);
  return chain;
}

/** The run id of an execution with this history. */
export function executionOf([first]: readonly HistoryEvent[]): string {
  return first?.workflowExecutionStartedEventAttributes?.originalExecutionRunId ?? '';
}
