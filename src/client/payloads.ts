/** Payloads that are found in histories and descriptions, read as the client would read them: with its codecs and its converter. */
import type { Client } from '@temporalio/client';
import type { Payload, SerializationContext } from '@temporalio/common';

/** The first of those that an activity was given or has told; codec and converter hear what they heard when it was written. */
export async function firstPayload<T>(
  client: Client,
  payloads: Payload[] | null | undefined,
  { workflowId, activityId }: { workflowId: string; activityId: string | null | undefined },
): Promise<T | undefined> {
  const { namespace } = client.options;
  return decoded(client, payloads ?? [], {
    type: 'activity',
    namespace,
    ...(activityId ? { activityId } : {}),
    workflowId,
    isLocal: false,
  });
}

/** One that stands in the memo of a workflow. */
export async function memoPayload<T>(
  client: Client,
  payload: Payload | undefined,
  workflowId: string,
): Promise<T | undefined> {
  const { namespace } = client.options;
  return decoded(client, payload === undefined ? [] : [payload], { type: 'workflow', namespace, workflowId });
}

async function decoded<T>(
  { options: { loadedDataConverter } }: Client,
  payloads: Payload[],
  context: SerializationContext,
): Promise<T | undefined> {
  const { payloadConverter, payloadCodecs } = loadedDataConverter;
  let read = payloads;
  for (const codec of payloadCodecs.toReversed()) read = await codec.decode(read, context);
  const [payload] = read;
  return payload === undefined ? undefined : payloadConverter.fromPayload<T>(payload, context);
}
