/**
 * Which call is which. A model's tool call is identified by its turn, its step and its place in the step, from 1 (`3`; one that is made
 * inside it is `3.1`), never by the id that the provider gives it, which may repeat or be empty. The id in the transcript is the
 * provider's as long as it is unique there and every provider takes it, because one may want to read its own again; else it is made from
 * the place.
 */
import { isOwnCall } from '../delivery/transcript.ts';
import { hashHex } from '../state/ids.ts';
import { jsonBytes } from '../state/json.ts';
import { MAX_CALLS, MESSAGE_BYTES } from '../state/sizes.ts';
import type { State } from '../state/state.ts';
import type { MessagePart } from '../state/types.ts';

/** A call as the model has asked for it, with its place. */
export type Placed<C> = C & { toolCallId: string; place: string };

/** Of the inputs of all calls of one answer together, bytes of JSON: each stands in its part, in its call, and in what is carried. */
export const INPUTS_BYTES = MESSAGE_BYTES;

const TOO_LARGE = `InvalidInput: Expected the inputs of one answer's calls to be at most ${INPUTS_BYTES} bytes of JSON, got more.`;

interface Invalid {
  kind: 'invalid';
  toolCallId: string;
  toolName: string;
  error: string;
}

/** The calls of an answer; those whose input does not fit beside those before them cannot be run. */
export function withinBound<C extends { toolCallId: string; toolName: string }>(calls: readonly C[]): (C | Invalid)[] {
  let left = INPUTS_BYTES;
  return calls.map((call) => {
    const bytes = 'input' in call ? jsonBytes(call.input) : 0;
    if (bytes > left)
      return { kind: 'invalid', toolCallId: call.toolCallId, toolName: call.toolName, error: TOO_LARGE };
    left -= bytes;
    return call;
  });
}

/** What the strictest providers take as the id of a call. */
const ID = /^[A-Za-z0-9_-]{1,40}$/u;

/** The parts and calls of an answer, each call with its place and an id of its own; calls beyond `MAX_CALLS` are left out. */
export function placed<C extends { toolCallId: string }>(
  state: State,
  at: { turnId: string; step: number },
  answer: { parts: readonly MessagePart[]; calls: readonly C[] },
): { parts: MessagePart[]; calls: Placed<C>[] } {
  if (answer.calls.length === 0) return { parts: answer.parts.filter((part) => !isOwnCall(part)), calls: [] };
  const taken = idsOf(state);
  const calls: Placed<C>[] = [];
  const parts: MessagePart[] = [];
  let place = 0;
  for (const part of answer.parts) {
    if (!isOwnCall(part)) {
      parts.push(part);
      continue;
    }
    // Parts and calls come in the same order.
    const call = answer.calls[place];
    place += 1;
    if (call === undefined || place > MAX_CALLS) continue;
    const toolCallId = freshId(taken, at, place, call.toolCallId);
    taken.add(toolCallId);
    parts.push({ ...part, toolCallId });
    calls.push({ ...call, toolCallId, place: `${place}` });
  }
  return { parts, calls };
}

function freshId(
  taken: ReadonlySet<unknown>,
  { turnId, step }: { turnId: string; step: number },
  place: number,
  given: string,
): string {
  if (ID.test(given) && !taken.has(given)) return given;
  for (let n = 0; ; n++) {
    // Nine letters and digits: the strictest provider takes no other.
    const made = `c${hashHex(`${turnId}\n${step}\n${place}\n${n}`, 8)}`;
    if (!taken.has(made)) return made;
  }
}

/** The ids of all calls that the transcript has. */
function idsOf({ transcript }: State): Set<unknown> {
  return new Set(transcript.flatMap(({ message }) => message.parts.flatMap((part) => part['toolCallId'] ?? [])));
}
