/** An input enters the transcript: the moment of its delivery. */
import { appendInput } from '../delivery/slots.ts';
import { addMessage } from '../delivery/transcript.ts';
import type { Cx } from '../state/state.ts';
import type { TurnInput } from '../state/turn.ts';
import type { Json } from '../state/types.ts';

export function readInput(cx: Cx, input: TurnInput, turnId: string): void {
  const { body, keys, metadata } = input;
  if (body.source !== 'user') {
    appendInput(cx, input, turnId);
    return;
  }
  for (const [i, message] of body.messages.entries()) {
    addMessage(
      cx,
      {
        id: message.id,
        role: 'user',
        parts: message.parts,
        metadata: message.metadata ?? metadataOf(metadata),
        keys: i === 0 ? keys : undefined,
      },
      turnId,
    );
  }
}

/** An input's metadata as that of its messages, less what only the runtime says. */
function metadataOf(value: Json | undefined): { [key: string]: Json | undefined } | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const { source: _source, hidden: _hidden, ...metadata } = value as { [key: string]: Json | undefined };
  return Object.keys(metadata).length === 0 ? undefined : metadata;
}
