/** Waiting for an answer, but not for ever. */
import { setTimeout as pause } from 'node:timers/promises';

/** What the work comes to, or nothing when that takes longer; then it goes on unheard. Rejects as the work does. */
export async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  const enough = new AbortController();
  try {
    return await Promise.race([work, pause(ms, undefined, { signal: enough.signal }).catch(() => undefined)]);
  } finally {
    enough.abort();
  }
}
