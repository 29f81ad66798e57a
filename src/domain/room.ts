/** How much waits and lives, in bytes: what bounds the state that is carried. And the refusals that say there is no more room. */
import { jsonBytes } from './json.ts';
import { LIVE_BYTES, QUEUED_SLOT_BYTES, TURN_GROWTH_BYTES } from './sizes.ts';
import type { State } from './state.ts';
import { refuse, type Refusal } from './types.ts';

/** Bytes that queued turns of users and queued runs hold together. */
export function queuedBytes(state: State): number {
  let bytes = 0;
  for (const turn of state.queue) if (turn.origin === 'user') bytes += turn.bytes;
  for (const row of state.runs) if (row.status === 'queued') bytes += row.bytes;
  return bytes;
}

/** Bytes of everything that is never shed from what is carried. */
export function liveBytes(state: State): number {
  let bytes = 0;
  for (const turn of state.queue) {
    bytes += turn.origin === 'user' ? turn.bytes + TURN_GROWTH_BYTES + 2 * jsonBytes(turn.inputs) : TURN_GROWTH_BYTES + QUEUED_SLOT_BYTES * turn.pending.length;
  }
  for (const row of state.runs) {
    const waits = row.delivery.finish.state === 'pending' || row.delivery.finish.state === 'queued' || row.delivery.gaveUp?.state === 'queued';
    if (waits) bytes += row.bytes;
  }
  return bytes;
}

export function closed(state: State): Refusal {
  return refuse('SessionClosed', `Expected an open ${state.kind}, got ${state.workflowId}, which is ${state.closing?.done === true ? 'closed' : 'closing'}.`);
}

export function full(state: State): Refusal {
  return refuse('QueueFull', `Expected queued inputs, live runs and results that wait to hold at most ${LIVE_BYTES} bytes, got ${liveBytes(state)} and more.`);
}
