/**
 * The memory of ids and keys that were used: which payload came with them, and what became of it.
 *
 * One short entry each: `<hash of the payload><status letter><id that the receipt names, if it is not the caller's>`. The last
 * 4,000 entries are kept, and beyond them those of live turns and runs, across continue-as-new.
 */
import { hashShort, mintTurnId } from '../state/ids.ts';
import { canonical } from '../state/json.ts';
import type { State } from '../state/state.ts';

export type KeySpace = 'turn-key' | 'turn' | 'run' | 'message' | 'action';

/** Characters of a hash: 66 bits. */
export const HASH = 11;
const LIVE = '-';
const LETTERS: Record<string, string> = {
  c: 'completed',
  f: 'failed',
  x: 'cancelled',
  s: 'skipped',
  i: 'interrupted',
  u: 'unknown',
};

export interface Known {
  payload: string;
  status: string | undefined;
  id: string;
}

/** The hash by which two payloads are the same. */
export function payloadHash(payload: unknown): string {
  return hashShort(canonical(payload), HASH);
}

export function entryKey(space: KeySpace, key: string): string {
  return hashShort(`${space}\n${key}`, HASH);
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

/** Forgets what has ended before the last `keep` entries. */
export function forgetOldest(dedupe: Record<string, string>, keep: number): void {
  const entries = Object.keys(dedupe);
  for (const entry of entries.slice(0, Math.max(0, entries.length - keep)))
    if (dedupe[entry]?.[HASH] !== LIVE) delete dedupe[entry];
}

/** A turn id that nobody has chosen. */
export function freshTurnId(state: State): string {
  for (;;) {
    const turnId = mintTurnId(state.epoch, ++state.counters.turn);
    if (recall(state.dedupe, entryKey('turn', turnId)) === undefined) return turnId;
  }
}
