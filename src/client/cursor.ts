/**
 * A place in the stream of a session, as an opaque string.
 *
 * It names the session and its epoch, and stands at one event of the session's own log, by number and by instant: after a reset the
 * number may be another event's, the instant never is. Of the runs it knows those alone whose log has begun and has not been read to
 * its end, so that its size does not grow with what has ended (see `merge.ts`).
 *
 * The runs are known up to a place of their own in the session's log, `merged`: a reading without them leaves it where it was, and
 * one that takes them up again begins there, without telling again what was told.
 */
import { hashShort } from '../domain/state/ids.ts';
import { InvalidInput } from '../errors.ts';
import { shown } from './options.ts';

/** How far a log is read: the number of the last event, and its instant in milliseconds; without one it is taken as it is. */
export interface Place {
  readonly seq: number;
  readonly at?: number;
}

/** `told`: its starter's log has told how it ended. */
export interface RunPlace extends Place {
  readonly told?: true;
}

export interface Position {
  /** Left out of a position that is a mere number. */
  readonly epoch?: string;
  readonly own: Place;
  /** Up to here runs that were started are known; never after `own`. */
  readonly merged: Place;
  /** By workflow id. */
  readonly runs: ReadonlyMap<string, RunPlace>;
}

export const BEGINNING: Place = { seq: 0 };

type Written = readonly (number | null)[];

const SESSION_CHARACTERS = 12;

export function cursorOf(sessionId: string, { epoch, own, merged, runs }: Position): string {
  const written = {
    v: 1,
    s: hashShort(sessionId, SESSION_CHARACTERS),
    e: epoch,
    o: write(own),
    ...(merged.seq === own.seq ? {} : { m: write(merged) }),
    ...(runs.size === 0
      ? {}
      : { r: Object.fromEntries([...runs].map(([id, place]) => [id.slice(sessionId.length + 1), write(place)])) }),
  };
  return Buffer.from(JSON.stringify(written)).toString('base64url');
}

/** The position that `after` stands for: a number in the session's own log, or a cursor. */
export function positionOf(sessionId: string, after: number | string): Position {
  if (isCount(after)) return { own: { seq: after }, merged: BEGINNING, runs: new Map() };
  const read = typeof after === 'string' ? parsed(sessionId, after) : undefined;
  if (read !== undefined) return read;
  throw new InvalidInput(`Expected after to be a seq or a cursor of this stream, got ${shown(after)}.`);
}

function parsed(sessionId: string, cursor: string): Position | undefined {
  let written: unknown;
  try {
    written = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
  if (!isRecord(written)) return undefined;
  const { v, s, e: epoch, o, m = o, r = {} } = written;
  const own = read(o);
  const merged = read(m);
  if (v !== 1 || s !== hashShort(sessionId, SESSION_CHARACTERS) || typeof epoch !== 'string') return undefined;
  if (own === undefined || merged === undefined || merged.seq > own.seq || !isRecord(r)) return undefined;
  const runs = new Map<string, RunPlace>();
  for (const [path, one] of Object.entries(r)) {
    const place = read(one);
    if (place === undefined) return undefined;
    runs.set(`${sessionId}/${path}`, place);
  }
  return { epoch, own, merged, runs };
}

function write({ seq, at, told }: RunPlace): Written {
  if (told === true) return [seq, at ?? null, 1];
  return at === undefined ? [seq] : [seq, at];
}

function read(written: unknown): RunPlace | undefined {
  if (!Array.isArray(written)) return undefined;
  const [seq, at = null, told] = written as unknown[];
  if (!isCount(seq) || (at !== null && !isCount(at))) return undefined;
  return { seq, ...(at === null ? {} : { at }), ...(told === 1 ? { told: true } : {}) };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
