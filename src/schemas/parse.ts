/** From what came to its parsed form, or to the one sentence that says what is wrong with it. */
import * as v from 'valibot';
import { jsonBytes } from '../domain/state/json.ts';
import { MESSAGE_BYTES } from '../domain/state/sizes.ts';
import { refuse, type Refusal } from '../domain/state/types.ts';
import type { Shape } from './shapes.ts';

/** What a payload becomes that could not be read; see `payload-converter.ts`. */
export const UNREADABLE = 'outlive.unreadable';

/** True for what a payload that could not be read has become. */
export function isUnreadable(value: unknown): value is { [UNREADABLE]: unknown } {
  return typeof value === 'object' && value !== null && UNREADABLE in value;
}

/** Levels of arrays and objects in what comes from outside. What is nested by the ten thousand overflows the stack of whatever walks it. */
export const MOST_LEVELS = 500;

const ECHO_CHARS = 80;

/** Whether arrays and objects are nested deeper than this. Not by recursion, as it guards what recurs. */
export function isDeeper(value: unknown, most: number): boolean {
  const containers = (values: readonly unknown[]): object[] =>
    values.filter((one) => typeof one === 'object' && one !== null);
  let level = containers([value]);
  for (let depth = 0; depth < most && level.length > 0; depth++)
    level = containers(level.flatMap((one) => Object.values(one)));
  return level.length > 0;
}

/** A missing argument equals `{}`. `root` names the whole, `most` is its size in bytes, `levels` how deep it may be nested. */
export function parse<T>(
  shape: Shape<T>,
  payload: unknown,
  root = 'the argument',
  most = MESSAGE_BYTES,
  levels = MOST_LEVELS,
): T | Refusal {
  const given = payload ?? {};
  if (ArrayBuffer.isView(given))
    return refuse('InvalidInput', `Expected ${root} to be JSON, got ${given.byteLength} bytes of binary data.`);
  if (isUnreadable(given))
    return refuse(
      'InvalidInput',
      `Expected ${root} to be JSON, got a payload that cannot be read (${echo(given[UNREADABLE])}).`,
    );
  if (isDeeper(given, levels))
    return refuse('InvalidInput', `Expected ${root} to be nested at most ${levels} levels deep, got more.`);
  const parsed = v.safeParse(shape, given, { abortEarly: true });
  if (!parsed.success) return refuse('InvalidInput', sentence(parsed.issues[0], given, root));
  const bytes = jsonBytes(given);
  if (bytes > most)
    return refuse('InvalidInput', `Expected ${root} to be at most ${most} bytes of JSON, got ${bytes}.`);
  return parsed.output;
}

/** What is wrong, in one sentence. `of`: what it says behind the name of a field. */
export function sentence(issue: v.BaseIssue<unknown>, given: unknown, root: string, of = ''): string {
  const { path, message } = deepest(issue, []);
  const value = path.reduce<unknown>(
    (at, step) => (typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[step] : undefined),
    given,
  );
  const field = path.length === 0 ? root : `${pathText(path).replace(/^\./u, '')}${of}`;
  return `Expected ${field} to be ${message}, got ${value === undefined || value === null ? 'nothing' : echo(value)}.`;
}

/** In a union, the branch that got furthest says best what is wrong. */
function deepest(issue: v.BaseIssue<unknown>, before: PropertyKey[]): { path: PropertyKey[]; message: string } {
  const path = [...before, ...(issue.path ?? []).map((item) => item.key as PropertyKey)];
  const inner = issue.issues?.find((one) => one.path !== undefined && one.path.length > 0);
  return inner === undefined ? { path, message: issue.message } : deepest(inner, path);
}

/** A path below something, as `.files[0].name`. */
export function pathText(path: readonly PropertyKey[]): string {
  return path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`)).join('');
}

/** What came, as a sentence shows it. */
export function echo(value: unknown): string {
  const text = inJson(value) ?? typeof value;
  return text.length > ECHO_CHARS ? `${text.slice(0, ECHO_CHARS - 1).toWellFormed()}…` : text;
}

/** Nothing for what is no JSON. */
function inJson(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}
