import { ValueError, type Payload, type PayloadCodec } from '@temporalio/common';
import { expect, test } from 'vitest';
import { dataConverterOf } from '../../src/data-converter.ts';

const payload: Payload = { metadata: {}, data: new Uint8Array([1]) };

/** Fails so often before it encodes. */
function failing(times: number, error: Error): { codec: PayloadCodec; calls: () => number } {
  let calls = 0;
  const encode = async (payloads: Payload[]): Promise<Payload[]> => {
    calls += 1;
    if (calls <= times) throw error;
    return Promise.resolve(payloads);
  };
  return { codec: { encode, decode: async (payloads) => Promise.resolve(payloads) }, calls: () => calls };
}

test('a codec that cannot encode for a while is asked again', async () => {
  const { codec, calls } = failing(2, new Error('The key service is away.'));
  const [tolerant] = dataConverterOf({ payloadCodecs: [codec] }).payloadCodecs ?? [];
  expect(await tolerant?.encode([payload])).toEqual([payload]);
  expect(calls()).toBe(3);
});

test('a codec that can never encode something is asked once', async () => {
  const { codec, calls } = failing(2, new ValueError('Not this.'));
  const [tolerant] = dataConverterOf({ payloadCodecs: [codec] }).payloadCodecs ?? [];
  await expect(tolerant?.encode([payload])).rejects.toThrow('Not this.');
  expect(calls()).toBe(1);
});
