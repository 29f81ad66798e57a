/**
 * Runs as their starter knows them: admission, places and queue, giving up, settling.
 *
 * A row settles once: the first `completed`, `failed` or `cancelled` wins and never changes. Giving up is not a settle: the
 * place is held and a later settle is still taken and delivered in its own slot.
 */
import { deliver } from './delivery.ts';
import { entryKey, remember, rememberEnd } from './dedupe.ts';
import { finishKey, gaveUpKey, mintRunId, workflowIdOfRun } from './ids.ts';
import { fitting, jsonBytes, previewOf } from './json.ts';
import { emit } from './log.ts';
import { takeMilestone } from './milestones.ts';
import { closed } from './room.ts';
import { admitRuns, coreBytes, fillDetached, inputBytes, knownRun, payloadOf, placesTaken, presentRun, receiptOf, waveLeft, type Origin, type RunReceipt, type StartRun } from './run-admission.ts';
import { KEPT_FORGOTTEN, KEPT_ROWS, MESSAGE_BYTES, PREVIEW_BYTES, RESULT_BYTES } from './sizes.ts';
import { addUsage, delivered, findRun, instant, iso, isOver, isSettled, noUsage, type Cx, type Outcome, type RunRequest, type RunState, type State } from './state.ts';
import { isRefusal, refuse, type Milestone, type Progress, type Refusal, type RunStatus, type Usage } from './types.ts';

export { admitRuns, fillDetached, placesTaken, presentRun, type Origin, type RunReceipt, type StartRun };

/** A run ends its own unwilling task at its grace time; only one that cannot even do that is terminated by its starter, this much later. */
const TERMINATE_MARGIN_MS = 5000;

/** Accepts one run or says why not. It answers before the run has done anything. */
export function startRun(cx: Cx, request: StartRun, origin: Origin = {}): RunReceipt | Refusal {
  const receipts = startRuns(cx, [request], origin);
  return isRefusal(receipts) ? receipts : (receipts[0] ?? refuse('InvalidInput', 'Expected a run, got none.'));
}

/** Accepts all runs or none. */
export function startRuns(cx: Cx, requests: readonly StartRun[], origin: Origin = {}): RunReceipt[] | Refusal {
  const { state } = cx;
  const admitted = admitRuns(state, requests, (name) => Object.hasOwn(state.names, name), origin);
  if (isRefusal(admitted)) return admitted;
  const rows = requests.map((request, i) => {
    const before = admitted[i] ?? knownRun(state, request);
    return before !== undefined && !isRefusal(before) ? { ...before, deduplicated: true } : accept(cx, request, origin);
  });
  startQueued(cx);
  return rows.map((one) => ({ ...one, status: presentRun(state, one.runId).status }));
}

function accept(cx: Cx, request: StartRun, origin: Origin): RunReceipt {
  const { state } = cx;
  const runId = request.runId ?? freshRunId(state);
  const detached = fillDetached(state, request.detached);
  const kept: RunRequest = { agent: request.agent, input: request.input, detached };
  if (request.label !== undefined) kept.label = request.label;
  if (request.metadata !== undefined) kept.metadata = request.metadata;
  const row: RunState = {
    runId, workflowId: workflowIdOfRun(state.workflowId, runId), agent: request.agent, kind: state.names[request.agent]?.kind ?? 'task',
    status: 'queued', depth: state.depth + 1, createdAt: iso(cx.now), deadlineAt: iso(cx.now + detached.maxBudgetMs), milestones: [], usage: noUsage(),
    delivery: { finish: { key: finishKey(state.workflowId, runId), state: 'pending' } },
    ordinal: ++state.counters.start, request: kept, detached, bytes: coreBytes(request, origin), inputBytes: inputBytes(request),
  };
  if (request.label !== undefined) row.label = request.label;
  if (origin.turnId !== undefined) row.turnId = origin.turnId;
  if (origin.toolCallId !== undefined) row.parentToolCallId = origin.toolCallId;
  remember(state.dedupe, entryKey('run', runId), payloadOf(state, request), '');
  state.runs.push(row);
  emit(cx, 'run.queued', { runId, agent: row.agent, label: row.label, turnId: row.turnId, parentToolCallId: row.parentToolCallId });
  return receiptOf(state, runId, 'queued', false);
}

function freshRunId(state: State): string {
  for (;;) {
    const runId = mintRunId(state.epoch, ++state.counters.run);
    if (!presentRun(state, runId).known) return runId;
  }
}

