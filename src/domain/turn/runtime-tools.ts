/**
 * The tools of the runtime: what an agent's model does with runs, and what an agent that is a run says to its parent. They are
 * decided here, in the workflow, without an activity; a refusal is an error result that the model reads.
 */
import { requestCancel } from '../run/cancel.ts';
import { messageIdOfToolCall, NAME_PATTERN, partsOfRequestId } from '../state/ids.ts';
import { emit } from '../log/events.ts';
import { lookSoon } from '../run/looks.ts';
import { presentRun } from '../run/admission.ts';
import { askParent } from '../run/requests.ts';
import { ownMilestone } from '../run/own-milestones.ts';
import { settle } from '../run/settle.ts';
import { full, liveBytes } from '../log/capacity.ts';
import { LIST_BYTES, LIVE_BYTES, SMALL_BYTES, TEXT_CHARS } from '../state/sizes.ts';
import { startFromTool } from './start-tool.ts';
import { isOpenAsk, isSettled, type RunState } from '../state/row.ts';
import type { Cx } from '../state/state.ts';
import type { ActiveTurn, Wait } from '../state/turn.ts';
import { isRefusal, type Json, type NameFacts, type Refusal, type RunStatus } from '../state/types.ts';
import { messageRun } from '../run/to-runs.ts';
import { jsonBytes } from '../state/json.ts';
import { listRuns } from '../view/queries.ts';
import { digestOf, type CallAnswer } from './waits.ts';

export const RUN_TOOLS = ['start_run', 'list_runs', 'inspect_run', 'message_run', 'cancel_run'] as const;
export const PARENT_TOOLS = ['report_milestone', 'ask_parent', 'report_result'] as const;
export type RuntimeTool = (typeof RUN_TOOLS)[number] | (typeof PARENT_TOOLS)[number];

const ALL: readonly string[] = [...RUN_TOOLS, ...PARENT_TOOLS];

/** Their names are not free for an agent's own tools. */
export function isRuntimeTool(name: string): name is RuntimeTool {
  return ALL.includes(name);
}

const CANCEL_WAIT_MS = 5000;
const LOOK_WAIT_MS = 10_000;
const ANSWER_BYTES = LIST_BYTES / 16;

type Asked = { [key: string]: Json | undefined };

/** Does what a call asks for: an outcome at once, or what the call waits for. */
export function callRuntimeTool(
  cx: Cx,
  turn: ActiveTurn,
  call: { toolCallId: string; place: string; toolName: RuntimeTool; input: Json },
  canStart: Record<string, NameFacts | null>,
): CallAnswer | { wait: Wait } {
  const { toolName, input } = call;
  const asked = typeof input === 'object' && input !== null && !Array.isArray(input) ? (input as Asked) : {};
  switch (toolName) {
    case 'start_run':
      return startFromTool(cx, turn, call, canStart);
    case 'list_runs':
      return list(cx, asked);
    case 'inspect_run':
      return inspect(cx, turn, call.toolCallId, asked);
    case 'message_run':
      return message(cx, turn, call, asked);
    case 'cancel_run':
      return cancel(cx, asked);
    case 'report_milestone':
      return milestone(cx, asked);
    case 'ask_parent':
      return ask(cx, turn, call.toolCallId, asked);
    case 'report_result':
      return report(cx, asked);
    default:
      return toolName satisfies never;
  }
}

function refused({ refused: type, message: sentence }: Refusal): CallAnswer {
  return { errorText: `${type}: ${sentence}` };
}

function unknownRun(cx: Cx, runId: Json | undefined): CallAnswer {
  const known =
    cx.state.runs.all
      .slice(-20)
      .map((row) => `"${row.runId}"`)
      .join(', ') || 'none';
  return {
    errorText: `UnknownRun: Expected runId to name a run that was started here (${known}), got ${JSON.stringify(runId ?? null).slice(0, 80)}.`,
  };
}

function rowOf(cx: Cx, asked: Asked): RunState | undefined {
  return typeof asked['runId'] === 'string' ? cx.state.runs.get(asked['runId']) : undefined;
}

function list(cx: Cx, { status }: Asked): CallAnswer {
  const { runs } = listRuns(cx.state, {
    limit: 1000,
    ...(typeof status === 'string' ? { status: status as RunStatus } : {}),
  });
  const digests: Json[] = [];
  let bytes = 0;
  // The newest matter most when not all fit.
  for (const { runId } of runs.toReversed()) {
    const row = cx.state.runs.peek(runId);
    if (row === undefined) continue;
    const { result: _result, preview: _preview, milestones: _milestones, ...digest } = digestOf(row);
    bytes += jsonBytes(digest);
    if (bytes > ANSWER_BYTES) break;
    digests.unshift(digest);
  }
  return { output: { runs: digests, hasMore: digests.length < runs.length } };
}

