/**
 * Failures as they stand in histories. With payload codecs what an error says is a payload too, so that it is encoded like everything
 * else; its type stays plain, by which it is matched. What only the caller of a query reads is in no history and stays plain, since
 * Temporal hands it on as text.
 *
 * The workflow bundle has this converter, and whether there are codecs is told by a global that the worker puts before the bundle.
 */
import {
  DefaultFailureConverter,
  type FailureConverter,
  type PayloadConverter,
  type ProtoFailure,
} from '@temporalio/common';
import { ASK_AGAIN, ENCODES_GLOBAL, PLAIN } from './contract.ts';

const plain = new DefaultFailureConverter();
const encoded = new DefaultFailureConverter({ encodeCommonAttributes: true });

export function failuresEncoded(when: () => boolean): FailureConverter {
  const chosen = (error: unknown): FailureConverter => (when() && !isForQuery(error) ? encoded : plain);
  return {
    errorToFailure: (error: unknown, converter: PayloadConverter, ...context): ProtoFailure =>
      chosen(error).errorToFailure(error, converter, ...context),
    failureToError: (failure: ProtoFailure, converter: PayloadConverter, ...context) =>
      plain.failureToError(failure, converter, ...context),
  };
}

function isForQuery(error: unknown): boolean {
  return error instanceof Error && (error.message === ASK_AGAIN || PLAIN in error);
}

export const failureConverter = failuresEncoded(() => ENCODES_GLOBAL in globalThis);
