/** Deadlines: every wait has one, all of them absolute, and one timer stands for the nearest. */
import { passTelling } from './state/closing.ts';
import { passLooks } from './run/looks.ts';
import { giveUp } from './run/give-up.ts';
import { passOutbox, undeliveredUntil } from './run/outbox.ts';
import { settle } from './run/settle.ts';
import { closeRequest, ownOpen } from './run/requests.ts';
import { flushRefusals, refusalsDue } from './log/refusals.ts';
import { backoff } from './state/backoff.ts';
import { begunOf, unsettledOf, type RunState } from './state/row.ts';
import { ceilingAt, type Deadline } from './state/row-deadlines.ts';
import type { RunSelf } from './state/self.ts';
import { dueBy, isOver, type Cx, type State } from './state/state.ts';
import type { Usage } from './state/types.ts';
import { endTurn } from './turn/turn.ts';

function* deadlines(state: State): Generator<Deadline> {
  const { turn, self, closing } = state;
  if (isOver(state)) return;
  const due = refusalsDue(state);
  if (due !== undefined) yield { at: due, what: 'refusals that were counted' };
  if (turn !== null) {
    if (state.pausedAt === undefined && self?.work.kind !== 'tool')
      yield { at: turn.deadline, what: `ceiling of turn ${turn.turnId}` };
    if (turn.phase === 'backoff' && turn.retryAt !== undefined)
      yield { at: turn.retryAt, what: `retry of step ${turn.step} of turn ${turn.turnId}` };
    for (const call of turn.calls) {
      if (call.state === 'backoff' && call.retryAt !== undefined)
        yield { at: call.retryAt, what: `retry of tool ${call.toolName}` };
      if (call.wait !== undefined && 'until' in call.wait && call.wait.until !== undefined)
        yield { at: call.wait.until, what: `wait of ${call.toolName}` };
    }
  } else {
    for (const queued of state.queue)
      if (queued.startAfter !== undefined) yield { at: queued.startAfter, what: `quiet before turn ${queued.turnId}` };
  }
  const ofRuns = state.runs.nextDeadline();
  if (ofRuns !== undefined) yield ofRuns;
  const undelivered = undeliveredUntil(state);
  if (undelivered !== undefined) yield { at: undelivered, what: 'delivering what runs were sent' };
  const retry = state.outbox.nextRetry();
  if (retry !== undefined) yield retry;
  if (closing?.stage.is === 'telling' && closing.stage.underWay)
    yield { at: closing.stage.until, what: 'telling runs that the session is gone' };
  for (const request of ownOpen(state))
    yield { at: Date.parse(request.expiresAt), what: `end of request ${request.requestId}` };
  if (self !== undefined) {
    if (self.end.is === 'working' && state.pausedAt === undefined && mayEnd(self))
      yield { at: self.deadline, what: 'own ceiling' };
    if (self.parentLookAt !== undefined && self.parentGone !== true && state.pausedAt !== undefined)
      yield { at: self.parentLookAt, what: 'look at the parent' };
    if (typeof closing?.grace === 'number') yield { at: closing.grace, what: 'own cancellation' };
  }
}

/** The nearest deadline, if there is one. */
export function nextDeadline(state: State): Deadline | undefined {
  let nearest: Deadline | undefined;
  for (const deadline of deadlines(state)) if (nearest === undefined || deadline.at < nearest.at) nearest = deadline;
  return nearest;
}

