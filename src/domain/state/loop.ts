/**
 * A model that starts a run whenever one has finished would go on for ever: so background turns in a row that started runs are counted, and
 * beyond `limits.maxBackgroundTurns` a further one takes no model call. Anything from outside begins the count anew, and so does a
 * turn that starts nothing.
 */
import type { State } from './state.ts';
import type { ActiveTurn } from './turn.ts';

/** True when the next background turn is one too many. */
export function isLooping({ settings, backgroundTurns }: State): boolean {
  const { maxBackgroundTurns } = settings.limits;
  return maxBackgroundTurns > 0 && backgroundTurns >= maxBackgroundTurns;
}

/** Somebody from outside has said something. */
export function leaveLoop(state: State): void {
  state.backgroundTurns = 0;
}

/** A turn has ended. */
export function countTurn(state: State, { origin, runsStarted }: ActiveTurn): void {
  state.backgroundTurns = origin === 'background' && runsStarted > 0 ? state.backgroundTurns + 1 : 0;
}
