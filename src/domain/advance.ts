/**
 * What happens next by itself, after every input: deadlines that have passed, places for queued runs, the next turn, its next
 * step, the end. Called with nothing to do it does nothing, so it may be called at any time.
 */
import { sweep } from './closing.ts';
import { passDeadlines } from './deadlines.ts';
import { forgetOldRows } from './run/forget.ts';
import { startLook } from './run/looks.ts';
import { sendOutbox } from './run/outbox.ts';
import { startQueued } from './run/start.ts';
import { askForTokens, passTokens } from './run/tokens.ts';
import { advanceSelf, askForResult, noticeFailedTurn, settleTask } from './self/self.ts';
import { isAtWork } from './state/self.ts';
import { isOver, type Cx, type State } from './state/state.ts';
import { isInFlight } from './state/turn.ts';
import { endForTokens } from './turn/budget.ts';
import { showWaiting } from './turn/so-far.ts';
import { passWaits } from './turn/tool-calls.ts';
import { startNextTurn } from './turn/next.ts';

/** `hold`: start nothing that would be in flight, because the workflow is about to continue as new. */
export function advance(cx: Cx, hold = false): void {
  if (!isOver(cx.state)) followUp(cx, hold);
  cx.state.runs.endInput();
}

function followUp(cx: Cx, hold: boolean): void {
  const { state } = cx;
  passDeadlines(cx);
  passWaits(cx);
  passTokens(cx);
  noticeFailedTurn(cx);
  forgetOldRows(state);
  // What has an outcome settles all the same: it starts nothing, and would be carried as large as it is.
  if (hold) {
    settleTask(cx);
    return;
  }
  startQueued(cx);
  startLook(cx);
  askForResult(cx);
  do {
    if (state.closing === undefined && state.agent !== '') startNextTurn(cx);
  } while (endForTokens(cx));
  noticeFailedTurn(cx);
  askForTokens(cx);
  startStep(cx);
  showWaiting(cx);
  // An end waits for what is still to be told, and may itself leave something to tell.
  sendOutbox(cx);
  if (state.kind === 'run') advanceSelf(cx);
  else sweep(cx);
  if (!isOver(state)) sendOutbox(cx);
}

function startStep(cx: Cx): void {
  const { state } = cx;
  const { turn } = state;
  if (turn === null) return;
  if (turn.phase === 'ready' && state.tokens?.isWaiting !== true) {
    turn.phase = 'model';
    cx.effects.push({ do: 'model', turnId: turn.turnId, step: turn.step, attempt: turn.attempt });
  } else if (turn.phase === 'tools') {
    for (const call of turn.calls) {
      if (call.state !== 'ready') continue;
      call.state = 'running';
      cx.effects.push({ do: 'tool', turnId: turn.turnId, step: turn.step, call: { ...call } });
    }
  }
}

/** True when nothing is in flight, so that the state may go on in a new execution. */
export function isQuiet(state: State): boolean {
  const { closing, looking, outbox } = state;
  if (stepInFlight(state) || looking === true || !outbox.isQuiet) return false;
  return !(closing?.stage.is === 'telling' && closing.stage.underWay) && !startPending(state);
}

/** True while the start of a run is not confirmed: an execution that ended now could lose it without a word. */
export function startPending(state: State): boolean {
  return state.runs.unconfirmed.size > 0;
}

/** True when a model call, a tool or a task is in the way of continuing as new. */
export function stepInFlight(state: State): boolean {
  const { turn, self } = state;
  return isAtWork(self) || (turn !== null && isInFlight(turn));
}

/** True when what is in flight may be aborted at all: the workflow of a `workflow:` run would be cancelled by it. */
export function canAbort({ self }: State): boolean {
  return self?.work.kind !== 'workflow';
}

/** True when what is in flight may be aborted and taken again. */
export function mayAbort(state: State): boolean {
  return (
    canAbort(state) &&
    (state.turn === null || state.turn.calls.every((call) => call.state !== 'running' || call.policy.idempotent))
  );
}
