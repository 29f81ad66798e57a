/**
 * Activities that must be answered. What an operator makes of one, by failing it or by completing it with anything, is an input and
 * never an error of ours: what does not fit is asked for again.
 */
import { sleep } from '@temporalio/workflow';
import { backoff } from '../src/domain/state/backoff.ts';
import { isRefusal } from '../src/domain/state/types.ts';
import { anything, MOST_LEVELS, parse, type Shape } from '../src/schemas/index.ts';
import { atHome } from './here.ts';

const PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;

/** What the server may refuse for good, as where the worker has no permission, is asked so often: whoever waits for it could never end. */
const FEW = 5;

/** Calls until the answer fits its shape. */
export async function answered<T>(call: () => Promise<unknown>, shape: () => Shape<T>): Promise<T> {
  for (;;) {
    const answer = await answeredSoon(call, shape, Infinity);
    if (answer !== undefined) return answer;
  }
}

/** Calls a few times; nothing when no answer has fitted its shape. */
export async function answeredSoon<T>(
  call: () => Promise<unknown>,
  shape: () => Shape<T>,
  most = FEW,
): Promise<T | undefined> {
  for (let attempt = 1; ; attempt++) {
    const answer = await call().then(
      (given) => fitting(given, shape),
      () => undefined,
    );
    if (answer !== undefined || attempt >= most) return answer;
    const wait = backoff(attempt, PAUSE_MS, LONGEST_PAUSE_MS);
    await atHome(async () => sleep(wait, { summary: 'asking again' }));
  }
}

/** Calls a few times; true once it has been done. */
export async function doneSoon(call: () => Promise<void>): Promise<boolean> {
  const answer = await answeredSoon(async () => {
    await call();
    return {};
  }, anything);
  return answer !== undefined;
}

/** An answer in its parsed form, or nothing when it is none. */
export function fitting<T>(given: unknown, shape: () => Shape<T>): T | undefined {
  const parsed = parse(shape(), given, 'the answer', Number.MAX_SAFE_INTEGER, 2 * MOST_LEVELS);
  return isRefusal(parsed) ? undefined : parsed;
}
