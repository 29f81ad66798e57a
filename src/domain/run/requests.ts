/**
 * Requests: open questions to a person or a parent. The workflow that asks decides what becomes of one; those above it have
 * copies, so that the session can show and answer every request of its tree.
 *
 * `open → answered | approved | rejected | expired | withdrawn | parent_closed`, once. While an own request is open, the clocks
 * of the turn and of the run stand still.
 */
import { forgetAsks, isOpenAsk, isSettled, pause, resume, type RunState } from '../state/row.ts';
import { keyOf } from '../state/outbox.ts';
import { deliver } from '../delivery/slots.ts';
import { askKey, mintRequestId, partsOfRequestId } from '../state/ids.ts';
import { emit } from '../log/events.ts';
import { full, liveBytes } from '../log/capacity.ts';
import { leaveLoop } from '../state/loop.ts';
import { LIVE_BYTES, MOST_TOKENS, PREVIEW_BYTES, SMALL_BYTES } from '../state/sizes.ts';
import { jsonBytes, previewOf } from '../state/json.ts';
import { raiseTokens, refuseTokens } from '../state/tokens.ts';
import { instant, isAsking, iso, isOver, type Cx, type State } from '../state/state.ts';
import {
  refuse,
  type Json,
  type Refusal,
  type Request,
  type RequestState,
  type RequestStatus,
} from '../state/types.ts';

/** Closed requests that are kept to answer a second answer. */
const KEPT_CLOSED = 100;
/** What a copy of a request takes beside what it says. */
const COPY_GROWTH = 150;
/** Questions of one run that are open at once. */
export const MOST_OPEN = 16;

export interface Answer {
  requestId: string;
  decision?: 'approve' | 'reject';
  value?: unknown;
  comment?: string;
  by?: string;
}
export interface AnswerReceipt {
  requestId: string;
  status: RequestStatus;
  deduplicated: boolean;
  answeredAt?: string;
  by?: string;
}

export function findRequest(state: State, requestId: string): RequestState | undefined {
  return state.requests.find((one) => one.requestId === requestId);
}

export function ownOpen(state: State): RequestState[] {
  return state.requests.filter((one) => one.status === 'open' && one.workflowId === state.workflowId);
}

/** Which call of which turn asks. */
interface Asking {
  turnId: string;
  toolCallId: string;
}

/** Opens a question of this run's agent to its parent. */
export function askParent(cx: Cx, about: Asking & { question: string }): RequestState | Refusal {
  const { state } = cx;
  const { self } = state;
  if (self === undefined || self.parentGone === true)
    return refuse('InvalidInput', 'Expected a parent to ask, got none: it is closed. Decide yourself.');
  if (ownOpen(state).length >= MOST_OPEN)
    return refuse('QueueFull', `Expected at most ${MOST_OPEN} open questions, got one more.`);
  return openRequest(cx, 'ask_parent', about);
}

/** Asks a person whether a call is to be made. */
export function askApproval(cx: Cx, about: Asking & { toolName: string; input: Json }): RequestState | Refusal {
  const { input, ...call } = about;
  const asked =
    jsonBytes(input) <= SMALL_BYTES ? { ...call, input } : { ...call, inputPreview: previewOf(input, PREVIEW_BYTES) };
  const live = liveBytes(cx.state) + jsonBytes(asked) + COPY_GROWTH;
  return live > LIVE_BYTES ? full(live) : openRequest(cx, 'approval', asked);
}

/** Asks a person for more tokens, for the whole tree. */
export function askBudget(cx: Cx, question: string): RequestState {
  return openRequest(cx, 'budget', { question });
}

