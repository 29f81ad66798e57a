/** What leaves the outbox, lane by lane: what is gathered for it, and what its acknowledgement means. */
import { epochOf, isSettled } from '../state/row.ts';
import { keyOf, TO_PARENT, type About, type Entry, type Lane } from '../state/outbox.ts';
import { backoff } from '../state/backoff.ts';
import type { Effect, Letter } from '../state/effects.ts';
import { hasSettled } from '../state/self.ts';
import { dueBy, type Cx, type State } from '../state/state.ts';
import { forgetRefusal, tokensLeft } from '../state/tokens.ts';
import { totalOf } from '../state/usage.ts';
import { untoldMilestones } from './own-milestones.ts';
import { parentGone } from './parent-gone.ts';
import { recordRefusal } from '../log/refusals.ts';
import { findRequest, keepClosed } from './requests.ts';
import { notesTold, unsentNotes } from './to-runs.ts';

/** So many messages of a lane are under way at once. */
const AT_ONCE: Readonly<Record<Lane, number>> = {
  milestones: 1,
  read: 1,
  requests: 1,
  tokens: 1,
  notes: Infinity,
  budget: Infinity,
  answers: Infinity,
  handlers: 10,
};
const BACKOFF_MS = 1000;
const BACKOFF_MOST_MS = 60_000;

/** Sends what may leave. */
export function sendOutbox(cx: Cx): void {
  const { state, effects } = cx;
  const { outbox } = state;
  for (const entry of outbox.ready) {
    if (outbox.underWayOf(entry.about.lane) >= AT_ONCE[entry.about.lane]) continue;
    const effect = effectOf(state, entry);
    if (effect === undefined) {
      outbox.drop(entry);
      continue;
    }
    outbox.leave(entry);
    effects.push(effect);
  }
}

function effectOf(state: State, entry: Entry): Effect | undefined {
  const { about, attempt } = entry;
  const key = keyOf(about);
  if (about.lane === 'handlers') return { do: 'handler', key, call: about.call, idempotencyKey: about.key, attempt };
  const letter = letterOf(state, entry);
  return letter === undefined ? undefined : { do: 'tell', key, letter };
}

/** All since the last, or nothing when there is nothing any more. */
function letterOf(state: State, { about }: Entry): Letter | undefined {
  switch (about.lane) {
    case 'milestones':
    case 'read':
    case 'requests':
    case 'tokens':
      return letterToParent(state, about);
    case 'notes': {
      const row = state.runs.peek(about.runId);
      const messages = row === undefined ? [] : unsentNotes(row);
      const upTo = messages.at(-1)?.n;
      if (row === undefined || upTo === undefined) return undefined;
      return { workflowId: row.workflowId, name: 'runMessage', message: { epoch: epochOf(row), messages }, upTo };
    }
    case 'budget': {
      const row = state.runs.peek(about.runId);
      const left = tokensLeft(state);
      if (row === undefined || isSettled(row) || left === undefined) return undefined;
      const final = state.tokens?.refusing?.includes(about.runId) === true ? { final: true as const } : {};
      return { workflowId: row.workflowId, name: 'runBudget', message: { epoch: epochOf(row), left, ...final } };
    }
    case 'answers':
      return { workflowId: about.workflowId, name: 'requestAnswered', message: about.answer };
    case 'handlers':
      return undefined;
    default:
      return about satisfies never;
  }
}

/** Nothing once there is no parent any more, or the settle says it all. */
function letterToParent(state: State, about: Extract<About, { lane: (typeof TO_PARENT)[number] }>): Letter | undefined {
  const { self } = state;
  if (self === undefined || self.parentGone === true || hasSettled(self)) return undefined;
  const { workflowId, epoch } = self.parent;
  const from = { runId: self.runId, epoch };
  switch (about.lane) {
    case 'milestones': {
      const milestones = untoldMilestones(self);
      const upTo = milestones.at(-1)?.n;
      if (upTo === undefined) return undefined;
      const seen = self.progress === undefined ? {} : { progress: self.progress };
      const message = { ...from, milestones, usage: totalOf(state.spent), ...seen };
      return { workflowId, name: 'runMilestones', message, upTo };
    }
    case 'read': {
      const { read, readTold } = self.notes;
      if (read <= readTold) return undefined;
      return { workflowId, name: 'runMessagesRead', message: { ...from, n: read }, upTo: read };
    }
    case 'requests': {
      const request = findRequest(state, about.requestId);
      if (request === undefined) return undefined;
      const message = { ...from, request: { ...request }, usage: totalOf(state.spent) };
      return { workflowId, name: 'runRequest', message };
    }
    case 'tokens': {
      const waits = state.tokens?.isWaiting === true;
      const below = (state.tokens?.wanting ?? []).length > 0;
      return { workflowId, name: 'runTokens', message: { ...from, usage: totalOf(state.spent), waits, below } };
    }
    default:
      return about satisfies never;
  }
}

