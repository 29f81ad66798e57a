/**
 * How a worker reads and writes payloads: with the app's codecs, and with converters of its own on the inner side.
 *
 * A payload that can never be decoded must not hold up a workflow, as one that cannot be read must not (`payload-converter.ts`): a codec
 * says so with a `ValueError`, and the input is refused. Any other error of a codec may pass, as when a key service is away; then Temporal
 * tries the task again, and what was accepted is not lost.
 */
import { fileURLToPath } from 'node:url';
import { ValueError, type DataConverter, type Payload, type PayloadCodec } from '@temporalio/common';

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
    encode: async (payloads, context) => codec.encode(payloads, context),
    decode: async (payloads, context) => {
      const orAsItIs = async (payload: Payload): Promise<Payload[]> =>
        unlessNever(codec.decode([payload], context), () => [payload]);
      return unlessNever(codec.decode(payloads, context), async () =>
        (await Promise.all(payloads.map(orAsItIs))).flat(),
      );
    },
  };
}

async function unlessNever<T>(decoded: Promise<T>, otherwise: () => T | Promise<T>): Promise<T> {
  try {
    return await decoded;
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    return otherwise();
  }
}
