/**
 * A run's own side: what it does towards the workflow that started it.
 *
 * Its outcome is decided once. It then ends what it started, records `run.settled` in its own log and tells its parent; its
 * workflow completes with the same outcome.
 */
import { marginBelow, pathsOf } from '../run/cancel.ts';
import { beginClosing, sweep } from '../closing.ts';
import { fitting } from '../state/json.ts';
import { emit } from '../log/events.ts';
import { untoldMilestones } from '../run/own-milestones.ts';
import { flushRefusals } from '../log/refusals.ts';
import { moveTo } from '../state/closing.ts';
import { isSettled, type Outcome } from '../state/row.ts';
import { decide, hasSettled, isAtWork, outcomeOf, settle, type RunSelf, type Work } from '../state/self.ts';
import type { Cx, State } from '../state/state.ts';
import { enqueueReminder } from '../delivery/slots.ts';
import { textOf } from '../delivery/transcript.ts';
import { makeCall } from '../turn/make-call.ts';
import { beginStep, toolSelf } from '../turn/tool-run.ts';
import { MESSAGE_BYTES } from '../state/sizes.ts';
import { totalOf } from '../state/usage.ts';
import type { Failure, Json, Progress, Refusal } from '../state/types.ts';

/** A cancellation by the parent or an operator. The first outcome stands. */
export function cancelSelf(cx: Cx, reason: string, comment: string | undefined, cascade: boolean): void {
  const { self } = cx.state;
  if (self === undefined || self.end.is !== 'working') return;
  begin(cx, self, { status: 'cancelled', reason, ...(comment === undefined ? {} : { comment }) }, cascade);
  if (!('activity' in self.work)) return;
  if (self.work.activity === 'running') cx.effects.push({ do: 'cancel-task' });
  else self.work.activity = 'done';
}

/** A run of kind `tool` makes its call. */
export function beginCall(cx: Cx): void {
  const self = toolSelf(cx.state);
  if (self === undefined) return;
  const { policy, turnId, toolCallId } = self.work;
  const toolName = cx.state.agent;
  const turn = beginStep(cx, turnId);
  turn.parts.push({ type: `tool-${toolName}`, toolCallId, state: 'input-available', input: self.input });
  makeCall(cx, turn, { toolCallId, place: '1', toolName, input: self.input, policy });
}

/** What the run was asked with cannot be its first turn. */
export function refuseInput(cx: Cx, { refused, message }: Refusal): void {
  const { self } = cx.state;
  if (self !== undefined && self.end.is === 'working')
    begin(cx, self, { status: 'failed', reason: 'agent_error', error: { type: refused, message } }, true);
}

/** The outcome is decided before what the run has begun has ended. */
function begin(cx: Cx, self: RunSelf, outcome: Outcome, cascade: boolean): void {
  decide(self, outcome);
  beginClosing(cx, {
    ...(outcome.comment === undefined ? {} : { reason: outcome.comment }),
    runs: cascade ? 'cancel' : 'keep',
    turn: 'cancel',
    code: 'cancelled_by_parent',
    turnCode: outcome.reason === 'session_closed' ? 'session_closed' : 'cancelled_by_user',
    cascade,
    grace:
      cx.now +
      cx.state.settings.limits.cancelGraceMs +
      (cx.state.runs.all.every(isSettled) ? 0 : marginBelow(cx.state, cx.state.depth)),
  });
}

/** The task that is running, or the workflow of a `workflow:` run, as long as its outcome still matters. */
function atWork(cx: Cx): { self: RunSelf; work: Extract<Work, { activity: unknown }> } | undefined {
  const { self } = cx.state;
  if (self === undefined || hasSettled(self) || !('activity' in self.work)) return undefined;
  return self.work.activity === 'running' ? { self, work: self.work } : undefined;
}

export function taskDone(cx: Cx, result: Json, progress: Progress | undefined): void {
  const found = atWork(cx);
  if (found === undefined) return;
  const { self, work } = found;
  work.activity = 'done';
  if (progress !== undefined) self.progress = progress;
  // A run that completes before its cancellation takes effect has completed.
  if (self.end.is === 'working' || outcomeOf(self)?.status === 'cancelled')
    decide(self, { status: 'completed', result });
}

export function taskFailed(
  cx: Cx,
  failure: { type: string; message: string; reason?: string },
  progress: Progress | undefined,
): void {
  const found = atWork(cx);
  if (found === undefined) return;
  const { self, work } = found;
  work.activity = 'done';
  if (progress !== undefined) self.progress = progress;
  if (self.end.is !== 'working') return;
  const { type, message, reason = 'agent_error' } = failure;
  decide(
    self,
    reason === 'cancelled_by_user'
      ? { status: 'cancelled', reason }
      : { status: 'failed', reason, error: { type, message } },
  );
}

