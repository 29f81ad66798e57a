/**
 * The merged stream of a session: its own log and, with `includeRuns`, those of all runs of its tree, in order within each log.
 * A run's events come after the `run.queued` that announced it.
 */
import type { Client } from '@temporalio/client';
import type { OutliveEvent } from '../contract.ts';
import { workflowIdOfRun } from '../domain/state/ids.ts';
import { InvalidInput } from '../errors.ts';
import { cursorOf, positionOf, type Position } from './cursor.ts';
import { typed } from './failures.ts';
import { readLog, readRunLog } from './log.ts';

export interface EventsOptions {
  /** Events after this number of the session's own log (without `includeRuns`) or after this cursor. Default 0: from the beginning. */
  after?: number | string;
  /** The logs of all runs of the tree, interleaved. */
  includeRuns?: boolean;
}

/** An event with the cursor that resumes after it. */
export type EventItem = OutliveEvent & { cursor: string };

interface Log {
  workflowId: string;
  depth: number;
  events: OutliveEvent[];
  next: number;
  own: boolean;
}

/** @throws SessionClosed when there is no session of this id, InvalidInput when `after` is no place in its stream. */
export async function* readEvents(
  client: Client,
  sessionId: string,
  options: EventsOptions,
): AsyncGenerator<EventItem> {
  try {
    yield* merge(client, sessionId, options);
  } catch (error) {
    throw typed(error, sessionId);
  }
}

async function* merge(
  client: Client,
  sessionId: string,
  { after = 0, includeRuns = false }: EventsOptions,
): AsyncGenerator<EventItem> {
  if (includeRuns && typeof after === 'number' && after !== 0)
    throw new InvalidInput(`Expected after to be a cursor with includeRuns, got ${after}.`);
  const start = positionOf(sessionId, after);
  if (!includeRuns) {
    for (const event of await readLog(client, sessionId, start[sessionId] ?? 0))
      yield { ...event, cursor: cursorOf({ [sessionId]: event.seq }) };
    return;
  }
  const position: Position = { ...start };
  const open: Log[] = [
    { workflowId: sessionId, depth: 0, events: await readLog(client, sessionId, 0), next: 0, own: false },
  ];
  for (;;) {
    const log = earliest(open);
    const event = log?.events[log.next];
    if (log === undefined || event === undefined) return;
    log.next += 1;
    if (event.type === 'run.queued' && event.runId !== undefined) {
      const workflowId = workflowIdOfRun(log.workflowId, event.runId);
      open.push({
        workflowId,
        depth: log.depth + 1,
        events: await runLog(client, workflowId, log, event.runId),
        next: 0,
        own: true,
      });
    }
    if (event.seq <= (start[log.workflowId] ?? 0)) continue;
    position[log.workflowId] = event.seq;
    if (log.own && isCopy(event, log)) continue;
    yield { ...event, cursor: cursorOf(position) };
  }
}

/** A run that could not be started has no log of its own: the workflow of its id, if any, is another session's. */
async function runLog(client: Client, workflowId: string, starter: Log, runId: string): Promise<OutliveEvent[]> {
  const neverStarted = starter.events.some(
    (event) => event.type === 'run.settled' && event.runId === runId && event['reason'] === 'start_failed',
  );
  return neverStarted ? [] : readRunLog(client, workflowId, 0);
}

/** What its starter's log tells too is left out of the run's own. */
function isCopy(event: OutliveEvent, log: Log): boolean {
  return (
    (event.type === 'run.milestone' || event.type === 'run.settled') &&
    workflowIdOfRun(parentOf(log.workflowId), event.runId ?? '') === log.workflowId
  );
}

function parentOf(workflowId: string): string {
  return workflowId.slice(0, workflowId.lastIndexOf('/'));
}

/** The log whose next event is the oldest; of equal ones the deepest, so that a run's end comes after what led to it. */
function earliest(logs: readonly Log[]): Log | undefined {
  let best: Log | undefined;
  for (const log of logs) {
    const event = log.events[log.next];
    if (event === undefined) continue;
    const than = best?.events[best.next];
    if (
      best === undefined ||
      than === undefined ||
      event.at < than.at ||
      (event.at === than.at && log.depth > best.depth)
    )
      best = log;
  }
  return best;
}
