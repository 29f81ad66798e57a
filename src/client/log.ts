/**
 * One workflow's log, from a number to the present end: the state by query, what is older from the archive. A closed workflow is
 * read without a worker. Nothing is read that lies before what is asked for.
 */
import { WorkflowNotFoundError, type Client, type WorkflowExecutionDescription } from '@temporalio/client';
import type { OutliveEvent } from '../contract.ts';
import { NoWorker, Unavailable, type OutliveError } from '../errors.ts';
import { ask } from './ask.ts';
import { archivedParts, readArchive, type ArchivedIn } from './archive.ts';
import { BEGINNING, type Place } from './cursor.ts';
import { describe, firstRunId, isOpen, isOurs, isRun, parentEpochOf } from './describe.ts';
import { fromWorker } from './no-worker.ts';
import { isUnanswered, isUnavailable } from './server-codes.ts';

export interface Log {
  /** The execution chain that it is the log of. */
  epoch: string;
  /** Of a run: the chain that started it. */
  parentEpoch?: string;
  /** Without gaps, to the present end. */
  events: OutliveEvent[];
  /** The number of its last event. */
  lastSeq: number;
  /** The first number that is still there, where retention has taken some of what was asked for. */
  truncatedAt?: number;
  /** Its workflow has ended. */
  closed: boolean;
  /** Nothing comes after these events. A closed workflow's may, when only a worker can tell its end, and none runs. */
  complete: boolean;
  /** Why nobody can tell now what comes after these events. */
  missing?: OutliveError;
}

/** Every event of a log from a number on; nothing when there is no such workflow. */
export type ReadLog = (workflowId: string, from: number) => Promise<Log | undefined>;

const PAGE = 1000;

interface Page {
  events: OutliveEvent[];
  firstSeq: number;
  lastSeq: number;
  hasMore: boolean;
}

/**
 * Every event from the number on; nothing when there is no such workflow, or no longer.
 *
 * @param isOfRun what has the id of a run without being one has no log.
 */
export async function readLog(
  client: Client,
  workflowId: string,
  from: number,
  isOfRun: boolean,
): Promise<Log | undefined> {
  const description = await describe(client, workflowId);
  if (description === undefined || !(isOfRun ? isRun : isOurs)(description)) return undefined;
  try {
    return await readExecution(client, description, from);
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

async function readExecution(client: Client, description: WorkflowExecutionDescription, from: number): Promise<Log> {
  const { workflowId, runId } = description;
  const parentEpoch = parentEpochOf(description);
  const log = {
    epoch: firstRunId(description),
    ...(parentEpoch === undefined ? {} : { parentEpoch }),
    closed: !isOpen(description),
  };
  const archive = { client, workflowId, newest: runId };
  const archived = log.closed ? await readArchive(archive, from) : undefined;
  if (archived && (description.status.name === 'COMPLETED' || archived.events.at(-1)?.type === 'session.closed'))
    return { ...log, ...archived, complete: true };
  // Of one that is open, terminated or failed, the last part is not archived, and only a worker can tell it.
  try {
    const whole = await readState(archive, from);
    return { ...log, ...whole, complete: log.closed };
  } catch (error) {
    const missing = error instanceof NoWorker ? error : late(workflowId, error);
    return { ...log, ...(archived ?? (await readArchive(archive, from))), complete: false, missing };
  }
}

/** @throws the error itself when it is not that nobody has answered in time. */
function late(workflowId: string, error: unknown): Unavailable {
  if (!isUnanswered(error) && !isUnavailable(error)) throw error;
  return new Unavailable(
    `Expected a worker to tell what came last in "${workflowId}", got no answer in time; ask again.`,
  );
}

type Events = Pick<Log, 'events' | 'lastSeq' | 'truncatedAt'>;

/** What a worker tells of it, and what is archived before that. */
async function readState(archive: ArchivedIn, from: number): Promise<Events> {
  const { events, firstSeq, lastSeq } = await pagesFrom(archive, from);
  if (from >= firstSeq) return { events, lastSeq };
  const archived = await readArchive(archive, from, firstSeq - 1);
  return { ...archived, events: [...archived.events, ...events], lastSeq };
}

/** Page by page, each in its time: all of them may take long. */
async function pagesFrom({ client, workflowId, newest }: ArchivedIn, from: number): Promise<Omit<Page, 'hasMore'>> {
  const pinned = client.workflow.getHandle(workflowId, newest);
  const events: OutliveEvent[] = [];
  for (;;) {
    const after = events.at(-1)?.seq ?? from - 1;
    const page = await fromWorker(
      client,
      workflowId,
      async () => ask<Page>(pinned, 'getEvents', { after, limit: PAGE }),
      { reads: true },
    );
    events.push(...page.events);
    if (!page.hasMore || page.events.length === 0) return { ...page, events };
  }
}

/** The last event before a place that is not younger than it: after a reset, the last of what was read that stands. */
export async function lastBefore(client: Client, workflowId: string, { seq, at }: Required<Place>): Promise<Place> {
  const description = await describe(client, workflowId);
  if (description === undefined) return BEGINNING;
  const archive = { client, workflowId, newest: description.runId };
  for await (const part of partsBack(archive, isOpen(description))) {
    const last = part.findLast((event) => event.seq < seq && Date.parse(event.at) <= at);
    if (last !== undefined) return placeOf(last);
  }
  return BEGINNING;
}

async function* partsBack(archive: ArchivedIn, open: boolean): AsyncGenerator<readonly OutliveEvent[]> {
  if (open) yield (await pagesFrom(archive, 1)).events;
  for await (const { events } of archivedParts(archive)) yield events;
}

/** Where a log is read to with this event. One that stands for what is gone has no instant of its own. */
export function placeOf({ type, seq, at }: OutliveEvent): Place {
  return type === 'log.truncated' ? { seq } : { seq, at: Date.parse(at) };
}