function openRequest(cx: Cx, kind: Request['kind'], about: Partial<Request>): RequestState {
  const { state } = cx;
  const { requestTtlMs } = state.settings.budgets;
  const request: RequestState = {
    requestId: mintRequestId(state.workflowId, ++state.counters.request),
    kind,
    workflowId: state.workflowId,
    ...(state.self === undefined ? {} : { runId: state.self.runId }),
    ...about,
    status: 'open',
    openedAt: iso(cx.now),
    expiresAt: iso(cx.now + requestTtlMs),
  };
  state.requests.push(request);
  const { requestId } = request;
  emit(cx, 'request.opened', { requestId, kind, ...about });
  tell(state, requestId);
  // Whose turn waits for tokens holds its clocks itself.
  if (kind !== 'budget') state.pausedAt ??= cx.now;
  return request;
}

/** The parent has a copy of every request of this run and of those below it. */
function tell({ self, outbox }: State, requestId: string): void {
  if (self !== undefined && self.parentGone !== true) outbox.put({ lane: 'requests', requestId });
}

/** Ends an own request. Its call reads the status when the turn goes on. */
export function closeRequest(
  cx: Cx,
  request: RequestState,
  status: Exclude<RequestStatus, 'open'>,
  { by, comment }: Pick<Answer, 'by' | 'comment'> = {},
): void {
  const { state } = cx;
  if (request.status !== 'open') return;
  request.status = status;
  request.answeredAt = iso(cx.now);
  if (by !== undefined) request.by = by;
  if (comment !== undefined) request.comment = comment;
  const { requestId, kind, turnId, toolCallId } = request;
  emit(cx, 'request.answered', { requestId, kind, status, by, comment, turnId, toolCallId });
  shorten(request);
  tell(state, requestId);
  if (request.kind === 'budget' && (status === 'rejected' || status === 'expired')) refuseTokens(state);
  resumeClocks(cx);
  keepClosed(state);
}

/** The clocks go on where they stopped, unless something holds them still. */
export function resumeClocks(cx: Cx): void {
  const { state } = cx;
  const isHeld = state.tokens?.isWaiting === true || ownOpen(state).some(({ kind }) => kind !== 'budget');
  if (state.pausedAt === undefined || isHeld) return;
  const paused = cx.now - state.pausedAt;
  delete state.pausedAt;
  if (state.turn !== null) state.turn.deadline += paused;
  if (state.self !== undefined) {
    state.self.deadline += paused;
    state.self.movedAt = cx.now;
    delete state.self.parentLookAt;
  }
}

/** What is asked need not be kept once it is not asked any more. */
function shorten(request: RequestState): void {
  delete request.question;
  delete request.input;
  delete request.inputPreview;
}

/** Closed ones leave, but none that the parent has not been told of. */
export function keepClosed(state: State, most = KEPT_CLOSED): void {
  const leaves = (one: RequestState): boolean =>
    one.status !== 'open' && state.outbox.get(keyOf({ lane: 'requests', requestId: one.requestId })) === undefined;
  let surplus = state.requests.filter(leaves).length - most;
  if (surplus > 0) state.requests = state.requests.filter((one) => !leaves(one) || surplus-- <= 0);
}

/** The requests of a turn that ends are withdrawn. */
export function withdraw(cx: Cx, turnId: string): void {
  for (const request of ownOpen(cx.state)) if (request.turnId === turnId) closeRequest(cx, request, 'withdrawn');
}

/** Nobody is left who could answer. */
export function parentClosed(cx: Cx): void {
  for (const request of ownOpen(cx.state))
    if (request.kind === 'ask_parent') closeRequest(cx, request, 'parent_closed');
}

export function receiptOf({ requestId, status, answeredAt, by }: RequestState, deduplicated: boolean): AnswerReceipt {
  return {
    requestId,
    status,
    deduplicated,
    ...(answeredAt === undefined ? {} : { answeredAt }),
    ...(by === undefined ? {} : { by }),
  };
}

