/** Every fact about a run that its starter is to be told is delivered once, in the message that carries it, after it has happened. */
import type { OutliveEvent } from '../../src/contract.ts';
import { finishKey, gaveUpKey, milestoneKey } from '../../src/domain/state/ids.ts';
import { violation, type Log, type Rule, type SessionFacts } from './facts.ts';
import { runsOf, type Told } from './runs-of.ts';

/** What is to be delivered of a run, and the event that it tells. */
interface Due {
  key: string;
  fact: OutliveEvent;
  /** It may also not be: the turn that waited for it has its outcome or has ended. */
  optional: boolean;
}

export const deliveredOnce: Rule = function* (session) {
  for (const log of session.logs) {
    const delivered = Map.groupBy(
      log.events.filter(({ type }) => type === 'run.delivered'),
      (event) => String(event['key']),
    );
    for (const told of runsOf(log, session)) {
      const say = (what: string) => violation(session, told.workflowId, what);
      for (const { key, fact, optional } of dueOf(log, told)) {
        const [first, ...more] = delivered.get(key) ?? [];
        delivered.delete(key);
        if (more.length > 0) yield say(`${key} was delivered ${more.length + 1} times`);
        if (first === undefined) {
          if (!optional) yield say(`${key} was not delivered, though ${fact.type} is event ${fact.seq}`);
        } else if (first.seq < fact.seq) yield say(`${key} was delivered before ${fact.type}`);
      }
    }
    for (const [key, [first]] of delivered)
      yield violation(session, `${log.workflowId}/${first?.runId ?? ''}`, `${key} was delivered, which was not due`);
  }
};

function dueOf({ workflowId }: Log, { runId, events, label }: Told): Due[] {
  const due: Due[] = [];
  const { notify = 'react', watch = [], waited } = label;
  const find = (type: string): OutliveEvent | undefined => events.find((event) => event.type === type);
  const [settled, gaveUp] = [find('run.settled'), find('run.gave_up')];
  if (settled !== undefined && notify !== 'silent') {
    // Who has caused a cancellation is not told of it again.
    const isCaused = settled['status'] === 'cancelled' && settled['reason'] !== 'cancelled_by_user';
    if (!isCaused || waited === true)
      due.push({ key: finishKey(workflowId, runId), fact: settled, optional: isCaused });
  }
  if (gaveUp !== undefined && notify !== 'silent')
    due.push({ key: gaveUpKey(workflowId, runId), fact: gaveUp, optional: false });
  for (const name of watch) {
    const fact = events.find((event) => event.type === 'run.milestone' && event['name'] === name);
    if (fact !== undefined) due.push({ key: milestoneKey(workflowId, runId, name), fact, optional: false });
  }
  return due;
}

/** Of the same turn or the same line: what a milestone tells is never behind its run's completion, nor a give-up. */
export const deliveredInOrder: Rule = function* (session) {
  for (const log of session.logs) {
    for (const { workflowId, events } of runsOf(log, session)) {
      const all = events.filter(({ type }) => type === 'run.delivered');
      const finish = all.find((event) => event['kind'] === 'finish');
      if (finish === undefined) continue;
      for (const event of all)
        if (event.seq > finish.seq && (event.turnId === undefined) === (finish.turnId === undefined))
          yield violation(session, workflowId, `its ${String(event['kind'])} was delivered after its finish`);
    }
  }
};

/** A delivery follows directly on the message that carries it, and names the one turn whose input it is. */
export const carried: Rule = function* (session) {
  for (const log of session.logs) {
    const turns = turnsByKey(log);
    for (const [i, event] of log.events.entries()) {
      if (event.type !== 'run.delivered') continue;
      const say = (what: string) => violation(session, `${log.workflowId}/${event.runId ?? ''}`, what);
      const key = String(event['key']);
      const message = log.events.slice(0, i).findLast(({ type }) => type !== 'run.delivered');
      if (message?.type !== 'message.added' || !carries(message, key, event))
        yield say(`${key} was delivered without a message that carries it`);
      const [turnId, ...others] = turns.get(key) ?? [];
      if (others.length > 0) yield say(`${key} is an input of ${others.length + 1} turns`);
      if (turnId !== undefined && turnId !== event.turnId)
        yield say(`${key} is an input of turn ${turnId} and was delivered in ${String(event.turnId)}`);
    }
  }
};

function carries({ message }: OutliveEvent, key: string, { runId }: OutliveEvent): boolean {
  const { metadata, parts } = message as { metadata?: { key?: unknown }; parts: { output?: unknown }[] };
  if (metadata?.key !== undefined) return metadata.key === key;
  // The turn has waited for it: it is the result of a call.
  return parts.some(({ output }) => (output as { runId?: unknown } | undefined)?.runId === runId);
}

function turnsByKey({ events }: Log): Map<string, (string | undefined)[]> {
  const turns = new Map<string, (string | undefined)[]>();
  for (const event of events) {
    if (event.type !== 'turn.queued' && event.type !== 'turn.joined') continue;
    for (const { source, key } of event['inputs'] as { source: string; key?: string }[])
      if (source === 'background-run' && key !== undefined) turns.set(key, [...(turns.get(key) ?? []), event.turnId]);
  }
  return turns;
}

/** How many deliveries there were, for the summary. */
export function deliveriesOf({ logs }: SessionFacts): number {
  return logs.reduce((sum, { events }) => sum + events.filter(({ type }) => type === 'run.delivered').length, 0);
}
