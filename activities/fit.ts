/**
 * Whether a value fits what an app has declared of it, by a schema of any library that speaks Standard Schema; what does not is told in one
 * sentence that names the field, and never as the library tells it.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { ApplicationFailure } from '@temporalio/activity';
import type { Misfit } from '../src/contract.ts';
import type { Schema } from '../src/define.ts';
import { misfitSentence } from '../src/domain/run/fit.ts';
import { truncate } from '../src/domain/state/text.ts';
import { echo, pathText } from '../src/schemas/index.ts';

/** Of a path, whose keys are what came, and of what a library says. */
const PART_CHARS = 200;

/** A part of what a validation found: beside what Standard Schema promises, what zod and valibot tell. */
interface Issue {
  path?: StandardSchemaV1.Issue['path'];
  code?: string;
  message?: string;
  expected?: unknown;
  values?: readonly unknown[];
}

/** The value as its schema makes it. @throws ApplicationFailure of type InvalidInput, not to be tried again. */
export async function fitting<T>(schema: Schema<T>, value: unknown, what = 'input'): Promise<T> {
  const result = await schema['~standard'].validate(value);
  if (result.issues === undefined) return result.value;
  throw ApplicationFailure.nonRetryable(misfitSentence(misfit(result.issues, value), what), 'InvalidInput');
}

/** What is wrong with input, or nothing. */
export async function misfitOf(schema: Schema<unknown>, input: unknown): Promise<Misfit | undefined> {
  const { issues } = await schema['~standard'].validate(input);
  return issues === undefined ? undefined : misfit(issues, input);
}

/** What is wrong by an error that has issues somewhere among its causes. `value`: of the whole, where it is known. */
export function misfitIn(error: unknown, ...value: [unknown?]): Misfit | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { issues } = at as { issues?: unknown };
    if (Array.isArray(issues) && issues.length > 0 && issues.every(isIssue)) return misfit(issues, ...value);
  }
  return undefined;
}

/** Other things are called issues too. */
function isIssue(one: unknown): one is Issue {
  const { message, path } = (one ?? {}) as { message?: unknown; path?: unknown };
  return typeof message === 'string' && (path === undefined || Array.isArray(path));
}

/** What an error says, in one sentence where a validation library would say it as a dump. `what`, `value`: what did not fit, where they are known. */
export function messageOf(error: unknown, what = 'value', ...value: [unknown?]): string {
  const misfit = misfitIn(error, ...value);
  if (misfit !== undefined) return misfitSentence(misfit, what);
  return error instanceof Error ? error.message : String(error);
}

function misfit(issues: readonly Issue[], ...value: [unknown?]): Misfit {
  const [first = {}, ...others] = issues;
  const path = (first.path ?? []).map((part) => (typeof part === 'object' ? part.key : part));
  const got = value.length === 0 ? '' : `, got ${shown(valueAt(value[0], path))}`;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  return { field: oneLine(pathText(path)), wrong: `to be ${wanted(first)}${got}${more}` };
}

function wanted({ code, expected, values, message = '' }: Issue): string {
  const word = typeof expected === 'string' ? WORDS[expected.toLowerCase()] : undefined;
  if (word !== undefined && (code === undefined || code === 'invalid_type')) return word;
  if (values !== undefined && values.length > 0)
    return oneLine(`${values.length === 1 ? '' : 'one of '}${values.map((value) => JSON.stringify(value)).join(', ')}`);
  return `what its schema says (${oneLine(message).replace(/\.$/u, '')})`;
}

/** The first line, of a length that fits in a sentence. */
export function oneLine(text: string): string {
  return truncate(text.trim().split(/[\r\n]/u)[0] ?? '', PART_CHARS);
}

const WORDS: Record<string, string> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  nonoptional: 'there',
};

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : echo(value);
}
