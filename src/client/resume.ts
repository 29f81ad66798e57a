/**
 * Whether a place in a log still is one. Its event is read again, and nothing that lies before: the same number and the same instant
 * are the same event. After a reset what comes anew is younger than all that was read, so the last event that is not younger than the
 * place is the last one that stands. What retention has taken cannot be compared, and stands.
 */
import type { OutliveEvent } from '../contract.ts';
import { iso } from '../domain/state/state.ts';
import { StaleCursor, type UnknownSession } from '../errors.ts';
import { BEGINNING, cursorOf, type Place, type Position, type RunPlace } from './cursor.ts';
import type { Log, ReadLog } from './log.ts';

export interface Reader {
  read: ReadLog;
  /** The last event before a place that is not younger than it. */
  standing(workflowId: string, place: Required<Place>): Promise<Place>;
  /** That no session has this id, and what has it. */
  unknown(sessionId: string): Promise<UnknownSession>;
}

/** The number from which a log is read, so that its place is read again. */
export function fromPlace({ seq }: Place): number {
  return Math.max(1, seq);
}

/** The events after a place. What retention has taken is told by one `log.truncated`, which has the number of the last that is gone. */
export function since(workflowId: string, { seq }: Place, { events, truncatedAt }: Log): OutliveEvent[] {
  const rest = events.filter((event) => event.seq > seq);
  if (truncatedAt === undefined || truncatedAt <= seq + 1) return rest;
  const [sessionId = workflowId] = workflowId.split('/');
  const at = rest[0]?.at ?? iso(0);
  return [{ seq: truncatedAt - 1, at, type: 'log.truncated', workflowId, sessionId, firstSeq: truncatedAt }, ...rest];
}

/** @throws StaleCursor when the position is one in an earlier session of this id: nothing of it stands. */
export function checkEpoch(sessionId: string, { epoch }: Position, log: Log): void {
  if (epoch === undefined || epoch === log.epoch) return;
  throw new StaleCursor(
    `Expected after to be a cursor of the present session "${sessionId}", got one of an earlier session of this id.`,
  );
}

/** @throws StaleCursor when the session's log was rewritten up to the place, or never came so far. */
export async function checkOwn(reader: Reader, sessionId: string, { own }: Position, log: Log): Promise<void> {
  if (stands(own, log)) return;
  throw stale(sessionId, own, log, (await lastStanding(reader, sessionId, own, log)).seq);
}

/** The same, with the logs of the runs that the position knows; the place to read on from keeps what stands of each. */
export async function checkAll(
  reader: Reader,
  sessionId: string,
  position: Position,
  logs: ReadonlyMap<string, Log>,
): Promise<void> {
  const log = logs.get(sessionId);
  if (log === undefined) return;
  const places: [string, RunPlace][] = [[sessionId, position.own], ...position.runs];
  const rewritten = places.filter(([id, place]) => {
    const one = logs.get(id);
    return one !== undefined && !stands(place, one);
  });
  const [first] = rewritten;
  if (first === undefined) return;
  const runs = new Map(position.runs);
  let { own, merged } = position;
  for (const [id, place] of rewritten) {
    const last = await lastStanding(reader, id, place, logs.get(id) ?? log);
    if (id === sessionId) own = last;
    else runs.set(id, last);
  }
  if (merged.seq > own.seq) merged = own;
  const after = own.seq === 0 ? 0 : cursorOf(sessionId, { epoch: log.epoch, own, merged, runs });
  throw stale(first[0], first[1], logs.get(first[0]) ?? log, after);
}

function stands({ seq, at }: Place, { events, lastSeq, missing }: Log): boolean {
  // Of a log whose end nobody can tell just now, the place may be in what is not told.
  if (seq > lastSeq) return missing !== undefined;
  const [first] = events;
  const event = first === undefined ? undefined : events[seq - first.seq];
  return at === undefined || event === undefined || Date.parse(event.at) === at;
}

async function lastStanding(reader: Reader, workflowId: string, { seq, at }: Place, { lastSeq }: Log): Promise<Place> {
  if (at === undefined) return seq > lastSeq ? { seq: lastSeq } : BEGINNING;
  return reader.standing(workflowId, { seq, at });
}

function stale(workflowId: string, { seq, at }: Place, { lastSeq }: Log, after: number | string): StaleCursor {
  const got =
    at === undefined || seq > lastSeq ? `${seq}, and it ends with ${lastSeq}` : `${seq}, which is another event now`;
  return new StaleCursor(`Expected after to be a place in the log of "${workflowId}", got ${got}.`, after);
}
