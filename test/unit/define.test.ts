/** What an app defines is checked when its module loads. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NativeConnection } from '@temporalio/worker';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { loadConfig } from '../../src/cli/load-config.ts';
import {
  defineAgent,
  defineConfig,
  defineTask,
  defineTool,
  type AgentDefinition,
  type Config,
  type TaskDefinition,
} from '../../src/define.ts';
import { InvalidInput } from '../../src/errors.ts';
import { parse, sessionInput } from '../../src/schemas/index.ts';
import { createWorker } from '../../src/worker.ts';
import { modelAt } from '../support/harness.ts';

const model = modelAt('http://127.0.0.1:9/v1');
const agent = (more: object = {}): AgentDefinition => defineAgent({ name: 'a', instructions: 'Help.', model, ...more });
const tool = (more: object): unknown =>
  defineTool({ name: 't', description: 'A tool.', input: z.object({}), execute: () => null, ...more });

test.each([
  ['the name of an agent', () => agent({ name: 'not a name' })],
  ['maxAttempts of agent a', () => agent({ maxAttempts: 0 })],
  ['model of agent a to be a language model of the AI SDK or "provider:model"', () => agent({ model: 'gpt-5' })],
  ['model of agent a to be a language model of the AI SDK or "provider:model"', () => agent({ model: 'openai: ' })],
  ['model of agent a to be a language model of the AI SDK or "provider:model"', () => agent({ model: {} })],
  ['the provider in model of agent a to be one of anthropic, openai', () => agent({ model: 'mistral:large' })],
  ['the provider in model of agent a to be one of anthropic, openai', () => agent({ model: 'toString:x' })],
  ['instructions of agent a to be a text or a function', () => agent({ instructions: 7 })],
  ['maxOutputTokens of agent a', () => agent({ maxOutputTokens: 0 })],
  ['temperature of agent a', () => agent({ temperature: -1 })],
  ['temperature of agent a', () => agent({ temperature: Number.NaN })],
  ['repairInterruptedTool of agent a to be a function', () => agent({ repairInterruptedTool: true })],
  ['providerOptions of agent a', () => agent({ providerOptions: { openai: true } })],
  ['limits.maxConcurrentRuns', () => agent({ limits: { maxConcurrentRuns: 5000 } })],
  ['limits.maxSteps', () => agent({ limits: { maxSteps: 'ten' } })],
  ['the name of a task', () => defineTask({ name: '', run: () => null })],
  ['retries of task t', () => defineTask({ name: 't', retries: -1, run: () => null })],
  ['timeoutMs of tool t', () => tool({ timeoutMs: 0 })],
  ['approval of tool t to be true or a function', () => tool({ approval: 'yes' as never })],
  ['idempotencyKey of tool t to be a function', () => tool({ idempotencyKey: 'k' as never })],
  ['tool t to be idempotent: true, as it has retries', () => tool({ retries: 1 })],
  ['detached of tool t to be true or false', () => tool({ detached: 'yes' as never })],
  ['a tool not to be named like one of the runtime', () => tool({ name: 'start_run' })],
  [
    'the names of agents and tasks to differ',
    () => defineConfig({ agents: [agent()], tasks: [defineTask({ name: 'a', run: () => null })] }),
  ],
  [
    'taskQueue of workflow type "Reindex"',
    () => defineConfig({ agents: [agent()], workflows: { Reindex: {} as { taskQueue: string } } }),
  ],
  ['canStart of agent "a"', () => defineConfig({ agents: [agent({ canStart: ['nobody'] })] })],
])('a definition is refused with a sentence about %s', (words, define) => {
  expect(define).toThrow(InvalidInput);
  expect(define).toThrow(`Expected ${words}`);
});

const task = (more: object = {}): TaskDefinition => ({ name: 't', run: () => null, ...more });
const config = (more: object): unknown => defineConfig({ agents: [agent()], ...more });

/** What is wrong with a definition, and the sentence about it. */
const UNUSABLE: [string, () => unknown][] = [
  ['an agent to be an object, got nothing', () => defineAgent(undefined as never)],
  ['the name of an agent to match', () => defineAgent({} as never)],
  ['the name of a task to match', () => defineTask({ name: 5n } as never)],
  ['a task to be an object, got null', () => defineTask(null as never)],
  ['a tool to be an object, got "t"', () => defineTool('t' as never)],
  ['instructions of agent a to be a text or a function, got nothing', () => agent({ instructions: undefined })],
  [
    'model of agent a to be a language model of the AI SDK or "provider:model", got nothing',
    () => agent({ model: undefined }),
  ],
  ['tools of agent a to be a list of tools, or an object with tools by their names, got 5', () => agent({ tools: 5 })],
  ['tools.x of agent a to be a tool of the AI SDK or of defineTool, got {}', () => agent({ tools: { x: {} } })],
  [
    'tools.x of agent a to have execute, as nobody else would call it, got nothing',
    () => agent({ tools: { x: { inputSchema: z.object({}) } } }),
  ],
  ['tools.x of agent a to be named so, got "t"', () => agent({ tools: { x: tool({}) } })],
  ['the names of the tools of agent a to match', () => agent({ tools: { 'a b': { inputSchema: z.object({}) } } })],
  ['the name of a tool to match', () => tool({ name: 'a.b' })],
  ['mcp.x of agent a to be { url, headers? } or { command, args?, env? }, got {}', () => agent({ mcp: { x: {} } })],
  ['mcp.x of agent a to be', () => agent({ mcp: { x: { url: 'nowhere' } } })],
  ['mcp of agent a to be an object, got []', () => agent({ mcp: [] })],
  ['the name of an MCP server to match', () => agent({ mcp: { 'a b': { url: 'http://127.0.0.1/mcp' } } })],
  ['tools[0] of agent a to be a tool, as defineTool answers it, got nothing', () => agent({ tools: [null] })],
  [
    'execute of tool t to be a function, got nothing',
    () => agent({ tools: [{ name: 't', description: 'd', input: z.object({}) }] }),
  ],
  ['the names of the tools of agent a to differ, got "t" twice', () => agent({ tools: [tool({}), tool({})] })],
  ['canStart of agent a to be a list of names, got "count"', () => agent({ canStart: 'count' })],
  [
    'output of agent a to be a schema that speaks Standard Schema, got {"type":"object"}',
    () => agent({ output: { type: 'object' } }),
  ],
  ['the fields of agent a to be among name, description,', () => agent({ tool: [] })],
  ['stallTimeoutMs of agent a to be an integer of at least 1, got nothing', () => agent({ stallTimeoutMs: null })],
  ['run of task t to be a function, got nothing', () => defineTask(task({ run: undefined }))],
  ['description of task t to be a text, got 5', () => defineTask(task({ description: 5 }))],
  [
    'the fields of task t to be among name, description, input, retries, run, got "retry"',
    () => defineTask(task({ retry: 3 })),
  ],
  ['execute of tool t to be a function, got nothing', () => tool({ execute: undefined })],
  ['description of tool t to be a text, got nothing', () => tool({ description: undefined })],
  ['input of tool t to be a schema that speaks Standard Schema, got nothing', () => tool({ input: undefined })],
  ['idempotent of tool t to be true or false, got "yes"', () => tool({ idempotent: 'yes' })],
  ['the fields of tool t to be among', () => tool({ retires: 2 })],
  ['the configuration to be an object, got nothing', () => defineConfig(undefined as never)],
  ['agents to be a list of agents, got nothing', () => defineConfig({} as Config)],
  ['agents to be a list of agents, got "helper"', () => config({ agents: 'helper' })],
  ['agents[0] to be an agent, as defineAgent answers it, got nothing', () => config({ agents: [null] })],
  ['agents to name at least one agent, got none', () => config({ agents: [] })],
  ['the name of an agent to match', () => config({ agents: [{ ...agent(), name: 'bad name!' }] })],
  ['model of agent a to be', () => config({ agents: [{ name: 'a', instructions: '' }] })],
  ['the names of agents and tasks to differ, got "a" twice', () => config({ agents: [agent(), agent()] })],
  ['tasks to be a list of tasks, got {}', () => config({ tasks: {} })],
  ['run of task t to be a function, got nothing', () => config({ tasks: [{ name: 't' }] })],
  [
    'taskQueue of workflow type "foo" to be the name of a task queue, got nothing',
    () => config({ workflows: { foo: undefined } }),
  ],
  ['workflows to be an object, got ["Reindex"]', () => config({ workflows: ['Reindex'] })],
  ['taskQueue to be a name that is not empty, got 5', () => config({ taskQueue: 5 })],
  ['namespace to be a name that is not empty, got ""', () => config({ namespace: '' })],
  ['connection to be an object, got "foo:1"', () => config({ connection: 'foo:1' })],
  ['connection.address to be a name that is not empty, got 5', () => config({ connection: { address: 5 } })],
  ['secrets to be a list of names, got "MY_SECRET"', () => config({ secrets: 'MY_SECRET' })],
  ['secrets[1] to be the name of an environment variable, got 7', () => config({ secrets: ['A', 7] })],
  ['handlers.h to be a function, got 5', () => config({ handlers: { h: 5 } })],
  ['the name of a handler to match', () => config({ handlers: { 'a b': () => undefined } })],
  ['onRunStart to be a function, got 5', () => config({ onRunStart: 5 })],
  ['onRunFinish to be a function, got "x"', () => config({ onRunFinish: 'x' })],
  ['serve to be a list of workflows, models, tools, tasks, got "models"', () => config({ serve: 'models' })],
  ['concurrency to be an object, got 5', () => config({ concurrency: 5 })],
  ['the fields of the configuration to be among connection, namespace, taskQueue,', () => config({ task: [] })],
];

