/** What a model is told of the input of what it may start, and what becomes of input that does not fit. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { defineTask, defineTool } from '../../src/define.ts';
import { RunFailed } from '../../src/errors.ts';
import { agentAt } from '../support/app.ts';
import { allEvents, atRest, harness, types, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer, textOf, type Answer } from '../support/model-server.ts';

let h: Harness;
let model: ModelServer;
let answer: Answer = () => 'ok';
const started: unknown[] = [];

const load = defineTask({
  name: 'load',
  description: 'Loads a file.',
  input: z.object({ file: z.string().describe('Name of the file.'), mode: z.enum(['new', 'add']).optional() }),
  run: (input) => {
    started.push(input);
    return { loaded: input.file };
  },
});
const add = defineTool({
  name: 'add',
  description: 'Adds.',
  input: z.object({ a: z.number(), b: z.number() }),
  execute: ({ a, b }) => ({ sum: a + b }),
});

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start((call) => answer(call));
  await h.work({ agents: [agentAt(model.url, { tools: [add], canStart: ['load'] })], tasks: [load] });
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await model.stop();
});

/** What the model reads as the result of the one call it makes. */
async function resultOf(name: string, input: unknown): Promise<{ result: string; types: string[] }> {
  let result = '';
  answer = ({ messages }) => {
    const read = messages.find((message) => message.role === 'tool');
    if (read === undefined) return { tools: [{ name, input }] };
    result = textOf(read);
    return 'done';
  };
  const session = await h.client.startSession(uniqueId('schemas'));
  await session.submitTurn({ input: 'go' });
  await atRest(session);
  const events = await allEvents(session);
  await session.close();
  return { result, types: types(events) };
}

test('case 37: a model reads the schema of the input of what it may start', async () => {
  answer = () => 'ok';
  const session = await h.client.startSession(uniqueId('schemas'));
  await session.submitTurn({ input: 'go' });
  await atRest(session);
  const told = model.calls.at(-1)?.described['start_run'] ?? '';
  const schema = /- load: Loads a file\.\n {2}Its input, as JSON Schema: (\{.*\})$/mu.exec(told)?.[1] ?? '{}';
  expect(JSON.parse(schema)).toMatchObject({
    type: 'object',
    required: ['file'],
    properties: { file: { type: 'string', description: 'Name of the file.' }, mode: { enum: ['new', 'add'] } },
  });
  await session.close();
});

test.each([
  ['start_run', { agent: 'load', input: {} }, 'InvalidInput: Expected input.file to be a text, got nothing.'],
  ['start_run', { agent: 'load' }, 'InvalidInput: Expected input.input to be there, got nothing.'],
  [
    'start_run',
    { agent: 'load', input: 'orders.csv' },
    'InvalidInput: Expected input to be an object, got "orders.csv".',
  ],
  [
    'start_run',
    { agent: 'load', input: { file: 'a.csv', mode: 'all' } },
    'InvalidInput: Expected input.mode to be one of "new", "add", got "all".',
  ],
  ['start_run', { agent: 'nobody', input: {} }, 'InvalidInput: Expected input.agent to be "load", got "nobody".'],
  ['add', { a: 1, b: 'two' }, 'InvalidInput: Expected input.b to be a number, got "two".'],
  ['add', {}, 'InvalidInput: Expected input.a to be a number, got nothing (and 1 more).'],
])('case 37: %s with %j is an error result of one sentence, at once, and no run', async (name, input, sentence) => {
  const { result, types: seen } = await resultOf(name, input);
  expect(result).toBe(sentence);
  expect(seen).not.toContain('run.queued');
});

test('case 37: what fits is started', async () => {
  started.length = 0;
  const { types: seen } = await resultOf('start_run', { agent: 'load', input: { file: 'a.csv', mode: 'add' } });
  expect(seen).toContain('run.settled');
  expect(started).toEqual([{ file: 'a.csv', mode: 'add' }]);
});

test('case 37: input from outside that does not fit fails its run with the same sentence, and is not tried again', async () => {
  const session = await h.client.startSession(uniqueId('schemas'));
  const { runId } = await session.startRun({ agent: 'load', input: { file: 7 }, detached: { notify: 'silent' } });
  const failure = await session
    .run(runId)
    .result()
    .catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(RunFailed);
  expect((failure as RunFailed).error).toEqual({
    type: 'InvalidInput',
    message: 'Expected input.file to be a text, got 7.',
  });
  await session.close();
});

test('case 44: a session that is open is one sentence, or is used; one that has ended is begun anew', async () => {
  const id = uniqueId('schemas');
  const first = await h.client.startSession(id, { title: 'first' });
  await expect(h.client.startSession(id)).rejects.toMatchObject({
    type: 'SessionExists',
    message: `Expected the id of a session that is not open, got "${id}": take another one, or use it with { ifExists: 'use' }.`,
  });
  const { epoch } = await first.getSession();
  const used = await h.client.startSession(id, { title: 'second' }, { ifExists: 'use' });
  expect(await used.getSession()).toMatchObject({ epoch, title: 'first' });
  await used.close();
  await h.client.temporal.workflow.getHandle(id).result();
  const anew = await h.client.startSession(id, { title: 'third' }, { ifExists: 'use' });
  expect(await anew.getSession()).toMatchObject({ title: 'third' });
  await anew.close();
});
