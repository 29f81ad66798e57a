/**
 * The logs of a tree as one stream, in order within each log; of the next events of all open logs the oldest comes first.
 *
 * A log opens with the `run.started` that its starter's log tells, since before that there is none, and leaves the stream for good
 * with its last event, once its workflow has ended. So a place in the stream is the place in each open log and nothing else: what has
 * left is opened by nothing that is still to come. This holds by construction, whatever clocks say, and for a run that goes on after
 * its starter's end: its log is open by itself. A reader that resumes reads each open log from its place.
 *
 * What a run says of its own end and milestones is left out where its starter's log tells it too. Of a run that has settled it is
 * only known which it is once the starter has told it or has ended, and its end is held back until then.
 */
import type { OutliveEvent } from '../contract.ts';
import { workflowIdOfRun } from '../domain/state/ids.ts';
import type { EventType } from '../domain/state/types.ts';
import { BEGINNING, cursorOf, type Position, type RunPlace } from './cursor.ts';
import { since } from './resume.ts';
import { placeOf, type Log, type ReadLog } from './log.ts';

/** An event with the cursor that resumes after it. */
export type EventItem = OutliveEvent & { cursor: string };

/** An open log, and how far it is read. */
interface Head extends Pick<Log, 'epoch' | 'closed' | 'complete'> {
  readonly workflowId: string;
  readonly depth: number;
  place: RunPlace;
  /** What comes after that. */
  readonly events: readonly OutliveEvent[];
  next: number;
}

/** @param logs of the session and of the runs of the position, each from its place on. */
export async function* merge(
  read: ReadLog,
  sessionId: string,
  { own: told, merged, runs }: Position,
  logs: ReadonlyMap<string, Log>,
): AsyncGenerator<EventItem> {
  const heads = new Heads(sessionId);
  const root = heads.add(sessionId, merged, logs.get(sessionId));
  for (const [workflowId, place] of startersFirst(runs)) heads.add(workflowId, place, logs.get(workflowId));
  if (root === undefined) return;
  let own = told;
  for (let head = heads.earliest(); head !== undefined; head = heads.earliest()) {
    const event = heads.take(head);
    const isCopy = head !== root && heads.isCopy(head, event);
    if (event.type === 'run.started') {
      const workflowId = workflowIdOfRun(head.workflowId, event.runId ?? '');
      if (!heads.has(workflowId)) heads.add(workflowId, BEGINNING, await read(workflowId, 1));
    }
    if (head === root && event.seq > own.seq) own = root.place;
    else if (head === root && event.type !== 'log.truncated') continue;
    if (isCopy) continue;
    const cursor = cursorOf(sessionId, { epoch: root.epoch, own, merged: root.place, runs: heads.places() });
    yield { ...event, cursor };
  }
}

/** Read in this order, no log is older than that of its starter, so that it has all that the starter was told. */
export function startersFirst(runs: Position['runs']): [string, RunPlace][] {
  return [...runs].toSorted(([a], [b]) => depthOf(a) - depthOf(b));
}

class Heads {
  private readonly open = new Map<string, Head>();
  private readonly sessionId: string;

  constructor(sessionId: string) {
    this.sessionId = sessionId;
  }

  has(workflowId: string): boolean {
    return this.open.has(workflowId);
  }

  places(): Map<string, RunPlace> {
    const runs = new Map([...this.open].map(([workflowId, { place }]) => [workflowId, place]));
    runs.delete(this.sessionId);
    return runs;
  }

  /** Opens a log at its place, unless nothing comes after that any more. */
  add(workflowId: string, place: RunPlace, log: Log | undefined): Head | undefined {
    const starter = this.open.get(parentOf(workflowId));
    const isWaitedFor =
      starter !== undefined && !starter.closed && place.told !== true && !isSettledIn(starter, workflowId);
    if (log === undefined && !isWaitedFor) return undefined;
    if (log !== undefined && isStranger(log, starter)) return undefined;
    const events = log === undefined ? [] : since(workflowId, place, log);
    const { epoch = '', closed = false, complete = false } = log ?? {};
    const head: Head = { workflowId, depth: depthOf(workflowId), epoch, closed, complete, place, events, next: 0 };
    if (workflowId === this.sessionId || !isRead(head)) this.open.set(workflowId, head);
    return head;
  }

