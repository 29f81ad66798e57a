/** Tools of MCP servers, of today's protocol over HTTP and last year's over standard streams, both made with the official SDK. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { agentAt } from '../support/app.ts';
import { harness, uniqueId, type Harness } from '../support/harness.ts';
import { McpTestServer } from '../support/mcp-server.ts';
import { ModelServer, callsInText, type ToolUse } from '../support/model-server.ts';

let h: Harness;
let model: ModelServer;
let server: McpTestServer;

const using = (...calls: ToolUse[]): string => JSON.stringify(calls);

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start(callsInText);
  server = await McpTestServer.start();
  await h.work({
    agents: [
      agentAt(model.url, {
        mcp: {
          calc: { url: server.url, headers: { authorization: 'Bearer of ours' } },
          old: {
            command: process.execPath,
            args: [fileURLToPath(new URL('../support/mcp-stdio.ts', import.meta.url))],
            env: { GREETING: 'how are you?' },
          },
          gone: { url: 'http://127.0.0.1:1/mcp' },
        },
      }),
    ],
  });
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await model.stop();
  await server.stop();
});

test('the tools of MCP servers are told with their schemas as they are, and called: output, errors, and one that does not answer is left out', async () => {
  const session = await h.client.startSession(uniqueId());
  const turn = await session.runTurn(
    using(
      { name: 'calc_add', input: { a: 1, b: 2 } },
      { name: 'calc_delete_all', input: {} },
      { name: 'old_greet', input: { name: 'Anna' } },
      { name: 'calc_add', input: { a: 1 } },
      { name: 'gone_any', input: {} },
    ),
  );
  expect(turn.messages[1]?.parts).toMatchObject([
    { output: { sum: 3 } },
    { state: 'output-error', errorText: 'Not you.' },
    { output: 'Hello Anna, how are you?' },
    { state: 'output-error', errorText: expect.stringContaining('b') },
    { state: 'output-error', errorText: expect.stringMatching(/^UnknownTool: /u) },
  ]);
  // Calls of one step are made at the same time.
  expect(server.calls).toHaveLength(2);
  expect(server.calls).toEqual(
    expect.arrayContaining([
      { name: 'add', input: { a: 1, b: 2 } },
      { name: 'delete.all', input: {} },
    ]),
  );
  expect(new Set(server.authorized)).toEqual(new Set(['Bearer of ours']));
  const [call] = model.calls;
  expect(call?.tools).toEqual(expect.arrayContaining(['calc_add', 'calc_delete_all', 'old_greet']));
  expect(JSON.stringify(call?.body['tools'])).toContain('"a":{"type":"number"}');
  await session.close();
});

test('a call while its server is away is an error result, and the session goes on; a later one finds it', async () => {
  const session = await h.client.startSession(uniqueId());
  await session.runTurn('hello');
  await server.stop();
  const away = await session.runTurn(using({ name: 'calc_add', input: { a: 1, b: 1 } }));
  expect(away.messages[1]?.parts[0]?.['errorText']).toMatch(/^Expected the MCP server "calc" to answer, got ".+"\.$/u);
  expect(away.status).toBe('completed');
  await server.listen();
  const back = await session.runTurn(using({ name: 'calc_add', input: { a: 1, b: 1 } }));
  expect(back.messages[1]?.parts[0]).toMatchObject({ output: { sum: 2 } });
  await session.close();
});
