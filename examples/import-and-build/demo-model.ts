/**
 * A language model that is a script and says so: it makes the example run without a key, the same way each time. It reads what
 * it needs from the prompt as a model would, and answers nothing else. The pause between words stands in for the time that a
 * real model takes; it is no measurement of one.
 */
import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4Content,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
} from '@ai-sdk/provider';
import { reply, type Reply } from './demo/script.ts';

export { DEMO_SENTENCE } from './demo/lines.ts';

export interface DemoModelOptions {
  /** Pause before each word, milliseconds. Default 0. */
  wordMs?: number;
}

export function createDemoModel({ wordMs = 0 }: DemoModelOptions = {}): LanguageModelV4 {
  return {
    specificationVersion: 'v4',
    provider: 'demo',
    modelId: 'scripted',
    supportedUrls: {},
    doGenerate: async (options) => {
      options.abortSignal?.throwIfAborted();
      // Only the pauses are wanted of the parts.
      for await (const part of stream(options, wordMs)) if (part.type === 'finish') break;
      const answer = answerTo(options);
      return { content: contentOf(answer), warnings: [], finishReason: finish(answer), usage: usage(options, answer) };
    },
    doStream: async (options) => {
      options.abortSignal?.throwIfAborted();
      return Promise.resolve({ stream: ReadableStream.from(stream(options, wordMs)) });
    },
  };
}

interface Answer extends Reply {
  id: string;
}

/** The script's reply; a call of a tool that the agent does not have is said instead of made. */
function answerTo({ prompt, tools }: LanguageModelV4CallOptions): Answer {
  const answer = reply(prompt);
  const id = createHash('sha256').update(JSON.stringify(prompt)).digest('hex').slice(0, 16);
  const { call, text } = answer;
  if (!call || tools?.some(({ name }) => name === call.name)) return { ...answer, id };
  return { id, text: `${text} I would call ${call.name} now, but this agent does not have it.` };
}

async function* stream(options: LanguageModelV4CallOptions, wordMs: number): AsyncGenerator<LanguageModelV4StreamPart> {
  const answer = answerTo(options);
  const { abortSignal: signal } = options;
  const words = async function* (text: string): AsyncGenerator<string> {
    for (const word of text.match(/\s*\S+\s*$|\s*\S+/g) ?? []) {
      await pause(wordMs, signal);
      yield word;
    }
  };
  yield { type: 'stream-start', warnings: [] };
  yield { type: 'response-metadata', id: `demo-${answer.id}`, modelId: 'scripted' };
  if (answer.reasoning !== undefined) {
    yield { type: 'reasoning-start', id: 'r' };
    for await (const delta of words(answer.reasoning)) yield { type: 'reasoning-delta', id: 'r', delta };
    yield { type: 'reasoning-end', id: 'r' };
  }
  yield { type: 'text-start', id: 't' };
  for await (const delta of words(answer.text)) yield { type: 'text-delta', id: 't', delta };
  yield { type: 'text-end', id: 't' };
  if (answer.call) {
    const [id, input] = [`demo-call-${answer.id}`, JSON.stringify(answer.call.input)];
    yield { type: 'tool-input-start', id, toolName: answer.call.name };
    for (const [delta] of input.matchAll(/.{1,24}/gs)) {
      await pause(wordMs, signal);
      yield { type: 'tool-input-delta', id, delta };
    }
    yield { type: 'tool-input-end', id };
    yield { type: 'tool-call', toolCallId: id, toolName: answer.call.name, input };
  }
  yield { type: 'finish', finishReason: finish(answer), usage: usage(options, answer) };
}

function contentOf({ reasoning, text, call, id }: Answer): LanguageModelV4Content[] {
  return [
    ...(reasoning === undefined ? [] : [{ type: 'reasoning' as const, text: reasoning }]),
    { type: 'text', text },
    ...(call
      ? [
          {
            type: 'tool-call' as const,
            toolCallId: `demo-call-${id}`,
            toolName: call.name,
            input: JSON.stringify(call.input),
          },
        ]
      : []),
  ];
}

function finish({ call }: Answer): { unified: 'tool-calls' | 'stop'; raw: undefined } {
  return { unified: call ? 'tool-calls' : 'stop', raw: undefined };
}

/** Tokens as a rule of thumb has them: four characters each. */
function usage({ prompt }: LanguageModelV4CallOptions, answer: Answer): LanguageModelV4Usage {
  const tokens = (value: string | undefined): number => Math.ceil((value?.length ?? 0) / 4);
  const [reasoning, text] = [
    tokens(answer.reasoning),
    tokens(answer.text) + tokens(answer.call && JSON.stringify(answer.call.input)),
  ];
  const total = tokens(JSON.stringify(prompt));
  return {
    inputTokens: { total, noCache: total, cacheRead: 0, cacheWrite: 0 },
    outputTokens: { total: reasoning + text, text, reasoning },
  };
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (ms > 0) await setTimeout(ms, undefined, signal ? { signal } : {}).catch(() => {});
  signal?.throwIfAborted();
}
