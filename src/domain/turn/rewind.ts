/**
 * `rewind`: the transcript forgets a message and all after it. The ids and keys of the inputs that go are free again, so that they may be
 * sent anew; runs that were started by what goes go on, and what was delivered stays delivered. The log keeps all of it.
 */
import { closed } from '../log/capacity.ts';
import { entryKey } from '../log/dedupe.ts';
import { emit } from '../log/events.ts';
import { echo } from '../log/refusals.ts';
import { hashShort } from '../state/ids.ts';
import { KEPT_KEYS } from '../state/sizes.ts';
import type { Cx, State } from '../state/state.ts';
import type { TranscriptEntry } from '../state/turn.ts';
import { refuse, type Refusal } from '../state/types.ts';
import { turnNamed } from './queue.ts';

/** Exactly one of `messageId` and `turnId`: that message, or the first one that the turn has read. */
export interface Rewind {
  messageId?: string;
  turnId?: string;
  reason?: string;
}

/** `removed`: the ids of the messages, hidden ones too, in their order. */
export interface Rewound {
  removed: string[];
  deduplicated: boolean;
}

/** What would be answered without changing anything: a refusal, or that it was done before. */
export function admitRewind(state: State, rewind: Rewind): Rewound | Refusal | undefined {
  if (state.closing !== undefined) return closed(state);
  if (state.turn !== null)
    return refuse('TurnRunning', `Expected no turn to run or wait, got ${state.turn.turnId}, which does.`);
  if (firstOf(state, rewind) !== undefined) return undefined;
  const { messageId, turnId } = rewind;
  const before = messageId === undefined ? hashOf('turn', turnId ?? '') : hashOf('message', messageId);
  if (state.rewound?.includes(before) === true) return { removed: [], deduplicated: true };
  return messageId === undefined
    ? refuse('InvalidInput', `Expected turnId to name a turn that has messages in the transcript, got "${turnId}".`)
    : refuse('InvalidInput', `Expected messageId to name a message of the transcript, got "${echo(messageId)}".`);
}

export function rewind(cx: Cx, asked: Rewind): Rewound | Refusal {
  const { state } = cx;
  const before = admitRewind(state, asked);
  if (before !== undefined) return before;
  const gone = state.transcript.splice(firstOf(state, asked) ?? state.transcript.length);
  const removed = gone.map(({ message }) => message.id);
  const kept = new Set(state.transcript.map(({ turnId }) => turnId));
  const turns = new Set(gone.flatMap(({ turnId }) => (turnId === undefined || kept.has(turnId) ? [] : [turnId])));
  forgetInputs(state, gone, turns);
  for (const past of state.past) past.steps -= gone.filter((entry) => isStepOf(entry, past.turnId)).length;
  const hashes = [...removed.map((id) => hashOf('message', id)), ...[...turns].map((id) => hashOf('turn', id))];
  state.rewound = [...(state.rewound ?? []).filter((one) => !hashes.includes(one)), ...hashes].slice(-KEPT_KEYS);
  emit(cx, 'transcript.rewound', { messageId: removed[0], removed, comment: asked.reason });
  return { removed, deduplicated: false };
}

/** Where the transcript would end, or nothing when it has no such message. */
function firstOf(state: State, { messageId, turnId }: Rewind): number | undefined {
  const named = turnId === undefined ? undefined : turnNamed(state, turnId);
  const index = state.transcript.findIndex((entry) =>
    named === undefined ? entry.message.id === messageId : entry.turnId === named && entry.message.role === 'user',
  );
  return index < 0 ? undefined : index;
}

/** `turns`: those of which nothing is left. */
function forgetInputs(state: State, gone: readonly TranscriptEntry[], turns: ReadonlySet<string>): void {
  const entries = [...gone.flatMap(({ keys = [] }) => keys), ...[...turns].map((turnId) => entryKey('turn', turnId))];
  for (const entry of entries) delete state.dedupe[entry];
  state.past = state.past.filter(({ turnId }) => !turns.has(turnId));
}

function isStepOf({ turnId, message }: TranscriptEntry, of: string): boolean {
  return turnId === of && message.role === 'assistant' && message.metadata?.['source'] === undefined;
}

/** Short, as thousands are kept: two of them are the same once in 10^14. */
function hashOf(space: 'message' | 'turn', id: string): string {
  return hashShort(`${space}\n${id}`, 8);
}
