/** Turns: one at a time, in order, made of durable steps. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApplicationFailure } from '@temporalio/common';
import { z } from 'zod';
import type { EventItem } from '../../src/client/index.ts';
import { defineTool } from '../../src/define.ts';
import { agentAt, echo } from '../support/app.ts';
import {
  allEvents,
  atRest,
  byText,
  eventually,
  harness,
  text,
  types,
  uniqueId,
  type Harness,
} from '../support/harness.ts';
import { last, ModelServer, textOf, type Answer, type ChatMessage } from '../support/model-server.ts';

let h: Harness;
let model: ModelServer;
let answer: Answer = () => 'ok';
const added: number[] = [];
const add = defineTool({
  name: 'add',
  description: 'Adds.',
  input: z.object({ a: z.number(), b: z.number() }),
  execute: ({ a, b }) => {
    if (a < 0) throw new Error('negative');
    added.push(a + b);
    return { sum: a + b };
  },
});

let slept = 0;
const sleeps = defineTool({
  name: 'sleeps',
  description: 'Takes too long.',
  input: z.object({}),
  timeoutMs: 1000,
  execute: async (_input, { signal }) => {
    slept += 1;
    await new Promise((resolve) => {
      signal.addEventListener('abort', resolve);
    });
    return 'never';
  },
});

const called: string[] = [];
/** Tools that may be tried again, and do what no further attempt would change. */
const hopeless = Object.entries<() => unknown>({
  refuses: () => {
    throw ApplicationFailure.nonRetryable('There is no such account.');
  },
  bloats: () => 'x'.repeat(300_000),
  misfits: () => 1,
}).map(([name, execute]) =>
  defineTool({
    name,
    description: 'Never succeeds.',
    input: z.object({}),
    output: z.string(),
    idempotent: true,
    retries: 2,
    execute: (): string => {
      called.push(name);
      return execute() as string;
    },
  }),
);

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start((call) => answer(call));
  await h.work({
    agents: [agentAt(model.url, { tools: [add, sleeps, ...hopeless], canStart: ['echo', 'helper'], maxAttempts: 3 })],
    tasks: [echo],
  });
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await model.stop();
});

test('T-01 ten inputs submitted at once run one at a time in the order of acceptance', async () => {
  answer = (call) => `re: ${last(call).text}`;
  const session = await h.client.startSession(uniqueId());
  const receipts = await Promise.all(
    Array.from({ length: 10 }, async (_, i) => session.submitTurn({ input: `input ${i}` })),
  );
  await atRest(session);
  const events = await allEvents(session);
  const order = events.filter((event) => event.type === 'turn.queued').map((event) => event.turnId);
  expect(order.toSorted(byText)).toEqual(receipts.map((one) => one.turnId).toSorted(byText));
  const lane = events
    .filter((event) => event.type === 'turn.started' || event.type === 'turn.completed')
    .map((event) => `${event.type} ${event.turnId}`);
  expect(lane).toEqual(order.flatMap((turnId) => [`turn.started ${turnId}`, `turn.completed ${turnId}`]));
  await session.close();
});

test.each(['call_0', ''])(
  'case 1 case 2 D-31 a provider that gives every call the id %j: each has its own run and its own result, also in the next prompt',
  async (id) => {
    const asked: { messages: ChatMessage[] }[] = [];
    answer = (call) => {
      asked.push(call);
      if (last(call).role !== 'user' || !last(call).text.includes('add')) return 'done';
      const tools = [
        { id, name: 'add', input: { a: 1, b: 1 } },
        { id, name: 'start_run', input: { agent: 'echo', input: 'same' } },
        { id, name: 'add', input: { a: 10, b: 10 } },
        { id, name: 'start_run', input: { agent: 'echo', input: 'same' } },
      ];
      return { tools };
    };
    const session = await h.client.startSession(uniqueId());
    await session.submitTurn({ input: 'add and start' });
    await atRest(session);
    const { runs } = await session.listRuns({});
    expect(runs.map(({ status }) => status)).toEqual(['completed', 'completed']);
    // The next prompt, as the provider gets it: every call has its id, and its result under that id.
    const messages = asked[1]?.messages ?? [];
    const calls = messages.flatMap((message) => message.tool_calls ?? []);
    const results = new Map(
      messages.filter(({ role }) => role === 'tool').map((message) => [message.tool_call_id, textOf(message)]),
    );
    expect(new Set(calls.map((call) => call.id)).size).toBe(4);
    expect(calls.map((call) => results.get(call.id) ?? '')).toEqual([
      expect.stringContaining('"sum":2'),
      expect.stringContaining(runs[0]?.runId ?? '?'),
      expect.stringContaining('"sum":20'),
      expect.stringContaining(runs[1]?.runId ?? '?'),
    ]);
    await session.close();
  },
);

