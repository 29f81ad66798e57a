/**
 * The stream of a session: its own log and, with `includeRuns`, those of all runs of its tree, interleaved (see `merge.ts`), from a
 * place on (`cursor.ts`), if that still is one (`resume.ts`).
 */
import type { Client } from '@temporalio/client';
import { InvalidInput } from '../errors.ts';
import { cursorOf, positionOf, type Place } from './cursor.ts';
import { describe } from './describe.ts';
import { failureOf, unknownSession } from './failures.ts';
import { lastBefore, placeOf, readLog, type Log, type ReadLog } from './log.ts';
import { merge, startersFirst, type EventItem } from './merge.ts';
import { checkOptions, shown } from './options.ts';
import { checkAll, checkEpoch, checkOwn, fromPlace, since, type Reader } from './resume.ts';

export type { EventItem } from './merge.ts';

export interface EventsOptions {
  /** Events after this number of the session's own log (without `includeRuns`) or after this cursor. Default 0: from the beginning. */
  after?: number | string;
  /** The logs of all runs of the tree, interleaved. */
  includeRuns?: boolean;
}

/**
 * @throws UnknownSession when there is no session of this id, InvalidInput when `after` is no place in its stream, StaleCursor when it
 * is none any more, NoWorker after all that is archived when only a worker could tell the rest.
 */
export async function* readEvents(
  client: Client,
  sessionId: string,
  options: EventsOptions,
): AsyncGenerator<EventItem> {
  checkOptions(options, '{ after?: number | string, includeRuns?: boolean }');
  const { after = 0, includeRuns = false } = options;
  if (typeof includeRuns !== 'boolean')
    throw new InvalidInput(`Expected includeRuns to be true or false, got ${shown(includeRuns)}.`);
  const reader: Reader = {
    read: async (workflowId, from) => readLog(client, workflowId, from, workflowId !== sessionId),
    standing: async (workflowId, place) => lastBefore(client, workflowId, place),
    unknown: async (id) => unknownSession(client, id, await describe(client, id)),
  };
  try {
    yield* includeRuns ? readTree(reader, sessionId, after) : readOwn(reader, sessionId, after);
  } catch (error) {
    throw await failureOf(client, sessionId, error);
  }
}

export async function* readOwn(reader: Reader, sessionId: string, after: number | string): AsyncGenerator<EventItem> {
  const position = positionOf(sessionId, after);
  const log = await required(reader, sessionId, position.own);
  checkEpoch(sessionId, position, log);
  await checkOwn(reader, sessionId, position, log);
  for (const event of since(sessionId, position.own, log))
    yield { ...event, cursor: cursorOf(sessionId, { ...position, epoch: log.epoch, own: placeOf(event) }) };
  if (log.missing !== undefined) throw log.missing;
}

export async function* readTree(reader: Reader, sessionId: string, after: number | string): AsyncGenerator<EventItem> {
  if (typeof after === 'number' && after !== 0)
    throw new InvalidInput(`Expected after to be a cursor with includeRuns, got ${after}.`);
  const position = positionOf(sessionId, after);
  const own = await required(reader, sessionId, position.merged);
  checkEpoch(sessionId, position, own);
  const logs = new Map([[sessionId, own]]);
  let { missing } = own;
  const read: ReadLog = async (workflowId, from) => {
    const log = await reader.read(workflowId, from);
    missing ??= log?.missing;
    return log;
  };
  for (const [workflowId, place] of startersFirst(position.runs)) {
    const log = await read(workflowId, fromPlace(place));
    if (log !== undefined) logs.set(workflowId, log);
  }
  await checkAll(reader, sessionId, position, logs);
  yield* merge(read, sessionId, position, logs);
  // What one log lacks keeps nobody from reading the others.
  if (missing !== undefined) throw missing;
}

async function required(reader: Reader, sessionId: string, place: Place): Promise<Log> {
  const log = await reader.read(sessionId, fromPlace(place));
  if (log !== undefined) return log;
  throw await reader.unknown(sessionId);
}