/** The task's worker was given up so that the workflow could continue as new; the task is run again from its checkpoint. */
export function taskAborted(cx: Cx, progress: Progress | undefined, checkpoint: Json | undefined): void {
  const found = atWork(cx);
  if (found === undefined) return;
  const { self, work } = found;
  work.activity = self.end.is === 'working' ? 'ready' : 'done';
  if (checkpoint !== undefined && work.kind === 'task') work.checkpoint = checkpoint;
  if (progress !== undefined) self.progress = progress;
}

/** A failed turn is the run's end: decided before anything else is started. */
export function noticeFailedTurn(cx: Cx): void {
  const { self, past, tokens } = cx.state;
  if (self === undefined || self.end.is !== 'working') return;
  const failed = past.find((turn) => turn.status === 'failed');
  if (failed !== undefined)
    begin(
      cx,
      self,
      {
        status: 'failed',
        reason: tokens?.hasEndedTurn === true ? 'token_budget' : 'agent_error',
        error: failed.error ?? { type: 'Error', message: 'A turn failed.' },
      },
      true,
    );
}

/** What the run does next by itself: task, settle. */
export function advanceSelf(cx: Cx): void {
  const { state } = cx;
  const { self } = state;
  if (self === undefined || hasSettled(self)) return;
  if (self.work.kind !== 'agent') {
    if ('activity' in self.work && self.work.activity === 'ready' && self.end.is === 'working') {
      self.work.activity = 'running';
      cx.effects.push({ do: self.work.kind });
    }
    settleTask(cx);
    return;
  }
  if (self.end.is !== 'working') {
    if (sweep(cx) || state.closing?.grace === 'over') settleSelf(cx, self);
    return;
  }
  if (!hasAnswered(state)) return;
  decide(self, resultOf(state, self.work));
  settleSelf(cx, self);
}

/** Its inputs are answered, and the runs it started have settled and been delivered. */
function hasAnswered({ turn, queue, runs, outbox }: State): boolean {
  return turn === null && queue.length === 0 && runs.areDone && !outbox.has('handlers');
}

function resultOf(state: State, { reported, wantsResult }: Extract<Work, { kind: 'agent' }>): Outcome {
  const last = state.transcript.findLast(
    (entry) => entry.message.role === 'assistant' && entry.message.metadata?.['source'] === undefined,
  );
  if (reported === undefined && wantsResult === true)
    return { status: 'failed', reason: 'agent_error', error: NO_RESULT };
  const finishReason = last?.message.metadata?.['finishReason'];
  return {
    status: 'completed',
    result: reported === undefined ? (last === undefined ? '' : textOf(last.message)) : reported.result,
    ...(typeof finishReason === 'string' ? { finishReason } : {}),
  };
}

const NO_RESULT: Failure = {
  type: 'ResultMissing',
  message: 'The agent ended without report_result, also when it was asked once more.',
};

/** An agent that is to give a result and is about to end without is asked for it, once. */
export function askForResult(cx: Cx): void {
  const { self } = cx.state;
  if (self?.work.kind !== 'agent' || self.end.is !== 'working' || !hasAnswered(cx.state)) return;
  const { work } = self;
  if (work.wantsResult !== true || work.reported !== undefined || work.reminded === true) return;
  work.reminded = true;
  enqueueReminder(cx);
}

/** A task, the workflow of a `workflow:` run, or a call that has ended, or has had its time to: the run settles. */
export function settleTask(cx: Cx): void {
  const { self, closing } = cx.state;
  if (self?.end.is !== 'ending' || self.work.kind === 'agent') return;
  if (!('activity' in self.work) || self.work.activity === 'done' || closing?.grace === 'over') settleSelf(cx, self);
}

function settleSelf(cx: Cx, self: RunSelf): void {
  const { state } = cx;
  flushRefusals(cx);
  const outcome = settle(self);
  if (isAtWork(self) && 'activity' in self.work) {
    if (self.work.kind === 'workflow') cx.effects.push({ do: 'terminate-workflow' });
    self.work.activity = 'done';
  }
  // What the parent has not heard goes with the settle: as whole as one message takes.
  const whole = untoldMilestones(self).at(-1)?.n ?? self.told;
  for (const one of self.milestones) if (one.n > whole) delete one.data;
  if (state.closing !== undefined) moveTo(state.closing, { is: 'done' }, true);
  emit(cx, 'run.settled', {
    status: outcome.status,
    reason: outcome.reason,
    comment: outcome.comment,
    error: outcome.error,
    finishReason: outcome.finishReason,
    usage: totalOf(state.spent),
    cancelled: cancelledBelow(cx),
  });
}

/** Paths, below this run, of the runs that its cancellation took with it. */
export function cancelledBelow({ state }: Pick<Cx, 'state'>): string[] | undefined {
  if (state.self === undefined || outcomeOf(state.self)?.status === 'completed') return undefined;
  const paths = state.runs.all.flatMap((row) =>
    row.status === 'cancelled' && row.reason === 'cancelled_by_parent' ? pathsOf(row.runId, row) : [],
  );
  return paths.length === 0 ? undefined : fitting(paths, MESSAGE_BYTES);
}
