/** The worker of outlive that is measured, in a process of its own: an empty task, one that takes its time, and scripted agents. */
import { setTimeout as pause } from 'node:timers/promises';
import type { LanguageModelV4, LanguageModelV4StreamPart } from '@ai-sdk/provider';
import { NativeConnection } from '@temporalio/worker';
import { defineAgent, defineConfig, defineTask } from '../src/define.ts';
import { createWorker } from '../src/worker.ts';
import { serve, settingsOfWorker, stamp } from './process.ts';

const { address, taskQueue } = settingsOfWorker();

const noTokens = {
  inputTokens: { total: 0, noCache: 0, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 0, text: 0, reasoning: 0 },
};

/** A model that answers at once: with `tools`, first by one call of `list_runs`, and then by a word. */
function scripted(tools: boolean): LanguageModelV4 {
  return {
    specificationVersion: 'v4',
    provider: 'bench',
    modelId: 'scripted',
    supportedUrls: {},
    doGenerate: async () => Promise.reject(new Error('Expected the model to be asked for a stream.')),
    doStream: async ({ prompt }) => {
      const calledAt = Date.now();
      const calls = tools && prompt.at(-1)?.role === 'user';
      const answer = async function* (): AsyncGenerator<LanguageModelV4StreamPart> {
        yield { type: 'stream-start', warnings: [] };
        if (calls) {
          yield { type: 'tool-call', toolCallId: `call-${prompt.length}`, toolName: 'list_runs', input: '{}' };
        } else {
          yield { type: 'text-start', id: 't' };
          yield { type: 'text-delta', id: 't', delta: 'ok' };
          yield { type: 'text-end', id: 't' };
        }
        yield {
          type: 'finish',
          finishReason: { unified: calls ? 'tool-calls' : 'stop', raw: undefined },
          usage: noTokens,
        };
        if (tools) stamp({ calledAt, endedAt: Date.now() });
      };
      return Promise.resolve({ stream: ReadableStream.from(answer()) });
    },
  };
}

const config = defineConfig({
  taskQueue,
  agents: [
    defineAgent({ name: 'answers', instructions: 'Answer.', model: scripted(false) }),
    defineAgent({ name: 'calls', instructions: 'Call, then answer.', model: scripted(true), canStart: ['empty'] }),
  ],
  tasks: [
    defineTask({ name: 'empty', run: () => null }),
    defineTask({ name: 'lasts', run: async ({ ms }: { ms: number }) => pause(ms, null) }),
  ],
});

await serve([await createWorker(config, { connection: await NativeConnection.connect({ address }) })]);
