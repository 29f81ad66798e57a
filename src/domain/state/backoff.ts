import { NAME_PATIENCE_MS } from './sizes.ts';

/** How long to wait before the next attempt, milliseconds: twice as long each time, up to a bound. `attempt` is the one that failed, from 1. */
export function backoff(attempt: number, first: number, most: number): number {
  return Math.min(first * 2 ** (attempt - 1), most);
}

const NAME_FIRST_MS = 1000;
const NAME_MOST_MS = 5000;

/** How long until another worker may take what none has known since an instant, milliseconds; nothing once that has been long enough. */
export function waitForWorker(unknownSince: number, now: number): number | undefined {
  const waited = now - unknownSince;
  return waited >= NAME_PATIENCE_MS ? undefined : Math.min(NAME_MOST_MS, Math.max(NAME_FIRST_MS, waited));
}
