/**
 * One turn, a loop of durable steps: model call, its tool calls, next step.
 *
 * `ready → model → (backoff → ready)* → tools → ready …` until the model asks for no tool. Between two steps nothing is in
 * flight. Answers of attempts that are no longer the present one are not listened to.
 */
import { isInFlight, type ActiveTurn, type QueuedTurn, type ToolCall, type ToolPolicy } from '../state/turn.ts';
import { appendInput, narrateWaiting } from '../delivery/slots.ts';
import { emit } from '../log/events.ts';
import { remain } from './past.ts';
import { activeCost } from '../log/capacity.ts';
import { jsonBytes } from '../state/json.ts';
import { backoff, waitForWorker } from '../state/backoff.ts';
import { countTurn } from '../state/loop.ts';
import { MESSAGE_BYTES, STEP_BYTES } from '../state/sizes.ts';
import { presentRun } from '../run/admission.ts';
import { withdraw } from '../run/requests.ts';
import { placed, type Placed } from './calls.ts';
import { callRuntimeTool, type RuntimeTool } from './runtime-tools.ts';
import { isSettled } from '../state/row.ts';
import { iso, type Cx } from '../state/state.ts';
import {
  refuse,
  type Failure,
  type Json,
  type MessagePart,
  type NameFacts,
  type Refusal,
  type Usage,
} from '../state/types.ts';
import { addUsage } from '../state/usage.ts';
import { fitParts, isOpen } from './step-size.ts';
import { addMessage, freshMessageId } from '../delivery/transcript.ts';
import { deliverHanded, endWait, letGo, outcomeOf, type DetachReceipt, type Outcome } from './waits.ts';

const UNKNOWN_OUTCOME =
  'The outcome of this call is unknown: its worker was lost while it ran, and it must not run twice.';
const UNSEEN_OUTCOME =
  'The outcome of this call is unknown: it took longer than its timeoutMs allows, and it must not run twice.';
const BACKOFF_MS = 1000;
const BACKOFF_MOST_MS = 60_000;

/** What one model call came to. Parts are text, reasoning and, for each call, a tool part without its output. */
export interface ModelAnswer {
  parts: MessagePart[];
  calls: ModelCall[];
  usage: Usage;
  /** How many characters its text had before it was cut to what can be carried. */
  cut?: number;
  /** Why the model ended, when it did not end by itself. */
  finishReason?: string;
  /** What the agent's model may start, and what those names stand for, as far as the worker knows. */
  canStart: Record<string, NameFacts | null>;
}

export type ModelCall =
  | { kind: 'tool'; toolCallId: string; toolName: string; input: Json; policy: ToolPolicy }
  | { kind: 'runtime'; toolCallId: string; toolName: RuntimeTool; input: Json }
  /** The model's own mistake: an unknown tool or arguments that do not fit. */
  | { kind: 'invalid'; toolCallId: string; toolName: string; error: string };

/**
 * A step's failure. `retryable` ones are tried again at most `maxAttempts` times. `lost`: its worker was; that uses up no attempt,
 * but a step that takes every worker with it ends too. `unknown`: the worker did not know the agent, another one might.
 */
export interface StepFailure {
  error: Failure;
  retryable: boolean;
  maxAttempts?: number;
  retryAfterMs?: number;
  lost?: boolean;
  unknown?: boolean;
}

/** Starts a queued turn: its inputs enter the transcript, which is their delivery. */
export function startTurn(cx: Cx, queued: QueuedTurn): void {
  const { state } = cx;
  state.queue.splice(state.queue.indexOf(queued), 1);
  const { turnId, origin, inputs, queuedAt, usage, keys } = queued;
  state.turn = {
    turnId,
    origin,
    inputs,
    queuedAt,
    usage,
    keys,
    cost: activeCost(queued),
    ...(queued.metadata === undefined ? {} : { metadata: queued.metadata }),
    startedAt: iso(cx.now),
    deadline: cx.now + state.settings.budgets.turnMs,
    step: 1,
    attempt: 1,
    losses: 0,
    failures: 0,
    phase: 'ready',
    parts: [],
    calls: [],
    stepsDone: 0,
    runsStarted: 0,
  };
  emit(cx, 'turn.started', { turnId, inputs: inputs.slice() });
  for (const input of queued.pending) {
    const { body } = input;
    if (body.source === 'user') {
      for (const message of body.messages) {
        const metadata = message.metadata ?? metadataOf(input.metadata);
        addMessage(cx, { id: message.id, role: 'user', parts: message.parts, metadata }, turnId);
      }
    } else appendInput(cx, input, turnId);
  }
}

