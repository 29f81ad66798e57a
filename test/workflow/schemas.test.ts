/** What a model is told of the input of what it may start, and what becomes of input that does not fit. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { defineTask, defineTool } from '../../src/define.ts';
import type { SessionHandle } from '../../src/client/index.ts';
import { InvalidInput } from '../../src/errors.ts';
import { agentAt, gated } from '../support/app.ts';
import { allEvents, atRest, eventually, harness, types, uniqueId, type Harness } from '../support/harness.ts';
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
const trim = defineTask({
  name: 'trim',
  input: z.object({ file: z.string().trim(), mode: z.enum(['new', 'add']).default('new') }),
  run: (input) => input,
});
const held = gated('held');
const add = defineTool({
  name: 'add',
  description: 'Adds.',
  input: z.object({ a: z.number(), b: z.number() }),
  execute: ({ a, b }) => ({ sum: a + b }),
});

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start((call) => answer(call));
  await h.work({ agents: [agentAt(model.url, { tools: [add], canStart: ['load'] })], tasks: [load, trim, held.task] });
});

afterAll(async () => {
  held.gate.open();
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

const silent = { notify: 'silent' as const };
const NO_FILE = 'Expected input.file to be a text, got 7.';

/** How often workers were asked whether input fits, and for how many runs. */
async function checksOf(session: SessionHandle): Promise<number[]> {
  const { events } = await h.temporal.workflow.getHandle(session.sessionId).fetchHistory();
  return (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: scheduled }) => {
    if (scheduled?.activityType?.name !== 'checkInputs') return [];
    const text = Buffer.from(scheduled.input?.payloads?.[0]?.data ?? []).toString();
    return [(JSON.parse(text) as { runs: unknown[] }).runs.length];
  });
}

async function refusalOf(update: Promise<unknown>): Promise<{ type: string; message: string }> {
  const refused: unknown = await update.catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(InvalidInput);
  return refused as InvalidInput;
}

test('case 37: startRun and startRuns as updates refuse input that does not fit in one sentence, and change nothing', async () => {
  const session = await h.client.startSession(uniqueId('schemas'));
  const before = await session.getSession();
  const bad = { agent: 'load', input: { file: 7 }, runId: 'x', detached: silent };
  expect((await refusalOf(session.startRun(bad))).message).toBe(NO_FILE);
  const runs = [{ ...bad, runId: 'y', input: { file: 'a' } }, bad, { ...bad, runId: 'z' }];
  expect((await refusalOf(session.startRuns({ runs }))).message).toBe(
    'Expected runs[1].input.file to be a text, got 7.',
  );
  const after = await session.getSession();
  expect({ ...after, now: '' }).toEqual({ ...before, now: '' });
  expect(await session.listRuns()).toEqual({ runs: [], hasMore: false });
  // Its id is not used up.
  expect(await session.startRun({ ...bad, input: { file: 'a' } })).toMatchObject({ runId: 'x', deduplicated: false });
  expect(await session.run('x').result()).toEqual({ loaded: 'a' });
  await session.close();
});

test('case 37: as signals such runs fail at once with that sentence, also behind a full house, and are not started', async () => {
  const session = await h.client.startSession(uniqueId('schemas'), { limits: { maxConcurrentRuns: 1 } });
  await session.startRun({ agent: 'held', input: 1, detached: silent });
  const handle = h.temporal.workflow.getHandle(session.sessionId);
  const bad = { agent: 'load', input: { file: 7 }, detached: silent };
  await handle.signal('startRun', { ...bad, runId: 'x' });
  await handle.signal('startRuns', {
    runs: [
      { ...bad, runId: 'y', input: { file: 'a' } },
      { ...bad, runId: 'z' },
    ],
  });
  const failed = { status: 'failed', reason: 'start_failed', error: { type: 'InvalidInput', message: NO_FILE } };
  for (const runId of ['x', 'z']) await expect(session.run(runId).result()).rejects.toMatchObject(failed);
  expect(await session.getRun({ runId: 'y' })).toMatchObject({ status: 'queued' });
  const events = await allEvents(session);
  for (const runId of ['x', 'z'])
    expect(types(events.filter((event) => event['runId'] === runId))).toEqual(['run.queued', 'run.settled']);
  expect(types(events)).not.toContain('input.refused');
  held.gate.open();
  expect(await session.run('y').result()).toEqual({ loaded: 'a' });
  await session.close();
});