/** Gives free places to queued runs, in order. */
export function startQueued(cx: Cx): void {
  const { state } = cx;
  if (state.closing !== undefined) return;
  let places = Math.min(waveLeft(state), state.settings.limits.maxConcurrentRuns - placesTaken(state));
  for (const row of state.runs) {
    if (places <= 0) return;
    if (row.status !== 'queued') continue;
    row.status = 'running';
    row.startedAt = iso(cx.now);
    row.starting = true;
    places--;
    emit(cx, 'run.started', { runId: row.runId, agent: row.agent, label: row.label, turnId: row.turnId, parentToolCallId: row.parentToolCallId });
    cx.effects.push({ do: 'start', runId: row.runId });
  }
}

/** Temporal has the run: what it was asked with need not be kept here any longer. */
export function startConfirmed(cx: Cx, runId: string, epoch: string): void {
  const row = findRun(cx.state, runId);
  if (row === undefined) return;
  delete row.starting;
  row.epoch = epoch;
  shrink(row);
  if (row.cancelRequestedAt !== undefined && !isSettled(row)) askToCancel(cx, row);
}

function shrink(row: RunState): void {
  delete row.request;
  delete row.inputBytes;
}

export function startFailed(cx: Cx, runId: string, message: string): void {
  const row = findRun(cx.state, runId);
  if (row === undefined) return;
  delete row.starting;
  settle(cx, row, { status: 'failed', reason: 'start_failed', error: { type: 'StartFailed', message } });
}

export interface Settled extends Outcome {
  usage?: Usage;
  progress?: Progress;
  milestones?: Milestone[];
  cancelled?: string[];
  resultRef?: string;
  preview?: string;
}

/** The run has ended, whoever says so: recorded once, delivered once. */
export function settle(cx: Cx, row: RunState, settled: Settled): void {
  const { state } = cx;
  if (isSettled(row) || isOver(state)) return;
  for (const milestone of settled.milestones ?? []) takeMilestone(cx, row, milestone);
  shrink(row);
  row.status = settled.status;
  delete row.reason;
  delete row.childStillRunning;
  delete row.graceAt;
  if (settled.status === 'cancelled') row.reason = row.cancelReason ?? settled.reason ?? 'cancelled_by_user';
  if (settled.status === 'failed') row.reason = settled.reason ?? 'agent_error';
  const comment = settled.status === 'cancelled' ? (row.cancelComment ?? settled.comment) : undefined;
  if (comment !== undefined) row.comment = comment;
  row.settledAt = iso(cx.now);
  if (settled.error !== undefined) row.error = settled.error;
  if (settled.progress !== undefined && settled.progress.n >= (row.progress?.n ?? 0)) row.progress = { ...settled.progress, at: instant(settled.progress.at, cx.now) };
  if (settled.usage !== undefined) {
    row.usage = settled.usage;
    addUsage(state.usage, settled.usage);
  }
  if (settled.status === 'completed') keepResult(row, settled);
  if (settled.cancelled !== undefined && settled.cancelled.length > 0) row.cancelledBelow = fitting(settled.cancelled, MESSAGE_BYTES);
  rememberEnd(state.dedupe, entryKey('run', row.runId), row.status);
  emit(cx, 'run.settled', {
    runId: row.runId, agent: row.agent, label: row.label, status: row.status, reason: row.reason, comment: row.comment, error: row.error,
    resultRef: row.resultRef, usage: { ...row.usage }, cancelled: row.cancelledBelow?.map((path) => `${row.runId}/${path}`), parentToolCallId: row.parentToolCallId,
  });
  if (announced(row)) deliver(cx, row, { runId: row.runId, kind: 'finish' }, row.detached.notify);
  else row.delivery.finish.state = 'not_required';
  forgetOldRows(state);
}

function keepResult(row: RunState, settled: Settled): void {
  if (settled.resultRef !== undefined) {
    row.resultRef = settled.resultRef;
    row.preview = settled.preview ?? '';
    return;
  }
  const result = settled.result ?? null;
  if (jsonBytes(result) <= RESULT_BYTES) row.result = result;
  else {
    row.preview = previewOf(result, PREVIEW_BYTES);
    row.resultRef = row.workflowId;
  }
}

/** One announcement per fact: who caused a cancellation is not told of it again. */
function announced(row: RunState): boolean {
  if (row.detached.notify === 'silent') return false;
  return !(row.status === 'cancelled' && row.reason !== 'cancelled_by_user');
}

/** Rows of runs that settled long ago, with nothing left to deliver, shrink to what a receipt needs. */
function forgetOldRows(state: State): void {
  const old = state.runs.filter((row) => isSettled(row) && delivered(row));
  for (const row of old.slice(0, Math.max(0, old.length - KEPT_ROWS))) forget(state, row);
}

