/** The transcript: what the model reads, in order. Every message that enters it is also an event. */
import { mintMessageId } from '../state/ids.ts';
import { emit } from '../log/events.ts';
import type { Cx } from '../state/state.ts';
import type { MessagePart, UIMessage } from '../state/types.ts';

/** A message's id: the caller's when it is new here, else a minted one. */
function freshId(cx: Cx, wanted: string | undefined): string {
  const { state } = cx;
  if (wanted !== undefined && wanted !== '' && !state.transcript.some((entry) => entry.message.id === wanted))
    return wanted;
  return freshMessageId(cx);
}

/** An id for a message that is still to come. */
export function freshMessageId({ state }: Cx): string {
  return mintMessageId(state.epoch, ++state.counters.message);
}

export interface NewMessage {
  id?: string | undefined;
  role: UIMessage['role'];
  parts: MessagePart[];
  metadata?: UIMessage['metadata'] | undefined;
  /** Entries of the dedupe record of the input that begins with it. */
  keys?: string[] | undefined;
}

/** Appends a message to the transcript and to the log. */
export function addMessage(cx: Cx, given: NewMessage, turnId?: string): UIMessage {
  const message: UIMessage = { id: freshId(cx, given.id), role: given.role, parts: given.parts };
  if (given.metadata !== undefined) message.metadata = given.metadata;
  const { keys } = given;
  cx.state.transcript.push({
    message,
    ...(turnId === undefined ? {} : { turnId }),
    ...(keys === undefined ? {} : { keys }),
  });
  emit(cx, 'message.added', { turnId, message });
  return message;
}

export function text(value: string): MessagePart {
  return { type: 'text', text: value };
}

/** A call that the model's provider has made and answered itself: nothing here runs it, and what came of it stands in the same part. */
export function isRunByProvider(part: MessagePart): boolean {
  return part['providerExecuted'] === true;
}

/** A call that is answered here. */
export function isOwnCall(part: MessagePart): boolean {
  return typeof part['toolCallId'] === 'string' && !isRunByProvider(part);
}

export function textOf(message: UIMessage): string {
  return message.parts
    .filter((part) => part.type === 'text')
    .map((part) => String(part['text']))
    .join('');
}

export function isHidden(message: UIMessage): boolean {
  return message.metadata?.['hidden'] === true;
}
