/** Starting runs: what is accepted waits for a place, in order, and is confirmed by Temporal. */
import { askToCancel } from './cancel.ts';
import { entryKey, remember } from '../log/dedupe.ts';
import { callOnRunStart } from './handlers.ts';
import { finishKey, mintRunId, workflowIdOfRun } from '../state/ids.ts';
import { emit } from '../log/events.ts';
import {
  admitRuns,
  coreBytes,
  fillDetached,
  inputBytes,
  knownRun,
  payloadOf,
  placesTaken,
  presentRun,
  receiptOf,
  waveLeft,
  type Origin,
  type RunReceipt,
  type StartRun,
} from './admission.ts';
import { settle, shrink } from './settle.ts';
import { leaveLoop } from '../state/loop.ts';
import {
  findRun,
  iso,
  isSettled,
  noUsage,
  type Cx,
  type RunRequest,
  type RunState,
  type State,
} from '../state/state.ts';
import { isRefusal, refuse, type Refusal } from '../state/types.ts';

/** Accepts one run or says why not. It answers before the run has done anything. */
export function startRun(cx: Cx, request: StartRun, origin: Origin = {}): RunReceipt | Refusal {
  const receipts = startRuns(cx, [request], origin);
  return isRefusal(receipts) ? receipts : (receipts[0] ?? refuse('InvalidInput', 'Expected a run, got none.'));
}

/** Accepts all runs or none. */
export function startRuns(cx: Cx, requests: readonly StartRun[], origin: Origin = {}): RunReceipt[] | Refusal {
  const { state } = cx;
  const admitted = admitRuns(state, requests, (name) => Object.hasOwn(state.names, name), origin, cx.hold);
  if (isRefusal(admitted)) return admitted;
  // From outside any turn.
  if (origin.turnId === undefined) leaveLoop(state);
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
  const detached = fillDetached(state, request);
  const facts = state.names[request.agent];
  const kept: RunRequest = { agent: request.agent, input: request.input, detached };
  if (request.label !== undefined) kept.label = request.label;
  if (request.metadata !== undefined) kept.metadata = request.metadata;
  const row: RunState = {
    runId,
    workflowId: workflowIdOfRun(state.workflowId, runId),
    agent: request.agent,
    kind: facts === undefined || facts.kind === 'handler' ? 'task' : facts.kind,
    status: 'queued',
    depth: state.depth + 1,
    createdAt: iso(cx.now),
    deadlineAt: iso(cx.now + detached.maxBudgetMs),
    milestones: [],
    usage: noUsage(),
    delivery: { finish: { key: finishKey(state.workflowId, runId), state: 'pending' } },
    ordinal: ++state.counters.start,
    request: kept,
    detached,
    bytes: coreBytes(request, origin, facts?.hooks?.length),
    inputBytes: inputBytes(request),
  };
  if (facts?.hooks?.includes('onRunFinish') === true) row.finishHook = true;
  if (request.label !== undefined) row.label = request.label;
  if (origin.turnId !== undefined) row.turnId = origin.turnId;
  if (origin.toolCallId !== undefined) row.parentToolCallId = origin.toolCallId;
  remember(state.dedupe, entryKey('run', runId), payloadOf(state, request), '');
  state.runs.push(row);
  emit(cx, 'run.queued', {
    runId,
    agent: row.agent,
    label: row.label,
    turnId: row.turnId,
    parentToolCallId: row.parentToolCallId,
  });
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
  if (cx.hold === true || state.closing !== undefined) return;
  let places = Math.min(waveLeft(state), state.settings.limits.maxConcurrentRuns - placesTaken(state));
  for (const row of state.runs) {
    if (places <= 0) return;
    if (row.status !== 'queued') continue;
    row.status = 'running';
    row.startedAt = iso(cx.now);
    row.starting = true;
    row.movedAt = cx.now;
    places--;
    emit(cx, 'run.started', {
      runId: row.runId,
      agent: row.agent,
      label: row.label,
      turnId: row.turnId,
      parentToolCallId: row.parentToolCallId,
    });
    callOnRunStart(cx, row);
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

/** The run is there already, started by this workflow before it was reset: it may have ended since, and is looked at. */
export function adoptRun(cx: Cx, runId: string, epoch: string): void {
  startConfirmed(cx, runId, epoch);
  const row = findRun(cx.state, runId);
  if (row !== undefined) row.due = true;
}

export function startFailed(cx: Cx, runId: string, message: string): void {
  const row = findRun(cx.state, runId);
  if (row === undefined) return;
  delete row.starting;
  settle(cx, row, { status: 'failed', reason: 'start_failed', error: { type: 'StartFailed', message } });
}

/** Names are looked up anew by the next execution: a deployment may have changed what they stand for. */
export function forgetNames({ state }: Pick<Cx, 'state'>): void {
  const needed = new Set(state.runs.filter((row) => row.request !== undefined).map((row) => row.agent));
  state.names = Object.fromEntries(Object.entries(state.names).filter(([name]) => needed.has(name)));
}
