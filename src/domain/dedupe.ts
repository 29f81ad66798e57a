/**
 * The memory of ids and keys that were used: which payload came with them, and what became of it.
 *
 * One short entry each: `<16 hex of the payload's hash><status letter><id that the receipt names, if minted>`. Entries of
 * live turns and runs are never forgotten; of ended ones at least the last 4,000 are kept, across continue-as-new.
 */
import { hashHex } from './ids.ts';
import { canonical } from './json.ts';
import { KEPT_KEYS } from './sizes.ts';

export type KeySpace = 'turn-key' | 'turn' | 'run';

const HASH = 16;
const LIVE = '-';
const LETTERS: Record<string, string> = { c: 'completed', f: 'failed', x: 'cancelled', s: 'skipped' };

export interface Known { payload: string; status: string | undefined; id: string }

/** The hash by which two payloads are the same. */
export function payloadHash(payload: unknown): string {
  return hashHex(canonical(payload), HASH);
}

export function entryKey(space: KeySpace, key: string): string {
  return hashHex(`${space}\n${key}`, HASH);
}

/** What is known of an entry; `status` only once it has ended. */
export function recall(dedupe: Record<string, string>, entry: string): Known | undefined {
  const found = Object.hasOwn(dedupe, entry) ? dedupe[entry] : undefined;
  if (found === undefined) return undefined;
  return { payload: found.slice(0, HASH), status: LETTERS[found[HASH] ?? ''], id: found.slice(HASH + 1) };
}

export function remember(dedupe: Record<string, string>, entry: string, payload: string, id: string): void {
  dedupe[entry] = `${payload}${LIVE}${id}`;
}

/** Records how an entry's turn or run ended, so that its receipt stays true when the row is gone. */
export function rememberEnd(dedupe: Record<string, string>, entry: string, status: string): void {
  const found = dedupe[entry];
  if (found === undefined) return;
  const letter = Object.keys(LETTERS).find((key) => LETTERS[key] === status) ?? LIVE;
  dedupe[entry] = `${found.slice(0, HASH)}${letter}${found.slice(HASH + 1)}`;
}

/** Forgets the oldest ended entries beyond `keep`. Called with slack, since each call walks the record. */
export function forgetOldest(dedupe: Record<string, string>, keep: number): void {
  let excess = Object.keys(dedupe).length - keep;
  for (const entry of Object.keys(dedupe)) {
    if (excess <= 0) return;
    if (dedupe[entry]?.[HASH] === LIVE) continue;
    delete dedupe[entry];
    excess--;
  }
}

export { KEPT_KEYS };
