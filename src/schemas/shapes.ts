/**
 * What shapes are made of. Each says in its `message` the phrase after "to be" in the one sentence that bad input gets, "Expected
 * <field> to be <what>, got <what came>."; unknown fields are ignored, `null` equals leaving a field out.
 *
 * Everything here is a plain object until it is used: the sandbox evaluates the modules of a workflow anew for each one, so that
 * whatever a module builds when it loads is paid by every run.
 */
import * as v from 'valibot';
import { NAME_PATTERN } from '../contract.ts';
import { RESERVED_RUN_IDS } from '../domain/state/ids.ts';
import { jsonBytes } from '../domain/state/json.ts';
import { LABEL_CHARS, SMALL_BYTES, TEXT_CHARS } from '../domain/state/sizes.ts';
import type { Json } from '../domain/state/types.ts';

export type Shape<T> = v.GenericSchema<unknown, T>;

const HUNDRED_YEARS_MS = 100 * 365 * 24 * 3600 * 1000;

/** Built when it is first asked for. */
export function lazily<T>(build: () => T): () => T {
  let built: T | undefined;
  return () => (built ??= build());
}

function points(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

export function string(phrase: string, fits: (text: string) => boolean = () => true): Shape<string> {
  return v.custom<string>((value) => typeof value === 'string' && fits(value), phrase);
}

export function shortText(most: number): Shape<string> {
  return string(`a text of at most ${most} characters`, (text) => text.length <= most);
}

export function characters(most: number, what = 'a text of at most'): Shape<string> {
  return string(`${what} ${most} characters`, (text) => points(text) <= most);
}

export function integer(least: number, most: number, unit = ''): Shape<number> {
  return v.custom<number>(
    (value) => Number.isInteger(value) && (value as number) >= least && (value as number) <= most,
    `an integer of ${least} to ${most}${unit}`,
  );
}

export function atLeast(least: number): Shape<number> {
  return v.custom<number>(
    (value) => Number.isInteger(value) && (value as number) >= least,
    `an integer of at least ${least}`,
  );
}

export function oneOf<T extends string>(...values: T[]): Shape<T> {
  return v.custom<T>(
    (value) => values.includes(value as T),
    `one of ${values.map((value) => `"${value}"`).join(', ')}`,
  );
}

export function json(most: number): Shape<Json> {
  return v.custom<Json>((value) => value !== undefined && jsonBytes(value) <= most, `JSON of at most ${most} bytes`);
}

/** An object whose `null` fields count as left out, and of which a field that is missing is named with what it should be. */
export function object<E extends v.ObjectEntries>(entries: E): Shape<v.InferOutput<v.ObjectSchema<E, undefined>>> {
  const fields = Object.keys(entries);
  return v.pipe(
    v.custom<Record<string, unknown>>(isObject, 'an object'),
    v.transform((given: Record<string, unknown>) =>
      Object.fromEntries(
        fields.map((field) => [field, Object.hasOwn(given, field) ? (given[field] ?? undefined) : undefined]),
      ),
    ),
    v.object(entries) as unknown as v.GenericSchema<Record<string, unknown>>,
    // What was left out is not there, rather than there and undefined.
    v.transform((parsed: Record<string, unknown>) =>
      Object.fromEntries(Object.entries(parsed).filter(([, field]) => field !== undefined)),
    ),
  ) as unknown as Shape<v.InferOutput<v.ObjectSchema<E, undefined>>>;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function optional<T>(shape: Shape<T>): v.OptionalSchema<Shape<T>, undefined> {
  return v.optional(shape);
}

export function list<T>(shape: Shape<T>, phrase: string): Shape<T[]> {
  return v.array(shape, phrase);
}

const KEY = /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]{1,256}$/u;
const WORKFLOW_TYPE = /^workflow:[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]{1,128}$/u;

export const name = string('1 to 64 letters, digits, ".", "_" or "-", the first a letter or digit', (text) =>
  NAME_PATTERN.test(text),
);
export const agentName = string(
  'the name of an agent or task',
  (text) => NAME_PATTERN.test(text) || WORKFLOW_TYPE.test(text),
);
export const newRunId = string(
  '1 to 64 letters, digits, ".", "_" or "-", the first a letter or digit, and not "gave-up", "milestone" or "ask"',
  (text) => NAME_PATTERN.test(text) && !RESERVED_RUN_IDS.includes(text),
);
export const key = string('1 to 256 printable characters', (text) => KEY.test(text));
export const label = characters(LABEL_CHARS, 'at most');
export const signature = characters(LABEL_CHARS);
export const words = characters(TEXT_CHARS);
export const small = json(SMALL_BYTES);

export const flag: Shape<boolean> = v.custom<boolean>((value) => typeof value === 'boolean', 'true or false');
export const func: Shape<(...given: never[]) => unknown> = v.custom<(...given: never[]) => unknown>(
  (value) => typeof value === 'function',
  'a function',
);
export const instant = string('an ISO-8601 instant', (text) => !Number.isNaN(Date.parse(text)));
export const workflowId = string('a workflow id', (text) => /^\P{Cc}{1,1000}$/u.test(text));
export const requestId = string('a request id, "<workflow id>#<n>"', (text) => /^\P{Cc}{1,1000}#\d{1,15}$/u.test(text));

/** What becomes of a request. */
export const requestStatus = oneOf('open', 'approved', 'rejected', 'answered', 'expired', 'withdrawn', 'parent_closed');

export function ms(least = 1, most = HUNDRED_YEARS_MS): Shape<number> {
  return integer(least, most, ' milliseconds');
}

export function count(least = 1, most = 1_000_000_000): Shape<number> {
  return integer(least, most);
}