/** An input's metadata as that of its messages, less what only the runtime says. */
function metadataOf(value: Json | undefined): { [key: string]: Json | undefined } | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const { source: _source, hidden: _hidden, ...metadata } = value as { [key: string]: Json | undefined };
  return Object.keys(metadata).length === 0 ? undefined : metadata;
}

/** The turn's step that an answer belongs to, or nothing when that is over. */
function present(cx: Cx, turnId: string, step: number): ActiveTurn | undefined {
  const { turn } = cx.state;
  return turn !== null && turn.turnId === turnId && turn.step === step ? turn : undefined;
}

export function modelAnswered(
  cx: Cx,
  at: { turnId: string; step: number; attempt: number },
  answer: ModelAnswer,
): void {
  // Paid for, also when nobody waits for it any more.
  addUsage(cx.state.spent.own, answer.usage);
  const turn = present(cx, at.turnId, at.step);
  if (turn === undefined || turn.phase !== 'model' || turn.attempt !== at.attempt) return;
  addUsage(turn.usage, answer.usage);
  const { parts, calls } = placed(cx.state, at, answer);
  turn.parts = fitParts(parts, STEP_BYTES);
  turn.about = aboutOf(answer);
  turn.messageId = freshMessageId(cx);
  turn.phase = 'tools';
  turn.attempt = 1;
  turn.losses = 0;
  turn.failures = 0;
  delete turn.retryAt;
  delete turn.unknownSince;
  turn.calls = [];
  let room = MESSAGE_BYTES;
  for (const call of calls) {
    if (call.kind === 'tool' && (room -= jsonBytes(call.input)) < 0) {
      output(turn, call.toolCallId, {
        errorText: `Expected the inputs of one step's calls to be at most ${MESSAGE_BYTES} bytes of JSON, got more.`,
      });
      continue;
    }
    switch (call.kind) {
      case 'invalid':
        output(turn, call.toolCallId, { errorText: call.error });
        break;
      case 'runtime':
        callRuntime(cx, turn, call, answer.canStart);
        break;
      case 'tool':
        turn.calls.push({
          toolCallId: call.toolCallId,
          place: call.place,
          toolName: call.toolName,
          input: call.input,
          policy: call.policy,
          attempt: 1,
          losses: 0,
          state: 'ready',
        });
        break;
      default:
        call satisfies never;
    }
  }
  if (turn.calls.length === 0) finishStep(cx, turn);
}

/** What the message of a step says of itself. */
function aboutOf({ cut, finishReason }: ModelAnswer): NonNullable<ActiveTurn['about']> {
  return { ...(cut === undefined ? {} : { cut }), ...(finishReason === undefined ? {} : { finishReason }) };
}

const RUNTIME: ToolPolicy = { idempotent: true, timeoutMs: 0, retries: 0 };

function callRuntime(
  cx: Cx,
  turn: ActiveTurn,
  call: Placed<Extract<ModelCall, { kind: 'runtime' }>>,
  canStart: Record<string, NameFacts | null>,
): void {
  const { toolCallId, place, toolName, input } = call;
  const outcome = callRuntimeTool(cx, turn, call, canStart);
  if ('wait' in outcome)
    turn.calls.push({
      toolCallId,
      place,
      toolName,
      input,
      policy: RUNTIME,
      attempt: 1,
      losses: 0,
      state: 'waiting',
      wait: outcome.wait,
    });
  else output(turn, toolCallId, outcome);
}

/** Answers the waiting calls whose fact has come. */
export function passWaits(cx: Cx): void {
  const { turn } = cx.state;
  if (turn?.phase !== 'tools') return;
  for (const call of turn.calls.filter((one) => one.state === 'waiting')) {
    const outcome = outcomeOf(cx, turn, call);
    if (outcome !== undefined) answered(cx, turn, call, outcome);
  }
}

/** The turn that waits for a run goes on; the run is not disturbed. */
export function detachRun(cx: Cx, { runId }: { runId: string }): DetachReceipt | Refusal {
  const { state } = cx;
  const { known, status } = presentRun(state, runId);
  if (!known) return refuse('UnknownRun', `Expected runId to name a run of this ${state.kind}, got "${runId}".`);
  const { turn } = state;
  const row = state.runs.get(runId);
  const call = turn?.calls.find((one) => one.wait?.for === 'settle' && one.wait.runId === runId);
  if (turn === null || row === undefined || call === undefined || isSettled(row))
    return { runId, status, deduplicated: true };
  answered(cx, turn, call, letGo(cx, row, 'requested'));
  return { runId, status, deduplicated: false };
}