  /** The log whose next event is the oldest; of equal ones the deepest, so that a run's end comes after what led to it. */
  earliest(): Head | undefined {
    let best: Head | undefined;
    for (const head of this.open.values())
      if (head.next < head.events.length && !this.isHeldBack(head) && (best === undefined || comesBefore(head, best)))
        best = head;
    return best;
  }

  take(head: Head): OutliveEvent {
    const event = head.events[head.next++];
    if (event === undefined) throw new Error(`Expected the log of ${head.workflowId} to go on, got its end.`);
    head.place = { ...placeOf(event), ...(head.place.told === true ? { told: true } : {}) };
    if (event.type === 'run.settled' && !isOwn(head.workflowId, event)) {
      const run = this.open.get(workflowIdOfRun(head.workflowId, event.runId ?? ''));
      if (run !== undefined) run.place = { ...run.place, told: true };
    }
    if (head.workflowId !== this.sessionId && isRead(head)) this.open.delete(head.workflowId);
    return event;
  }

  /** What its starter's log tells too. */
  isCopy({ workflowId, place }: Head, event: OutliveEvent): boolean {
    if (!isOwn(workflowId, event)) return false;
    const starter = this.open.get(parentOf(workflowId));
    if (event.type === 'run.settled') return place.told === true || isSettledIn(starter, workflowId);
    // Once it has told the end, or has ended itself, it takes no more milestones.
    if (starter === undefined || place.told === true) return false;
    if (isTold(starter, 'run.milestone', ({ runId, n }) => runId === event.runId && n === event['n'])) return true;
    return !starter.closed && !isSettledIn(starter, workflowId);
  }

  private isHeldBack({ workflowId, place, events, next }: Head): boolean {
    const event = events[next];
    if (event?.type !== 'run.settled' || place.told === true || workflowId === this.sessionId) return false;
    const starter = this.open.get(parentOf(workflowId));
    return starter?.closed === false && isOwn(workflowId, event) && !isSettledIn(starter, workflowId);
  }
}

/** The id of a run that could not be started is that of an earlier session's run. */
function isStranger({ parentEpoch }: Log, starter: Head | undefined): boolean {
  return parentEpoch !== undefined && starter !== undefined && starter.epoch !== '' && parentEpoch !== starter.epoch;
}

/** Its workflow has ended, and so has its log. */
function isRead({ complete, next, events }: Head): boolean {
  return complete && next === events.length;
}

function comesBefore(a: Head, b: Head): boolean {
  const [x = '', y = ''] = [a.events[a.next]?.at, b.events[b.next]?.at];
  if (x !== y) return x < y;
  return a.depth === b.depth ? a.workflowId < b.workflowId : a.depth > b.depth;
}

function isSettledIn(starter: Head | undefined, workflowId: string): boolean {
  const own = workflowId.slice(workflowId.lastIndexOf('/') + 1);
  return isTold(starter, 'run.settled', ({ runId }) => runId === own);
}

/** Whether what comes of a starter's log tells this of a run that it started. */
function isTold(starter: Head | undefined, type: EventType, is: (event: OutliveEvent) => boolean): boolean {
  if (starter === undefined) return false;
  const { workflowId, events, next } = starter;
  return events.some((event, i) => i >= next && event.type === type && !isOwn(workflowId, event) && is(event));
}

/** A run's own milestone or end, in a log where those of the runs that it started stand too: these have an agent, or this run as parent. */
function isOwn(workflowId: string, { type, runId, parentRunId, agent }: OutliveEvent): boolean {
  if ((type !== 'run.milestone' && type !== 'run.settled') || agent !== undefined) return false;
  const [, ...path] = workflowId.split('/');
  return path.length > 0 && runId === path.at(-1) && parentRunId === path.at(-2);
}

function depthOf(workflowId: string): number {
  return workflowId.split('/').length;
}

function parentOf(workflowId: string): string {
  return workflowId.slice(0, workflowId.lastIndexOf('/'));
}
