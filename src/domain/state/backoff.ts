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

/** False once the name has been looked for long enough; else another worker may take it after a while. No attempt is used up. */
export function waitForName(what: { unknownSince?: number; retryAt?: number }, now: number): boolean {
  what.unknownSince ??= now;
  const wait = waitForWorker(what.unknownSince, now);
  if (wait === undefined) return false;
  what.retryAt = now + wait;
  return true;
}
