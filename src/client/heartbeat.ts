/** The live progress of a run: the heartbeat of its pending activity, which needs no worker to be read. */
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import type { Progress, TaskHeartbeat } from '../contract.ts';

/** The last progress that the server has, decoded with the client's own data converter. */
export async function liveProgress(client: Client, description: WorkflowExecutionDescription): Promise<Progress | undefined> {
  const pending = description.raw.pendingActivities?.find((activity) => activity.activityType?.name === 'task');
  let payloads = pending?.heartbeatDetails?.payloads ?? [];
  const { payloadConverter, payloadCodecs } = client.options.loadedDataConverter;
  for (const codec of payloadCodecs.toReversed()) payloads = await codec.decode(payloads);
  const [payload] = payloads;
  if (payload === undefined) return undefined;
  return payloadConverter.fromPayload<TaskHeartbeat | undefined>(payload)?.progress;
}
