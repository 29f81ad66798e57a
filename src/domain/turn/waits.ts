/**
 * Calls of the runtime's tools that wait: for a run to settle, for a cancellation to be confirmed, for a look, for an answer.
 * Nothing is in flight meanwhile, so a turn may wait for weeks; each wait ends by its fact, by its time, or with its turn.
 */
import { begunOf, isOpenAsk, isSettled, type RunState } from '../state/row.ts';
import { dueBy, iso, type Cx, type State } from '../state/state.ts';
import { cancelReceipt } from '../run/cancel.ts';
import { markDelivered } from '../delivery/slots.ts';
import { bodyOf, frame } from '../delivery/frame.ts';
import { messageIdOfToolCall } from '../state/ids.ts';
import { emit } from '../log/events.ts';
import { isLookedAt } from '../state/row-deadlines.ts';
import { presentRun } from '../run/admission.ts';
import { findRequest } from '../run/requests.ts';
import type { ActiveTurn, ToolCall } from '../state/turn.ts';
import type { Failure, Json, RequestState, RunStatus } from '../state/types.ts';

/** `isUnknown`: nobody knows whether the call has done what it was to do. `error`: as others than a model are told it. */
export type CallAnswer = { output: Json } | { errorText: string; isUnknown?: true; error?: Failure };

/** What a waiting call comes to by now, or nothing yet. */
export function answerOf(cx: Cx, turn: ActiveTurn, call: ToolCall): CallAnswer | undefined {
  const { state } = cx;
  const due = dueBy(cx);
  const { wait } = call;
  if (wait === undefined) return undefined;
  switch (wait.for) {
    case 'settle': {
      const row = state.runs.get(wait.runId);
      if (row === undefined || isSettled(row)) return handOver(state, turn, wait.runId);
      // Its question waits behind this very turn: whoever waits for it could never answer.
      if (row.own.asks?.some((ask) => isOpenAsk(ask) && ask.delivery.state === 'queued') === true)
        return stopWaiting(cx, row, 'requested');
      return wait.until !== undefined && wait.until <= due ? stopWaiting(cx, row, 'timeout') : undefined;
    }
    case 'cancel': {
      const row = state.runs.peek(wait.runId);
      return row === undefined || isSettled(row) || wait.until <= due
        ? { output: cancelReceipt(state, wait.runId) }
        : undefined;
    }
    case 'look': {
      const row = state.runs.peek(wait.runId);
      if (row === undefined || !isLookedAt(row) || lookedAt(row) >= wait.since || wait.until <= due)
        return inspected(cx, turn, call, wait.runId);
      return undefined;
    }
    case 'answer': {
      const request = findRequest(state, wait.requestId);
      if (request !== undefined && request.status === 'open') return undefined;
      const { requestId } = wait;
      return {
        output: {
          requestId,
          status: request?.status ?? 'withdrawn',
          ...(wait.given as { [key: string]: Json } | undefined),
        },
      };
    }
    case 'approval': {
      const request = findRequest(state, wait.requestId);
      return request === undefined ? { errorText: refusalOf({ status: 'withdrawn' }) } : notApproved(request);
    }
    case 'action':
      return undefined;
    default:
      return wait satisfies never;
  }
}

/** What the model reads of a call that was not approved; nothing as long as nobody has decided, or when it was. */
function notApproved(request: RequestState): CallAnswer | undefined {
  const { status } = request;
  return status === 'open' || status === 'approved' ? undefined : { errorText: refusalOf(request) };
}

/** Whatever becomes of a request but its approval: none of these sentences can be read as consent. */
function refusalOf({ status, by, comment }: Pick<RequestState, 'status' | 'by' | 'comment'>): string {
  const said = comment === undefined ? '' : ` The comment: ${comment}`;
  switch (status) {
    case 'rejected':
      return `ApprovalRejected: This call was rejected${by === undefined ? '' : ` by ${by}`} and was not made.${said}`;
    case 'expired':
      return 'ApprovalExpired: Nobody has decided on this call in time: its request has expired, and the call was not made.';
    default:
      return 'ApprovalWithdrawn: The request to approve this call was withdrawn before anybody had decided, and the call was not made.';
  }
}

