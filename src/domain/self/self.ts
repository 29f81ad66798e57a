/**
 * A run's own side: what it does towards the workflow that started it.
 *
 * Its outcome is decided once. It then ends what it started, records `run.settled` in its own log and tells its parent; its
 * workflow completes with the same outcome. Milestones go up as signals, at most one outstanding, each with all since the last.
 */
import { marginBelow } from '../run/cancel.ts';
import { beginClosing, sweep } from '../closing.ts';
import { fitting } from '../state/json.ts';
import { emit } from '../log/events.ts';
import { parentClosed } from '../run/requests.ts';
import { flushRefusals } from '../log/refusals.ts';
import { isDone, isSettled, type Cx, type Outcome, type RunSelf } from '../state/state.ts';
import { textOf } from '../delivery/transcript.ts';
import { MESSAGE_BYTES } from '../state/sizes.ts';
import { refuse, type Json, type Progress, type Refusal } from '../state/types.ts';

/** A cancellation by the parent or an operator. The first outcome stands. */
export function cancelSelf(cx: Cx, reason: string, comment: string | undefined, cascade: boolean): void {
  const { self } = cx.state;
  if (self === undefined || self.outcome !== undefined) return;
  decide(cx, self, { status: 'cancelled', reason, ...(comment === undefined ? {} : { comment }) }, cascade);
  if (self.task === 'running') cx.effects.push({ do: 'cancel-task' });
  if (self.task === 'ready') self.task = 'done';
}

/** What the run was asked with cannot be its first turn. */
export function refuseInput(cx: Cx, { refused, message }: Refusal): void {
  const { self } = cx.state;
  if (self !== undefined && self.outcome === undefined)
    decide(cx, self, { status: 'failed', reason: 'agent_error', error: { type: refused, message } }, true);
}

function decide(cx: Cx, self: RunSelf, outcome: Outcome, cascade: boolean): void {
  self.outcome = outcome;
  beginClosing(cx, {
    ...(outcome.comment === undefined ? {} : { reason: outcome.comment }),
    runs: cascade ? 'cancel' : 'keep',
    turn: 'cancel',
    code: 'cancelled_by_parent',
    turnCode: outcome.reason === 'session_closed' ? 'session_closed' : 'cancelled_by_user',
    cascade,
    graceAt:
      cx.now +
      cx.state.settings.limits.cancelGraceMs +
      (cx.state.runs.every(isSettled) ? 0 : marginBelow(cx.state, cx.state.depth)),
  });
}

/** The task that is running, as long as its outcome still matters. */
function running(cx: Cx): RunSelf | undefined {
  const { self } = cx.state;
  return self?.task === 'running' && self.settled !== true ? self : undefined;
}

export function taskDone(cx: Cx, result: Json, progress: Progress | undefined): void {
  const self = running(cx);
  if (self === undefined) return;
  self.task = 'done';
  if (progress !== undefined) self.progress = progress;
  // A run that completes before its cancellation takes effect has completed.
  if (self.outcome === undefined || self.outcome.status === 'cancelled') self.outcome = { status: 'completed', result };
}

export function taskFailed(
  cx: Cx,
  failure: { type: string; message: string; reason?: string },
  progress: Progress | undefined,
): void {
  const self = running(cx);
  if (self === undefined) return;
  self.task = 'done';
  if (progress !== undefined) self.progress = progress;
  if (failure.reason === 'cancelled_by_user') self.outcome ??= { status: 'cancelled', reason: failure.reason };
  self.outcome ??= {
    status: 'failed',
    reason: failure.reason ?? 'agent_error',
    error: { type: failure.type, message: failure.message },
  };
}

/** The task's worker was given up so that the workflow could continue as new; the task is run again from its checkpoint. */
export function taskAborted(cx: Cx, progress: Progress | undefined, checkpoint: Json | undefined): void {
  const self = running(cx);
  if (self === undefined) return;
  self.task = self.outcome === undefined ? 'ready' : 'done';
  if (checkpoint !== undefined) self.checkpoint = checkpoint;
  if (progress !== undefined) self.progress = progress;
}

