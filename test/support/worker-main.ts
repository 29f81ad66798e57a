/** A worker process for the tests that kill it. Effects are lines in files, gates are files: both outlive the process. */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { PayloadCodec } from '@temporalio/common';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { z } from 'zod';
import { runWorker } from '../../src/cli/run-worker.ts';
import { defineAgent, defineConfig, defineTask, defineTool } from '../../src/define.ts';
import { createWorker } from '../../src/worker.ts';

const { ADDRESS = '', QUEUE = '', BUNDLE = '', MODEL_URL = '', FOLDER = '', DIES_WITH } = process.env;

function effect(file: string, line: string): void {
  appendFileSync(join(FOLDER, file), `${line}\n`);
}

async function gate(name: string, signal: AbortSignal): Promise<void> {
  while (!existsSync(join(FOLDER, name))) {
    signal.throwIfAborted();
    await pause(20, undefined, { signal });
  }
}

const note = defineTool({
  name: 'note',
  description: 'Writes a line.',
  idempotent: true,
  input: z.object({ line: z.string(), gate: z.string().optional() }),
  execute: async ({ line, gate: name }, ctx) => {
    effect('tool-begun', line);
    if (name !== undefined) await gate(name, ctx.signal);
    effect('tool-done', line);
    return { written: line };
  },
});

/** Must not run twice. */
const once = defineTool({
  name: 'once',
  description: 'Does it once.',
  input: z.object({ gate: z.string() }),
  execute: async ({ gate: name }, ctx) => {
    effect('once-begun', ctx.toolCallId);
    await gate(name, ctx.signal);
    return 'done';
  },
});

/** Counts, one line each, a checkpoint after each; waits for the gate after one of them, and where it goes on from there. */
const count = defineTask({
  name: 'count',
  run: async (input: { to: number; gate: string; hold: number }, ctx) => {
    const from = (ctx.checkpoint as { done: number } | undefined)?.done ?? 0;
    effect('attempts', `${ctx.runId} ${ctx.attempt} ${from}`);
    if (from === input.hold) await gate(input.gate, ctx.signal);
    for (let done = from + 1; done <= input.to; done++) {
      effect('counted', `${ctx.runId} ${done}`);
      ctx.progress({
        fraction: done / input.to,
        phase: 'counting',
        message: `${done} of ${input.to}`,
        checkpoint: { done },
      });
      if (done === 2) await ctx.milestone('two', { done });
      if (done === input.hold) await gate(input.gate, ctx.signal);
    }
    return { counted: input.to };
  },
});

/** Finishes only when it has been told to stop: what a worker lets finish in its grace time. */
const finishing = defineTask({
  name: 'finishing',
  run: async (_input: null, ctx) => {
    effect('attempts', `${ctx.runId} ${ctx.attempt} 0`);
    await gate('finish', new AbortController().signal);
    return 'finished';
  },
});

/** Answers the first message that comes. */
const hears = defineTask({
  name: 'hears',
  run: async (_input, ctx) => {
    effect('attempts', `${ctx.runId} ${ctx.attempt} 0`);
    for await (const { message } of ctx.messages) return message;
    return 'nothing came';
  },
});

/** Ends its process `times` times, at a gate of each attempt or at once; before that it reports progress, if it is to. */
const deadly = defineTask({
  name: 'deadly',
  run: async ({ times, moves }: { times: number; moves: boolean }, ctx) => {
    effect('attempts', `${ctx.runId} ${ctx.attempt} 0`);
    if (ctx.attempt > times) return 'survived';
    if (moves) {
      ctx.progress({ message: `attempt ${ctx.attempt}` });
      await gate(`die-${ctx.attempt}`, ctx.signal);
    }
    return process.exit(1);
  },
});

/** Ends its process with the result of a task in its hands, before anybody has it. */
const dying: PayloadCodec = {
  encode: async (payloads) => {
    for (const { data } of payloads)
      if (
        Buffer.from(data ?? [])
          .toString()
          .startsWith(`{"v":1,"result":"${DIES_WITH}"`)
      )
        process.exit(1);
    return Promise.resolve(payloads);
  },
  decode: async (payloads) => Promise.resolve(payloads),
};

/** Never pauses, so that its process can do nothing else. */
const blocks = defineTask({
  name: 'blocks',
  run: ({ ms }: { ms: number }, ctx) => {
    effect('attempts', `${ctx.runId} ${ctx.attempt} 0`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    return 'too late';
  },
});

Runtime.install({
  logger: new DefaultLogger('WARN', ({ level, message }) => {
    effect('log', message);
    if (level === 'ERROR') console.error(message);
  }),
});
const model = createOpenAICompatible({ name: 'local', baseURL: MODEL_URL, includeUsage: true })('test-model');
const config = defineConfig({
  taskQueue: QUEUE,
  agents: [defineAgent({ name: 'helper', instructions: 'Help.', model, tools: [note, once], canStart: ['count'] })],
  tasks: [count, finishing, hears, deadly, blocks],
  handlers: {
    // Ends only when it is told to, or never.
    hangs: async (_call, { signal }) => {
      effect('handler', 'begun');
      await new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          effect('handler', 'told');
          if (existsSync(join(FOLDER, 'heed'))) resolve(undefined);
        });
      });
    },
  },
  ...(DIES_WITH === undefined ? {} : { dataConverter: { payloadCodecs: [dying] } }),
});
const worker = await createWorker(config, {
  connection: await NativeConnection.connect({ address: ADDRESS }),
  bundle: { code: readFileSync(BUNDLE, 'utf8') },
});
const running = runWorker(worker);
process.send?.('ready');
await running;
process.exit(0);
