/**
 * A language model of the AI SDK made of one function that knows the whole answer. It needs nothing of the AI SDK but its types: streamed
 * or whole, what it says is the same.
 */
import { setTimeout } from 'node:timers/promises';
import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4Content,
  LanguageModelV4FinishReason,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
} from '@ai-sdk/provider';

export type FinishReason = LanguageModelV4FinishReason['unified'];

/** All that one call of the model comes to. */
export interface ModelAnswer {
  /** Of the response. */
  id: string;
  reasoning?: string | undefined;
  text?: string | undefined;
  toolCalls: readonly { toolCallId: string; toolName: string; input: unknown }[];
  /** Default: `tool-calls` or `stop`. */
  finishReason?: FinishReason | undefined;
  /** Default: four characters are a token. */
  usage?: { inputTokens?: number; outputTokens?: number } | undefined;
}

export interface ModelOfAnswers {
  provider: string;
  modelId: string;
  /** Pause before each word, milliseconds. Default 0. */
  wordMs?: number;
  /** What it throws is what the call fails with. */
  answer: (options: LanguageModelV4CallOptions) => ModelAnswer | Promise<ModelAnswer>;
}

export function languageModel({ provider, modelId, wordMs = 0, answer }: ModelOfAnswers): LanguageModelV4 {
  return {
    specificationVersion: 'v4',
    provider,
    modelId,
    supportedUrls: {},
    doGenerate: async (options) => {
      options.abortSignal?.throwIfAborted();
      const given = await answer(options);
      // Only the pauses are wanted of the parts.
      for await (const part of stream(options, given, modelId, wordMs)) if (part.type === 'finish') break;
      return {
        content: contentOf(given),
        warnings: [],
        finishReason: finishOf(given),
        usage: usageOf(options, given),
      };
    },
    doStream: async (options) => {
      options.abortSignal?.throwIfAborted();
      const given = await answer(options);
      return { stream: ReadableStream.from(stream(options, given, modelId, wordMs)) };
    },
  };
}

async function* stream(
  options: LanguageModelV4CallOptions,
  answer: ModelAnswer,
  modelId: string,
  wordMs: number,
): AsyncGenerator<LanguageModelV4StreamPart> {
  const { abortSignal: signal } = options;
  const words = async function* (text: string): AsyncGenerator<string> {
    for (const word of text.match(/\s*\S+\s*$|\s*\S+|\s+/gu) ?? []) {
      await pause(wordMs, signal);
      yield word;
    }
  };
  yield { type: 'stream-start', warnings: [] };
  yield { type: 'response-metadata', id: answer.id, modelId };
  if (answer.reasoning !== undefined) {
    yield { type: 'reasoning-start', id: 'r' };
    for await (const delta of words(answer.reasoning)) yield { type: 'reasoning-delta', id: 'r', delta };
    yield { type: 'reasoning-end', id: 'r' };
  }
  if (answer.text !== undefined) {
    yield { type: 'text-start', id: 't' };
    for await (const delta of words(answer.text)) yield { type: 'text-delta', id: 't', delta };
    yield { type: 'text-end', id: 't' };
  }
  for (const { toolCallId, toolName, input } of answer.toolCalls) {
    const json = inputOf(input);
    yield { type: 'tool-input-start', id: toolCallId, toolName };
    for (const [delta] of json.matchAll(/.{1,24}/gsu)) {
      await pause(wordMs, signal);
      yield { type: 'tool-input-delta', id: toolCallId, delta };
    }
    yield { type: 'tool-input-end', id: toolCallId };
    yield { type: 'tool-call', toolCallId, toolName, input: json };
  }
  yield { type: 'finish', finishReason: finishOf(answer), usage: usageOf(options, answer) };
}

function contentOf({ reasoning, text, toolCalls }: ModelAnswer): LanguageModelV4Content[] {
  return [
    ...(reasoning === undefined ? [] : [{ type: 'reasoning' as const, text: reasoning }]),
    ...(text === undefined ? [] : [{ type: 'text' as const, text }]),
    ...toolCalls.map(({ toolCallId, toolName, input }) => ({
      type: 'tool-call' as const,
      toolCallId,
      toolName,
      input: inputOf(input),
    })),
  ];
}

/** A provider hands the input on as the text that the model wrote. */
function inputOf(input: unknown): string {
  return JSON.stringify(input) ?? '{}';
}

function finishOf({ toolCalls, finishReason }: ModelAnswer): LanguageModelV4FinishReason {
  return { unified: finishReason ?? (toolCalls.length > 0 ? 'tool-calls' : 'stop'), raw: undefined };
}

function usageOf({ prompt }: LanguageModelV4CallOptions, answer: ModelAnswer): LanguageModelV4Usage {
  const { reasoning, text, toolCalls, usage = {} } = answer;
  const tokens = (value: string | undefined): number => Math.ceil((value?.length ?? 0) / 4);
  const said = tokens(text) + toolCalls.reduce((sum, { input }) => sum + tokens(inputOf(input)), 0);
  const read = usage.inputTokens ?? tokens(JSON.stringify(prompt));
  return {
    inputTokens: { total: read, noCache: read, cacheRead: 0, cacheWrite: 0 },
    outputTokens:
      usage.outputTokens === undefined
        ? { total: said + tokens(reasoning), text: said, reasoning: tokens(reasoning) }
        : { total: usage.outputTokens, text: usage.outputTokens, reasoning: 0 },
  };
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (ms > 0) await setTimeout(ms, undefined, signal ? { signal } : {}).catch(() => {});
  signal?.throwIfAborted();
}
