/** Options of methods, as JavaScript gives them: what is not checked by a session nor, at run time, by TypeScript. */
import { InvalidInput } from '../errors.ts';
import { echo, isObject } from '../schemas/index.ts';

/**
 * @param form as a sentence says it.
 * @throws InvalidInput for what is no object.
 */
export function checkOptions(given: unknown, form: string): void {
  if (!isObject(given)) throw new InvalidInput(`Expected the options to be ${form}, got ${shown(given)}.`);
}

/** @throws InvalidInput for what is none of the words; `null` is left out. */
export function checkWord(field: string, given: unknown, words: readonly string[]): void {
  if (given === undefined || given === null || words.includes(given as string)) return;
  const allowed = words.map((word) => `"${word}"`).join(', ');
  throw new InvalidInput(`Expected ${field} to be one of ${allowed}, got ${shown(given)}.`);
}

/** @throws InvalidInput for what is no signal, or options that are none. */
export function checkSignal(options: unknown): void {
  checkOptions(options, '{ signal?: AbortSignal }');
  const { signal } = options as { signal?: unknown };
  if (signal === undefined || signal === null || (isObject(signal) && typeof signal['aborted'] === 'boolean')) return;
  throw new InvalidInput(`Expected signal to be an AbortSignal, got ${shown(signal)}.`);
}

/** What came, as a sentence shows it, also where it is no JSON. */
export function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  if (typeof value === 'string') return echo(value);
  return typeof value === 'function' || typeof value === 'symbol' ? `a ${typeof value}` : String(value);
}
