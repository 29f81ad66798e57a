/**
 * The payload converter of every worker: the default one, save that a payload which cannot be read becomes a value that says
 * so. Without it one signal of rubbish would fail the workflow task for ever and with it the session.
 */
import { defaultPayloadConverter, type Payload, type PayloadConverter } from '@temporalio/common';
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

export const payloadConverter = tolerant(defaultPayloadConverter);
