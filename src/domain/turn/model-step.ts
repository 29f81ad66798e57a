/** A model call of a step: what it came to, what it asks for, and when it is tried again. */
import { makeCall } from './make-call.ts';
import { endTurn, finishStep, output, pauseAfter, present } from './turn.ts';
import type { ActiveTurn, ToolPolicy } from '../state/turn.ts';
import { waitForName } from '../state/backoff.ts';
import { STEP_BYTES } from '../state/sizes.ts';
import { placed, withinBound, type Placed } from './calls.ts';
import { callRuntimeTool, type RuntimeTool } from './runtime-tools.ts';
import type { Cx } from '../state/state.ts';
import type { Failure, Json, MessagePart, NameFacts, Usage } from '../state/types.ts';
import { addUsage } from '../state/usage.ts';
import { fitParts } from './step-size.ts';
import { freshMessageId } from '../delivery/transcript.ts';

/** What one model call came to. Parts are text, reasoning and, for each call, a tool part without its output. */
export interface ModelAnswer {
  parts: MessagePart[];
  calls: ModelCall[];
  usage: Usage;
  /** How many characters its text had before it was cut to what can be carried. */
  cut?: number;
  /** Why the model ended, when it did not end by itself. */
  finishReason?: string;
  /** Of an agent that is to give its result by `report_result`. */
  wantsResult?: boolean;
  /** What the agent's model may start, and what those names stand for, as far as the worker knows. */
  canStart: Record<string, NameFacts | null>;
}

export type ModelCall =
  | { kind: 'tool'; toolCallId: string; toolName: string; input: Json; policy: ToolPolicy }
  | { kind: 'runtime'; toolCallId: string; toolName: RuntimeTool; input: Json }
  /** The model's own mistake: an unknown tool or arguments that do not fit. */
  | { kind: 'invalid'; toolCallId: string; toolName: string; error: string };

/**
 * How a model call failed.
 *
 * `failed`: it is tried again, `maxAttempts` times in all (default 5), and not before `retryAfterMs`. `final`: trying again would change
 * nothing. `lost`: its worker was, when so many characters of the answer had come; that uses up no attempt, but a step that takes every
 * worker with it and comes no further ends too. `unknown`: the worker did not know the agent, another one might.
 */
export type StepFailure =
  | { how: 'failed'; error: Failure; maxAttempts?: number; retryAfterMs?: number }
  | { how: 'final'; error: Failure }
  | { how: 'lost'; said?: number }
  | { how: 'unknown'; error: Failure };

const MOST_ATTEMPTS = 5;
const LOST: Failure = { type: 'WorkerLost', message: 'The worker that took this step was lost, again and again.' };

export function modelAnswered(
  cx: Cx,
  at: { turnId: string; step: number; attempt: number },
  answer: ModelAnswer,
): void {
  // Paid for, also when nobody waits for it any more.
  addUsage(cx.state.spent.own, answer.usage);
  const asked = [cx.state.turn, ...cx.state.past].find((one) => one?.turnId === at.turnId);
  if (asked) addUsage(asked.usage, answer.usage);
  const turn = present(cx, at.turnId, at.step);
  if (turn === undefined || turn.phase !== 'model' || turn.attempt !== at.attempt) return;
  const work = cx.state.self?.work;
  if (work?.kind === 'agent') work.wantsResult = answer.wantsResult === true;
  // An operator may have completed it with anything.
  const { parts, calls } = placed(cx.state, at, { ...answer, calls: withinBound(answer.calls) });
  turn.parts = fitParts(parts, STEP_BYTES);
  turn.about = aboutOf(answer);
  turn.messageId = freshMessageId(cx);
  turn.phase = 'tools';
  turn.attempt = 1;
  turn.losses = 0;
  turn.failures = 0;
  delete turn.said;
  delete turn.retryAt;
  delete turn.unknownSince;
  turn.calls = [];
  for (const call of calls) {
    switch (call.kind) {
      case 'invalid':
        output(turn, call.toolCallId, { errorText: call.error });
        break;
      case 'runtime':
        callRuntime(cx, turn, call, answer.canStart);
        break;
      case 'tool':
        makeCall(cx, turn, call);
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

export function modelFailed(cx: Cx, at: { turnId: string; step: number; attempt: number }, failure: StepFailure): void {
  const turn = present(cx, at.turnId, at.step);
  if (turn === undefined || turn.phase !== 'model' || turn.attempt !== at.attempt) return;
  if (failure.how === 'unknown' && waitForName(turn, cx.now)) {
    turn.phase = 'backoff';
    return;
  }
  delete turn.unknownSince;
  countFailure(turn, failure);
  if (isLast(cx, turn, failure)) {
    endTurn(cx, 'failed', { error: failure.how === 'lost' ? LOST : failure.error });
    return;
  }
  const least = failure.how === 'failed' ? (failure.retryAfterMs ?? 0) : 0;
  turn.phase = 'backoff';
  turn.retryAt = cx.now + Math.max(least, pauseAfter(turn.attempt));
  turn.attempt += 1;
}

function countFailure(turn: ActiveTurn, failure: StepFailure): void {
  if (failure.how !== 'lost') {
    turn.losses = 0;
    turn.failures += 1;
    return;
  }
  const { said = 0 } = failure;
  // One that has come further than any before it has made progress.
  turn.losses = said > (turn.said ?? 0) ? 1 : turn.losses + 1;
  if (said > 0) turn.said = Math.max(said, turn.said ?? 0);
}

/** True when the step is not tried again. */
function isLast({ state }: Cx, { losses, failures }: ActiveTurn, failure: StepFailure): boolean {
  switch (failure.how) {
    case 'failed':
      return failures >= (failure.maxAttempts ?? MOST_ATTEMPTS);
    case 'lost':
      return losses >= state.settings.limits.maxLosses;
    case 'final':
    case 'unknown':
      return true;
    default:
      return failure satisfies never;
  }
}
