/**
 * Messages from a starter to its runs. Each is taken once, in order: a run reads the next one when it has read those before.
 *
 * The starter keeps a message until the run has it, and remembers it until the run has read it, so that what is accepted is
 * bounded and never lost. At most one signal to each run is under way, with all since the last.
 */
import { enqueueMessage } from '../delivery/slots.ts';
import { entryKey, payloadHash, recall, remember, rememberEnd } from '../log/dedupe.ts';
import { mintMessageId } from '../state/ids.ts';
import { fitting, jsonBytes, utf8Length } from '../state/json.ts';
import { emit } from '../log/events.ts';
import { answerOwn, findRequest } from './requests.ts';
import { closed, full, liveBytes } from '../log/capacity.ts';
import { presentRun } from './admission.ts';
import { LIVE_BYTES, MESSAGE_BYTES } from '../state/sizes.ts';
import {
  findRun,
  isOver,
  isSettled,
  type Cx,
  type ForwardedAnswer,
  type RunMessage,
  type RunState,
  type State,
} from '../state/state.ts';
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
  const row = findRun(state, runId);
  if (row === undefined)
    return refuse('UnknownRun', `Expected runId to name a run of this ${state.kind}, got "${runId}".`);
  if (row.kind === 'workflow')
    return refuse(
      'InvalidInput',
      `Expected runId to name a run of an agent or a task, got "${runId}", which is a workflow and takes no messages.`,
    );
  const unread = (row.unread ?? []).reduce((sum, one) => sum + one.bytes, 0);
  const bytes = utf8Length(message.message);
  if ((row.unread?.length ?? 0) >= MOST_UNREAD || (unread > 0 && unread + bytes > MESSAGE_BYTES)) {
    return refuse(
      'QueueFull',
      `Expected a run that has read what it was sent, got "${runId}", which has ${row.unread?.length ?? 0} messages of ${unread} bytes to read.`,
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
  const row = findRun(state, message.runId);
  if (row === undefined)
    return refuse('UnknownRun', `Expected runId to name a run of this ${state.kind}, got "${message.runId}".`);
  const messageId = message.messageId ?? mintMessageId(state.epoch, ++state.counters.message);
  remember(
    state.dedupe,
    entryKey('message', messageId),
    payloadHash({ runId: message.runId, message: message.message }),
    '',
  );
  rememberEnd(state.dedupe, entryKey('message', messageId), 'completed');
  row.messages = (row.messages ?? 0) + 1;
  row.unread ??= [];
  row.unread.push({ n: row.messages, messageId, bytes: utf8Length(message.message), message: message.message });
  emit(cx, 'message.sent', {
    runId: row.runId,
    messageId,
    message: message.message,
    parentToolCallId: row.parentToolCallId,
  });
  return { messageId, deduplicated: false };
}

/** Sends every started run what it has not been sent yet. */
export function sendMessages(cx: Cx): void {
  for (const row of cx.state.runs) {
    if (row.sending === true || row.epoch === undefined || isSettled(row)) continue;
    const unsent = unsentOf(row);
    if (unsent.length === 0) continue;
    row.sending = true;
    cx.effects.push({ do: 'tell-run', runId: row.runId, messages: fitting(unsent, 2 * MESSAGE_BYTES) });
  }
}

function unsentOf(row: RunState): RunMessage[] {
  return (row.unread ?? []).flatMap(({ n, messageId, message }) =>
    message === undefined ? [] : [{ n, messageId, message }],
  );
}

/** A run has the messages up to a number, or is gone and will not read any more. */
export function runTold(cx: Cx, runId: string, n: number): void {
  const row = findRun(cx.state, runId);
  if (row === undefined) return;
  delete row.sending;
  for (const one of row.unread ?? []) if (one.n <= n) delete one.message;
}

/** A run has read the messages up to a number. */
export function messagesRead(row: RunState, n: number): void {
  const unread = (row.unread ?? []).filter((one) => one.n > n);
  if (unread.length === 0) delete row.unread;
  else row.unread = unread;
}

/** In the run: messages of its starter. Repeated ones leave no event. */
export function takeMessages(
  cx: Cx,
  { epoch, messages }: { epoch: string; messages: readonly RunMessage[] },
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
    self.heard = Math.max(message.n, (self.heard ?? 0) + 1);
    takeMessage(cx, { ...message, n: self.heard });
  }
  return undefined;
}

/** A message of the starter: a task reads it from its inbox, an agent as a turn input. */
export function takeMessage(cx: Cx, message: RunMessage): void {
  const { self } = cx.state;
  if (self === undefined) return;
  emit(cx, 'message.received', { messageId: message.messageId, message: message.message });
  if (self.kind !== 'agent') (self.inbox ??= []).push(message);
  else if (self.outcome === undefined) enqueueMessage(cx, message);
}

/** A task has read its messages up to a number. */
export function taskRead(cx: Cx, n: number): void {
  const { self } = cx.state;
  if (self === undefined) return;
  const inbox = (self.inbox ?? []).filter((one) => one.n > n);
  if (inbox.length === 0) delete self.inbox;
  else self.inbox = inbox;
  self.read = Math.max(self.read ?? 0, Math.min(n, self.heard ?? 0));
}

/** Lets the parent know how far its messages were read. */
export function tellRead(cx: Cx): void {
  const { self } = cx.state;
  if (
    self === undefined ||
    self.tellingRead === true ||
    self.parentGone === true ||
    self.settled === true ||
    (self.read ?? 0) <= (self.readTold ?? 0)
  )
    return;
  self.tellingRead = true;
  cx.effects.push({ do: 'tell-read', n: self.read ?? 0 });
}

export function readTold(cx: Cx, n: number): void {
  const { self } = cx.state;
  if (self === undefined) return;
  delete self.tellingRead;
  self.readTold = Math.max(self.readTold ?? 0, n);
}

/** In the run: the word of the parent's agent to its question; one that comes too late is a message like any other. */
export function requestAnswered(cx: Cx, { requestId, value, messageId }: ForwardedAnswer): Refusal | undefined {
  const { state } = cx;
  const entry = entryKey('message', messageId);
  if (recall(state.dedupe, entry) !== undefined || isOver(state)) return undefined;
  remember(state.dedupe, entry, payloadHash(value), '');
  rememberEnd(state.dedupe, entry, 'completed');
  const request = findRequest(state, requestId);
  if (request?.status === 'open') {
    const receipt = answerOwn(cx, { requestId, value, by: 'parent' });
    return isRefusal(receipt) ? receipt : undefined;
  }
  takeMessage(cx, { n: 0, messageId, message: value });
  return undefined;
}
