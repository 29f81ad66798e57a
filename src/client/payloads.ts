/** Payloads that are found in histories and descriptions, read as the client would read them: with its codecs and its converter. */
import type { Client } from '@temporalio/client';
import type { Payload, SerializationContext } from '@temporalio/common';

/** The first of them. @param context what codec and converter were told when it was written. */
export async function firstPayload<T>(
  { options: { loadedDataConverter } }: Client,
  payloads: Payload[] | null | undefined,
  context: SerializationContext,
): Promise<T | undefined> {
  const { payloadConverter, payloadCodecs } = loadedDataConverter;
  let decoded = payloads ?? [];
  for (const codec of payloadCodecs.toReversed()) decoded = await codec.decode(decoded, context);
  const [payload] = decoded;
  return payload === undefined ? undefined : payloadConverter.fromPayload<T>(payload, context);
}
