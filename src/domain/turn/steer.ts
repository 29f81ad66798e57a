/**
 * Input that joins the running turn: it is read after the results of the step under way, before the next model call, and prolongs a turn
 * that was about to end by one step. What the turn has not read when it ends becomes a turn of its own, before all others.
 */
import { entryKey, payloadHash, recall, remember } from '../log/dedupe.ts';
import { emit } from '../log/events.ts';
import { activeCost } from '../log/capacity.ts';
import type { Cx } from '../state/state.ts';
import type { ActiveTurn, QueuedTurn } from '../state/turn.ts';
import { endQueued } from './queue.ts';
import { readInput } from './read-input.ts';

/** `own`: the turn that the input becomes if this one does not read it. Its id stands for the running turn until then. */
export function steer(cx: Cx, turn: ActiveTurn, own: QueuedTurn): void {
  const { dedupe } = cx.state;
  const entry = entryKey('turn', own.turnId);
  // An id that was minted here comes with no payload.
  remember(dedupe, entry, recall(dedupe, entry)?.payload ?? payloadHash(null), turn.turnId);
  if (!own.keys.includes(entry)) {
    own.keys.push(entry);
    for (const input of own.pending) input.keys = [...(input.keys ?? []), entry];
  }
  (turn.steers ??= []).push(own);
  turn.inputs.push(...own.inputs);
  emit(cx, 'turn.joined', { turnId: turn.turnId, inputs: own.inputs.slice() });
}

/** Between two steps: the turn reads what has joined it. */
export function readSteers(cx: Cx, turn: ActiveTurn): void {
  for (const own of turn.steers ?? []) {
    turn.keys.push(...own.keys);
    turn.cost += activeCost(own);
    for (const input of own.pending) readInput(cx, input, turn.turnId);
  }
  delete turn.steers;
}

/** The turn is about to end: what it has not read is taken out of it, to become turns of its own. */
export function takeSteers({ state: { dedupe } }: Cx, turn: ActiveTurn): QueuedTurn[] {
  const left = turn.steers ?? [];
  delete turn.steers;
  // What it has not read joined it last.
  turn.inputs = turn.inputs.slice(0, turn.inputs.length - left.reduce((sum, { inputs }) => sum + inputs.length, 0));
  for (const { turnId } of left) {
    const entry = entryKey('turn', turnId);
    const payload = recall(dedupe, entry)?.payload;
    if (payload !== undefined) remember(dedupe, entry, payload, '');
  }
  return left;
}

/** First in the queue, in their order; in a session that closes no turn of a user's starts any more. */
export function queueSteers(cx: Cx, left: readonly QueuedTurn[]): void {
  const { closing, queue } = cx.state;
  queue.unshift(...left);
  for (const { turnId, inputs } of left) emit(cx, 'turn.queued', { turnId, inputs: inputs.slice() });
  if (closing !== undefined) for (const own of left) endQueued(cx, own, 'cancelled', closing.turnCode, closing.reason);
}
