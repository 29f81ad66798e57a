/**
 * The end of a session, and the ending of a run that was cancelled or whose turn failed.
 *
 * In this order: queued user turns end, the running turn is cancelled or finishes, waiting background inputs are appended
 * without a model call, queued runs settle, live runs are cancelled or told that nobody hears them any more. Nothing is left
 * behind that could still be lost: until the very last moment a settle is taken, and afterwards no run tells one.
 */
import { appendWithoutTurn } from './delivery/slots.ts';
import { emit } from './log/events.ts';
import { keepEnded } from './turn/past.ts';
import { requestCancel } from './run/cancel.ts';
import { withdraw } from './run/requests.ts';
import { hurryHandlers } from './run/handlers.ts';
import { settle } from './run/settle.ts';
import { flushRefusals } from './log/refusals.ts';
import { moveTo, type Closing } from './state/closing.ts';
import { isLost, isSettled, type RunState } from './state/row.ts';
import { iso, type Cx } from './state/state.ts';
import { totalOf } from './state/usage.ts';
import { endQueued } from './turn/queue.ts';
import { endTurn } from './turn/turn.ts';

export interface Close {
  reason?: string;
  runs?: 'keep' | 'cancel';
  turn?: 'cancel' | 'finish';
}

/** Starts the end; a second one changes nothing: the first one's choices stand. */
export function close(cx: Cx, asked: Close, inTemporal = false): { status: 'closing' } {
  beginClosing(cx, {
    ...(asked.reason === undefined ? {} : { reason: asked.reason }),
    runs: asked.runs ?? 'keep',
    turn: asked.turn ?? 'cancel',
    code: 'session_closed',
    turnCode: 'session_closed',
    cascade: true,
    ...(inTemporal ? { cancelledInTemporal: true } : {}),
  });
  return { status: 'closing' };
}

export function beginClosing(cx: Cx, asked: Omit<Closing, 'stage'>): void {
  const { state } = cx;
  if (state.closing !== undefined) return;
  const closing: Closing = { ...asked, stage: { is: 'turn' } };
  state.closing = closing;
  hurryHandlers(cx);
  for (const turn of state.queue.filter((one) => one.origin === 'user'))
    endQueued(cx, turn, 'cancelled', closing.turnCode, closing.reason);
  if (closing.turn === 'finish') {
    endAwaited(cx, closing);
    if (state.turn !== null) withdraw(cx, state.turn.turnId);
  }
  if (closing.turn === 'cancel' && state.turn !== null)
    endTurn(cx, 'cancelled', { reason: closing.turnCode, comment: closing.reason });
}

/** Queued runs that the turn waits for: nobody will start them, so it would never finish. */
function endAwaited(cx: Cx, closing: Closing): void {
  for (const call of cx.state.turn?.calls ?? []) {
    const row = call.wait?.for === 'settle' ? cx.state.runs.get(call.wait.runId) : undefined;
    if (row?.life.stage !== 'queued') continue;
    requestCancel(cx, row, closing.code, closing.reason, closing.cascade);
    settle(cx, row, { status: 'cancelled', reason: closing.code });
  }
}

/** Goes on with the end as far as it can; true once only the workflow's own end is missing. A start under way is waited for. */
export function sweep(cx: Cx): boolean {
  const { closing } = cx.state;
  if (closing === undefined) return false;
  const isReady = cx.state.turn === null && sweepRuns(cx, closing) && everyRunKnows(cx, closing);
  if (isReady && closing.stage.is === 'told') moveTo(closing, { is: 'ready' });
  if (!isReady && closing.stage.is === 'ready') moveTo(closing, { is: 'told' });
  return isReady;
}

/** True once nothing is missing of what the runs are owed. */
function sweepRuns(cx: Cx, closing: Closing): boolean {
  const { state } = cx;
  if (closing.stage.is === 'turn') {
    moveTo(closing, { is: 'runs', until: cx.now + REACH_MS });
    for (const turn of state.queue.splice(0)) {
      appendWithoutTurn(cx, turn, 'cancelled');
      const { turnId, inputs, queuedAt, usage, keys } = turn;
      keepEnded(cx, {
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
    for (const row of state.runs.each()) {
      if (isSettled(row) || isLost(row)) continue;
      const queued = row.life.stage === 'queued';
      if (queued || closing.runs === 'cancel') requestCancel(cx, row, closing.code, closing.reason, closing.cascade);
      if (queued) settle(cx, row, { status: 'cancelled', reason: closing.code });
    }
  }
  // What handlers are still to be told is told before nobody is left to tell it, and what a run was sent and has not got yet would be lost.
  if (state.outbox.has('handlers') || state.outbox.has('notes') || state.outbox.has('answers')) return false;
  return state.runs.unconfirmed.size === 0 && (closing.runs === 'keep' || state.runs.open === 0);
}

/** Runs that are told at once that nobody hears them any more; the next ones when these have been. */
const MOST_TOLD = 500;
/** So long a run that cannot be reached holds up the end, to get what it was sent, and again to be told. */
const REACH_MS = 30_000;

/** Tells the runs that go on that they are on their own; true once all know it, or it has taken too long. */
function everyRunKnows(cx: Cx, closing: Closing): boolean {
  const { runs } = cx.state;
  if (closing.stage.is === 'runs') {
    const left = runs.all.filter(isLive).map((row) => row.runId);
    moveTo(closing, { is: 'telling', left, underWay: false, until: cx.now + REACH_MS });
  }
  if (closing.stage.is !== 'telling') return true;
  if (closing.stage.underWay) return false;
  const { until } = closing.stage;
  const left = closing.stage.left.filter((runId) => {
    const row = runs.peek(runId);
    return row !== undefined && isLive(row);
  });
  if (left.length === 0) {
    moveTo(closing, { is: 'told' });
    return true;
  }
  moveTo(closing, { is: 'telling', left: left.slice(MOST_TOLD), underWay: true, until });
  cx.effects.push({ do: 'tell-gone', runs: left.slice(0, MOST_TOLD) });
  return false;
}

function isLive(row: Readonly<RunState>): boolean {
  return row.life.stage !== 'queued' && !isSettled(row) && !isLost(row);
}

/** The runs that were being told know it now, or are nowhere to be found. */
export function runsToldGone({ state: { closing } }: Cx): void {
  if (closing?.stage.is === 'telling') moveTo(closing, { ...closing.stage, underWay: false });
}

/**
 * The last event of a session, written in the task that ends it and not before: what comes until then is taken, what comes later
 * finds nobody.
 */
export function endSession(cx: Cx): void {
  const { closing } = cx.state;
  if (closing?.stage.is !== 'ready') return;
  flushRefusals(cx);
  moveTo(closing, { is: 'done' });
  emit(cx, 'session.closed', { reason: closing.reason, usage: totalOf(cx.state.spent) });
}
