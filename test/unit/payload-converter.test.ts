/** What a workflow reads of what it was sent. */
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { expect, test, vi } from 'vitest';
import { isUnreadable } from '../../src/schemas/index.ts';
import { payloadConverter } from '../../src/payload-converter.ts';

function json(text: string | Uint8Array): Payload {
  const data = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  return { metadata: { encoding: new TextEncoder().encode('json/plain') }, data };
}

test('JSON is read as the SDK reads it', () => {
  for (const payload of [json('{"a":[1,2.5,"é€😀\\ud83d"],"b":null}'), json('"\ufeff"')])
    expect(payloadConverter.fromPayload(payload)).toEqual(defaultPayloadConverter.fromPayload(payload));
});

test('X-01 what is not UTF-8 is no JSON: it is not read as text with other letters in it', () => {
  const truncated = Uint8Array.of(0x22, 0x61, 0xe2, 0x82, 0x22);
  const overlong = Uint8Array.of(0x22, 0xc0, 0x80, 0xf5, 0xff, 0x22);
  const surrogate = Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22);
  for (const bytes of [truncated, overlong, surrogate])
    expect(isUnreadable(payloadConverter.fromPayload(json(bytes)))).toBe(true);
});

test('well-formed text, of which a burst brings megabytes in one workflow task, is decoded by the engine', () => {
  const decode = vi.spyOn(TextDecoder.prototype, 'decode');
  expect(payloadConverter.fromPayload(json(JSON.stringify({ input: 'é'.repeat(100_000) })))).toEqual({
    input: 'é'.repeat(100_000),
  });
  expect(decode).toHaveBeenCalledOnce();
  decode.mockRestore();
});
