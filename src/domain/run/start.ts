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
  presentRun,
  receiptOf,
  waveLeft,
  type Origin,
  type RunReceipt,
  type StartRun,
} from './admission.ts';
import { misfitSentence, UNCHECKED, type Checked } from './fit.ts';
import { lookSoon, scheduleLook } from './looks.ts';
import { settle } from './settle.ts';
import { leaveLoop } from '../state/loop.ts';
import { begin, begunOf, confirm, pause, type Asked, type RunState } from '../state/row.ts';
import { isAsking, iso, type Cx, type State } from '../state/state.ts';
import { noUsage } from '../state/usage.ts';
import { tellAtStart } from './tokens.ts';
import { isRefusal, refuse, type Misfit, type NameFacts, type Refusal } from '../state/types.ts';

/** Accepts one run or says why not. It answers before the run has done anything. */
export function startRun(cx: Cx, request: StartRun, origin: Origin = {}, checked?: Checked): RunReceipt | Refusal {
  const receipts = startRuns(cx, [request], origin, checked);
  return isRefusal(receipts) ? receipts : (receipts[0] ?? refuse('InvalidInput', 'Expected a run, got none.'));
}

/** Accepts all runs or none. */
export function startRuns(
  cx: Cx,
  requests: readonly StartRun[],
  origin: Origin = {},
  checked: Checked = UNCHECKED,
): RunReceipt[] | Refusal {
  const { state } = cx;
  const admitted = admitRuns(state, requests, (name) => Object.hasOwn(state.names, name), origin, cx.hold, checked);
  if (isRefusal(admitted)) return admitted;
  // From outside any turn.
  if (origin.turnId === undefined) leaveLoop(state);
  const rows = requests.map((request, i) => {
    const before = admitted[i] ?? knownRun(state, request);
    if (before !== undefined && !isRefusal(before)) return { ...before, deduplicated: true };
    const receipt = accept(cx, request, origin);
    const misfit = checked.misfits.get(request);
    if (misfit !== undefined) failUnfit(cx, receipt.runId, misfit);
    return receipt;
  });
  startQueued(cx);
  return rows.map((one) => ({ ...one, status: presentRun(state, one.runId).status }));
}

function accept(cx: Cx, request: StartRun, origin: Origin): RunReceipt {
  const { state } = cx;
  const runId = request.runId ?? freshRunId(state);
  const detached = fillDetached(state, request);
  const { call } = origin;
  const facts: NameFacts | undefined =
    call === undefined
      ? state.names[request.agent]
      : { kind: 'tool', ...(call.policy.hooks === undefined ? {} : { hooks: call.policy.hooks }) };
  const asked: Asked = {
    input: request.input,
    bytes: inputBytes(request),
    ...(call === undefined ? {} : { call }),
  };
  const row: RunState = {
    runId,
    workflowId: workflowIdOfRun(state.workflowId, runId),
    agent: request.agent,
    kind: facts === undefined || facts.kind === 'handler' ? 'task' : facts.kind,
    status: 'queued',
    depth: state.depth + 1,
    createdAt: iso(cx.now),
    milestones: [],
    usage: noUsage(),
    delivery: { finish: { key: finishKey(state.workflowId, runId), state: 'pending' } },
    own: {
      ordinal: ++state.counters.start,
      detached,
      deadline: cx.now + detached.maxBudgetMs,
      bytes: coreBytes(request, origin, facts?.hooks?.length),
      ...(facts?.hooks?.includes('onRunFinish') === true ? { tellsFinish: true } : {}),
    },
    life: { stage: 'queued', asked },
  };
  if (request.label !== undefined) row.label = request.label;
  if (request.metadata !== undefined) row.metadata = request.metadata;
  if (origin.turnId !== undefined) row.turnId = origin.turnId;
  if (origin.toolCallId !== undefined) row.parentToolCallId = origin.toolCallId;
  remember(state.dedupe, entryKey('run', runId), payloadOf(state, request), '');
  state.runs.add(row);
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
  const { runs } = state;
  let places = Math.min(waveLeft(state), state.settings.limits.maxConcurrentRuns - runs.placesTaken);
  for (; places > 0; places--) {
    const row = runs.firstQueued();
    if (row === undefined) return;
    begin(row, cx.now);
    row.startedAt = iso(cx.now);
    runs.unconfirmed.add(row.runId);
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
  const { runs, outbox } = cx.state;
  runs.unconfirmed.delete(runId);
  const row = runs.get(runId);
  if (row === undefined) return;
  confirm(row, epoch);
  const begun = begunOf(row);
  if (begun === undefined) return;
  scheduleLook(cx, row);
  // After a reset of its starter it may have asked before its start was confirmed again.
  if (isAsking(cx.state, row.workflowId)) pause(row, cx.now);
  if (begun.cancel !== undefined) askToCancel(cx, row);
  if (begun.notes !== undefined) outbox.put({ lane: 'notes', runId });
  tellAtStart(cx.state, row);
}

/** The run is there already, started by this workflow before it was reset: it may have ended since, and is looked at. */
export function adoptRun(cx: Cx, runId: string, epoch: string): void {
  startConfirmed(cx, runId, epoch);
  lookSoon(cx, runId);
}

export function startFailed(cx: Cx, runId: string, message: string): void {
  const { runs } = cx.state;
  runs.unconfirmed.delete(runId);
  const row = runs.get(runId);
  if (row === undefined) return;
  settle(cx, row, { status: 'failed', reason: 'start_failed', error: { type: 'StartFailed', message } });
}

/** Its input is not what its task takes: it fails as it would once it had its place, and takes none. */
function failUnfit(cx: Cx, runId: string, misfit: Misfit): void {
  const row = cx.state.runs.get(runId);
  if (row === undefined) return;
  const error = { type: 'InvalidInput', message: misfitSentence(misfit) };
  settle(cx, row, { status: 'failed', reason: 'start_failed', error });
}

/** Names are looked up anew by the next execution: a deployment may have changed what they stand for. */
export function forgetNames({ state }: Pick<Cx, 'state'>): void {
  const needed = new Set(
    state.runs.all.filter(({ life }) => life.stage === 'queued' || life.stage === 'starting').map((row) => row.agent),
  );
  state.names = Object.fromEntries(Object.entries(state.names).filter(([name]) => needed.has(name)));
}
