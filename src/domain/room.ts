/** How much waits and lives, in bytes: what bounds the state that is carried. And the refusals that say there is no more room. */
import { jsonBytes } from './json.ts';
import { INPUT_GROWTH_BYTES, KEY_BYTES, LIVE_BYTES, TURN_GROWTH_BYTES } from './sizes.ts';
import { delivered, isSettled, type QueuedTurn, type State } from './state.ts';
import { refuse, type Refusal } from './types.ts';

/** Bytes of the inputs of queued turns of users and of queued runs together. */
export function queuedBytes(state: State): number {
  let bytes = 0;
  for (const turn of state.queue) if (turn.origin === 'user') bytes += turn.bytes;
  for (const row of state.runs) if (row.status === 'queued') bytes += row.inputBytes ?? 0;
  return bytes;
}

/** What a queued turn of a user takes when it is carried, with its keys. Those of background turns are in their rows' bytes. */
export function turnCost(turn: QueuedTurn): number {
  if (turn.origin !== 'user') return 0;
  let bytes = TURN_GROWTH_BYTES + 2 * turn.turnId.length + KEY_BYTES * turn.keys.length;
  for (const input of turn.pending) bytes += input.bytes + INPUT_GROWTH_BYTES + jsonBytes(input.ref.key ?? '');
  return bytes;
}

/** What new input takes at most, if it opens a turn. */
export function submitCost({ turnId, idempotencyKey }: { turnId?: string; idempotencyKey?: string }, inputBytes: number): number {
  const keys = (turnId === undefined ? 0 : 1) + (idempotencyKey === undefined ? 0 : 1);
  return TURN_GROWTH_BYTES + 2 * (turnId?.length ?? 24) + KEY_BYTES * keys + inputBytes + INPUT_GROWTH_BYTES + jsonBytes(idempotencyKey ?? '');
}

/** Bytes of everything that is never shed from what is carried. */
export function liveBytes(state: State): number {
  const { turn } = state;
  let bytes = turn === null ? 0 : jsonBytes(turn.inputs) + KEY_BYTES * turn.keys.length + jsonBytes(turn.metadata ?? null);
  for (const queued of state.queue) bytes += turnCost(queued);
  for (const row of state.runs) if (!isSettled(row) || !delivered(row)) bytes += row.bytes + (row.status === 'queued' ? (row.inputBytes ?? 0) : 0);
  return bytes;
}

export function closed(state: State): Refusal {
  return refuse('SessionClosed', `Expected an open ${state.kind}, got ${state.workflowId}, which is ${state.closing?.done === true ? 'closed' : 'closing'}.`);
}

export function full(bytes: number): Refusal {
  return refuse('QueueFull', `Expected queued inputs, live runs and results that wait to hold at most ${LIVE_BYTES} bytes, got ${bytes}.`);
}
