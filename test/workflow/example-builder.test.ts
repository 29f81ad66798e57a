/** Import and build with the packages of real providers: a server that speaks their protocols and is as strict plays the demo's script. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LanguageModelV4Prompt } from '@ai-sdk/provider';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBuilder } from '../../examples/import-and-build/agent.ts';
import { reply } from '../../examples/import-and-build/demo/script.ts';
import { generateOrders } from '../../examples/import-and-build/generate-orders.ts';
import { defineConfig } from '../../src/define.ts';
import { allEvents, eventually, harness, uniqueId } from '../support/harness.ts';
import { ModelServer, textOf, type ModelCall, type Reply } from '../support/model-server.ts';
import { strictly } from '../support/strict.ts';

const MODELS = {
  ANTHROPIC: 'anthropic:claude-sonnet-4-5',
  OPENAI: 'openai:gpt-5-mini',
  OPENAI_COMPATIBLE: 'openai-compatible:llama3.2:3b',
};

let model: ModelServer;
let outDir: string;

/** What has come by a provider's protocol, as the script reads it. */
function promptOf({ messages }: ModelCall): LanguageModelV4Prompt {
  return messages.map((message) => {
    const text = textOf(message);
    switch (message.role) {
      case 'system':
        return { role: 'system', content: text };
      case 'tool': {
        const output = { type: 'text' as const, value: text };
        const toolCallId = message.tool_call_id ?? '';
        return { role: 'tool', content: [{ type: 'tool-result', toolCallId, toolName: '', output }] };
      }
      case 'assistant': {
        const calls = (message.tool_calls ?? []).map(({ id, function: { name, arguments: input } }) => ({
          type: 'tool-call' as const,
          toolCallId: id,
          toolName: name,
          input: JSON.parse(input) as unknown,
        }));
        return { role: 'assistant', content: [{ type: 'text', text }, ...calls] };
      }
      default:
        return { role: 'user', content: [{ type: 'text', text }] };
    }
  });
}

function answer(call: ModelCall): Reply {
  const { text, call: use } = reply(promptOf(call));
  return use === undefined ? { text } : { text, tools: [use] };
}

beforeAll(async () => {
  model = await ModelServer.start(strictly(answer));
  outDir = await mkdtemp(join(tmpdir(), 'outlive-builder-'));
  for (const provider of Object.keys(MODELS)) {
    process.env[`${provider}_BASE_URL`] = model.url;
    process.env[`${provider}_API_KEY`] = 'sk-a-key-of-some-length';
  }
});

afterAll(async () => {
  await model.stop();
  await rm(outDir, { recursive: true, force: true });
});

test.each(Object.values(MODELS))('the dashboard is built with %s, the file loaded meanwhile', async (named) => {
  await using h = await harness();
  const truth = await generateOrders(join(outDir, 'orders.csv'), { rows: 2000, seed: 7 });
  await h.work(defineConfig(createBuilder({ outDir, filesDir: outDir, model: named })));
  const session = await h.client.startSession(uniqueId());
  await session.submitTurn({ input: 'Load orders.csv and build me a dashboard.' });
  await eventually('the finished dashboard', async () => {
    const { status, queue, runs } = await session.getSession();
    return status === 'idle' && queue.length === 0 && runs.completed === 1;
  });
  const events = await allEvents(session);
  expect(events.filter(({ type }) => type === 'run.delivered')).toHaveLength(1);
  expect(events.filter(({ type }) => type === 'turn.completed')).toHaveLength(2);
  const page = await readFile(join(outDir, session.sessionId, 'dashboard.html'), 'utf8');
  expect(page).toContain(truth.rows.toLocaleString('en'));
  await session.close();
});