function inspect(cx: Cx, turn: ActiveTurn, toolCallId: string, asked: Asked): CallAnswer | { wait: Wait } {
  const { runId } = asked;
  if (typeof runId !== 'string' || !presentRun(cx.state, runId).known) return unknownRun(cx, runId);
  emit(cx, 'message.sent', { runId, kind: 'inspect', turnId: turn.turnId, toolCallId });
  lookSoon(cx, runId);
  return { wait: { for: 'look', runId, since: cx.now, until: cx.now + LOOK_WAIT_MS } };
}

function message(
  cx: Cx,
  turn: ActiveTurn,
  { toolCallId, place }: { toolCallId: string; place: string },
  asked: Asked,
): CallAnswer {
  const { runId, message: words } = asked;
  if (typeof runId !== 'string' || !presentRun(cx.state, runId).known) return unknownRun(cx, runId);
  if (typeof words !== 'string' || words === '')
    return { errorText: 'InvalidInput: Expected message to be a text, got nothing.' };
  const messageId = messageIdOfToolCall(cx.state.epoch, turn.turnId, turn.step, place);
  const ask = cx.state.runs.get(runId)?.own.asks?.find(isOpenAsk);
  if (ask !== undefined) {
    // The first word to a run that asks is its answer.
    const live = liveBytes(cx.state) + jsonBytes(words);
    if (live > LIVE_BYTES) return refused(full(live));
    ask.status = 'answered';
    emit(cx, 'message.sent', {
      runId,
      messageId,
      message: words,
      requestId: ask.requestId,
      turnId: turn.turnId,
      toolCallId,
    });
    cx.state.outbox.put({
      lane: 'answers',
      workflowId: partsOfRequestId(ask.requestId).workflowId,
      answer: { requestId: ask.requestId, value: words, messageId },
    });
    return { output: { messageId, deduplicated: false, answered: ask.requestId } };
  }
  const receipt = messageRun(cx, { runId, message: words, messageId });
  return isRefusal(receipt) ? refused(receipt) : { output: { ...receipt } };
}

function cancel(cx: Cx, asked: Asked): CallAnswer | { wait: Wait } {
  const { runId, reason } = asked;
  if (typeof runId !== 'string' || !presentRun(cx.state, runId).known) return unknownRun(cx, runId);
  const row = rowOf(cx, asked);
  if (row !== undefined && !isSettled(row)) {
    const queued = row.life.stage === 'queued';
    requestCancel(
      cx,
      row,
      'cancelled_by_agent',
      typeof reason === 'string' ? Array.from(reason).slice(0, TEXT_CHARS).join('').toWellFormed() : undefined,
      true,
    );
    if (queued) settle(cx, row, { status: 'cancelled', reason: 'cancelled_by_agent' });
  }
  return { wait: { for: 'cancel', runId, until: cx.now + CANCEL_WAIT_MS } };
}

function milestone(cx: Cx, { name, data }: Asked): CallAnswer {
  if (typeof name !== 'string' || !NAME_PATTERN.test(name))
    return {
      errorText: `InvalidInput: Expected name to match ${NAME_PATTERN.source}, got ${JSON.stringify(name ?? null).slice(0, 80)}.`,
    };
  if (data !== undefined && jsonBytes(data) > SMALL_BYTES)
    return {
      errorText: `InvalidInput: Expected data to be at most ${SMALL_BYTES} bytes of JSON, got ${jsonBytes(data)}.`,
    };
  const taken = ownMilestone(cx, name, data);
  return isRefusal(taken) ? refused(taken) : { output: { name, n: taken.n } };
}

/** The last one counts; its worker has checked it. */
function report({ state }: Cx, { result }: Asked): CallAnswer {
  const { self } = state;
  if (self?.work.kind !== 'agent' || result === undefined)
    return { errorText: 'InvalidInput: Expected result to be the result of this run, got nothing.' };
  const live = liveBytes(state) + jsonBytes(result) - jsonBytes(self.work.reported ?? null);
  if (live > LIVE_BYTES) return refused(full(live));
  self.work.reported = { result };
  return { output: { reported: true } };
}

function ask(cx: Cx, turn: ActiveTurn, toolCallId: string, { question }: Asked): CallAnswer | { wait: Wait } {
  if (typeof question !== 'string' || question === '')
    return { errorText: 'InvalidInput: Expected question to be a text, got nothing.' };
  const request = askParent(cx, {
    turnId: turn.turnId,
    toolCallId,
    question: Array.from(question).slice(0, TEXT_CHARS).join('').toWellFormed(),
  });
  return isRefusal(request) ? refused(request) : { wait: { for: 'answer', requestId: request.requestId } };
}
