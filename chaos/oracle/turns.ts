/** One turn at a time, each with one beginning and one end; nothing that was accepted is missing, nothing comes twice. */
import type { OutliveEvent } from '../../src/contract.ts';
import { violation, type Log, type Rule } from './facts.ts';

const ENDS = ['turn.completed', 'turn.failed', 'turn.cancelled', 'turn.skipped'];

interface Input {
  source: string;
  key?: string;
}

export function inputsOf(event: OutliveEvent): Input[] {
  return event['inputs'] as Input[];
}

export const oneTurnAtATime: Rule = function* (session) {
  for (const log of session.logs) {
    const say = (what: string) => violation(session, log.workflowId, what);
    let running: string | undefined;
    for (const { type, turnId } of log.events) {
      if (type === 'turn.started') {
        if (running !== undefined) yield say(`turn ${String(turnId)} started while turn ${running} ran`);
        running = turnId;
      } else if (ENDS.includes(type) && turnId === running) running = undefined;
    }
    if (running !== undefined && !log.terminated) yield say(`turn ${running} started and never ended`);
  }
};

export const turnsEndOnce: Rule = function* (session) {
  for (const log of session.logs) {
    const say = (what: string) => violation(session, log.workflowId, what);
    const turns = Map.groupBy(
      log.events.filter(({ type }) => type.startsWith('turn.')),
      ({ turnId }) => turnId ?? '',
    );
    for (const [turnId, events] of turns) {
      const [ends, begun] = [
        events.filter(({ type }) => ENDS.includes(type)),
        events.filter(({ type }) => type === 'turn.started'),
      ];
      const queued = events.filter(({ type }) => type === 'turn.queued');
      if (queued.length > 1) yield say(`turn ${turnId} was queued ${queued.length} times`);
      if (queued.length === 0 && events[0]?.type !== 'turn.skipped') yield say(`turn ${turnId} was never queued`);
      if (begun.length > 1) yield say(`turn ${turnId} started ${begun.length} times`);
      if (ends.length > 1) yield say(`turn ${turnId} ended ${ends.length} times`);
      if (ends.length === 0 && !log.terminated && !isAppendedAtTheEnd(log, events))
        yield say(`turn ${turnId} never ended`);
      if (ends.length > 0 && events.at(-1) !== ends.at(-1)) yield say(`turn ${turnId} went on after its end`);
    }
  }
};

/** Background inputs that still waited when all ended are delivered without a turn, which has no end of its own. */
function isAppendedAtTheEnd({ events: log }: Log, events: readonly OutliveEvent[]): boolean {
  const waited = events.every(({ type }) => type === 'turn.queued' || type === 'turn.joined');
  const keys = events.flatMap((event) => inputsOf(event));
  return waited && keys.every(({ source }) => source !== 'user') && log.at(-1) !== events.at(-1);
}

/** What the client was told is accepted stands in the log, once, and is read once at most. */
export const acceptedOnce: Rule = function* (session) {
  const [own] = session.logs;
  if (own === undefined) return;
  const keys = own.events.flatMap((event) => (isAdmission(own, event) ? inputsOf(event) : []));
  const times = Map.groupBy(
    keys.filter(({ source, key }) => source === 'user' && key !== undefined),
    ({ key }) => key ?? '',
  );
  for (const key of new Set([...session.told.turns, ...times.keys()])) {
    const found = times.get(key)?.length ?? 0;
    if (found !== 1)
      yield violation(
        session,
        session.sessionId,
        `the turn input ${key} was accepted and is ${found} times in the log`,
      );
    const read = own.events.filter((event) => isReading(event, key)).length;
    if (read > 1) yield violation(session, session.sessionId, `the turn input ${key} is read ${read} times`);
  }
  const runs = new Set(
    own.events.flatMap(({ type, runId }) => (type === 'run.queued' && runId !== undefined ? [runId] : [])),
  );
  for (const runId of session.told.runs)
    if (!runs.has(runId))
      yield violation(session, `${session.sessionId}/${runId}`, 'it was accepted and is not in the log');
};

/**
 * An input enters the log with its turn, with one that it joins, or as skipped at once. One that had joined a running turn and was not read by it
 * has a turn of its own after that turn's end, which counts in place of the joining.
 */
function isAdmission({ events }: Log, event: OutliveEvent): boolean {
  const { type, turnId, seq } = event;
  if (type === 'turn.queued') return true;
  if (type === 'turn.skipped') return !events.some((one) => one.type === 'turn.queued' && one.turnId === turnId);
  if (type !== 'turn.joined') return false;
  const end = events.find((one) => ENDS.includes(one.type) && one.turnId === turnId)?.seq ?? Infinity;
  const keys = inputsOf(event).map(({ key }) => key);
  const isLeftOver = (one: OutliveEvent): boolean =>
    one.type === 'turn.queued' && one.seq > end && inputsOf(one).some(({ key }) => keys.includes(key));
  return !events.some((one) => one.seq > seq && isLeftOver(one));
}

/** A script stands in a user's message with the key that it was sent with. */
function isReading({ type, ...event }: OutliveEvent, key: string): boolean {
  if (type !== 'message.added') return false;
  const { role, parts } = event['message'] as { role: string; parts: { text?: string }[] };
  return role === 'user' && parts.some(({ text }) => text?.startsWith(`{"key":${JSON.stringify(key)}`) === true);
}

/** Nothing is refused that was right. */
export const refusedRightly: Rule = function* (session) {
  for (const { workflowId, events } of session.logs)
    for (const event of events)
      if (event.type === 'input.refused' && !session.told.refusable.includes(String(event['name'])))
        yield violation(session, workflowId, `${String(event['name'])} was refused: ${String(event['message'])}`);
};