test('a provider that counts tokens in fractions, or says what cannot be, is counted all the same, in the turn, the run and the session', async () => {
  answer = (call) =>
    last(call).text.includes('count')
      ? { text: 'counted', usage: { prompt_tokens: 10.6, completion_tokens: -3, total_tokens: 7.4 } }
      : 'ok';
  const session = await h.client.startSession(uniqueId());
  await session.submitTurn({ input: 'count me' });
  await session.startRun({ agent: 'helper', input: 'count me too', detached: { notify: 'silent' } });
  await eventually('the run', async () => (await session.getSession()).runs.completed === 1);
  await atRest(session);
  expect((await session.getSession()).usage).toEqual({
    inputTokens: 22,
    outputTokens: 0,
    totalTokens: 16,
    modelCalls: 2,
  });
  expect(types(await allEvents(session))).not.toContain('input.refused');
  await session.close();
});

test('a line that a run adds before a step is tried again comes before the message that is answered', async () => {
  let calls = 0;
  let roles: string[] = [];
  answer = (call) => {
    roles = call.messages.map((message) => message.role);
    return ++calls === 1 ? { status: 503, headers: { 'retry-after': '6' } } : 'ok';
  };
  const session = await h.client.startSession(uniqueId());
  await session.submitTurn({ input: 'go' });
  await eventually('the pause before the retry', async () => (await session.getSession()).turn?.recovering === true);
  await session.startRun({ agent: 'echo', input: 1, detached: { notify: 'narrate' } });
  await atRest(session);
  expect(calls).toBe(2);
  // No provider takes a prompt that begins with the assistant's words.
  expect(roles).toEqual(['system', 'user', 'assistant', 'user']);
  expect((await session.getTranscript({})).messages.map((message) => message.role)).toEqual([
    'user',
    'assistant',
    'assistant',
  ]);
  await session.close();
});

test('a session at rest has no timer left, however many clocks its turns and runs had', async () => {
  answer = () => 'ok';
  const session = await h.client.startSession(uniqueId());
  await session.submitTurn({ input: 'go' });
  await session.startRun({ agent: 'echo', input: 1 });
  await eventually('the run', async () => (await session.getSession()).runs.completed === 1);
  await atRest(session);
  const { events } = await h.temporal.workflow.getHandle(session.sessionId).fetchHistory();
  const started = (events ?? []).filter((event) => event.timerStartedEventAttributes);
  expect(started).not.toEqual([]);
  const over = (events ?? []).map(
    (event) => event.timerFiredEventAttributes?.timerId ?? event.timerCanceledEventAttributes?.timerId,
  );
  expect(
    started.map((event) => event.timerStartedEventAttributes?.timerId).filter((timerId) => !over.includes(timerId)),
  ).toEqual([]);
  await session.close();
});

