/** The runtime's tool `start_run`: what a model may ask, what it may start, and what it reads as the answer. */
import { runIdOfToolCall } from '../state/ids.ts';
import type { StartRun } from '../run/admission.ts';
import { startRun } from '../run/start.ts';
import { LABEL_CHARS } from '../state/sizes.ts';
import type { Cx, State } from '../state/state.ts';
import type { ActiveTurn, Wait } from '../state/turn.ts';
import { isRefusal, type Json, type NameFacts } from '../state/types.ts';
import type { NewCall } from './make-call.ts';
import type { CallAnswer } from './waits.ts';

function oneTooMany({ settings }: State, { runsStarted }: ActiveTurn): CallAnswer | undefined {
  const { maxRunsPerTurn } = settings.limits;
  return runsStarted < maxRunsPerTurn
    ? undefined
    : {
        errorText: `RunLimitExceeded: Expected at most ${maxRunsPerTurn} runs in one turn (limits.maxRunsPerTurn), got one more.`,
      };
}

/** A call of a tool that is a run: it is answered at once, and its outcome delivered like any other. */
export function startToolRun(
  cx: Cx,
  turn: ActiveTurn,
  { toolCallId, place, toolName, input, policy }: NewCall,
): CallAnswer {
  const { state } = cx;
  const tooMany = oneTooMany(state, turn);
  if (tooMany !== undefined) return tooMany;
  const { turnId } = turn;
  const { actionKey: _actionKey, detached: _detached, ...rest } = policy;
  const call = { owner: state.agent, policy: rest, turnId, toolCallId };
  const runId = runIdOfToolCall(state.epoch, turnId, turn.step, place);
  const receipt = startRun(cx, { agent: toolName, input, runId }, { turnId, toolCallId, call });
  if (isRefusal(receipt)) return { errorText: `${receipt.refused}: ${receipt.message}` };
  if (!receipt.deduplicated) turn.runsStarted += 1;
  return { output: { runId, status: receipt.status } };
}

/** Starts the run at once, inside the step; a refusal is an error result that the model reads. */
export function startFromTool(
  cx: Cx,
  turn: ActiveTurn,
  call: { toolCallId: string; place: string; input: Json },
  canStart: Record<string, NameFacts | null>,
): CallAnswer | { wait: Wait } {
  const { state } = cx;
  const asked =
    typeof call.input === 'object' && call.input !== null && !Array.isArray(call.input)
      ? (call.input as { [key: string]: Json | undefined })
      : {};
  const agent = asked['agent'];
  if (typeof agent !== 'string' || !Object.hasOwn(canStart, agent)) {
    return {
      errorText: `UnknownAgent: Expected agent to be one of ${
        Object.keys(canStart)
          .map((name) => `"${name}"`)
          .join(', ') || 'none'
      }, got ${JSON.stringify(agent ?? null).slice(0, 80)}.`,
    };
  }
  const facts = canStart[agent];
  if (facts !== undefined && facts !== null) state.names[agent] = facts;
  const tooMany = oneTooMany(state, turn);
  if (tooMany !== undefined) return tooMany;
  const request: StartRun = {
    agent,
    input: asked['input'] ?? {},
    runId: runIdOfToolCall(state.epoch, turn.turnId, turn.step, call.place),
  };
  if (typeof asked['label'] === 'string')
    request.label = Array.from(asked['label']).slice(0, LABEL_CHARS).join('').toWellFormed();
  const receipt = startRun(cx, request, { turnId: turn.turnId, toolCallId: call.toolCallId });
  if (isRefusal(receipt)) return { errorText: `${receipt.refused}: ${receipt.message}` };
  if (!receipt.deduplicated) turn.runsStarted += 1;
  const { runId, workflowId, status } = receipt;
  if (asked['wait'] !== true) return { output: { runId, workflowId, status } };
  const after = asked['detachAfterMs'];
  return {
    wait: { for: 'settle', runId, ...(typeof after === 'number' && after > 0 ? { until: cx.now + after } : {}) },
  };
}
