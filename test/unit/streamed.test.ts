/** What a model call's heartbeat may carry of its answer. */
import { expect, test } from 'vitest';
import { Registry } from '../../activities/registry.ts';
import { Streamed } from '../../activities/streamed.ts';
import { utf8Length } from '../../src/domain/state/json.ts';

const KIB = 1024;

function streamed(...deltas: readonly { type: string; id: string; text: string }[]): Streamed {
  const all = new Streamed(new Registry({ agents: [] }));
  for (const delta of deltas) all.add(delta);
  return all;
}

test.each(['x', 'é', '😀'])('an answer of %s that comes as one delta of 3 MB is carried to 64 KiB', (character) => {
  const text = character.repeat(3_000_000 / utf8Length(character));
  const { parts } = streamed({ type: 'text-delta', id: '1', text }, { type: 'text-delta', id: '1', text: 'more' });
  expect(parts).toHaveLength(1);
  const carried = parts[0]?.text ?? '';
  expect(text.startsWith(carried)).toBe(true);
  expect(utf8Length(carried)).toBeLessThanOrEqual(64 * KIB);
  expect(utf8Length(carried)).toBeGreaterThan(64 * KIB - 4);
});

test('what comes after 64 KiB of reasoning is not carried, in no part', () => {
  const { parts } = streamed(
    { type: 'reasoning-delta', id: 'r', text: 'r'.repeat(60 * KIB) },
    { type: 'reasoning-delta', id: 'r', text: 's'.repeat(60 * KIB) },
    { type: 'text-delta', id: 't', text: 'said' },
  );
  expect(parts).toEqual([{ type: 'reasoning', text: 'r'.repeat(60 * KIB) + 's'.repeat(4 * KIB) }]);
});
