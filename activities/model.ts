/**
 * One model call: the transcript in, one assistant message and the tool calls it asks for out. It retries nothing itself: the
 * workflow owns the retries, so that readers can see them. A stream that stops producing is aborted.
 */
import { ApplicationFailure, CancelledFailure } from '@temporalio/activity';
import {
  InvalidToolInputError,
  JSONParseError,
  convertToModelMessages,
  NoSuchToolError,
  TypeValidationError,
  streamText,
  type FinishReason,
  type LanguageModelUsage,
  type ToolSet,
  type TypedToolCall,
  type UIMessage as AiMessage,
} from 'ai';
import type { Client } from '@temporalio/client';
import {
  HANDED_BACK,
  type Json,
  type MessagePart,
  type ModelArg,
  type ModelHeartbeat,
  type UIMessage as TranscriptMessage,
  type Usage,
} from '../src/contract.ts';
import type { AgentDefinition, CallContext, ToolDefinition } from '../src/define.ts';
import { jsonBytes } from '../src/domain/state/json.ts';
import { withinBound } from '../src/domain/turn/calls.ts';
import { isRuntimeTool } from '../src/domain/turn/runtime-tools.ts';
import { MESSAGE_BYTES, MOST_TOKENS, TEXT_CHARS } from '../src/domain/state/sizes.ts';
import { promptOf, withoutReasoning } from '../src/domain/delivery/prompt.ts';
import { isRunByProvider } from '../src/domain/delivery/transcript.ts';
import { misfitSentence } from '../src/domain/run/fit.ts';
import { echo, isDeeper, MOST_LEVELS } from '../src/schemas/index.ts';
import type { ModelAnswer, ModelCall } from '../src/domain/turn/model-step.ts';
import { cutParts, inputPreview } from './answer-size.ts';
import { callSettings, type CallSettings } from './call-settings.ts';
import { handedBack, isShutdown, outgoing } from './failure.ts';
import { fitting, messageOf, misfitIn, misfitOf } from './fit.ts';
import { withHeartbeat } from './heartbeat.ts';
import { isBroken, providerFailure, refusesReasoning } from './provider-failure.ts';
import { knownTo, ranByProvider, withinRoom, type ContentPart } from './provider-tools.ts';
import type { Registry } from './registry.ts';
import { ownSignal } from './signal.ts';
import { Streamed } from './streamed.ts';
import { toolset } from './toolset.ts';
import { unknownName } from './unknown-name.ts';
import { readTranscript } from './transcript.ts';

const STALL_MS = 60_000;
const ATTEMPTS = 5;
const TOOL_TIMEOUT_MS = 600_000;
/** The run's ceiling comes first. */
const DETACHED_TIMEOUT_MS = 365 * 24 * 3600 * 1000;

export async function callModel(
  registry: Registry,
  client: Client,
  isStopping: () => boolean,
  arg: ModelArg,
): Promise<ModelAnswer> {
  const agent = registry.agents.get(arg.agent);
  if (agent === undefined)
    throw await unknownName(
      registry,
      client,
      'UnknownAgent',
      `Expected agent to name a registered agent, got "${arg.agent}".`,
    );
  const { usage, turnId, step, attempt } = arg;
  const streamed = new Streamed(registry);
  try {
    return await withHeartbeat(
      (): ModelHeartbeat => ({ usage, turnId, step, attempt, parts: streamed.parts }),
      async () => {
        const settings = await callSettings(client, agent, arg, isStopping);
        const transcript = await readTranscript(client, arg.workflowId, isStopping);
        const prompt = promptOf(knownTo(settings.model.provider, transcript));
        return ask(registry, prompt, agent, settings, arg, streamed).catch(async (error: unknown) => {
          if (!refusesReasoning(error)) throw error;
          return ask(registry, withoutReasoning(prompt), agent, settings, arg, streamed);
        });
      },
      { hasNews: () => streamed.takeNews() },
    );
  } catch (error) {
    const signal = ownSignal();
    if (isShutdown(signal)) throw handedBack();
    if (signal.aborted)
      throw error instanceof CancelledFailure ? error : new CancelledFailure('The model call was cancelled.');
    if (error instanceof ApplicationFailure && error.type === HANDED_BACK) throw error;
    throw failed(registry, agent, error);
  }
}

