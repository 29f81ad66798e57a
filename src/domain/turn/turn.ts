/**
 * One turn, a loop of durable steps: model call, its tool calls, next step.
 *
 * `ready → model → (backoff → ready)* → tools → ready …` until the model asks for no tool. Between two steps nothing is in
 * flight. Answers of attempts that are no longer the present one are not listened to.
 */
import { backoff } from '../state/backoff.ts';
import { isBegun, isInFlight, type ActiveTurn, type QueuedTurn, type ToolCall } from '../state/turn.ts';
import { narrateWaiting, tellTurnStatus } from '../delivery/slots.ts';
import { emit } from '../log/events.ts';
import { keepEnded } from './past.ts';
import { activeCost } from '../log/capacity.ts';
import { jsonBytes } from '../state/json.ts';
import { countTurn } from '../state/loop.ts';
import { STEP_BYTES } from '../state/sizes.ts';
import { withdraw } from '../run/requests.ts';
import { stopWaiting } from '../run/tokens.ts';
import { iso, type Cx } from '../state/state.ts';
import type { Failure, MessagePart } from '../state/types.ts';
import { fitParts, isOpen } from './step-size.ts';
import { addMessage, isOwnCall } from '../delivery/transcript.ts';
import { readInput } from './read-input.ts';
import { actionAnswered } from './actions.ts';
import { queueSteers, readSteers, takeSteers } from './steer.ts';
import { abortStep, endWithAnswer, toolSelf } from './tool-run.ts';
import { deliverHanded, endWait, type CallAnswer } from './waits.ts';

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
  for (const input of queued.pending) readInput(cx, input, turnId);
}

/** The turn's step that an answer belongs to, or nothing when that is over. */
export function present(cx: Cx, turnId: string, step: number): ActiveTurn | undefined {
  const { turn } = cx.state;
  return turn !== null && turn.turnId === turnId && turn.step === step ? turn : undefined;
}

/** What the part of a call that has no answer yet says of it. */
export function showCall(turn: ActiveTurn, toolCallId: string, shown: Partial<MessagePart>): void {
  const index = turn.parts.findIndex((part) => part['toolCallId'] === toolCallId && isOpen(part));
  const part = turn.parts[index];
  if (part !== undefined) turn.parts[index] = { ...part, ...shown };
}

export function output(turn: ActiveTurn, toolCallId: string, outcome: CallAnswer): void {
  showCall(
    turn,
    toolCallId,
    'output' in outcome
      ? { state: 'output-available', output: outcome.output }
      : { state: 'output-error', errorText: outcome.errorText },
  );
  if (jsonBytes(turn.parts) > STEP_BYTES) turn.parts = fitParts(turn.parts, STEP_BYTES);
}

export function answerCall(cx: Cx, turn: ActiveTurn, call: ToolCall, outcome: CallAnswer): void {
  if (cx.state.self !== undefined) cx.state.self.movedAt = cx.now;
  const isSame = ({ wait }: ToolCall): boolean => wait?.for === 'action' && wait.toolCallId === call.toolCallId;
  for (const one of [call, ...turn.calls.filter(isSame)]) {
    turn.calls.splice(turn.calls.indexOf(one), 1);
    output(turn, one.toolCallId, outcome);
  }
  actionAnswered(cx.state, call, outcome);
  const self = toolSelf(cx.state);
  if (self !== undefined) endWithAnswer(cx, self, outcome);
  else if (turn.calls.length === 0) finishStep(cx, turn);
}

/** The step's message enters the transcript; the turn goes on or is complete. */
export function finishStep(cx: Cx, turn: ActiveTurn): void {
  const hadTools = turn.parts.some(isOwnCall);
  addStepMessage(cx, turn);
  const { maxSteps } = cx.state.settings.limits;
  const isLast = turn.step >= maxSteps;
  if (!hadTools && (isLast || turn.steers === undefined)) {
    endTurn(cx, 'completed');
    return;
  }
  if (isLast) {
    endTurn(cx, 'failed', {
      error: { type: 'BudgetExceeded', message: `The turn took ${maxSteps} steps, as many as limits.maxSteps allows.` },
    });
    return;
  }
  readSteers(cx, turn);
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

const BACKOFF_MS = 1000;
const BACKOFF_MOST_MS = 60_000;

/** How long until a step, or a call of it, is tried again, milliseconds; `attempt`: the one that failed. */
export function pauseAfter(attempt: number): number {
  return backoff(attempt, BACKOFF_MS, BACKOFF_MOST_MS);
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
  if (toolSelf(state) !== undefined) {
    abortStep(cx, turn);
    return;
  }
  if (isInFlight(turn)) cx.effects.push({ do: 'abort-step' });
  withdraw(cx, turn.turnId);
  stopWaiting(cx);
  if (turn.phase === 'tools') {
    for (const call of turn.calls) {
      const outcome = endWait(cx, turn, call) ?? {
        errorText: 'The turn ended before this call had an answer.',
        ...(isBegun(call) ? { isUnknown: true } : {}),
      };
      output(turn, call.toolCallId, outcome);
      actionAnswered(state, call, outcome);
    }
    addStepMessage(cx, turn);
  }
  const left = takeSteers(cx, turn);
  const { turnId, inputs, queuedAt, startedAt, usage, keys } = turn;
  const told = {
    ...(end.reason === undefined ? {} : { reason: end.reason }),
    ...(end.comment === undefined ? {} : { comment: end.comment }),
    ...(end.error === undefined ? {} : { error: end.error }),
  };
  state.turn = null;
  tellTurnStatus(cx, turn.told ?? [], status);
  countTurn(state, turn);
  keepEnded(cx, {
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
  queueSteers(cx, left);
}
