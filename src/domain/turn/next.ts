/** Which turn comes next, once none is running. */
import { appendWithoutTurn } from '../delivery/slots.ts';
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
    if (next.origin === 'background' && isLooping(state)) {
      appendWithoutTurn(cx, next);
      endQueued(cx, next, 'skipped', 'loop');
    } else startTurn(cx, next);
  }
}

/** In order, save debounced ones whose quiet has not come yet: a timer wakes for one only when no turn runs. */
function nextTurn({ queue }: State, now: number): QueuedTurn | undefined {
  return queue.find((turn) => turn.startAfter === undefined || turn.startAfter <= now);
}