/** Whether an answer can be for a request of this tree; whose it is decides what becomes of it. */
export function admitAnswer(state: State, answer: Answer): Refusal | undefined {
  const { requestId } = answer;
  const { workflowId } = partsOfRequestId(requestId);
  const known = findRequest(state, requestId);
  if (workflowId === state.workflowId ? known !== undefined : workflowId.startsWith(`${state.workflowId}/`))
    return known === undefined ? undefined : unanswered(known, answer);
  return refuse(
    'UnknownRequest',
    `Expected requestId to name a request of this ${state.kind}, got "${requestId.slice(0, 200)}".`,
  );
}

/** What an answer to an open request lacks: an approval needs a decision, a question its answer. */
function unanswered({ kind, status }: RequestState, { decision, value }: Answer): Refusal | undefined {
  if (status !== 'open') return undefined;
  if (kind !== 'ask_parent' && decision === undefined)
    return refuse('InvalidInput', 'Expected decision to be "approve" or "reject", got nothing.');
  if (kind === 'budget' && value !== undefined && !isTokens(value))
    return refuse(
      'InvalidInput',
      `Expected value to be how many tokens more, an integer of at least 1, got ${previewOf(value, 100)}.`,
    );
  if (kind !== 'ask_parent') return undefined;
  return value === undefined || value === null
    ? refuse('InvalidInput', 'Expected value to be the answer to the question, got nothing.')
    : undefined;
}

function isTokens(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MOST_TOKENS;
}

/** Answers an own request; one that is no longer open stays as it is. */
export function answerOwn(cx: Cx, answer: Answer): AnswerReceipt | Refusal {
  const { state } = cx;
  const request = findRequest(state, answer.requestId);
  if (request === undefined || request.workflowId !== state.workflowId)
    return refuse(
      'UnknownRequest',
      `Expected requestId to name a request of this ${state.kind}, got "${answer.requestId.slice(0, 200)}".`,
    );
  if (request.status !== 'open') return receiptOf(request, true);
  const lacking = unanswered(request, answer);
  if (lacking !== undefined) return lacking;
  const call = state.turn?.calls.find((one) => one.wait?.for === 'answer' && one.wait.requestId === answer.requestId);
  if (call?.wait?.for === 'answer')
    call.wait.given = {
      answer: answer.value as never,
      ...(answer.comment === undefined ? {} : { comment: answer.comment }),
      ...(answer.by === undefined ? {} : { by: answer.by }),
    };
  leaveLoop(state);
  if (request.kind === 'budget' && answer.decision === 'approve')
    raiseTokens(state, isTokens(answer.value) ? answer.value : undefined);
  closeRequest(cx, request, statusOf(request, answer), answer);
  return receiptOf(request, false);
}

function statusOf({ kind }: RequestState, { decision }: Answer): 'approved' | 'rejected' | 'answered' {
  if (kind === 'ask_parent') return 'answered';
  return decision === 'approve' ? 'approved' : 'rejected';
}

/** What a run says of a request, its own or of one below. */
export function takeRequest(cx: Cx, row: RunState, given: RequestState): Refusal | undefined {
  const { state } = cx;
  if (isSettled(row) || isOver(state)) return undefined;
  const { workflowId, n } = partsOfRequestId(given.requestId);
  if (
    workflowId !== given.workflowId ||
    (workflowId !== row.workflowId && !workflowId.startsWith(`${row.workflowId}/`))
  ) {
    return refuse(
      'InvalidInput',
      `Expected request to be one of run "${row.runId}" or below it, got "${given.requestId.slice(0, 200)}".`,
    );
  }
  const before = findRequest(state, given.requestId);
  if (before !== undefined && before.status !== 'open') return undefined;
  const direct = workflowId === row.workflowId;
  if (before === undefined) {
    const copy: RequestState = {
      ...given,
      openedAt: instant(given.openedAt, cx.now),
      expiresAt: instant(given.expiresAt, cx.now),
    };
    const bytes = liveBytes(state) + (direct ? 2 : 1) * (jsonBytes(copy) + COPY_GROWTH);
    if (given.status === 'open' && bytes > LIVE_BYTES) {
      // Not to be kept: whoever asks reads so and decides alone. One from further below is only not shown here.
      if (direct) cx.effects.push({ do: 'refuse-request', workflowId, requestId: given.requestId });
      return undefined;
    }
    state.requests.push(copy);
  } else before.status = given.status;
  if (before !== undefined && given.status !== 'open') {
    before.answeredAt = given.answeredAt === undefined ? iso(cx.now) : instant(given.answeredAt, cx.now);
    if (given.by !== undefined) before.by = given.by;
    if (given.comment !== undefined) before.comment = given.comment;
    shorten(before);
  }
  tell(state, given.requestId);
  if (direct) {
    if (given.status === 'open') {
      if (before === undefined) opened(cx, row, given, n);
    } else answered(cx, row, given);
  }
  keepClosed(state);
  return undefined;
}