function output(turn: ActiveTurn, toolCallId: string, outcome: Outcome): void {
  const index = turn.parts.findIndex((part) => part['toolCallId'] === toolCallId && isOpen(part));
  const part = turn.parts[index];
  if (part === undefined) return;
  turn.parts[index] =
    'output' in outcome
      ? { ...part, state: 'output-available', output: outcome.output }
      : { ...part, state: 'output-error', errorText: outcome.errorText };
  if (jsonBytes(turn.parts) > STEP_BYTES) turn.parts = fitParts(turn.parts, STEP_BYTES);
}

export function modelFailed(cx: Cx, at: { turnId: string; step: number; attempt: number }, failure: StepFailure): void {
  const turn = present(cx, at.turnId, at.step);
  if (turn === undefined || turn.phase !== 'model' || turn.attempt !== at.attempt) return;
  const { maxLosses } = cx.state.settings.limits;
  if (failure.unknown === true && waitForName(turn, cx.now)) {
    turn.phase = 'backoff';
    return;
  }
  delete turn.unknownSince;
  if (failure.lost === true) turn.losses += 1;
  else {
    turn.losses = 0;
    turn.failures += 1;
  }
  if (!failure.retryable || turn.losses >= maxLosses || turn.failures >= (failure.maxAttempts ?? 5)) {
    endTurn(cx, 'failed', { error: failure.error });
    return;
  }
  turn.phase = 'backoff';
  turn.retryAt = cx.now + Math.max(failure.retryAfterMs ?? 0, backoff(turn.attempt, BACKOFF_MS, BACKOFF_MOST_MS));
  turn.attempt += 1;
}

/**
 * A step that was given up so that the workflow could continue as new: it is taken again, and no attempt is used up. A call that must not
 * run twice is given up only where there is no later, and its outcome is unknown.
 */
export function stepAborted(cx: Cx, at: { turnId: string; step: number; toolCallId?: string }): void {
  const turn = present(cx, at.turnId, at.step);
  if (turn === undefined) return;
  if (turn.phase === 'model') turn.phase = 'ready';
  for (const call of turn.calls.slice()) {
    if (call.state !== 'running' || (at.toolCallId !== undefined && at.toolCallId !== call.toolCallId)) continue;
    if (call.policy.idempotent) call.state = 'ready';
    else answered(cx, turn, call, { errorText: UNKNOWN_OUTCOME });
  }
}

/** False once the name has been looked for long enough; else another worker may take it after a while. No attempt is used up. */
function waitForName(what: { unknownSince?: number; retryAt?: number }, now: number): boolean {
  what.unknownSince ??= now;
  const wait = waitForWorker(what.unknownSince, now);
  if (wait === undefined) return false;
  what.retryAt = now + wait;
  return true;
}

function presentCall(turn: ActiveTurn | undefined, toolCallId: string, attempt: number): ToolCall | undefined {
  if (turn === undefined || turn.phase !== 'tools') return undefined;
  return turn.calls.find(
    (call) => call.toolCallId === toolCallId && call.attempt === attempt && call.state === 'running',
  );
}

export function toolAnswered(
  cx: Cx,
  at: { turnId: string; step: number; toolCallId: string; attempt: number },
  result: Json,
): void {
  const turn = present(cx, at.turnId, at.step);
  const call = presentCall(turn, at.toolCallId, at.attempt);
  if (turn !== undefined && call !== undefined) answered(cx, turn, call, { output: result });
}

function answered(cx: Cx, turn: ActiveTurn, call: ToolCall, outcome: Outcome): void {
  turn.calls.splice(turn.calls.indexOf(call), 1);
  if (cx.state.self !== undefined) cx.state.self.movedAt = cx.now;
  output(turn, call.toolCallId, outcome);
  if (turn.calls.length === 0) finishStep(cx, turn);
}

/** Gives up the call with the largest input, since it cannot be carried any further; answers how large that was. */
export function giveUpLargestCall(cx: Cx, turn: ActiveTurn): number {
  const [largest] = turn.calls.toSorted((a, b) => jsonBytes(b.input) - jsonBytes(a.input));
  if (largest === undefined) return 0;
  answered(cx, turn, largest, {
    errorText: 'This call was given up before it had an answer, because its input was too large to be kept.',
  });
  return jsonBytes(largest.input);
}

/**
 * `threw`: the tool itself did, and its `retries` count; otherwise its worker was lost, which uses up no retry. `unseen`: it ran out of time, so
 * that nobody has seen how it ended.
 */
