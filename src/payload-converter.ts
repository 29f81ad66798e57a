/**
 * The payload converter of every worker: the default one, save that a payload which cannot be read becomes a value that says
 * so. Without it one signal of rubbish would fail the workflow task for ever and with it the session.
 */
import {
  BinaryPayloadConverter,
  CompositePayloadConverter,
  JsonPayloadConverter,
  UndefinedPayloadConverter,
  type Payload,
  type PayloadConverter,
} from '@temporalio/common';
import { UNREADABLE } from './schemas/index.ts';

/** Wraps a converter so that reading never throws. */
export function tolerant(inner: PayloadConverter): PayloadConverter {
  return {
    toPayload: (value) => inner.toPayload(value),
    // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- Temporal's own signature.
    fromPayload: <T>(payload: Payload): T => {
      try {
        return inner.fromPayload<T>(payload);
      } catch (error) {
        return { [UNREADABLE]: error instanceof Error ? error.message.slice(0, 200) : 'unknown' } as T;
      }
    },
  };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Decodes text with the engine's own decoder: 2 ms for 250 KB where the one that the SDK brings takes 16, which for a hundred of them in one
 * workflow task is seconds of the ten that it has. What is not UTF-8 is no JSON.
 */
class Json extends JsonPayloadConverter {
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- Temporal's own signature.
  override fromPayload<T>(payload: Payload): T {
    const text = utf8.decode(payload.data ?? undefined);
    return text === '' ? super.fromPayload(payload) : (JSON.parse(text) as T);
  }
}

export const payloadConverter = tolerant(
  new CompositePayloadConverter(new UndefinedPayloadConverter(), new BinaryPayloadConverter(), new Json()),
);