/** A letter has arrived, or its receiver is gone, or the server would not take it. */
export function letterSent(cx: Cx, key: string, letter: Letter, outcome: 'sent' | 'gone' | 'refused'): void {
  const { state } = cx;
  const entry = state.outbox.get(key);
  if (entry === undefined || entry.way.is !== 'under-way') return;
  if (outcome === 'refused') {
    state.outbox.failed(entry, cx.now + backoff(entry.attempt, BACKOFF_MS, BACKOFF_MOST_MS));
    return;
  }
  const { lane } = entry.about;
  const isToParent = TO_PARENT.some((one) => one === lane);
  if (outcome === 'gone' && isToParent && state.self !== undefined) {
    parentGone(cx, state.self.parent.epoch);
    return;
  }
  acknowledge(state, entry, letter);
  state.outbox.told(entry);
  if (lane === 'requests') keepClosed(state);
}

function acknowledge(state: State, { about }: Entry, letter: Letter): void {
  const { self, runs, outbox } = state;
  const { upTo = 0 } = letter;
  switch (about.lane) {
    case 'milestones':
      if (self === undefined) return;
      self.told = Math.max(self.told, upTo);
      if (untoldMilestones(self).length > 0) outbox.put(about);
      return;
    case 'read':
      if (self !== undefined) self.notes.readTold = Math.max(self.notes.readTold, upTo);
      return;
    case 'notes': {
      const row = runs.get(about.runId);
      if (row === undefined) return;
      notesTold(row, upTo);
      if (unsentNotes(row).length > 0) outbox.put(about);
      return;
    }
    case 'budget':
      if (letter.name === 'runBudget' && letter.message.final === true) forgetRefusal(state, about.runId);
      return;
    case 'requests':
    case 'tokens':
    case 'answers':
    case 'handlers':
      return;
    default:
      about satisfies never;
  }
}

/** What has waited long enough leaves again; but whoever closes does not wait for ever for a run that takes nothing. */
export function passOutbox(cx: Cx): void {
  const { outbox } = cx.state;
  const until = undeliveredUntil(cx.state);
  if (until !== undefined && until <= dueBy(cx))
    for (const entry of outbox.toJSON()) if (isToRun(entry)) giveUpLetter(cx, entry);
  outbox.wake(dueBy(cx));
}

/** While a session closes: until when it waits for its runs to take what they were sent; nothing when they have it. */
export function undeliveredUntil({ closing, outbox }: State): number | undefined {
  if (closing?.stage.is !== 'runs') return undefined;
  return outbox.has('notes') || outbox.has('answers') ? closing.stage.until : undefined;
}

function isToRun({ about: { lane } }: Entry): boolean {
  return lane === 'notes' || lane === 'answers';
}

/** It was accepted, and is lost with the end: the log says so. */
function giveUpLetter(cx: Cx, entry: Entry): void {
  const { about } = entry;
  const { runs, outbox } = cx.state;
  const row = about.lane === 'notes' ? runs.peek(about.runId) : undefined;
  const notes = row === undefined ? [] : unsentNotes(row);
  const ids = about.lane === 'answers' ? [about.answer.messageId] : notes.map(({ messageId }) => messageId);
  outbox.drop(entry);
  recordRefusal(
    cx,
    'messageRun',
    `Expected the run to take what it was sent before the end of this ${cx.state.kind}, got no answer; lost: ${ids.join(', ')}.`,
  );
}