test('a step is the model call and its tool calls: their results are read in the next one', async () => {
  answer = (call) =>
    last(call).role === 'user'
      ? {
          text: 'Adding. ',
          tools: [
            { name: 'add', input: { a: 1, b: 2 } },
            { name: 'add', input: { a: -1, b: 2 } },
            { name: 'nothing', input: {} },
          ],
        }
      : `read ${call.messages.filter((message) => message.role === 'tool').length} results`;
  const session = await h.client.startSession(uniqueId());
  const { turnId } = await session.submitTurn({ input: 'add' });
  await atRest(session);
  const turn = await session.getTurn({ turnId });
  expect(turn).toMatchObject({
    status: 'completed',
    steps: 2,
    usage: { modelCalls: 2, inputTokens: 20, outputTokens: 10, totalTokens: 30 },
  });
  const [, step, end] = turn?.messages ?? [];
  expect(step?.parts).toMatchObject([
    { type: 'text', text: 'Adding. ' },
    { type: 'tool-add', state: 'output-available', input: { a: 1, b: 2 }, output: { sum: 3 } },
    { type: 'tool-add', state: 'output-error', errorText: 'negative' },
    { type: 'tool-nothing', state: 'output-error' },
  ]);
  expect(text(end)).toBe('read 3 results');
  await session.close();
});

test('T-04 cancelling the running turn aborts its model call and keeps what was finished; a queued one appends nothing', async () => {
  answer = (call) =>
    last(call).role === 'user' ? { tools: [{ name: 'add', input: { a: 20, b: 2 } }] } : { hang: true };
  const session = await h.client.startSession(uniqueId());
  const running = await session.submitTurn({ input: 'first' });
  const queued = await session.submitTurn({ input: 'second' });
  expect(queued).toMatchObject({ status: 'queued', position: 1 });
  await eventually('the second step', async () => (await session.getSession()).turn?.step === 2);
  expect(await session.cancelTurn({ turnId: queued.turnId })).toEqual({ turnId: queued.turnId, status: 'cancelled' });
  expect(await session.cancelTurn({ reason: 'changed my mind' })).toEqual({
    turnId: running.turnId,
    status: 'cancelled',
  });
  await expect(session.cancelTurn()).rejects.toMatchObject({ type: 'UnknownTurn' });
  const { messages } = await session.getTranscript();
  expect(messages.map((message) => message.role)).toEqual(['user', 'assistant']);
  expect(await session.getTurn({ turnId: running.turnId })).toMatchObject({
    status: 'cancelled',
    reason: 'cancelled_by_user',
    comment: 'changed my mind',
    steps: 1,
  });
  await session.close();
});

test('T-16 a refusal of the provider fails the turn at once, an overload is tried again, and the session takes the next turn', async () => {
  answer = () => ({ status: 400, body: '{"error":{"message":"the request is bad"}}' });
  const session = await h.client.startSession(uniqueId());
  const bad = await session.submitTurn({ input: 'bad' });
  await atRest(session);
  expect(await session.getTurn({ turnId: bad.turnId })).toMatchObject({
    status: 'failed',
    error: { message: expect.stringContaining('the request is bad') },
  });
  let tries = 0;
  answer = () => (++tries < 3 ? { status: 503, headers: { 'retry-after': '1' } } : 'there');
  const again = await session.submitTurn({ input: 'again' });
  await eventually('recovering to be visible', async () => (await session.getSession()).turn?.recovering === true);
  await atRest(session);
  expect(await session.getTurn({ turnId: again.turnId })).toMatchObject({ status: 'completed' });
  expect(tries).toBe(3);
  await session.close();
});

test('T-08 a model that says nothing is aborted and tried again, and after the last attempt the turn fails as ModelStalled', async () => {
  answer = () => ({ hang: true });
  await using own = await harness();
  await own.work({ agents: [agentAt(model.url, { stallTimeoutMs: 300, maxAttempts: 2 })] });
  const session = await own.client.startSession(uniqueId());
  const before = model.calls.length;
  const { turnId } = await session.submitTurn({ input: 'hello?' });
  await atRest(session);
  expect(await session.getTurn({ turnId })).toMatchObject({ status: 'failed', error: { type: 'ModelStalled' } });
  expect(model.calls.length - before).toBe(2);
  answer = () => 'back';
  const next = await session.submitTurn({ input: 'and now?' });
  await atRest(session);
  expect(await session.getTurn({ turnId: next.turnId })).toMatchObject({ status: 'completed' });
});

