/**
 * Delivery slots: each fact about a run that its starter is told has one slot with one key, filled once. The row, not the
 * message that brought the fact, is the memory; so it does not matter how often the message comes.
 *
 * `pending → queued → delivered`, or `not_required`. `queued` is in the turn queue; `delivered` is appended to the transcript
 * and never undone.
 */
import { haveRead } from '../state/notes.ts';
import { bodyOf, frame, narration } from './frame.ts';
import { freshTurnId } from '../log/dedupe.ts';
import { emit } from '../log/events.ts';
import { BATCH_INPUTS, FRAME_BYTES, MESSAGE_BYTES } from '../state/sizes.ts';
import { forgetAsks, isOpenAsk, slotOf, type RunState, type SlotRef } from '../state/row.ts';
import { iso, type Cx } from '../state/state.ts';
import { isStepWaiting, type Note, type QueuedTurn, type TurnInput } from '../state/turn.ts';
import { noUsage } from '../state/usage.ts';
import { addMessage, text } from './transcript.ts';
import { reminderKey } from '../state/ids.ts';
import { jsonBytes } from '../state/json.ts';
import type { EndedTurnStatus, UIMessage } from '../state/types.ts';

/** Sends a slot on its way, by the run's `notify`. */
export function deliver(cx: Cx, row: RunState, slot: SlotRef, mode: 'react' | 'narrate' | 'silent'): void {
  const delivery = slotOf(row, slot);
  if (delivery === undefined || delivery.state !== 'pending') return;
  if (mode === 'silent') {
    delivery.state = 'not_required';
    return;
  }
  const { closing } = cx.state;
  if (mode === 'narrate' && slot.kind !== 'ask') {
    delivery.state = 'queued';
    // Behind the results of the step under way, unless that may wait for weeks.
    const { turn } = cx.state;
    if (turn?.phase === 'tools' && !isStepWaiting(turn)) cx.state.lines.push(slot);
    else narrate(cx, row, slot);
  } else if (closing !== undefined && closing.stage.is !== 'turn') appendBackground(cx, row, slot);
  else enqueue(cx, row, slot);
}

/** Appends the lines that waited for a step's tool results. */
export function narrateWaiting(cx: Cx): void {
  for (const slot of cx.state.lines.splice(0)) {
    const row = cx.state.runs.get(slot.runId);
    if (row !== undefined) narrate(cx, row, slot);
  }
}

function narrate(cx: Cx, row: RunState, slot: SlotRef): void {
  addMessage(cx, { role: 'assistant', parts: [text(narration(row, slot))], metadata: metadataOf(row, slot, false) });
  markDelivered(cx, row, slot);
}

function metadataOf(row: RunState, slot: SlotRef, hidden: boolean): NonNullable<UIMessage['metadata']> {
  const key = slotOf(row, slot)?.key ?? '';
  return {
    source: 'background-run',
    ...(hidden ? { hidden: true } : {}),
    kind: slot.kind,
    key,
    runId: row.runId,
    agent: row.agent,
    // That of now: what is told may have happened a while ago.
    status: row.status,
  };
}

/** Fills a slot: its message stands in the transcript. */
export function markDelivered(cx: Cx, row: RunState, slot: SlotRef, turnId?: string): void {
  const delivery = slotOf(row, slot);
  if (delivery === undefined) return;
  delivery.state = 'delivered';
  delivery.at = iso(cx.now);
  if (turnId !== undefined) delivery.turnId = turnId;
  const { turn } = cx.state;
  if (turn !== null && turn.turnId === turnId) (turn.told ??= []).push(slot);
  if (slot.kind === 'ask') {
    for (const ask of row.own.asks ?? []) if (ask.requestId === slot.requestId) ask.question = '';
    forgetAsks(row);
  }
  // A question is told by its request; the log names deliveries of what a run has come to.
  if (slot.kind !== 'ask')
    emit(cx, 'run.delivered', { runId: row.runId, key: delivery.key, kind: slot.kind, turnId, agent: row.agent });
}

/** Appends a background input to the transcript: the moment of its delivery. */
export function appendBackground(cx: Cx, row: RunState, slot: SlotRef, turnId?: string): void {
  const delivery = slotOf(row, slot);
  if (delivery === undefined || delivery.state === 'delivered' || delivery.state === 'not_required') return;
  const { runId: id, agent, status } = row;
  const framed = frame({ id, agent, status, key: delivery.key }, bodyOf(row, slot));
  addMessage(cx, { role: 'user', parts: [text(framed)], metadata: metadataOf(row, slot, true) }, turnId);
  markDelivered(cx, row, slot, turnId);
}

/** Puts a background input into the turn queue: it joins the last turn if that is a background turn with room, else opens one. */
function enqueue(cx: Cx, row: RunState, slot: SlotRef): void {
  const delivery = slotOf(row, slot);
  if (delivery === undefined) return;
  delivery.state = 'queued';
  const bytes = Math.min(jsonBytes(bodyOf(row, slot)) + FRAME_BYTES, MESSAGE_BYTES);
  delivery.turnId = admit(cx, {
    ref: { source: 'background-run', key: delivery.key },
    body: { source: 'background-run', slot },
    bytes,
  });
}