/** A run waits for an answer: its clocks stand still, and its question to this workflow is a turn input. */
function opened(cx: Cx, row: RunState, { requestId, kind, question = '' }: Request, n: number): void {
  const { state } = cx;
  if (kind === 'ask_parent')
    (row.own.asks ??= []).push({
      requestId,
      question,
      status: 'open',
      delivery: { key: askKey(state.workflowId, row.runId, n), state: 'pending' },
    });
  stopClocks(cx, row, requestId);
  if (kind === 'ask_parent') deliver(cx, row, { runId: row.runId, kind: 'ask', requestId }, 'react');
}

function answered(cx: Cx, row: RunState, { requestId, status }: Request): void {
  const ask = row.own.asks?.find((one) => one.requestId === requestId);
  if (ask !== undefined) ask.status = status;
  forgetAsks(row);
  if (isAsking(cx.state, row.workflowId)) return;
  startClocks(cx, row);
}

/** A run waits, for the answer to a request or for tokens. */
export function stopClocks(cx: Cx, row: RunState, requestId?: string): void {
  const { runId, agent, label, parentToolCallId } = row;
  pause(row, cx.now);
  emit(cx, 'run.input_required', { runId, agent, label, requestId, parentToolCallId });
}

/** A run waits no more. */
export function startClocks(cx: Cx, row: RunState): void {
  const { runId, agent, label, parentToolCallId } = row;
  const waited = row.status === 'input_required';
  resume(row, cx.now);
  if (waited) emit(cx, 'run.resumed', { runId, agent, label, parentToolCallId });
}

/** A run has settled: whatever it and those below it asked is not asked any more. */
export function dropRequests(cx: Cx, row: RunState): void {
  const { state } = cx;
  for (const request of state.requests) {
    if (
      request.status !== 'open' ||
      (request.workflowId !== row.workflowId && !request.workflowId.startsWith(`${row.workflowId}/`))
    )
      continue;
    request.status = 'withdrawn';
    request.answeredAt = iso(cx.now);
    shorten(request);
    tell(state, request.requestId);
  }
  for (const ask of row.own.asks ?? []) if (isOpenAsk(ask)) ask.status = 'withdrawn';
  forgetAsks(row);
}

/** The parent holds so much that it cannot keep a question of this run. */
export function requestRefused(cx: Cx, { requestId }: { requestId: string }): Refusal | undefined {
  const { state } = cx;
  const request = findRequest(state, requestId);
  if (request === undefined || request.workflowId !== state.workflowId)
    return refuse(
      'UnknownRequest',
      `Expected requestId to name a request of this ${state.kind}, got "${requestId.slice(0, 200)}".`,
    );
  if (request.status !== 'open') return undefined;
  const call = state.turn?.calls.find((one) => one.wait?.for === 'answer' && one.wait.requestId === requestId);
  if (call?.wait?.for === 'answer')
    call.wait.given = {
      error: 'QueueFull: whoever started you holds too much to take a question now. Decide yourself, or ask later.',
    };
  closeRequest(cx, request, 'withdrawn');
  return undefined;
}
