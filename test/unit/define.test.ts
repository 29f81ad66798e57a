/** What an app defines is checked when its module loads. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineAgent, defineConfig, defineTask, defineTool, type AgentDefinition } from '../../src/define.ts';
import { InvalidInput } from '../../src/errors.ts';
import { parse, sessionInput } from '../../src/schemas/index.ts';
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

describe('what the contract names and this version does not serve is refused, not ignored', () => {
  test.each([['channels', () => defineConfig({ agents: [agent()], channels: {} } as never)]])('%s', (field, define) => {
    expect(define).toThrow(new RegExp(`to have no ${field}, which is not supported yet`, 'u'));
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