async function ask(
  registry: Registry,
  transcript: readonly TranscriptMessage[],
  agent: AgentDefinition,
  settings: CallSettings,
  arg: ModelArg,
  streamed: Streamed,
): Promise<ModelAnswer> {
  const tools = await toolset(registry, agent, arg.isRun);
  const stall = agent.stallTimeoutMs ?? STALL_MS;
  let failure: unknown;
  const messages = await convertToModelMessages(transcript.slice() as unknown as AiMessage[], { tools });
  const watchdog = new Watchdog(stall);
  const result = streamText({
    ...settings,
    messages,
    tools,
    maxRetries: 0,
    abortSignal: AbortSignal.any([ownSignal(), watchdog.signal]),
    onError: ({ error }) => {
      failure ??= error;
    },
  });
  try {
    for await (const part of result.stream) {
      watchdog.feed();
      streamed.add(part);
      if (part.type === 'error') failure ??= part.error;
    }
  } finally {
    watchdog.stop();
  }
  if (watchdog.signal.aborted) throw watchdog.signal.reason;
  if (failure !== undefined) throw thrownBy(failure);
  ownSignal().throwIfAborted();
  const [content, usage, finishReason, raw] = await Promise.all([
    result.content,
    result.usage,
    result.finishReason,
    result.rawFinishReason,
  ]);
  // One that has not said why it ended has broken off.
  if (finishReason === 'error' || finishReason === 'interrupted' || (finishReason === 'other' && raw === undefined))
    throw new BrokenAnswer('The answer of the model broke off before its end.');
  // In the order of their parts, which is how the two belong together: ids may repeat.
  const asked = content.filter((part) => part.type === 'tool-call').filter((part) => !isRunByProvider(part));
  const calls = withinBound(
    await Promise.all(asked.map(async (part) => callOf(registry, agent, part, finishReason, arg))),
  );
  let place = 0;
  const told = content as unknown as ContentPart[];
  const parts = withinRoom(told.flatMap((part) => ranByProvider(settings.model.provider, part, told) ?? partOf(part)));
  const { parts: kept, cut } = cutParts(
    parts.map((part) =>
      part['toolCallId'] !== undefined && !isRunByProvider(part) && calls[place++]?.kind === 'invalid'
        ? { ...part, input: inputPreview(part['input']) }
        : part,
    ),
  );
  return {
    parts: kept,
    calls,
    usage: usageOf(usage),
    ...(cut === undefined ? {} : { cut }),
    ...(finishReason === 'stop' || finishReason === 'tool-calls' ? {} : { finishReason }),
    ...(arg.isRun && agent.output !== undefined ? { wantsResult: true } : {}),
    canStart: Object.fromEntries((agent.canStart ?? []).map((name) => [name, registry.facts(name)])),
  };
}

/** It ended without an end, or with an error: worth another attempt. */
class BrokenAnswer extends Error {
  override readonly name = 'ModelBroken';
}

/** What went wrong, by a name that says something: some packages throw bare errors when a stream is not as they know it. */
function thrownBy(failure: unknown): Error {
  if (!(failure instanceof Error)) return new BrokenAnswer(JSON.stringify(failure));
  return failure.name === 'Error' ? new BrokenAnswer(failure.message, { cause: failure }) : failure;
}

const CUT_OFF = 'InvalidInput: Expected a whole call, got one of an answer that was cut off at its longest length.';

/** Aborts a call that produces nothing for so long, also before its first word: a provider may never answer at all. */
class Watchdog {
  private readonly controller = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private readonly ms: number;