/** The parent is gone: nobody hears this run any more, it goes on and keeps its ceiling. */
export function parentGone(cx: Cx, epoch: string): Refusal | undefined {
  const { self } = cx.state;
  if (self === undefined || epoch !== self.parent.epoch)
    return refuse('InvalidInput', 'Expected epoch to be that of the parent, got another.');
  self.parentGone = true;
  delete self.telling;
  delete self.asking;
  delete self.tellingRead;
  delete self.untold;
  parentClosed(cx);
  return undefined;
}

/** A failed turn is the run's end: decided before anything else is started. */
export function noticeFailedTurn(cx: Cx): void {
  const { self, past } = cx.state;
  if (self === undefined || self.outcome !== undefined) return;
  const failed = past.find((turn) => turn.status === 'failed');
  if (failed !== undefined)
    decide(
      cx,
      self,
      { status: 'failed', reason: 'agent_error', error: failed.error ?? { type: 'Error', message: 'A turn failed.' } },
      true,
    );
}

/** What the run does next by itself: task, settle. */
export function advanceSelf(cx: Cx): void {
  const { state } = cx;
  const { self } = state;
  if (self === undefined || self.settled === true) return;
  if (self.kind !== 'agent') {
    if (self.task === 'ready' && self.outcome === undefined) {
      self.task = 'running';
      cx.effects.push({ do: self.kind === 'workflow' ? 'workflow' : 'task' });
    }
    settleTask(cx);
    return;
  }
  if (self.outcome !== undefined) {
    if (sweep(cx) || state.closing?.late === true) settleSelf(cx, self);
    return;
  }
  if (state.turn === null && state.queue.length === 0 && state.runs.every(isDone) && state.handlers.length === 0) {
    const last = state.transcript.findLast(
      (entry) => entry.message.role === 'assistant' && entry.message.metadata?.['source'] === undefined,
    );
    self.outcome = { status: 'completed', result: last === undefined ? '' : textOf(last.message) };
    settleSelf(cx, self);
  }
}

/** A task, or the workflow of a `workflow:` run, that has ended, or has had its time to: the run settles. */
export function settleTask(cx: Cx): void {
  const { self, closing } = cx.state;
  if (self === undefined || self.kind === 'agent' || self.settled === true || self.outcome === undefined) return;
  if (self.task === 'done' || closing?.late === true) settleSelf(cx, self);
}

function settleSelf(cx: Cx, self: RunSelf): void {
  const { outcome } = self;
  if (outcome === undefined) return;
  flushRefusals(cx);
  self.settled = true;
  if (self.task === 'running') {
    if (self.kind === 'workflow') cx.effects.push({ do: 'terminate-workflow' });
    self.task = 'done';
  }
  // What the parent has not heard goes with the settle: as whole as one message takes.
  const untold = self.milestones.filter((one) => one.n > self.told);
  for (const one of untold.slice(fitting(untold, MESSAGE_BYTES).length)) delete one.data;
  if (cx.state.closing !== undefined) cx.state.closing.done = true;
  emit(cx, 'run.settled', {
    status: outcome.status,
    reason: outcome.reason,
    comment: outcome.comment,
    error: outcome.error,
    usage: { ...cx.state.usage },
    cancelled: cancelledBelow(cx),
  });
}

/** Paths, below this run, of the runs that its cancellation took with it. */
export function cancelledBelow(cx: Pick<Cx, 'state'>): string[] | undefined {
  const { state } = cx;
  if (state.self?.outcome?.status === 'completed') return undefined;
  const paths = state.runs.flatMap((row) =>
    row.status === 'cancelled' && row.reason === 'cancelled_by_parent'
      ? [row.runId, ...(row.cancelledBelow ?? []).map((path) => `${row.runId}/${path}`)]
      : [],
  );
  return paths.length === 0 ? undefined : fitting(paths, MESSAGE_BYTES);
}