export function toolFailed(
  cx: Cx,
  at: { turnId: string; step: number; toolCallId: string; attempt: number },
  failure: { error: Failure; threw: boolean; retryable: boolean; unknown?: boolean; unseen?: boolean },
): void {
  const turn = present(cx, at.turnId, at.step);
  const call = presentCall(turn, at.toolCallId, at.attempt);
  if (turn === undefined || call === undefined) return;
  if (failure.unknown === true && waitForName(call, cx.now)) {
    call.state = 'backoff';
    return;
  }
  delete call.unknownSince;
  call.losses = failure.threw ? 0 : call.losses + 1;
  const { maxLosses } = cx.state.settings.limits;
  const mayTry = failure.threw ? failure.retryable && call.policy.retries > 0 : call.losses < maxLosses;
  if (call.policy.idempotent && mayTry) {
    if (failure.threw) call.policy = { ...call.policy, retries: call.policy.retries - 1 };
    call.state = 'backoff';
    call.retryAt = cx.now + backoff(call.attempt, BACKOFF_MS, BACKOFF_MOST_MS);
    call.attempt += 1;
    return;
  }
  const lost = call.policy.idempotent
    ? `WorkerLost: This call took ${maxLosses} workers with it, one after another, and is not tried again (limits.maxLosses).`
    : UNKNOWN_OUTCOME;
  const why = failure.unseen === true && !call.policy.idempotent ? UNSEEN_OUTCOME : failure.error.message;
  answered(cx, turn, call, { errorText: failure.threw ? why : lost });
}

/** The step's message enters the transcript; the turn goes on or is complete. */
function finishStep(cx: Cx, turn: ActiveTurn): void {
  const hadTools = turn.parts.some((part) => typeof part['toolCallId'] === 'string');
  addStepMessage(cx, turn);
  if (!hadTools) {
    endTurn(cx, 'completed');
    return;
  }
  const { maxSteps } = cx.state.settings.limits;
  if (turn.step >= maxSteps) {
    endTurn(cx, 'failed', {
      error: { type: 'BudgetExceeded', message: `The turn took ${maxSteps} steps, as many as limits.maxSteps allows.` },
    });
    return;
  }
  turn.step += 1;
  turn.attempt = 1;
  turn.phase = 'ready';
}

function addStepMessage(cx: Cx, turn: ActiveTurn): void {
  const { about = {}, parts, messageId } = turn;
  const metadata = Object.keys(about).length === 0 ? undefined : about;
  addMessage(cx, { id: messageId, role: 'assistant', parts, metadata }, turn.turnId);
  turn.parts = [];
  delete turn.about;
  delete turn.messageId;
  delete turn.shownOpen;
  turn.calls = [];
  deliverHanded(cx, turn);
  turn.stepsDone += 1;
  if (cx.state.self !== undefined) cx.state.self.movedAt = cx.now;
  turn.phase = 'ready';
  narrateWaiting(cx);
}

export interface TurnEnd {
  reason?: string;
  comment?: string | undefined;
  error?: Failure;
}

/** Ends the running turn. What it finished stays; calls of the present step that have no answer get one that says so. */
export function endTurn(cx: Cx, status: 'completed' | 'failed' | 'cancelled', end: TurnEnd = {}): void {
  const { state } = cx;
  const { turn } = state;
  if (turn === null) return;
  if (isInFlight(turn)) cx.effects.push({ do: 'abort-step' });
  withdraw(cx, turn.turnId);
  if (turn.phase === 'tools') {
    for (const call of turn.calls)
      output(
        turn,
        call.toolCallId,
        endWait(cx, turn, call) ?? { errorText: 'The turn ended before this call had an answer.' },
      );
    addStepMessage(cx, turn);
  }
  const { turnId, inputs, queuedAt, startedAt, usage, keys } = turn;
  const told = {
    ...(end.reason === undefined ? {} : { reason: end.reason }),
    ...(end.comment === undefined ? {} : { comment: end.comment }),
    ...(end.error === undefined ? {} : { error: end.error }),
  };
  state.turn = null;
  countTurn(state, turn);
  remain(cx, {
    turnId,
    status,
    ...told,
    inputs,
    ...(turn.metadata === undefined ? {} : { metadata: turn.metadata }),
    steps: turn.stepsDone,
    queuedAt,
    startedAt,
    endedAt: iso(cx.now),
    usage,
    keys,
  });
  emit(cx, `turn.${status}`, { turnId, inputs: inputs.slice(), ...told, usage: { ...usage } });
}
