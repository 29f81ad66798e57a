/** Waits that end at a condition; the time is a deadline, never a measure. */
import { setTimeout as pause } from 'node:timers/promises';

const DEADLINE_MS = 100_000;

/**
 * Asks until the answer is there, and answers with it. `undefined`, `null` and `false` are no answer yet, and so is what is thrown
 * meanwhile.
 *
 * @param what for the sentence that is thrown: "Waited in vain for …".
 * @param withinMs how long at most; default 100,000.
 * @throws Error with what was thrown last as its cause, when there is no answer by then.
 *
 * @example
 * ```ts
 * const { runId } = await eventually('the run', async () => (await session.listRuns()).runs[0]);
 * ```
 */
export async function eventually<T>(
  what: string,
  ask: () => T | undefined | false | null | Promise<T | undefined | false | null>,
  withinMs = DEADLINE_MS,
): Promise<T> {
  const until = Date.now() + withinMs;
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