export function forget(state: State, row: RunState): void {
  state.runs.splice(state.runs.indexOf(row), 1);
  if (!isSettled(row)) return;
  state.forgotten.push({
    ordinal: row.ordinal, runId: row.runId, status: row.status as 'completed' | 'failed' | 'cancelled', ...(row.reason === undefined ? {} : { reason: row.reason }), settledAt: row.settledAt ?? row.createdAt, forgotten: true,
  });
  if (state.forgotten.length > KEPT_FORGOTTEN) state.forgotten.splice(0, state.forgotten.length - KEPT_FORGOTTEN);
}

/** The session stops waiting for a run and says so; the run may still settle. */
export function giveUp(cx: Cx, row: RunState, reason: 'budget_exceeded'): void {
  const { state } = cx;
  if (isSettled(row) || row.status === 'interrupted') return;
  const neverStarted = row.status === 'queued';
  row.status = 'interrupted';
  row.reason = reason;
  row.gaveUpReason = reason;
  row.delivery.gaveUp = { key: gaveUpKey(state.workflowId, row.runId), state: 'pending' };
  if (!neverStarted) row.childStillRunning = true;
  emit(cx, 'run.gave_up', { runId: row.runId, agent: row.agent, label: row.label, status: 'interrupted', reason, usage: { ...row.usage }, parentToolCallId: row.parentToolCallId });
  const cancel = neverStarted || row.detached.onBudget === 'cancel';
  if (cancel && row.cancelRequestedAt === undefined) {
    requestCancel(cx, row, 'cancelled_by_budget', undefined, true);
    if (neverStarted) settle(cx, row, { status: 'cancelled', reason: 'cancelled_by_budget' });
  }
  deliver(cx, row, { runId: row.runId, kind: 'gave-up' }, row.detached.notify);
}

/** Records the request to cancel a run and, when it has started, asks it. */
export function requestCancel(cx: Cx, row: RunState, reason: string, comment: string | undefined, cascade: boolean): void {
  if (row.cancelRequestedAt !== undefined) return;
  row.cancelRequestedAt = iso(cx.now);
  row.cancelReason = reason;
  if (comment !== undefined) row.cancelComment = comment;
  row.cancelCascade = cascade;
  emit(cx, 'run.cancel_requested', { runId: row.runId, agent: row.agent, label: row.label, reason, comment, parentToolCallId: row.parentToolCallId });
  if (row.startedAt !== undefined && row.starting !== true) askToCancel(cx, row);
}

function askToCancel(cx: Cx, row: RunState): void {
  row.graceAt = cx.now + cx.state.settings.limits.cancelGraceMs + TERMINATE_MARGIN_MS;
  cx.effects.push({
    do: 'cancel-run', runId: row.runId, reason: row.cancelReason ?? 'cancelled_by_user', cascade: row.cancelCascade ?? true,
    ...(row.cancelComment === undefined ? {} : { comment: row.cancelComment }),
  });
}

export interface CancelRun { runId: string; reason?: string; cascade?: boolean }

export function admitCancelRun(state: State, cancel: CancelRun): Refusal | undefined {
  if (isOver(state)) return closed(state);
  return presentRun(state, cancel.runId).known ? undefined
    : refuse('UnknownRun', `Expected runId to name a run of this ${state.kind}, got "${cancel.runId}".`);
}

/** Cancels a run: a queued one settles at once, a running one is asked. */
export function cancelRun(cx: Cx, cancel: CancelRun): { runId: string; status: RunStatus } | Refusal {
  const refusal = admitCancelRun(cx.state, cancel);
  if (refusal !== undefined) return refusal;
  const row = findRun(cx.state, cancel.runId);
  if (row !== undefined && !isSettled(row)) {
    const wasQueued = row.status === 'queued';
    requestCancel(cx, row, 'cancelled_by_user', cancel.reason, cancel.cascade ?? true);
    if (wasQueued) settle(cx, row, { status: 'cancelled', reason: 'cancelled_by_user' });
  }
  return { runId: cancel.runId, status: presentRun(cx.state, cancel.runId).status };
}

/** The receipt of `cancelRun`: which runs below have confirmed, and which not yet. */
export function cancelReceipt(state: State, runId: string): { runId: string; status: RunStatus; cancelled: string[]; pending: string[] } {
  const row = findRun(state, runId);
  const { status } = presentRun(state, runId);
  const cancelled = row !== undefined && status === 'cancelled' ? [runId, ...(row.cancelledBelow ?? []).map((path) => `${runId}/${path}`)] : status === 'cancelled' ? [runId] : [];
  return { runId, status, cancelled, pending: row !== undefined && !isSettled(row) ? [runId] : [] };
}
