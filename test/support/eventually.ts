/** Waits that end at a condition; the time is a deadline, never a measure. */
import { setTimeout as pause } from 'node:timers/promises';

const DEADLINE_MS = 100_000;

/** Asks until the answer is there; what is thrown meanwhile counts as no answer yet. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined | false | null>,
  deadlineMs = DEADLINE_MS,
): Promise<T> {
  const until = Date.now() + deadlineMs;
  let failure: unknown;
  while (Date.now() < until) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false && answer !== null) return answer;
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    await pause(50);
  }
  throw new Error(`Waited in vain for ${what}.`, { cause: failure });
}
