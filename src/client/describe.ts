/** What Temporal says of a workflow, asked without its worker. */
import { WorkflowNotFoundError, type Client, type WorkflowExecutionDescription } from '@temporalio/client';
import { PARENT_EPOCH } from '../contract.ts';

/** So long the server may take to tell why something has failed: it may be the server that is gone. */
const WHY_MS = 5000;

/** What the server tells of a failure, or nothing where it does not tell soon. */
export async function whyOf<T>(client: Client, ask: () => Promise<T>): Promise<T | undefined> {
  return client.withDeadline(Date.now() + WHY_MS, ask).catch(() => undefined);
}

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

/** The epoch of a workflow: the run id of the first execution of its chain, which stays through continue-as-new and reset. */
export function firstRunId({ raw }: WorkflowExecutionDescription): string {
  return raw.workflowExecutionInfo?.firstRunId ?? '';
}

/** Of a run: the epoch of the workflow that started it. */
export function parentEpochOf({ memo }: WorkflowExecutionDescription): string | undefined {
  const epoch = memo?.[PARENT_EPOCH];
  return typeof epoch === 'string' ? epoch : undefined;
}

/** True for a workflow that is one of ours by its type. */
export function isOurs({ type }: WorkflowExecutionDescription): boolean {
  return type === 'session' || type === 'run';
}

/** True for a workflow that a session or a run has started as its run. */
export function isRun(description: WorkflowExecutionDescription): boolean {
  return description.type === 'run' && parentEpochOf(description) !== undefined;
}