test.each(UNUSABLE)('what is no definition is refused with one sentence: Expected %s', (words, define) => {
  expect(define).toThrow(InvalidInput);
  expect(define).toThrow(`Expected ${words}`);
  expect(define).toThrow(/^[^\n]+\.$/u);
});

test('a configuration that did not come through defineConfig is checked where a worker is made of it', async () => {
  const connection = {} as NativeConnection;
  const refused = async (given: unknown): Promise<unknown> =>
    createWorker(given as Config, { connection }).catch((error: unknown) => (error as Error).message);
  expect(await refused(undefined)).toBe('Expected the configuration to be an object, got nothing.');
  expect(await refused({ agents: [] })).toBe('Expected agents to name at least one agent, got none.');
  expect(await refused({ agents: [{ ...agent(), name: 'bad name!' }] })).toMatch(
    'Expected the name of an agent to match',
  );
  expect(await refused({ agents: [agent(), agent()] })).toMatch('got "a" twice.');
});

test('a file that exports what is no configuration is refused with one sentence that names it', async () => {
  const file = join(await mkdtemp(join(tmpdir(), 'outlive-')), 'my.config.mjs');
  await writeFile(file, `export default { agents: [{ name: 'a', instructions: '' }] };`);
  await expect(loadConfig(file)).rejects.toThrow(
    /^my\.config\.mjs cannot be used \(Expected model of agent a to be a language model .*, got nothing\)\.$/u,
  );
});

