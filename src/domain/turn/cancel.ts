/** Cancelling the running or a queued turn, and all of them at once; with what they have started, if that is asked for. */
import { appendWithoutTurn } from '../delivery/slots.ts';
import { closed } from '../log/capacity.ts';
import { entryKey, recall } from '../log/dedupe.ts';
import { cancelStartedBy } from '../run/cancel.ts';
import { leaveLoop } from '../state/loop.ts';
import type { Cx, State } from '../state/state.ts';
import { isRefusal, refuse, type Refusal, type TurnStatus } from '../state/types.ts';
import { endQueued, presentTurn, turnNamed } from './queue.ts';
import { endTurn } from './turn.ts';

export interface CancelTurn {
  turnId?: string;
  reason?: string;
  /** What becomes of the runs that the turn has started. Default `keep`. */
  runs?: 'keep' | 'cancel';
}

/** `runIds`: the runs that are cancelled with it, if that was asked for. */
export interface TurnCancelled {
  turnId: string;
  status: TurnStatus;
  runIds?: string[];
}

export function admitCancelTurn(state: State, cancel: CancelTurn): Refusal | undefined {
  if (cancel.turnId === undefined)
    return state.turn === null ? refuse('UnknownTurn', 'Expected a running turn, got none.') : undefined;
  const turnId = cancel.turnId;
  if (presentTurn(state, turnId) !== undefined || recall(state.dedupe, entryKey('turn', turnId)) !== undefined)
    return undefined;
  return refuse('UnknownTurn', `Expected turnId to name a turn of this ${state.kind}, got "${turnId}".`);
}

/** Cancels the running or a queued turn; an ended one answers with its status. */
export function cancelTurn(cx: Cx, cancel: CancelTurn): TurnCancelled | Refusal {
  const { state } = cx;
  const refusal = admitCancelTurn(state, cancel);
  if (isRefusal(refusal)) return refusal;
  const turnId = turnNamed(state, cancel.turnId ?? state.turn?.turnId ?? '');
  const status = endNamed(cx, turnId, cancel);
  if (cancel.runs !== 'cancel') return { turnId, status };
  return { turnId, status, runIds: cancelStartedBy(cx, turnId, cancel.reason) };
}

function endNamed(cx: Cx, turnId: string, cancel: CancelTurn): TurnStatus {
  const { state } = cx;
  if (state.turn?.turnId === turnId) {
    endTurn(cx, 'cancelled', { reason: 'cancelled_by_user', comment: cancel.reason });
    return 'cancelled';
  }
  const queued = state.queue.find((turn) => turn.turnId === turnId);
  if (queued === undefined) {
    const status =
      presentTurn(state, turnId)?.status ??
      recall(state.dedupe, entryKey('turn', cancel.turnId ?? turnId))?.status ??
      'completed';
    return status as TurnStatus;
  }
  if (queued.origin === 'background') appendWithoutTurn(cx, queued, 'cancelled');
  endQueued(cx, queued, 'cancelled', 'cancelled_by_user', cancel.reason);
  return 'cancelled';
}

/** `runIds`: the runs of the turn that was ended which are cancelled with it, if that was asked for. */
export interface TurnsReset {
  cancelled?: string;
  skipped: string[];
  runIds?: string[];
}

/** Ends the running turn and skips queued user turns; background inputs stay queued. */
export function resetTurns(
  cx: Cx,
  { reason, runs }: { reason?: string; runs?: 'keep' | 'cancel' },
): TurnsReset | Refusal {
  const { state } = cx;
  if (state.closing !== undefined) return closed(state);
  leaveLoop(state);
  const cancelled = state.turn?.turnId;
  if (state.turn !== null) endTurn(cx, 'cancelled', { reason: 'reset', comment: reason });
  const skipped = state.queue.filter((turn) => turn.origin === 'user');
  for (const turn of skipped) endQueued(cx, turn, 'skipped', 'reset', reason);
  const reset = { ...(cancelled === undefined ? {} : { cancelled }), skipped: skipped.map((turn) => turn.turnId) };
  if (runs !== 'cancel') return reset;
  return { ...reset, runIds: cancelled === undefined ? [] : cancelStartedBy(cx, cancelled, reason) };
}
