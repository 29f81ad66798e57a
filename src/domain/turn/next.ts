/** Which turn comes next, once none is running. */
import { appendWithoutTurn, holdsOnlyAnswered } from '../delivery/slots.ts';
import { isLooping } from '../state/loop.ts';
import type { Cx, State } from '../state/state.ts';
import type { QueuedTurn } from '../state/turn.ts';
import { endQueued } from './queue.ts';
import { startTurn } from './turn.ts';

export function startNextTurn(cx: Cx): void {
  const { state } = cx;
  while (state.turn === null) {
    const next = nextTurn(state, cx.now);
    if (next === undefined) return;
    const reason = next.origin === 'background' ? needless(cx, next) : undefined;
    if (reason === undefined) startTurn(cx, next);
    else {
      appendWithoutTurn(cx, next, 'skipped');
      endQueued(cx, next, 'skipped', reason);
    }
  }
}

/** Why a background turn needs no model call. */
function needless(cx: Cx, turn: QueuedTurn): 'answered' | 'loop' | undefined {
  if (holdsOnlyAnswered(cx, turn)) return 'answered';
  return isLooping(cx.state) ? 'loop' : undefined;
}

/** In order, save debounced ones whose quiet has not come yet: a timer wakes for one only when no turn runs. */
function nextTurn({ queue }: State, now: number): QueuedTurn | undefined {
  return queue.find((turn) => turn.startAfter === undefined || turn.startAfter <= now);
}