describe('what the contract names and this version does not serve is refused, not ignored', () => {
  test.each([
    ['channels', () => config({ channels: {} })],
    ['deployment', () => config({ deployment: { name: 'a', buildId: '1' } })],
    ['telemetry', () => config({ telemetry: {} })],
  ])('%s', (field, define) => {
    expect(define).toThrow(new RegExp(`to have no ${field}, which is not supported yet`, 'u'));
  });

  test('what only sets a limit is kept', () => {
    expect(agent({ contextTokens: 100_000 })).toMatchObject({ contextTokens: 100_000 });
  });

  test('notices of a session', () => {
    expect(parse(sessionInput(), { notices: { channel: 'slack' } })).toMatchObject({
      refused: 'InvalidInput',
      message: expect.stringContaining('notices to be left out'),
    });
    expect(parse(sessionInput(), { notices: null, title: 'one' })).toEqual({ title: 'one' });
  });
});

test.each([
  [{ payloadConverterPath: '/own.js' }, 'Expected dataConverter to have payloadCodecs only, got payloadConverterPath.'],
  ['codec', 'Expected dataConverter to be an object with payloadCodecs, got "codec".'],
  [{ payloadCodecs: {} }, 'Expected payloadCodecs to be codecs, each with encode and decode, got something else.'],
  [{ payloadCodecs: [{ encode: () => [] }] }, 'Expected payloadCodecs to be codecs'],
])('a data converter that is no list of codecs is refused: %j', (dataConverter, sentence) => {
  const define = (): unknown => defineConfig({ agents: [agent()], dataConverter } as never);
  expect(define).toThrow(InvalidInput);
  expect(define).toThrow(sentence);
});

test('a definition is returned frozen, as it was', () => {
  const given = { name: 'a', instructions: 'Help.', model, limits: { maxSteps: 3 } };
  expect(defineAgent(given)).toEqual(given);
  expect(Object.isFrozen(defineAgent(given))).toBe(true);
});

test('what a worker serves and how much of it at once is checked', () => {
  const agents = [agent()];
  expect(() => defineConfig({ agents, serve: [] })).toThrow(
    'Expected serve to name at least one of workflows, models, tools, tasks, got none.',
  );
  expect(() => defineConfig({ agents, serve: ['models', 'model' as 'models'] })).toThrow('got "model".');
  expect(() => defineConfig({ agents, concurrency: { task: 3 } as object })).toThrow('got "task".');
  expect(() => defineConfig({ agents, concurrency: { tasks: 0 } })).toThrow(
    'Expected concurrency.tasks to be an integer of at least 1, got 0.',
  );
  expect(() => defineConfig({ agents, concurrency: { workflows: 1 } })).toThrow('at least 2, got 1.');
  expect(defineConfig({ agents, serve: ['tasks'], concurrency: { tasks: 1 } })).toMatchObject({ serve: ['tasks'] });
});