test('D-19 an agent run starts runs of its own: three levels settle bottom-up, and every parent hears once', async () => {
  answer = (call) => {
    const { role, text: said } = last(call);
    const level = /level (\d)/u.exec(call.messages.map((message) => JSON.stringify(message.content)).join(' '))?.[1];
    if (role === 'user' && !said.includes('<background-run') && level !== '3') {
      const next = level === undefined ? 1 : Number(level) + 1;
      return {
        tools: [
          {
            name: 'start_run',
            input: { agent: next === 3 ? 'echo' : 'helper', input: `level ${next}`, label: `level ${next}` },
          },
        ],
      };
    }
    return said.includes('<background-run') ? `heard ${/"result":"([^"]*)"/u.exec(said)?.[1] ?? said}` : 'waiting';
  };
  const session = await h.client.startSession(uniqueId());
  await session.submitTurn({ input: 'go' });
  await eventually('the last delivery', async () => (await session.getSession()).runs.completed === 1);
  await atRest(session);
  const [top] = (await session.listRuns()).runs;
  expect(top).toMatchObject({ status: 'completed', kind: 'agent', depth: 1 });
  expect(await session.run(top?.runId ?? '').result()).toBe('heard heard level 3');
  const items: EventItem[] = [];
  for await (const item of session.events({ includeRuns: true })) items.push(item);
  const delivered = items.filter((item) => item.type === 'run.delivered');
  expect(delivered.map((item) => item.workflowId.split('/').length)).toEqual([3, 2, 1]);
  expect((await session.getSession()).usage.modelCalls).toBe(
    items.filter((item) => item.type === 'message.added' && (item['message'] as { role: string }).role === 'assistant')
      .length,
  );
  expect(types(items).at(-1)).toBe('turn.completed');
  await session.close();
});

test('a tool that takes longer than its timeoutMs is tried as often as its retries say, and the model reads that it took too long', async () => {
  answer = (call) =>
    last(call).role === 'user' ? { tools: [{ name: 'sleeps', input: {} }] } : `read: ${last(call).text}`;
  const session = await h.client.startSession(uniqueId());
  const { turnId } = await session.submitTurn({ input: 'go' });
  await atRest(session);
  const turn = await session.getTurn({ turnId });
  expect(turn).toMatchObject({ status: 'completed', steps: 2 });
  expect(turn?.messages.flatMap((message) => message.parts).find((part) => part.type === 'tool-sleeps')).toMatchObject({
    state: 'output-error',
    errorText: expect.stringContaining('timeoutMs'),
  });
  expect(slept).toBe(1);
});

test.each([
  ['refuses', 'There is no such account.'],
  ['bloats', 'Expected the output of tool bloats to be at most'],
  ['misfits', 'Expected output to be a text'],
])('a tool that %s for good is not called again, whatever its retries say', async (name, words) => {
  answer = (call) => (last(call).role === 'user' ? { tools: [{ name, input: {} }] } : 'noted');
  const session = await h.client.startSession(uniqueId());
  const { turnId } = await session.submitTurn({ input: 'go' });
  await atRest(session);
  const parts = (await session.getTurn({ turnId }))?.messages.flatMap((message) => message.parts);
  expect(parts?.find((part) => part.type === `tool-${name}`)).toMatchObject({
    state: 'output-error',
    errorText: expect.stringContaining(words),
  });
  expect(called.filter((one) => one === name)).toHaveLength(1);
});

test('getSession answers when it was asked, also of a session that has rested since', async () => {
  const session = await h.client.startSession(uniqueId());
  await session.submitTurn({ input: 'hello' });
  await atRest(session);
  const before = new Date().toISOString();
  const { now } = await session.getSession();
  // One clock, three readings.
  expect([before, now, new Date().toISOString()].toSorted()).toEqual([before, now, expect.any(String)]);
});
