/** Tools of the AI SDK, taken as they are: by `tool()`, `dynamicTool()`, a schema in JSON, and those that a provider runs itself. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createOpenAI } from '@ai-sdk/openai';
import { dynamicTool, jsonSchema, tool } from 'ai';
import { z } from 'zod';
import { agentAt } from '../support/app.ts';
import { atRest, eventually, harness, text, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer, callsInText, type ToolUse } from '../support/model-server.ts';

let h: Harness;
let model: ModelServer;
const called: unknown[] = [];

const tools = {
  add: tool({
    description: 'Adds.',
    inputSchema: z.object({ a: z.number(), b: z.string().transform(Number) }),
    outputSchema: z.object({ sum: z.number() }),
    execute: ({ a, b }, { toolCallId, abortSignal }) => {
      called.push({ a, b, toolCallId, aborted: abortSignal?.aborted });
      return { sum: a + b };
    },
  }),
  weigh: tool({
    description: 'Weighs.',
    inputSchema: jsonSchema<{ what: string }>(
      { type: 'object', properties: { what: { type: 'string' } }, required: ['what'] },
      {
        validate: (value) =>
          typeof (value as { what?: unknown }).what === 'string'
            ? { success: true, value: value as { what: string } }
            : { success: false, error: new Error('what has to be a text') },
      },
    ),
    async *execute({ what }) {
      yield `weighing ${what}`;
      yield await Promise.resolve(`${what}: 3 kg`);
    },
  }),
  guess: dynamicTool({
    description: 'Guesses.',
    inputSchema: z.object({}),
    execute: () => {
      throw new Error('no idea');
    },
  }),
  burn: tool({
    description: 'Burns.',
    inputSchema: z.object({ what: z.string() }),
    needsApproval: ({ what }) => what !== 'paper',
    execute: ({ what }) => `${what} is gone`,
  }),
};

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start(callsInText);
  const openai = createOpenAI({ baseURL: model.url, apiKey: 'none' });
  await h.work({
    agents: [
      agentAt(model.url, { tools }),
      agentAt(model.url, {
        name: 'searcher',
        model: openai('gpt-test'),
        tools: { web_search: openai.tools.webSearch({ searchContextSize: 'low' }) },
      }),
    ],
  });
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await model.stop();
});

const using = (...calls: ToolUse[]): string => JSON.stringify(calls);

test('tools of the AI SDK are told to the model and called as they are: the input as the schema makes it, once, and the last of what comes bit by bit', async () => {
  const session = await h.client.startSession(uniqueId());
  const turn = await session.runTurn(
    using(
      { name: 'add', input: { a: 1, b: '2' } },
      { name: 'weigh', input: { what: 'a stone' } },
      { name: 'guess', input: {} },
      { name: 'weigh', input: { what: 5 } },
    ),
  );
  expect(turn.messages[1]?.parts).toMatchObject([
    { output: { sum: 3 } },
    { output: 'a stone: 3 kg' },
    { state: 'output-error', errorText: 'no idea' },
    { state: 'output-error', errorText: expect.stringMatching(/^InvalidInput: .*what has to be a text/u) },
  ]);
  const toolCallId = turn.messages[1]?.parts[0]?.['toolCallId'];
  expect(called).toEqual([{ a: 1, b: 2, toolCallId, aborted: false }]);
  const { described } = model.calls[0] ?? {};
  expect(described?.['add']).toContain('Adds.');
  expect(JSON.stringify(model.calls[0]?.body)).toContain('"what":{"type":"string"}');
  await session.close();
});

test('needsApproval of a tool of the AI SDK asks a person, as approval does', async () => {
  const session = await h.client.startSession(uniqueId());
  await session.submitTurn({
    input: using({ name: 'burn', input: { what: 'paper' } }, { name: 'burn', input: { what: 'money' } }),
  });
  const [request] = await eventually('the request', async () => {
    const { requests } = await session.getSession();
    return requests.length > 0 && requests;
  });
  expect(request).toMatchObject({ kind: 'approval', toolName: 'burn', input: { what: 'money' } });
  await session.answer({ requestId: request?.requestId ?? '', decision: 'reject' });
  await atRest(session);
  const { messages } = await session.getTranscript();
  expect(messages.map(text).at(-1)).toMatch(/ApprovalRejected/u);
  await session.close();
});

test('a tool that the provider runs itself is told to it in its own words', async () => {
  const session = await h.client.startSession(uniqueId(), { agent: 'searcher' });
  await session.runTurn('hello');
  expect(JSON.stringify(model.calls.at(-1)?.body['tools'])).toContain('"type":"web_search"');
  await session.close();
});
