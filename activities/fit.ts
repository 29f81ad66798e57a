/**
 * Whether a value fits what an app has declared of it, by a schema of any library that speaks Standard Schema; what does not is told in one
 * sentence that names the field.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { ApplicationFailure } from '@temporalio/activity';
import type { Schema } from '../src/define.ts';

const SHOWN_CHARS = 80;

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
  throw ApplicationFailure.nonRetryable(misfit(result.issues, value, what), 'InvalidInput');
}

/** What is wrong with input, or nothing. */
export async function misfitOf(schema: Schema<unknown>, input: unknown): Promise<string | undefined> {
  const { issues } = await schema['~standard'].validate(input);
  return issues === undefined ? undefined : misfit(issues, input);
}

/** The sentence for an error that has issues somewhere among its causes. */
export function misfitIn(error: unknown, input: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { issues } = at as { issues?: readonly Issue[] };
    if (Array.isArray(issues) && issues.length > 0) return misfit(issues, input);
  }
  return undefined;
}

function misfit(issues: readonly Issue[], value: unknown, what = 'input'): string {
  const [first = {}, ...others] = issues;
  const path = (first.path ?? []).map((part) => (typeof part === 'object' ? part.key : part));
  const field = [what, ...path.map(String)].join('.');
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  return `Expected ${field} to be ${wanted(first)}, got ${shown(valueAt(value, path))}${more}.`;
}

function wanted({ code, expected, values, message = '' }: Issue): string {
  const word = typeof expected === 'string' ? WORDS[expected.toLowerCase()] : undefined;
  if (word !== undefined && (code === undefined || code === 'invalid_type')) return word;
  if (values !== undefined && values.length > 0)
    return `${values.length === 1 ? '' : 'one of '}${values.map((value) => JSON.stringify(value)).join(', ')}`;
  return `what its schema says (${message.split('\n')[0]?.replace(/\.$/u, '') ?? ''})`;
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
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > SHOWN_CHARS ? `${Array.from(text).slice(0, SHOWN_CHARS).join('')}…` : text;
}
