/**
 * The end of a session, and the ending of a run that was cancelled or whose turn failed.
 *
 * In this order: queued user turns end, the running turn is cancelled or finishes, waiting background inputs are appended
 * without a model call, queued runs settle, live runs are cancelled or told that nobody hears them any more. Nothing is left
 * behind that could still be lost: until the very last moment a settle is taken, and afterwards no run tells one.
 */
import { appendWithoutTurn } from './delivery/slots.ts';
import { emit } from './log/events.ts';
import { remain } from './turn/past.ts';
import { requestCancel } from './run/cancel.ts';
import { settle } from './run/settle.ts';
import { flushRefusals } from './log/refusals.ts';
import { iso, isLost, isSettled, isWaitedFor, type Closing, type Cx, type RunState } from './state/state.ts';
import { endQueued } from './turn/queue.ts';
import { endTurn } from './turn/turn.ts';

export interface Close {
  reason?: string;
  runs?: 'keep' | 'cancel';
  turn?: 'cancel' | 'finish';
}

/** Starts the end; a second one changes nothing: the first one's choices stand. */
export function close(cx: Cx, asked: Close, inTemporal = false): { status: 'closing' } {
  const closing: Closing = {
    runs: asked.runs ?? 'keep',
    turn: asked.turn ?? 'cancel',
    code: 'session_closed',
    turnCode: 'session_closed',
    cascade: true,
  };
  if (asked.reason !== undefined) closing.reason = asked.reason;
  if (inTemporal) closing.cancelledInTemporal = true;
  beginClosing(cx, closing);
  return { status: 'closing' };
}

export function beginClosing(cx: Cx, closing: Closing): void {
  const { state } = cx;
  if (state.closing !== undefined) return;
  state.closing = closing;
  for (const turn of state.queue.filter((one) => one.origin === 'user'))
    endQueued(cx, turn, 'cancelled', closing.turnCode, closing.reason);
  if (closing.turn === 'finish') endAwaited(cx, closing);
  if (closing.turn === 'cancel' && state.turn !== null)
    endTurn(cx, 'cancelled', { reason: closing.turnCode, comment: closing.reason });
}

/** Queued runs that the turn waits for: nobody will start them, so it would never finish. */
function endAwaited(cx: Cx, closing: Closing): void {
  for (const row of cx.state.runs.filter((one) => one.status === 'queued' && isWaitedFor(cx.state, one.runId))) {
    requestCancel(cx, row, closing.code, closing.reason, closing.cascade);
    settle(cx, row, { status: 'cancelled', reason: closing.code });
  }
}

/** Goes on with the end as far as it can; true once only the workflow's own end is missing. A start under way is waited for. */
export function sweep(cx: Cx): boolean {
  const { state } = cx;
  const { closing } = state;
  if (closing === undefined || state.turn !== null) return false;
  if (closing.swept !== true) {
    closing.swept = true;
    for (const turn of state.queue.splice(0)) {
      appendWithoutTurn(cx, turn);
      const { turnId, inputs, queuedAt, usage, keys } = turn;
      remain(cx, {
        turnId,
        status: 'cancelled',
        reason: closing.turnCode,
        inputs,
        steps: 0,
        queuedAt,
        endedAt: iso(cx.now),
        usage,
        keys,
      });
    }
    for (const row of state.runs.slice()) {
      if (isSettled(row) || isLost(row)) continue;
      const queued = row.status === 'queued';
      if (queued || closing.runs === 'cancel') requestCancel(cx, row, closing.code, closing.reason, closing.cascade);
      if (queued) settle(cx, row, { status: 'cancelled', reason: closing.code });
    }
  }
  // What handlers are still to be told is told before nobody is left to tell it.
  if (state.handlers.length > 0) return false;
  // What a run was sent and has not got yet would be lost.
  if (
    state.runs.some(
      (row) =>
        !isSettled(row) && (row.sending === true || row.unread?.some((one) => one.message !== undefined) === true),
    )
  )
    return false;
  if (!state.runs.every((row) => row.starting !== true && (closing.runs === 'keep' || isSettled(row) || isLost(row))))
    return false;
  return everyRunKnows(cx, closing);
}

/** Runs that are told at once that nobody hears them any more; the next ones when these have been. */
const MOST_TOLD = 500;
/** So long a run that cannot be reached holds up the end. */
const TELLING_MS = 30_000;

/** Tells the runs that go on that they are on their own; true once all know it, or it has taken too long. */
function everyRunKnows(cx: Cx, closing: Closing): boolean {
  const { state } = cx;
  closing.toTell ??= state.runs.filter(isLive).map((row) => row.runId);
  if (closing.telling === true) return false;
  const live = new Set(state.runs.filter(isLive).map((row) => row.runId));
  const left = closing.toTell.filter((runId) => live.has(runId));
  closing.toTell = left.slice(MOST_TOLD);
  if (left.length === 0) return true;
  closing.telling = true;
  closing.tellUntil ??= cx.now + TELLING_MS;
  cx.effects.push({ do: 'tell-gone', runs: left.slice(0, MOST_TOLD) });
  return false;
}

function isLive(row: RunState): boolean {
  return row.status !== 'queued' && !isSettled(row) && !isLost(row);
}

/** The runs that were being told know it now, or are nowhere to be found. */
export function runsToldGone({ state: { closing } }: Cx): void {
  if (closing !== undefined) delete closing.telling;
}

/**
 * The last event of a session, written in the task that ends it and not before: what comes until then is taken, what comes later
 * finds nobody.
 */
export function endSession(cx: Cx): void {
  const { closing } = cx.state;
  if (closing?.ready !== true || closing.done === true) return;
  flushRefusals(cx);
  closing.done = true;
  emit(cx, 'session.closed', { reason: closing.reason, usage: { ...cx.state.usage } });
}