  constructor(ms: number) {
    this.ms = ms;
    this.feed();
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  feed(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(
      () =>
        this.controller.abort(
          Object.assign(new Error(`The model produced nothing for ${this.ms} ms.`), { name: 'TimeoutError' }),
        ),
      this.ms,
    );
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}

/** A content part as a part of a UI message; a call has no output yet. */
function partOf(part: ContentPart): MessagePart[] {
  const metadata = part['providerMetadata'] === undefined ? {} : { providerMetadata: part['providerMetadata'] };
  switch (part.type) {
    case 'text':
      return part['text'] === '' ? [] : [{ type: 'text', text: part['text'], ...metadata }];
    case 'reasoning':
      return [{ type: 'reasoning', text: part['text'], ...metadata }];
    case 'tool-call': {
      const call = part['providerMetadata'] === undefined ? {} : { callProviderMetadata: part['providerMetadata'] };
      return [
        {
          type: `tool-${String(part['toolName'])}`,
          toolCallId: part['toolCallId'],
          state: 'input-available',
          input: part['input'] ?? {},
          ...call,
        },
      ];
    }
    default:
      return [];
  }
}

async function callOf(
  registry: Registry,
  agent: AgentDefinition,
  call: TypedToolCall<ToolSet>,
  finishReason: FinishReason,
  arg: ModelArg,
): Promise<ModelCall> {
  const { toolCallId, toolName } = call;
  const input = (call.input ?? {}) as Json;
  if ('invalid' in call && call.invalid === true) {
    const error: unknown = 'error' in call ? call.error : undefined;
    const type = NoSuchToolError.isInstance(error) ? 'UnknownTool' : 'InvalidInput';
    const misfit = misfitIn(error, input);
    const why = misfit === undefined ? invalidity(error, call.input) : misfitSentence(misfit);
    return {
      kind: 'invalid',
      toolCallId,
      toolName,
      error: registry.redact(`${type}: ${why}`).slice(0, TEXT_CHARS).toWellFormed(),
    };
  }
  if (finishReason === 'length') return { kind: 'invalid', toolCallId, toolName, error: CUT_OFF };
  const wrong = unfit(input) ?? (await unfitFor(registry, agent, toolName, input));
  if (wrong !== undefined) return { kind: 'invalid', toolCallId, toolName, error: `InvalidInput: ${wrong}` };
  if (isRuntimeTool(toolName)) return { kind: 'runtime', toolCallId, toolName, input };
  const tool = await registry.tool(agent.name, toolName).catch(() => undefined);
  const asks = tool !== undefined && (await needsApproval(tool, input, arg));
  const actionKey = tool === undefined ? undefined : await actionKeyOf(tool, input, arg);
  if (actionKey !== undefined && !ACTION_KEY.test(actionKey))
    return {
      kind: 'invalid',
      toolCallId,
      toolName,
      error: `InvalidInput: Expected idempotencyKey of ${toolName} to answer 1 to 256 printable characters, got ${echo(registry.redact(actionKey))}.`,
    };
  return {
    kind: 'tool',
    toolCallId,
    toolName,
    input,
    policy: {
      idempotent: tool?.idempotent ?? false,
      timeoutMs: tool?.timeoutMs ?? (tool?.detached === true ? DETACHED_TIMEOUT_MS : TOOL_TIMEOUT_MS),
      retries: tool?.retries ?? 0,
      ...(agent.repairInterruptedTool === undefined ? {} : { repairs: true }),
      ...(asks ? { approval: true } : {}),
      ...(actionKey === undefined ? {} : { actionKey }),
      ...(tool?.detached === true ? { detached: true, hooks: registry.hooks } : {}),
    },
  };
}

/** Whether a person is to be asked before the call is made: also when the tool cannot say so. */
async function needsApproval(
  { approval, input: schema }: ToolDefinition,
  input: Json,
  arg: ModelArg,
): Promise<boolean> {
  if (typeof approval !== 'function') return approval === true;
  try {
    const needed: unknown = await approval(await fitting(schema, input), contextOf(arg));
    return needed !== false;
  } catch {
    return true;
  }
}

const ACTION_KEY = /^[\P{C}]{1,256}$/u;

/** By which calls are the same action; nothing printable when the tool cannot say. */
async function actionKeyOf(
  { idempotencyKey, input: schema }: ToolDefinition,
  input: Json,
  arg: ModelArg,
): Promise<string | undefined> {
  if (idempotencyKey === undefined) return undefined;
  try {
    const key: unknown = await idempotencyKey(await fitting(schema, input), contextOf(arg));
    return typeof key === 'string' ? key : '';
  } catch {
    return '';
  }
}

function contextOf({ workflowId, turnId, isRun }: ModelArg): CallContext {
  const [sessionId = '', ...path] = workflowId.split('/');
  const runId = isRun ? path.at(-1) : undefined;
  return { sessionId, workflowId, turnId, ...(runId === undefined ? {} : { runId }) };
}

/** Why a call cannot be made that fits no schema for another reason: there is no such tool, or its input is no JSON. */
function invalidity(error: unknown, input: unknown): string {
  if (InvalidToolInputError.isInstance(error)) {
    const { cause } = error;
    if (!TypeValidationError.isInstance(cause)) return `Expected input to be JSON, got ${echo(input)}.`;
    const [why = ''] = messageOf(cause.cause).split('\n');
    return `Expected input to fit its schema (${why}), got ${echo(input)}.`;
  }
  return error instanceof Error ? error.message : 'The call is not valid.';
}

/** What only we can tell of the input of a tool of the runtime. */
async function unfitFor(
  registry: Registry,
  agent: AgentDefinition,
  toolName: string,
  input: Json,
): Promise<string | undefined> {
  if (toolName === 'start_run') return unfitToStart(registry, agent, input);
  return toolName === 'report_result' ? unfitResult(registry, agent, input) : undefined;
}

async function unfitResult(registry: Registry, { output }: AgentDefinition, call: Json): Promise<string | undefined> {
  const { result } = call as { result?: Json };
  if (result === undefined) return 'Expected result to be the result of this run, got nothing.';
  const wrong = output === undefined ? undefined : await misfitOf(output, result);
  return wrong === undefined ? undefined : registry.redact(misfitSentence(wrong, 'result'));
}

/** Input that its task would refuse: the model is told at once, and not by a run that has failed. */
async function unfitToStart(
  registry: Registry,
  { canStart = [] }: AgentDefinition,
  call: Json,
): Promise<string | undefined> {
  const { agent, input = {} } = call as { agent?: Json; input?: Json };
  const schema = typeof agent === 'string' && canStart.includes(agent) ? registry.tasks.get(agent)?.input : undefined;
  const wrong = schema === undefined ? undefined : await misfitOf(schema, input);
  return wrong === undefined ? undefined : registry.redact(misfitSentence(wrong));
}

/** What the model asks for is carried and walked through like any input from outside. */
function unfit(input: Json): string | undefined {
  if (isDeeper(input, MOST_LEVELS))
    return `Expected the input to be nested at most ${MOST_LEVELS} levels deep, got more.`;
  return jsonBytes(input) > MESSAGE_BYTES
    ? `Expected the input to be at most ${MESSAGE_BYTES} bytes of JSON, got ${jsonBytes(input)}.`
    : undefined;
}

/** Some providers count in fractions, or say what cannot be. */
function tokens(count: number | undefined): number {
  return count !== undefined && count >= 0 && count <= MOST_TOKENS ? Math.round(count) : 0;
}

function usageOf(usage: LanguageModelUsage): Usage {
  const inputTokens = tokens(usage.inputTokens);
  const outputTokens = tokens(usage.outputTokens);
  return {
    inputTokens,
    outputTokens,
    totalTokens: usage.totalTokens === undefined ? inputTokens + outputTokens : tokens(usage.totalTokens),
    modelCalls: 1,
  };
}

/** Which failures are worth another attempt: stalls, lost connections, and what the provider says is. */
function failed(registry: Registry, agent: AgentDefinition, error: unknown): Error {
  const maxAttempts = agent.maxAttempts ?? ATTEMPTS;
  const refusal = providerFailure(error);
  if (refusal !== undefined) {
    const { message, isRetryable, ...told } = refusal;
    const details = { maxAttempts, ...told };
    return outgoing(registry, error, { type: 'ProviderError', message, nonRetryable: !isRetryable, details });
  }
  const stalled = error instanceof Error && error.name === 'TimeoutError';
  const type = stalled ? 'ModelStalled' : isBroken(error) ? 'ModelBroken' : undefined;
  const message = garbled(registry, error);
  return outgoing(registry, error, {
    ...(type === undefined ? {} : { type }),
    ...(message === undefined ? {} : { message }),
    details: { maxAttempts },
  });
}

/** The one sentence of an answer that no model gives: the library would tell all of it, with all that is wrong with it. */
function garbled(registry: Registry, error: unknown): string | undefined {
  if (TypeValidationError.isInstance(error)) return messageOf(error, 'answer', error.value);
  if (JSONParseError.isInstance(error)) return `Expected answer to be JSON, got ${echo(registry.redact(error.text))}.`;
  return undefined;
}
