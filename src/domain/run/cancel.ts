/** Cancelling a run: a queued one settles at once, a running one is asked, and ended by force when it does not answer. */
import { begunOf, endedOf, isSettled, unsettledOf, type RunState } from '../state/row.ts';
import { emit } from '../log/events.ts';
import { closed } from '../log/capacity.ts';
import { presentRun } from './admission.ts';
import { settle } from './settle.ts';
import { iso, isOver, type Cx, type State } from '../state/state.ts';
import { refuse, type Refusal, type RunStatus } from '../state/types.ts';

/**
 * A run ends its own unwilling task at its grace time; only one that cannot even do that is terminated by its starter, this much
 * later, and later still for each level that may be below it, so that it can name all that it has taken with it.
 */
const MARGIN_MS = 5000;

/** How much longer than its grace time a run may take because of those below it. */
export function marginBelow({ settings: { limits } }: State, depth: number): number {
  return MARGIN_MS * Math.max(0, limits.maxDepth - depth);
}

/** Records the request to cancel a run and, when it has started, asks it. */
export function requestCancel(
  cx: Cx,
  row: RunState,
  reason: string,
  comment: string | undefined,
  cascade: boolean,
): void {
  const life = unsettledOf(row);
  if (row.cancelRequestedAt !== undefined || life === undefined) return;
  row.cancelRequestedAt = iso(cx.now);
  life.cancel = { reason, cascade, ...(comment === undefined ? {} : { comment }) };
  emit(cx, 'run.cancel_requested', {
    runId: row.runId,
    agent: row.agent,
    label: row.label,
    reason,
    comment,
    parentToolCallId: row.parentToolCallId,
  });
  askToCancel(cx, row);
}

/** Sends the request on its way, once there is somebody to hear it. */
export function askToCancel(cx: Cx, row: RunState): void {
  const begun = begunOf(row);
  if (begun?.cancel === undefined || cx.state.runs.unconfirmed.has(row.runId)) return;
  begun.graceAt =
    cx.now +
    cx.state.settings.limits.cancelGraceMs +
    MARGIN_MS +
    (row.kind === 'agent' ? marginBelow(cx.state, row.depth) : 0);
  cx.effects.push({ do: 'cancel-run', runId: row.runId, ...begun.cancel });
}

export interface CancelRun {
  runId: string;
  reason?: string;
  cascade?: boolean;
  /** False: its starter is not told of it. */
  announce?: boolean;
}

export function admitCancelRun(state: State, cancel: CancelRun): Refusal | undefined {
  if (isOver(state)) return closed(state);
  return presentRun(state, cancel.runId).known
    ? undefined
    : refuse('UnknownRun', `Expected runId to name a run of this ${state.kind}, got "${cancel.runId}".`);
}

/** Cancels a run: a queued one settles at once, a running one is asked. */
export function cancelRun(cx: Cx, cancel: CancelRun): { runId: string; status: RunStatus } | Refusal {
  const refusal = admitCancelRun(cx.state, cancel);
  if (refusal !== undefined) return refusal;
  const row = cx.state.runs.get(cancel.runId);
  if (row !== undefined) cancelByUser(cx, row, cancel);
  return { runId: cancel.runId, status: presentRun(cx.state, cancel.runId).status };
}

function cancelByUser(
  cx: Cx,
  row: RunState,
  { reason, cascade = true, announce = true }: Omit<CancelRun, 'runId'>,
): void {
  const life = unsettledOf(row);
  if (life === undefined) return;
  if (!announce) life.unannounced = true;
  const wasQueued = row.status === 'queued';
  requestCancel(cx, row, 'cancelled_by_user', reason, cascade);
  if (wasQueued) settle(cx, row, { status: 'cancelled', reason: 'cancelled_by_user' });
}

/** Cancels what a turn has started, with all that is below: nobody is to be woken by it. Answers which runs those are. */
export function cancelStartedBy(cx: Cx, turnId: string, reason: string | undefined): string[] {
  const rows = cx.state.runs.all.filter((row) => row.turnId === turnId && !isSettled(row));
  const runIds = rows.map(({ runId }) => runId);
  for (const runId of runIds) {
    const row = cx.state.runs.get(runId);
    if (row !== undefined) cancelByUser(cx, row, { announce: false, ...(reason === undefined ? {} : { reason }) });
  }
  return runIds;
}

/** The receipt of `cancelRun`: which runs below have confirmed, and which not yet. */
export function cancelReceipt(
  state: State,
  runId: string,
): { runId: string; status: RunStatus; cancelled: string[]; pending: string[] } {
  const row = state.runs.peek(runId);
  const { status } = presentRun(state, runId);
  return {
    runId,
    status,
    cancelled: status === 'cancelled' ? pathsOf(runId, row) : [],
    pending: row !== undefined && !isSettled(row) ? [runId] : [],
  };
}

/** The path of a cancelled run, and of those below it that its cancellation took with it. */
export function pathsOf(runId: string, row: Readonly<RunState> | undefined): string[] {
  const below = (row === undefined ? undefined : endedOf(row)?.cancelledBelow) ?? [];
  return [runId, ...below.map((path) => `${runId}/${path}`)];
}
