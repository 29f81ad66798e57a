/**
 * Messages from a starter to its runs. Each is taken once, in order: a run reads the next one when it has read those before.
 *
 * The starter keeps a message until the run has it, and remembers it until the run has read it, so that what is accepted is
 * bounded and never lost. It goes by the outbox.
 */
import { haveRead } from '../state/notes.ts';
import { hasEpoch, isSettled, unsettledOf, type RunState } from '../state/row.ts';
import type { RunSelf } from '../state/self.ts';
import { enqueueNote } from '../delivery/slots.ts';
import { entryKey, payloadHash, recall, remember, rememberEnd } from '../log/dedupe.ts';
import { mintMessageId } from '../state/ids.ts';
import { fitting, jsonBytes, utf8Length } from '../state/json.ts';
import { emit } from '../log/events.ts';
import { answerOwn, findRequest } from './requests.ts';
import { closed, full, liveBytes } from '../log/capacity.ts';
import { presentRun } from './admission.ts';
import { LIVE_BYTES, MESSAGE_BYTES } from '../state/sizes.ts';
import type { ForwardedAnswer } from '../state/outbox.ts';
import { isOver, type Cx, type State } from '../state/state.ts';
import type { Note } from '../state/turn.ts';
import { isRefusal, refuse, type Refusal } from '../state/types.ts';

const MOST_UNREAD = 100;
/** What a message takes beside its text when it is carried. */
const MESSAGE_GROWTH = 120;

export interface MessageRun {
  runId: string;
  message: string;
  messageId?: string;
}
export interface MessageReceipt {
  messageId: string;
  deduplicated: boolean;
}

function known(state: State, { runId, message, messageId }: MessageRun): MessageReceipt | Refusal | undefined {
  const found = messageId === undefined ? undefined : recall(state.dedupe, entryKey('message', messageId));
  if (messageId === undefined || found === undefined) return undefined;
  return found.payload === payloadHash({ runId, message })
    ? { messageId, deduplicated: true }
    : refuse(
        'IdempotencyConflict',
        `Expected messageId "${messageId}" to come with the same payload as before, got another.`,
      );
}

/** The receipt of a known message, a refusal, or nothing yet. */
export function admitMessage(state: State, message: MessageRun): MessageReceipt | Refusal | undefined {
  if (state.closing !== undefined || isOver(state)) return closed(state);
  const before = known(state, message);
  if (before !== undefined) return before;
  const { runId } = message;
  const { known: isKnown, status } = presentRun(state, runId);
  if (!isKnown) return refuse('UnknownRun', `Expected runId to name a run of this ${state.kind}, got "${runId}".`);
  if (isSettled({ status }))
    return refuse('RunSettled', `Expected a run that has not settled, got "${runId}", which is ${status}.`);
  const row = state.runs.peek(runId);
  if (row === undefined)
    return refuse('UnknownRun', `Expected runId to name a run of this ${state.kind}, got "${runId}".`);
  if (row.kind === 'workflow' || row.kind === 'tool')
    return refuse(
      'InvalidInput',
      `Expected runId to name a run of an agent or a task, got "${runId}", which is a ${row.kind} and takes no messages.`,
    );
  const unread = unsettledOf(row)?.notes?.unread ?? [];
  const held = unread.reduce((sum, one) => sum + one.bytes, 0);
  const bytes = utf8Length(message.message);
  if (unread.length >= MOST_UNREAD || (held > 0 && held + bytes > MESSAGE_BYTES)) {
    return refuse(
      'QueueFull',
      `Expected a run that has read what it was sent, got "${runId}", which has ${unread.length} messages of ${held} bytes to read.`,
    );
  }
  const live = liveBytes(state) + jsonBytes(message.message) + MESSAGE_GROWTH;
  return live > LIVE_BYTES ? full(live) : undefined;
}