/** In a run: puts a message of its starter into the turn queue. */
export function enqueueNote(cx: Cx, note: Note): void {
  admit(cx, {
    ref: { source: 'background-run', key: note.messageId },
    body: { source: 'note', note },
    bytes: jsonBytes(note) + FRAME_BYTES,
  });
}

/** In a run: its agent is asked once more for the result that it has not given. */
export function enqueueReminder(cx: Cx): void {
  const { workflowId } = cx.state;
  admit(cx, {
    ref: { source: 'background-run', key: reminderKey(workflowId) },
    body: { source: 'reminder' },
    bytes: FRAME_BYTES,
  });
}

/** Admits a background input; answers the turn that will read it. */
function admit(cx: Cx, input: TurnInput): string {
  const { state } = cx;
  const { bytes } = input;
  // What a slot tells is in its row; a note is nowhere else.
  const cost = input.body.source === 'note' ? bytes : 0;
  const last = state.queue.at(-1);
  if (
    last !== undefined &&
    state.settings.turns.batchBackground &&
    last.origin === 'background' &&
    last.pending.length < BATCH_INPUTS &&
    last.bytes + bytes <= MESSAGE_BYTES
  ) {
    last.pending.push(input);
    last.inputs.push(input.ref);
    last.bytes += bytes;
    last.cost += cost;
    emit(cx, 'turn.joined', { turnId: last.turnId, inputs: [input.ref] });
    return last.turnId;
  }
  const turn: QueuedTurn = {
    turnId: freshTurnId(state),
    origin: 'background',
    inputs: [input.ref],
    pending: [input],
    bytes,
    queuedAt: iso(cx.now),
    usage: noUsage(),
    keys: [],
    cost,
  };
  state.queue.push(turn);
  emit(cx, 'turn.queued', { turnId: turn.turnId, inputs: turn.inputs.slice() });
  return turn.turnId;
}

/** Appends one background input to the transcript. */
export function appendInput(cx: Cx, { body }: TurnInput, turnId: string): void {
  if (body.source === 'note') appendNote(cx, body.note, turnId);
  if (body.source === 'reminder') appendReminder(cx, turnId);
  if (body.source !== 'background-run') return;
  const row = cx.state.runs.get(body.slot.runId);
  if (row !== undefined) appendBackground(cx, row, body.slot, turnId);
}

const NO_RESULT =
  'You have ended without a result. Call report_result now, with a result that fits its schema: without one, all of this counts as failed.';

function appendReminder(cx: Cx, turnId: string): void {
  const { self, agent, workflowId } = cx.state;
  if (self === undefined) return;
  const key = reminderKey(workflowId);
  const metadata = {
    source: 'background-run',
    hidden: true,
    kind: 'message',
    key,
    runId: self.runId,
    agent,
    status: 'running',
  };
  addMessage(cx, { role: 'user', parts: [text(NO_RESULT)], metadata }, turnId);
}

function appendNote(cx: Cx, { n, messageId, message }: Note, turnId: string): void {
  const { self, agent } = cx.state;
  if (self === undefined) return;
  const status = 'running';
  const framed = frame({ id: self.runId, agent, status, key: messageId }, { message });
  addMessage(
    cx,
    {
      role: 'user',
      parts: [text(framed)],
      metadata: {
        source: 'background-run',
        hidden: true,
        kind: 'message',
        key: messageId,
        runId: self.runId,
        agent,
        status,
      },
    },
    turnId,
  );
  haveRead(cx.state, n);
}

/** True when a turn holds nothing but questions that are not open any more. */
export function holdsOnlyAnswered({ state }: Cx, { pending }: QueuedTurn): boolean {
  return pending.every(({ body }) => {
    if (body.source !== 'background-run' || body.slot.kind !== 'ask') return false;
    const { runId, requestId } = body.slot;
    const ask = state.runs.peek(runId)?.own.asks?.find((one) => one.requestId === requestId);
    return ask === undefined || !isOpenAsk(ask);
  });
}

/** Appends what a background turn holds without a model call: it was cancelled while queued, needs no answer, or the session closes. */
export function appendWithoutTurn(cx: Cx, { turnId, pending }: QueuedTurn, status: 'cancelled' | 'skipped'): void {
  for (const input of pending) appendInput(cx, input, turnId);
  const slots = pending.flatMap(({ body }) => (body.source === 'background-run' ? [body.slot] : []));
  tellTurnStatus(cx, slots, status);
}

/** How the turn that has read these slots has ended. */
export function tellTurnStatus({ state: { runs } }: Cx, slots: readonly SlotRef[], status: EndedTurnStatus): void {
  for (const slot of slots) {
    const row = runs.get(slot.runId);
    const delivery = row === undefined ? undefined : slotOf(row, slot);
    if (delivery?.state === 'delivered') delivery.turnStatus = status;
  }
}
