/** A language model whose answers are the test's. */
import { once } from 'node:events';
import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4Prompt } from '@ai-sdk/provider';
import { languageModel, type FinishReason, type ModelAnswer } from './language-model.ts';
import { textsOf } from './prompt.ts';
import { ProviderError } from './provider-error.ts';

/** One call of the model, as it saw it. */
export interface ModelCall {
  /** Counts from 1, through all sessions and agents that use this model; each attempt of a step is a call. */
  readonly n: number;
  /** All that was said, in the AI SDK's form, the instructions first. */
  readonly prompt: LanguageModelV4Prompt;
  readonly instructions: string;
  /** The text that came last: of the user, of a background run's report, or a tool's result (as JSON where it is not text). */
  readonly newest: string;
  /** Whose the last message is. */
  readonly from: LanguageModelV4Prompt[number]['role'];
  /** Names of the tools that it may call, those of the runtime too. */
  readonly tools: readonly string[];
  /** Everything else that the AI SDK hands to a provider: what each tool is described as, temperature and the like, the signal. */
  readonly options: LanguageModelV4CallOptions;
}

/** What the model says next. */
export type ModelReply =
  /** Text, and nothing else. */
  | string
  | {
      text?: string;
      reasoning?: string;
      /** Tools to be called; `toolCallId` is minted where it is left out. */
      toolCalls?: readonly { toolName: string; input: unknown; toolCallId?: string }[];
      /** Default: `tool-calls` when there are some, else `stop`. */
      finishReason?: FinishReason;
      /** Tokens. Default: four characters are one. */
      usage?: { inputTokens?: number; outputTokens?: number };
    }
  /** The provider refuses. `statusCode`: default 400, which no further attempt mends; 408, 409, 429 and from 500 on the step is tried again. */
  | { error: string; statusCode?: number; retryAfterMs?: number }
  /** What the provider's package throws, as it is. */
  | { error: Error }
  /** Nothing comes, until the call is aborted: by the agent's `stallTimeoutMs`, or as its turn is cancelled. */
  | { stall: true };

/** The replies in their order, or a function that is asked at each call. */
export type ModelScript = readonly ModelReply[] | ((call: ModelCall) => ModelReply | Promise<ModelReply>);

export interface ScriptedModel extends LanguageModelV4 {
  /** All calls so far, in the order they came. */
  readonly calls: readonly ModelCall[];
}

/**
 * A model for `defineAgent` that says what the test wants it to say, and remembers what it was asked.
 *
 * A script that throws, or has no reply left, fails the step at once with a sentence that says so: no call goes unnoticed. While an
 * asynchronous script has not answered, the agent's `stallTimeoutMs` runs.
 *
 * @example
 * ```ts
 * const model = scriptedModel(({ newest }) =>
 *   newest.includes('<background-run') ? 'It is loaded.' : { toolCalls: [{ toolName: 'start_run', input: { agent: 'load', input: {} } }] });
 * ```
 */
export function scriptedModel(script: ModelScript): ScriptedModel {
  const calls: ModelCall[] = [];
  const model = languageModel({
    provider: 'outlive',
    modelId: 'scripted',
    answer: async (options) => {
      const call = callOf(calls.length + 1, options);
      calls.push(call);
      return answerOf(await replyTo(script, call), call);
    },
  });
  return Object.assign(model, { calls });
}

function callOf(n: number, options: LanguageModelV4CallOptions): ModelCall {
  const { prompt, tools = [] } = options;
  const last = prompt.at(-1);
  return {
    n,
    prompt,
    instructions: prompt.flatMap(({ role, content }) => (role === 'system' ? [content] : [])).join('\n'),
    newest: (last === undefined ? undefined : textsOf(last).at(-1)) ?? '',
    from: last?.role ?? 'user',
    tools: tools.map(({ name }) => name),
    options,
  };
}

/** @throws ProviderError when the script has none: no further attempt would have one. */
async function replyTo(script: ModelScript, call: ModelCall): Promise<ModelReply> {
  if (typeof script === 'function') {
    try {
      return await script(call);
    } catch (error) {
      throw new ProviderError(`The script of the model threw at call ${call.n}: ${String(error)}`);
    }
  }
  const reply = script[call.n - 1];
  if (reply !== undefined) return reply;
  throw new ProviderError(
    `The script of the model has ${script.length} ${script.length === 1 ? 'reply' : 'replies'}, and this is call ${call.n}.`,
  );
}

async function answerOf(reply: ModelReply, { n, options }: ModelCall): Promise<ModelAnswer> {
  if (typeof reply === 'string') return { id: `scripted-${n}`, text: reply, toolCalls: [] };
  if (typeof reply !== 'object' || reply === null)
    throw new ProviderError(`Expected the script of the model to answer text or an object, got ${String(reply)}.`);
  if ('stall' in reply) return untilAborted(options.abortSignal);
  if ('error' in reply) {
    if (reply.error instanceof Error) throw reply.error;
    throw new ProviderError(reply.error, reply as { statusCode?: number; retryAfterMs?: number });
  }
  const { text, reasoning, toolCalls = [], finishReason, usage } = reply;
  return {
    id: `scripted-${n}`,
    text,
    reasoning,
    finishReason,
    usage,
    toolCalls: toolCalls.map((call, i) => ({ toolCallId: `call-${n}-${i}`, ...call })),
  };
}

async function untilAborted(signal = new AbortController().signal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort');
  throw signal.reason;
}
