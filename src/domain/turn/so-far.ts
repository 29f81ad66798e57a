/**
 * A step that waits for a run or a person shows what it has so far: in `getTurn`, and in the log, since it may wait for weeks or be ended before it
 * has its last answer. The message of the step has the same id and replaces it.
 */
import { emit } from '../log/events.ts';
import { KIB } from '../state/sizes.ts';
import type { Cx } from '../state/state.ts';
import { isStepWaiting } from '../state/turn.ts';
import { stepSoFar } from '../view/queries.ts';
import { fitParts, isOpen } from './step-size.ts';
import { toolSelf } from './tool-run.ts';

/** Each answer writes it anew, so that it is kept small; the message of the step has all of it. */
const SHOWN_BYTES = 64 * KIB;

/** Writes down what a step has so far: when it begins to wait, and when another of its calls has been answered meanwhile. */
export function showWaiting(cx: Cx): void {
  const { turn } = cx.state;
  if (turn === null || !isStepWaiting(turn) || toolSelf(cx.state) !== undefined) return;
  const open = turn.parts.filter(isOpen).length;
  const message = stepSoFar(turn);
  if (message === undefined || turn.shownOpen === open) return;
  turn.shownOpen = open;
  emit(cx, 'step.waiting', {
    turnId: turn.turnId,
    message: { ...message, parts: fitParts(message.parts, SHOWN_BYTES) },
  });
}
