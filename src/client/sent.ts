/** What a client sends, looked at before it is: JSON that Temporal carries. */
import { utf8Length } from '../domain/state/json.ts';
import { BATCH_BYTES, MESSAGE_BYTES } from '../domain/state/sizes.ts';
import { stripControl, truncate } from '../domain/state/text.ts';
import { InvalidInput } from '../errors.ts';
import { MOST_LEVELS, pathText } from '../schemas/index.ts';

/**
 * More than any session takes. Past 2 MiB no worker can even refuse it: each of its tasks fails, and the session with it. What is between is room
 * for a codec, which may make it larger by half.
 */
export const SENT_BYTES = BATCH_BYTES + MESSAGE_BYTES;

const DETAIL_CHARS = 200;

/** What is no JSON, and where. */
interface Fault {
  readonly path: PropertyKey[];
  readonly got: string;
}

/**
 * @param root names the whole in sentences.
 * @throws InvalidInput when it is no JSON, or too large to be sent.
 */
export function checkSent(given: unknown, root = 'the argument'): void {
  const fault = faultOf(given, root);
  if (fault !== undefined) {
    const field = truncate(stripControl(pathText(fault.path).replace(/^\./u, '')), DETAIL_CHARS);
    throw new InvalidInput(`Expected ${field === '' ? root : field} to be JSON, got ${fault.got}.`);
  }
  const bytes = bytesOf(given);
  if (bytes > SENT_BYTES)
    throw new InvalidInput(`Expected ${root} to be at most ${SENT_BYTES} bytes of JSON, got ${bytes}.`);
}

/** Infinite where no text can be so long. */
function bytesOf(given: unknown): number {
  try {
    return utf8Length(JSON.stringify(given) ?? '');
  } catch {
    return Infinity;
  }
}

function faultOf(given: unknown, root: string): Fault | undefined {
  try {
    const whole = asJson(given);
    if (typeof whole === 'function' || typeof whole === 'symbol') return { path: [], got: `a ${typeof whole}` };
    return faultIn(given, new Set(), new Set(), root);
  } catch (error) {
    if (error instanceof InvalidInput) throw error;
    // A getter, a proxy or a `toJSON` has thrown.
    return { path: [], got: `what cannot be read (${JSON.stringify(truncate(String(error), DETAIL_CHARS))})` };
  }
}

/**
 * The first part that JSON does not have. What JSON leaves out, as it does functions, is left out; but a number that it writes as `null` is a fault:
 * a field that is `null` counts as left out, and its default would hold.
 *
 * @param above the objects it lies in.
 * @param sound objects without a fault, which may come again.
 */
function faultIn(given: unknown, above: Set<object>, sound: Set<object>, root: string): Fault | undefined {
  const value = asJson(given);
  if (typeof value === 'bigint') return { path: [], got: 'a bigint' };
  if (typeof value === 'number' && !Number.isFinite(value)) return { path: [], got: String(value) };
  if (typeof value !== 'object' || value === null || sound.has(value)) return undefined;
  if (above.has(value)) return { path: [], got: 'an object that holds itself' };
  if (above.size >= MOST_LEVELS)
    throw new InvalidInput(`Expected ${root} to be nested at most ${MOST_LEVELS} levels deep, got more.`);
  above.add(value);
  for (const [key, one] of Object.entries(value)) {
    const fault = faultIn(one, above, sound, root);
    if (fault === undefined) continue;
    fault.path.unshift(Array.isArray(value) ? Number(key) : key);
    return fault;
  }
  above.delete(value);
  sound.add(value);
  return undefined;
}

/** What JSON writes for it. */
function asJson(value: unknown): unknown {
  const { toJSON } = (value ?? {}) as { toJSON?: unknown };
  return typeof toJSON === 'function' ? (toJSON.call(value) as unknown) : value;
}
