/** A log by the runs that it tells of. */
import type { OutliveEvent } from '../../src/contract.ts';
import { readLabel, type Label } from '../script.ts';
import type { Log, SessionFacts } from './facts.ts';

/** What a starter's log tells of one run, in order, and that run's own log, if it has one. */
export interface Told {
  runId: string;
  workflowId: string;
  events: OutliveEvent[];
  label: Label;
  own: Log | undefined;
}

/** The run whose log it is, by its id; nothing for a session. */
function ownerOf({ workflowId }: Log): string | undefined {
  return workflowId.includes('/') ? workflowId.slice(workflowId.lastIndexOf('/') + 1) : undefined;
}

/** An event that a run tells of itself, as its milestones and its end. */
export function isOwn(log: Log, event: OutliveEvent): boolean {
  const owner = ownerOf(log);
  return owner !== undefined && event.runId === owner && event.parentRunId !== owner;
}

export function runsOf(log: Log, { logs }: SessionFacts): Told[] {
  const runs = new Map<string, OutliveEvent[]>();
  for (const event of log.events) {
    if (!event.type.startsWith('run.') || event.runId === undefined || isOwn(log, event)) continue;
    const before = runs.get(event.runId);
    if (before === undefined) runs.set(event.runId, [event]);
    else before.push(event);
  }
  return [...runs].map(([runId, events]) => {
    const workflowId = `${log.workflowId}/${runId}`;
    const label = readLabel(events.find(({ type }) => type === 'run.queued')?.['label']);
    return { runId, workflowId, events, label, own: logs.find((one) => one.workflowId === workflowId) };
  });
}

/** What a run says of its own end. */
export function endsOf(log: Log | undefined): OutliveEvent[] {
  return log?.events.filter((event) => event.type === 'run.settled' && isOwn(log, event)) ?? [];
}

/** Whoever has ended otherwise than by completing need not have heard of every run's end. */
export function isCutShort(log: Log, { sessionId, kept }: SessionFacts): boolean {
  if (log.workflowId === sessionId) return kept;
  return log.terminated || endsOf(log).some((event) => event['status'] !== 'completed');
}

export function count(events: readonly OutliveEvent[], type: string): number {
  return events.filter((event) => event.type === type).length;
}