/** When a run was last looked at, milliseconds. */
function lookedAt(row: Readonly<RunState>): number {
  return begunOf(row)?.watch.lookedAt ?? 0;
}

/** The outcome of a run that was waited for is the call's result, which is its delivery. */
function handOver(state: State, turn: ActiveTurn, runId: string): CallAnswer {
  const row = state.runs.peek(runId);
  if (row === undefined) return { output: { runId, status: presentRun(state, runId).status } };
  (turn.handed ??= []).push(runId);
  return {
    output: { runId, status: row.status, ...(bodyOf(row, { runId, kind: 'finish' }) as { [key: string]: Json }) },
  };
}

/** The turn does not wait any longer; the run is not disturbed, and its outcome is delivered like any other. */
export function stopWaiting(cx: Cx, row: RunState, reason: 'timeout' | 'requested' | 'turn_ended'): CallAnswer {
  emit(cx, 'run.detached', {
    runId: row.runId,
    agent: row.agent,
    label: row.label,
    reason,
    parentToolCallId: row.parentToolCallId,
  });
  return { output: { runId: row.runId, status: row.status, detached: true } };
}

/** What a turn that ends leaves of its waiting calls: who has settled in the same moment is handed over. */
export function endWait(cx: Cx, turn: ActiveTurn, call: ToolCall): CallAnswer | undefined {
  const { wait } = call;
  if (wait?.for !== 'settle') return wait === undefined ? undefined : answerOf(cx, turn, call);
  const row = cx.state.runs.get(wait.runId);
  return row === undefined || isSettled(row)
    ? handOver(cx.state, turn, wait.runId)
    : stopWaiting(cx, row, 'turn_ended');
}

/** Fills the slots of the runs whose outcome stands in the step's message. */
export function deliverHanded(cx: Cx, turn: ActiveTurn): void {
  for (const runId of turn.handed ?? []) {
    const row = cx.state.runs.get(runId);
    if (row !== undefined && row.delivery.finish.state === 'pending')
      markDelivered(cx, row, { runId, kind: 'finish' }, turn.turnId);
  }
  delete turn.handed;
}

/** The row of a run as its model reads it: framed, because labels, progress and results come from outside. */
function inspected(cx: Cx, turn: ActiveTurn, call: ToolCall, runId: string): CallAnswer {
  const { state } = cx;
  const row = state.runs.peek(runId);
  const { status } = presentRun(state, runId);
  emit(cx, 'message.received', { runId, kind: 'inspect', turnId: turn.turnId, toolCallId: call.toolCallId, status });
  const key = messageIdOfToolCall(state.epoch, turn.turnId, turn.step, call.place);
  if (row === undefined) return { output: frame({ id: runId, agent: '', status, key }, { status }) };
  return { output: frame({ id: runId, agent: row.agent, status: row.status, key }, digestOf(row)) };
}

/** What a model needs to know of a run. */
export function digestOf(row: Readonly<RunState>): { [key: string]: Json } {
  const {
    runId,
    agent,
    label,
    status,
    reason,
    createdAt,
    startedAt,
    settledAt,
    progress,
    milestones,
    childStillRunning,
  } = row;
  const digest = {
    runId,
    agent,
    label,
    status,
    reason,
    createdAt,
    startedAt,
    settledAt,
    deadlineAt: settledAt === undefined ? iso(row.own.deadline) : undefined,
    childStillRunning,
    progress,
    milestones: milestones.slice(-20).map(({ n, name, at }) => ({ n, name, at })),
    ...(isSettled({ status }) ? (bodyOf(row, { runId, kind: 'finish' }) as object) : {}),
  };
  return JSON.parse(JSON.stringify(digest)) as { [key: string]: Json };
}

export interface DetachReceipt {
  runId: string;
  status: RunStatus;
  deduplicated: boolean;
}
