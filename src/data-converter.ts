/**
 * How a worker reads and writes payloads: with the app's codecs, and with converters of its own on the inner side.
 *
 * A payload that can never be decoded must not hold up a workflow, as one that cannot be read must not (`payload-converter.ts`): a codec
 * says so with a `ValueError`, and the input is refused. Any other error of a codec may pass, as when a key service is away. Of decoding,
 * Temporal then tries the task again, and what was accepted is not lost. Encoding is tried again here for some seconds, since the SDK cannot
 * go on once it fails to encode a failure: after that the worker ends, and whoever keeps it running starts another.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ValueError, type DataConverter, type Payload, type PayloadCodec } from '@temporalio/common';
import { backoff } from './domain/state/backoff.ts';

/** Together well below the 10 s of a workflow task. */
const ENCODE_ATTEMPTS = 6;
const ENCODE_PAUSE_MS = 100;
const ENCODE_LONGEST_MS = 2000;

/** Sources are run as they are in the repository, and compiled in the package. */
const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js';

/** Where a module is that is loaded by path; `module`: relative to this folder, without its extension. */
export function pathOf(module: string): string {
  return fileURLToPath(new URL(module + EXTENSION, import.meta.url));
}

export const payloadConverterPath = pathOf('./payload-converter');
/** Of workflows. */
export const failureConverterPath = pathOf('./failure-converter');

/** Of the worker and of its own client. */
export function dataConverterOf({ payloadCodecs = [] }: Pick<DataConverter, 'payloadCodecs'> = {}): DataConverter {
  if (payloadCodecs.length === 0) return { payloadConverterPath };
  return {
    payloadConverterPath,
    failureConverterPath: pathOf('./encoded-failure-converter'),
    payloadCodecs: payloadCodecs.map(tolerant),
  };
}

/** Leaves a payload that can never be decoded as it is, which no payload converter can read. */
function tolerant(codec: PayloadCodec): PayloadCodec {
  return {
    encode: async (payloads, context) => again(async () => codec.encode(payloads, context)),
    decode: async (payloads, context) => {
      const orAsItIs = async (payload: Payload): Promise<Payload[]> =>
        unlessNever(codec.decode([payload], context), () => [payload]);
      return unlessNever(codec.decode(payloads, context), async () =>
        (await Promise.all(payloads.map(orAsItIs))).flat(),
      );
    },
  };
}

async function again<T>(encode: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await encode();
    } catch (error) {
      if (error instanceof ValueError || attempt >= ENCODE_ATTEMPTS) throw error;
      await pause(backoff(attempt, ENCODE_PAUSE_MS, ENCODE_LONGEST_MS));
    }
  }
}

async function unlessNever<T>(decoded: Promise<T>, otherwise: () => T | Promise<T>): Promise<T> {
  try {
    return await decoded;
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    return otherwise();
  }
}
