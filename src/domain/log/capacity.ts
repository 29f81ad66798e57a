/** How much waits and lives, in bytes: what bounds the state that is carried. And the refusals that say there is no more room. */
import { jsonBytes } from '../state/json.ts';
import { INPUT_GROWTH_BYTES, KEY_BYTES, LIVE_BYTES, TURN_GROWTH_BYTES } from '../state/sizes.ts';
import type { State } from '../state/state.ts';
import { refuse, type InputRef, type Json, type Refusal } from '../state/types.ts';

/** Bytes of the inputs of queued turns of users, of what joins the running one, and of queued runs together. */
export function queuedBytes(state: State): number {
  let bytes = 0;
  for (const turn of [...(state.turn?.steers ?? []), ...state.queue]) if (turn.origin === 'user') bytes += turn.bytes;
  return bytes + state.runs.queuedBytes;
}

/** What a queued turn of a user takes when it is carried, beside its inputs. */
export function turnCost(turnId: string): number {
  return TURN_GROWTH_BYTES + 2 * turnId.length;
}

/** What an input of a queued turn takes when it is carried, with the keys that it came with. */
export function inputCost(bytes: number, idempotencyKey: string | undefined, keys: number): number {
  return bytes + INPUT_GROWTH_BYTES + KEY_BYTES * keys + jsonBytes(idempotencyKey ?? '');
}

/** What of a running turn is carried whatever its step: what it answers, and its keys. */
export function activeCost(turn: { inputs: readonly InputRef[]; keys: readonly string[]; metadata?: Json }): number {
  return jsonBytes(turn.inputs) + KEY_BYTES * turn.keys.length + jsonBytes(turn.metadata ?? null);
}

/** Bytes of everything that is never shed from what is carried. */
export function liveBytes(state: State): number {
  let bytes = state.turn?.cost ?? 0;
  for (const queued of [...(state.turn?.steers ?? []), ...state.queue]) bytes += queued.cost;
  bytes += state.runs.liveBytes + state.outbox.bytes;
  for (const request of state.requests) if (request.status === 'open') bytes += jsonBytes(request);
  const work = state.self?.work;
  if (work?.kind === 'task') bytes += jsonBytes(work.inbox);
  if (work?.kind === 'agent' && work.reported !== undefined) bytes += jsonBytes(work.reported);
  return bytes;
}

export function closed(state: State): Refusal {
  return refuse(
    'SessionClosed',
    `Expected an open ${state.kind}, got ${state.workflowId}, which is ${state.closing?.stage.is === 'done' ? 'closed' : 'closing'}.`,
  );
}

export function full(bytes: number): Refusal {
  return refuse(
    'QueueFull',
    `Expected queued inputs, live runs and results that wait to hold at most ${LIVE_BYTES} bytes, got ${bytes}.`,
  );
}
