/** What a run says of itself while it works: the heartbeat of its pending activity, which needs no worker to be read. */
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import type { ModelHeartbeat, TaskHeartbeat, Usage } from '../contract.ts';
import { firstPayload } from './payloads.ts';

/** The last heartbeat that the server has, decoded with the client's own data converter. */
export async function heartbeatOf(
  client: Client,
  description: WorkflowExecutionDescription,
): Promise<TaskHeartbeat | undefined> {
  return lastHeartbeat<TaskHeartbeat>(client, description, 'task');
}

/** What the model call says that a session or run is at. */
export async function modelHeartbeatOf(
  client: Client,
  description: WorkflowExecutionDescription,
): Promise<ModelHeartbeat | undefined> {
  return lastHeartbeat<ModelHeartbeat>(client, description, 'model');
}

/** What an agent's run had used, with all below it, when the model call began that it is at. */
export async function usageOf(client: Client, description: WorkflowExecutionDescription): Promise<Usage | undefined> {
  return (await modelHeartbeatOf(client, description))?.usage;
}

async function lastHeartbeat<T>(
  client: Client,
  { raw, workflowId }: WorkflowExecutionDescription,
  name: 'task' | 'model',
): Promise<T | undefined> {
  const pending = raw.pendingActivities?.find((activity) => activity.activityType?.name === name);
  return firstPayload<T>(client, pending?.heartbeatDetails?.payloads, {
    workflowId,
    activityId: pending?.activityId,
  });
}

/** Which attempt of its task a run is at, from 1. */
export function attemptOf({ raw }: WorkflowExecutionDescription): number | undefined {
  return raw.pendingActivities?.find((activity) => activity.activityType?.name === 'task')?.attempt ?? undefined;
}
