/** What Temporal says of a workflow, asked without its worker. */
import { WorkflowNotFoundError, type Client, type WorkflowExecutionDescription } from '@temporalio/client';

/** True for a workflow that has not ended; one that is paused has not. */
export function isOpen({ status: { name } }: WorkflowExecutionDescription): boolean {
  return name === 'RUNNING' || name === 'PAUSED';
}

/** Nothing when there is no such workflow, or no longer. */
export async function describe(client: Client, workflowId: string): Promise<WorkflowExecutionDescription | undefined> {
  try {
    return await client.workflow.getHandle(workflowId).describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}
