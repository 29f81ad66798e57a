/** Waits that end at a condition, longer than those of tests: a server or a worker may be away meanwhile. */
import { eventually } from '../src/testing/index.ts';

const BOUND_MS = 180_000;

/** Asks until the answer is there; what is thrown meanwhile counts as no answer yet. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false>,
  boundMs = BOUND_MS,
): Promise<T> {
  return eventually(what, ask, boundMs);
}
