/** The turns that wait: where each stands, which one an id stands for, and how one ends that never started. */
import { entryKey, recall } from '../log/dedupe.ts';
import { emit } from '../log/events.ts';
import { iso, type Cx, type State } from '../state/state.ts';
import type { QueuedTurn } from '../state/turn.ts';
import type { TurnStatus } from '../state/types.ts';
import { keepEnded } from './past.ts';

export function presentTurn(state: State, turnId: string): { status: TurnStatus; position: number } | undefined {
  if (state.turn?.turnId === turnId) return { status: 'running', position: 0 };
  const queued = state.queue.findIndex((turn) => turn.turnId === turnId);
  if (queued >= 0) return { status: 'queued', position: queued + 1 };
  const past = state.past.find((turn) => turn.turnId === turnId);
  return past === undefined ? undefined : { status: past.status, position: 0 };
}

/** The turn that an id stands for now: its own, or the one that its input was merged into or steers. */
export function turnNamed(state: State, turnId: string): string {
  if (presentTurn(state, turnId) !== undefined) return turnId;
  const found = recall(state.dedupe, entryKey('turn', turnId));
  return found === undefined || found.id === '' ? turnId : found.id;
}

/** Ends a user turn that never started: none of its messages enter the transcript. */
export function endQueued(
  cx: Cx,
  turn: QueuedTurn,
  status: 'cancelled' | 'skipped',
  reason: string,
  comment?: string,
): void {
  const { state } = cx;
  state.queue.splice(state.queue.indexOf(turn), 1);
  keepEnded(cx, {
    turnId: turn.turnId,
    status,
    reason,
    ...(comment === undefined ? {} : { comment }),
    inputs: turn.inputs,
    ...(turn.metadata === undefined ? {} : { metadata: turn.metadata }),
    steps: 0,
    queuedAt: turn.queuedAt,
    endedAt: iso(cx.now),
    usage: turn.usage,
    keys: turn.keys,
  });
  emit(cx, status === 'skipped' ? 'turn.skipped' : 'turn.cancelled', {
    turnId: turn.turnId,
    inputs: turn.inputs.slice(),
    reason,
    comment,
  });
}
