/** Waits that end at a condition; the time is a bound, never a measure. */
import { setTimeout as pause } from 'node:timers/promises';

const LOOK_MS = 50;
const BOUND_MS = 180_000;

/** Asks until the answer is there; what is thrown meanwhile counts as no answer yet. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false>,
  boundMs = BOUND_MS,
): Promise<T> {
  const end = Date.now() + boundMs;
  let cause: unknown;
  while (Date.now() < end) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await pause(LOOK_MS);
  }
  throw new Error(`Waited in vain for ${what}.`, { cause });
}
