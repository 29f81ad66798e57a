/** Values against the schemas of an app, of whatever library that speaks Standard Schema. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { InvalidInput } from '../src/errors.ts';

/**
 * The value as its schema makes it.
 *
 * @param what it is, as the sentence begins, e.g. `input`.
 * @throws InvalidInput that names the first field which does not fit, and what is wrong with it.
 */
export async function validated<T>(schema: StandardSchemaV1<unknown, T>, value: unknown, what: string): Promise<T> {
  const result = await schema['~standard'].validate(value);
  if (result.issues === undefined) return result.value;
  const [first] = result.issues;
  throw new InvalidInput(
    `Expected ${what} to fit its schema, but ${fieldOf(what, first?.path)} does not: ${sentenceOf(first?.message)}`,
  );
}

function fieldOf(what: string, path: StandardSchemaV1.Issue['path']): string {
  const keys = (path ?? []).map((part) => (typeof part === 'object' ? part.key : part));
  return keys.length === 0 ? 'it' : `${what}.${keys.map(String).join('.')}`;
}

/** The library's own words, as far as they are one line. */
function sentenceOf(message: string | undefined): string {
  const line = (message ?? '').trim().split('\n')[0] ?? '';
  return line === '' ? 'no reason was given.' : line.endsWith('.') ? line : `${line}.`;
}