test('case 37: one question for all that waits; none for what is known already or has no schema', async () => {
  await using own = await harness();
  const sent = await own.begin();
  const handle = h.temporal.workflow.getHandle(sent.sessionId);
  const good = { agent: 'load', input: { file: 'a' }, detached: silent };
  for (let i = 0; i < 20; i++) await handle.signal('startRun', { ...good, runId: `s-${i}` });
  await handle.signal('startRun', { agent: 'trim', input: { file: 7 }, runId: 'bad', detached: silent });
  await own.work({ agents: [agentAt(model.url)], tasks: [load, trim] });
  await eventually('all ends', async () => (await sent.getSession()).runs.completed === 20);
  await expect(sent.run('bad').result()).rejects.toMatchObject({ reason: 'start_failed' });
  // The first is alone until its name is known; then all those whose names are known by then are asked about together.
  expect(await checksOf(sent)).toEqual([20, 1]);
  await sent.close();

  const session = await h.client.startSession(uniqueId('schemas'));
  await session.startRuns({ runs: Array.from({ length: 200 }, (_, i) => ({ ...good, runId: `r-${i}` })) });
  expect(await session.startRun({ ...good, runId: 'r-7' })).toMatchObject({ deduplicated: true });
  await expect(session.startRun({ ...good, runId: 'r-7', input: { file: 7 } })).rejects.toMatchObject({
    type: 'IdempotencyConflict',
  });
  await session.startRun({ agent: 'held', input: { file: 7 }, detached: silent });
  await session.startRun({ agent: 'helper', input: '', detached: silent });
  expect(await checksOf(session)).toEqual([200]);
  await session.close({ runs: 'cancel' });
});

test('case 37: a message that waits for a check holds its place before those that came after it', async () => {
  const session = await h.client.startSession(uniqueId('schemas'));
  const handle = h.temporal.workflow.getHandle(session.sessionId);
  for (let i = 0; i < 5; i++) {
    const runId = `of-${i}`;
    await handle.signal('startRun', { agent: 'load', input: { file: 'a' }, runId, detached: silent });
    expect(await session.cancelRun({ runId })).toMatchObject({ runId });
  }
  await session.close();
});

test('case 37: what a schema makes of input is made for the task, and only checked before', async () => {
  started.length = 0;
  const session = await h.client.startSession(uniqueId('schemas'));
  const { runId } = await session.startRun({ agent: 'trim', input: { file: ' a.csv ' }, detached: silent });
  expect(await session.run(runId).result()).toEqual({ file: 'a.csv', mode: 'new' });
  await session.close();
});

test('case 37 V-03 the worker of the model knows nothing of the task: what does not fit is an error result all the same', async () => {
  await using of = await harness();
  await using other = await harness(of.taskQueue);
  let result = '';
  const answers: Answer = ({ messages }) => {
    const read = messages.find((message) => message.role === 'tool');
    if (read === undefined) return { tools: [{ name: 'start_run', input: { agent: 'load', input: { file: 7 } } }] };
    result = textOf(read);
    return 'done';
  };
  const own = await ModelServer.start(answers);
  await of.work({ agents: [agentAt(own.url, { canStart: ['load'] })] }, {});
  await other.work({ agents: [agentAt(own.url, { name: 'other' })], tasks: [load] });
  const session = await of.client.startSession(uniqueId('schemas'), { agent: 'helper' });
  await session.submitTurn({ input: 'go' });
  await atRest(session);
  expect(result).toBe(`InvalidInput: ${NO_FILE}`);
  expect(types(await allEvents(session))).not.toContain('run.queued');
  // And of the worker that takes the message the same is true.
  await h.temporal.workflow
    .getHandle(session.sessionId)
    .signal('startRun', { agent: 'load', input: { file: 7 }, runId: 'x', detached: silent });
  // The workers hand the question on until the one that knows the task has it.
  await eventually('the run', async () => session.getRun({ runId: 'x' }));
  await expect(session.run('x').result()).rejects.toMatchObject({ error: { type: 'InvalidInput', message: NO_FILE } });
  await session.close();
  await own.stop();
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