/** Acts on every deadline that has passed. Harmless when none has. */
export function passDeadlines(cx: Cx): void {
  const { state } = cx;
  const due = dueBy(cx);
  const { turn, self, closing } = state;
  if (isOver(state)) return;
  if ((refusalsDue(state) ?? Infinity) <= due) flushRefusals(cx);
  if (turn === null) {
    for (const queued of state.queue)
      if (queued.startAfter !== undefined && queued.startAfter <= due) delete queued.startAfter;
  } else {
    if (turn.phase === 'backoff' && (turn.retryAt ?? 0) <= due) {
      turn.phase = 'ready';
      delete turn.retryAt;
    }
    for (const call of turn.calls) {
      if (call.state === 'backoff' && (call.retryAt ?? 0) <= due) {
        call.state = 'ready';
        delete call.retryAt;
      }
    }
    if (turn.deadline <= due && state.pausedAt === undefined) {
      const { turnMs } = state.settings.budgets;
      endTurn(cx, 'failed', {
        error: { type: 'BudgetExceeded', message: `The turn took ${turnMs} ms, as long as budgets.turnMs allows.` },
      });
    }
  }
  for (const row of state.runs.until(due)) {
    if ((ceilingAt(row) ?? Infinity) <= due) giveUp(cx, row, 'budget_exceeded');
    passGrace(cx, row);
  }
  if (closing !== undefined) passTelling(closing, due);
  passLooks(cx);
  passOutbox(cx);
  for (const request of ownOpen(state)) if (Date.parse(request.expiresAt) <= due) closeRequest(cx, request, 'expired');
  if (self !== undefined && self.parentGone !== true && state.pausedAt !== undefined) {
    // Who was terminated says nothing: a question must not wait for a parent that is gone.
    if ((self.parentLookAt ?? Infinity) <= due) {
      self.parentLookAt = cx.now + PARENT_LOOK_MS;
      cx.effects.push({ do: 'check-parent', why: 'question' });
    }
    self.parentLookAt ??= cx.now + PARENT_LOOK_MS;
  }
  if (
    self !== undefined &&
    self.end.is === 'working' &&
    state.pausedAt === undefined &&
    self.deadline <= due &&
    mayEnd(self)
  ) {
    // The parent gives up by its own clock; the run looks again later whether there is still one.
    self.deadline = cx.now + OWN_CEILING_LOOK_MS;
    cx.effects.push({ do: 'check-parent', why: 'ceiling' });
  }
  if (typeof closing?.grace === 'number' && closing.grace <= due) closing.grace = 'over';
}

/** Whether anything comes of a run's own ceiling: once its parent is gone, one that is to be kept goes on. */
function mayEnd(self: RunSelf): boolean {
  return self.parentGone !== true || self.onBudget === 'cancel';
}

const OWN_CEILING_LOOK_MS = 60_000;
const FORCE_AGAIN_MS = 60_000;
const FORCE_AGAIN_MOST_MS = 3_600_000;
const PARENT_LOOK_MS = 120_000;

/** A run that does not answer its cancellation is ended by force. */
function passGrace(cx: Cx, row: RunState): void {
  const begun = begunOf(row);
  if (begun?.graceAt === undefined || begun.graceAt > dueBy(cx)) return;
  delete begun.graceAt;
  begun.forced = true;
  cx.effects.push({ do: 'terminate', runId: row.runId, reason: begun.cancel?.reason ?? 'cancelled_by_user' });
}

/** The server did not let it be ended by force: that is tried again later, and whoever closes does not wait for it. */
export function notTerminated(cx: Cx, runId: string): void {
  const row = cx.state.runs.get(runId);
  const begun = row === undefined ? undefined : begunOf(row);
  if (begun === undefined) return;
  begun.withstood = (begun.withstood ?? 0) + 1;
  begun.graceAt = cx.now + backoff(begun.withstood, FORCE_AGAIN_MS, FORCE_AGAIN_MOST_MS);
}

/** It was ended by force. `usage`: of it and all below it, as far as it could be seen. */
export function terminated(cx: Cx, runId: string, usage?: Usage): void {
  const row = cx.state.runs.get(runId);
  if (row === undefined) return;
  const reason = unsettledOf(row)?.cancel?.reason ?? 'cancelled_by_user';
  settle(cx, row, { status: 'cancelled', reason, ...(usage === undefined ? {} : { usage }) });
}
