/** Payloads that are found in histories and descriptions, read as the client would read them: with its codecs and its converter. */
import type { Client } from '@temporalio/client';
import type { Payload, SerializationContext } from '@temporalio/common';

/** The first of those that an activity was given or has told; codec and converter hear what they heard when it was written. */
export async function firstPayload<T>(
  { options: { loadedDataConverter, namespace } }: Client,
  payloads: Payload[] | null | undefined,
  { workflowId, activityId }: { workflowId: string; activityId: string | null | undefined },
): Promise<T | undefined> {
  const { payloadConverter, payloadCodecs } = loadedDataConverter;
  const context: SerializationContext = {
    type: 'activity',
    namespace,
    ...(activityId ? { activityId } : {}),
    workflowId,
    isLocal: false,
  };
  let decoded = payloads ?? [];
  for (const codec of payloadCodecs.toReversed()) decoded = await codec.decode(decoded, context);
  const [payload] = decoded;
  return payload === undefined ? undefined : payloadConverter.fromPayload<T>(payload, context);
}
