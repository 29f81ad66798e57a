/** The worker process of a chaos run: agents, tools and a task whose effects are lines in a file. It is killed, stopped and told to stop. */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { DefaultLogger, makeTelemetryFilterString, NativeConnection, Runtime } from '@temporalio/worker';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { z } from 'zod';
import { runWorker } from '../src/cli/run-worker.ts';
import { defineAgent, defineConfig, defineTask, defineTool, type ToolContext } from '../src/define.ts';
import { createWorker } from '../src/worker.ts';
import { append } from './effects.ts';
import type { Work } from './script.ts';

const { ADDRESS = '', QUEUE = '', BUNDLE = '', MODEL_URL = '', EFFECTS = '' } = process.env;
const WORKER = String(process.pid);
const TOOL_MS = 150;

const asked = z.object({ answer: z.number() });

function tool(
  name: string,
  idempotent: boolean,
): ReturnType<typeof defineTool<{ answer: number }, { attempt: number }>> {
  return defineTool({
    name,
    description: `Does something that may ${idempotent ? '' : 'not '}be done twice.`,
    input: asked,
    idempotent,
    execute: async ({ answer }, { workflowId, turnId, toolCallId, attempt, signal }: ToolContext) => {
      const key = `${workflowId} ${turnId} ${toolCallId}`;
      append(EFFECTS, { kind: 'tool', key, workflowId, attempt, tool: name, idempotent, answer, worker: WORKER });
      await pause(TOOL_MS, undefined, { signal });
      return { attempt };
    },
  });
}

const work = defineTask({
  name: 'work',
  run: async ({ units, paceMs, half, late, silent, hears, fails }: Work, ctx) => {
    const { workflowId: key, attempt, signal } = ctx;
    const from = (ctx.checkpoint as { done: number } | undefined)?.done ?? 0;
    append(EFFECTS, { kind: 'task', key, attempt, unit: 0, from, worker: WORKER });
    for (let unit = from + 1; unit <= units; unit++) {
      await pause(paceMs, undefined, { signal });
      append(EFFECTS, { kind: 'task', key, attempt, unit, worker: WORKER });
      if (unit === 2 && (fails === 'always' || (fails === 'once' && attempt === 1))) throw new Error('It failed.');
      if (unit === half) await ctx.milestone('half', { unit });
      if (unit === late) await ctx.milestone('late', { unit });
      if (silent !== true) ctx.progress({ fraction: unit / units, checkpoint: { done: unit } });
    }
    if (hears === true) for await (const _message of ctx.messages) break;
    return { counted: units, attempt };
  },
});

// A server that is away is what this is about: nobody need be told.
Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
});
// The model is told which worker asks by its name.
const model = createOpenAICompatible({ name: 'local', baseURL: MODEL_URL, includeUsage: true })(WORKER);
const config = defineConfig({
  taskQueue: QUEUE,
  agents: [
    defineAgent({
      name: 'helper',
      instructions: 'Do what the script says.',
      model,
      tools: [tool('charge', false), tool('note', true)],
      canStart: ['helper', 'work'],
    }),
  ],
  tasks: [work],
});
const worker = await createWorker(config, {
  connection: await NativeConnection.connect({ address: ADDRESS }),
  bundle: { code: readFileSync(BUNDLE, 'utf8') },
});
const running = runWorker(worker);
// Whoever started it is gone: nobody would end it any more.
process.once('disconnect', () => process.exit(1));
process.send?.('ready');
await running;
process.exit(0);
