/** What a task says of itself while it runs: the heartbeat of its run's pending activity, which needs no worker to be read. */
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import type { TaskHeartbeat } from '../contract.ts';

/** The last heartbeat that the server has, decoded with the client's own data converter. */
export async function heartbeatOf(
  client: Client,
  description: WorkflowExecutionDescription,
): Promise<TaskHeartbeat | undefined> {
  const pending = description.raw.pendingActivities?.find((activity) => activity.activityType?.name === 'task');
  let payloads = pending?.heartbeatDetails?.payloads ?? [];
  const { payloadConverter, payloadCodecs } = client.options.loadedDataConverter;
  for (const codec of payloadCodecs.toReversed()) payloads = await codec.decode(payloads);
  const [payload] = payloads;
  return payload === undefined ? undefined : payloadConverter.fromPayload<TaskHeartbeat | undefined>(payload);
}

/** Which attempt of its task a run is at, from 1. */
export function attemptOf({ raw }: WorkflowExecutionDescription): number | undefined {
  return raw.pendingActivities?.find((activity) => activity.activityType?.name === 'task')?.attempt ?? undefined;
}