/** Takes a message to a run; it is on its way as soon as the run has started. */
export function messageRun(cx: Cx, message: MessageRun): MessageReceipt | Refusal {
  const { state } = cx;
  const before = admitMessage(state, message);
  if (before !== undefined) return before;
  const row = state.runs.get(message.runId);
  const life = row === undefined ? undefined : unsettledOf(row);
  if (row === undefined || life === undefined)
    return refuse('UnknownRun', `Expected runId to name a run of this ${state.kind}, got "${message.runId}".`);
  const messageId = message.messageId ?? mintMessageId(state.epoch, ++state.counters.message);
  remember(
    state.dedupe,
    entryKey('message', messageId),
    payloadHash({ runId: message.runId, message: message.message }),
    '',
  );
  rememberEnd(state.dedupe, entryKey('message', messageId), 'completed');
  const notes = (life.notes ??= { sent: 0, unread: [] });
  notes.sent += 1;
  notes.unread.push({ n: notes.sent, messageId, bytes: utf8Length(message.message), message: message.message });
  if (hasEpoch(row)) state.outbox.put({ lane: 'notes', runId: row.runId });
  emit(cx, 'message.sent', {
    runId: row.runId,
    messageId,
    message: message.message,
    parentToolCallId: row.parentToolCallId,
  });
  return { messageId, deduplicated: false };
}

/** What a run that has started has not been sent yet, as much as one message takes. */
export function unsentNotes(row: Readonly<RunState>): Note[] {
  if (!hasEpoch(row)) return [];
  const unread = unsettledOf(row)?.notes?.unread ?? [];
  const unsent = unread.flatMap(({ n, messageId, message }) =>
    message === undefined ? [] : [{ n, messageId, message }],
  );
  return fitting(unsent, 2 * MESSAGE_BYTES);
}

/** A run has the messages up to a number, or is gone and will not read any more. */
export function notesTold(row: RunState, n: number): void {
  for (const one of unsettledOf(row)?.notes?.unread ?? []) if (one.n <= n) delete one.message;
}

/** A run has read the messages up to a number. */
export function notesRead(row: RunState, n: number): void {
  const notes = unsettledOf(row)?.notes;
  if (notes !== undefined) notes.unread = notes.unread.filter((one) => one.n > n);
}

/** In the run: messages of its starter. Repeated ones leave no event. */
export function takeMessages(
  cx: Cx,
  { epoch, messages }: { epoch: string; messages: readonly Note[] },
): Refusal | undefined {
  const { state } = cx;
  const { self } = state;
  if (self === undefined || epoch !== state.epoch)
    return refuse('InvalidInput', `Expected epoch to be "${state.epoch}", got another.`);
  for (const message of messages) {
    const entry = entryKey('message', message.messageId);
    if (recall(state.dedupe, entry) !== undefined || isOver(state)) continue;
    remember(state.dedupe, entry, payloadHash(message.message), '');
    rememberEnd(state.dedupe, entry, 'completed');
    // A starter that was reset counts from an earlier number again.
    self.notes.heard = Math.max(message.n, self.notes.heard + 1);
    takeMessage(cx, self, { ...message, n: self.notes.heard });
  }
  return undefined;
}

/** A message of the starter: a task reads it from its inbox, an agent as a turn input. */
function takeMessage(cx: Cx, self: RunSelf, note: Note): void {
  emit(cx, 'message.received', { messageId: note.messageId, message: note.message });
  if (self.work.kind === 'task') self.work.inbox.push(note);
  else if (self.work.kind === 'agent' && self.end.is === 'working') enqueueNote(cx, note);
}

/** A task has read its messages up to a number. */
export function taskRead(cx: Cx, n: number): void {
  const { self } = cx.state;
  if (self?.work.kind !== 'task') return;
  self.work.inbox = self.work.inbox.filter((one) => one.n > n);
  haveRead(cx.state, Math.min(n, self.notes.heard));
}

/** In the run: the word of the parent's agent to its question; one that comes too late is a message like any other. */
export function requestAnswered(cx: Cx, { requestId, value, messageId }: ForwardedAnswer): Refusal | undefined {
  const { state } = cx;
  const { self } = state;
  const entry = entryKey('message', messageId);
  if (self === undefined || recall(state.dedupe, entry) !== undefined || isOver(state)) return undefined;
  remember(state.dedupe, entry, payloadHash(value), '');
  rememberEnd(state.dedupe, entry, 'completed');
  const request = findRequest(state, requestId);
  if (request?.status === 'open') {
    const receipt = answerOwn(cx, { requestId, value, by: 'parent' });
    return isRefusal(receipt) ? receipt : undefined;
  }
  takeMessage(cx, self, { n: 0, messageId, message: value });
  return undefined;
}
