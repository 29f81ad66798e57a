/** What models answer that no provider would take back, or that is no whole answer, with a model server that is as strict as any. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { defineTool, type AgentDefinition } from '../../src/define.ts';
import { agentAt, echo } from '../support/app.ts';
import { allEvents, atRest, harness, say, text, uniqueId, type Harness } from '../support/harness.ts';
import { last, ModelServer, type Answer } from '../support/model-server.ts';
import { strictly } from '../support/strict.ts';

let h: Harness;
let model: ModelServer;
let answer: Answer = () => 'ok';
const looked: unknown[] = [];
const look = defineTool({
  name: 'look',
  description: 'Looks.',
  input: z.object({ at: z.string() }),
  execute: ({ at }) => {
    looked.push(at);
    return '';
  },
});

/** A model object that breaks off: without an end, or with an error as its end. */
function endless(finishes: boolean): AgentDefinition['model'] {
  const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } };
  const stream = [
    { type: 'stream-start', warnings: [] },
    { type: 'text-start', id: '1' },
    { type: 'text-delta', id: '1', delta: 'half a' },
    { type: 'text-end', id: '1' },
    ...(finishes ? [{ type: 'finish', finishReason: { unified: 'error', raw: 'oops' }, usage }] : []),
  ];
  return {
    specificationVersion: 'v4',
    provider: 'test',
    modelId: 'endless',
    supportedUrls: {},
    doGenerate: async () => Promise.reject(new Error('Expected to be streamed.')),
    doStream: async () => Promise.resolve({ stream: ReadableStream.from(stream) as never }),
  };
}

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start(strictly((call) => answer(call)));
  await h.work({
    agents: [
      agentAt(model.url, { tools: [look], canStart: ['echo', 'helper'], maxAttempts: 2 }),
      agentAt(model.url, { name: 'ends-without', model: endless(false), maxAttempts: 2 }),
      agentAt(model.url, { name: 'ends-in-error', model: endless(true), maxAttempts: 2 }),
    ],
    tasks: [echo],
  });
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await model.stop();
});

test.each([{ text: '   ' }, { text: '\n' }, { reasoning: 'I wonder.' }, {}])(
  'case 8 T-20 after an answer of %j the next turns are taken by a strict provider',
  async (blank) => {
    answer = (call) => (last(call).text === 'say nothing' ? blank : 'ok');
    const session = await h.client.startSession(uniqueId());
    expect(await say(session, 'say nothing', 'hello', 'hello again')).toEqual(['completed', 'completed', 'completed']);
    await session.close();
  },
);

test('case 9 T-20 after a narrated line before the first input the turn is taken by a strict provider', async () => {
  answer = () => 'ok';
  const session = await h.client.startSession(uniqueId());
  await session.startRun({ agent: 'echo', input: 1, detached: { notify: 'narrate' } });
  await atRest(session);
  expect(await say(session, 'hello')).toEqual(['completed']);
  await session.close();
});

test.each(['{"at": "here', '"text"', '[1]', ''])(
  'case 16b T-20 a call with the arguments %j gets an error result, and a strict provider takes the next prompt',
  async (broken) => {
    const before = looked.length;
    answer = (call) => {
      if (last(call).role === 'tool') return `read: ${last(call).text}`;
      return { tools: [{ name: 'look', input: null, arguments: broken }] };
    };
    const session = await h.client.startSession(uniqueId());
    expect(await say(session, 'look')).toEqual(['completed']);
    expect(looked).toHaveLength(before);
    const { messages } = await session.getTranscript({});
    const parts = messages.flatMap((message) => message.parts);
    expect(parts.find((part) => part.type === 'tool-look')).toMatchObject({
      state: 'output-error',
      errorText: expect.stringMatching(/^InvalidInput: Expected input[^\n]* to be [^\n]*, got [^\n]*\.$/u),
    });
    await session.close();
  },
);

test.each([
  ['{"choices": [{"index": 0, "delta": "text"}]}', /^Expected answer[^\n]* to be [^\n]*\.$/u],
  [`{"choices": ${'['.repeat(5000)}`, /^Expected answer to be JSON, got "[^\n]{1,90}\.$/u],
])(
  'case 37: an answer of the provider that is none is told in one sentence, not as a dump',
  async (garbled, sentence) => {
    answer = () => ({ garbled });
    const session = await h.client.startSession(uniqueId());
    expect(await say(session, 'look')).toEqual([{ type: 'ModelBroken', message: expect.stringMatching(sentence) }]);
    await session.close();
  },
);

test('case 16b T-20 a call of a tool that is none gets an error result too', async () => {
  answer = (call) => (last(call).role === 'tool' ? 'ok' : { tools: [{ name: 'nowhere', input: {} }] });
  const session = await h.client.startSession(uniqueId());
  expect(await say(session, 'look')).toEqual(['completed']);
  const { messages } = await session.getTranscript({});
  expect(messages.flatMap((message) => message.parts).find((part) => part.type === 'tool-nowhere')).toMatchObject({
    errorText: expect.stringMatching(/^UnknownTool: /u),
  });
  await session.close();
});

test.each(['', ' ', '\n'])('case 13 a turn with the input %j is skipped without a model call', async (input) => {
  const before = model.calls.length;
  const session = await h.client.startSession(uniqueId());
  expect(await session.submitTurn({ input })).toMatchObject({ status: 'skipped' });
  expect(await session.submitTurn({ input: [{ role: 'user', content: input }] })).toMatchObject({ status: 'skipped' });
  expect(model.calls).toHaveLength(before);
  await session.close();
});

test.each(['', '  ', [], [{ role: 'user', content: ' ' }]].map((input) => [input]))(
  'case 13 an agent run with the input %j completes without a model call',
  async (input) => {
    const before = model.calls.length;
    const session = await h.client.startSession(uniqueId());
    const { runId } = await session.startRun({ agent: 'helper', input, detached: { notify: 'silent' } });
    expect(await session.run(runId).result()).toBe('');
    expect(model.calls).toHaveLength(before);
    await session.close();
  },
);

test('case 13 what is no message is read as JSON all the same', async () => {
  answer = (call) => `read ${last(call).text}`;
  const session = await h.client.startSession(uniqueId());
  for (const input of [{}, [1, ''], 0]) {
    const { runId } = await session.startRun({ agent: 'helper', input, detached: { notify: 'silent' } });
    expect(await session.run(runId).result()).toBe(`read ${JSON.stringify(input)}`);
  }
  await session.close();
});

const HUGE = 3_000_000;

test.each([HUGE, 2_000_000])(
  'case 34 an answer of %i characters is asked for once, cut, and says by how much',
  async (n) => {
    const before = model.calls.length;
    answer = (call) => (last(call).text === 'write' ? 'x'.repeat(n) : 'ok');
    const session = await h.client.startSession(uniqueId());
    expect(await say(session, 'write')).toEqual(['completed']);
    expect(model.calls).toHaveLength(before + 1);
    const message = (await session.getTranscript({})).messages.at(-1);
    expect(message?.metadata).toEqual({ cut: n });
    const [, kept = '', cut, all] = /^(x+)\[cut: (\d+) of (\d+) characters\]$/u.exec(text(message)) ?? [];
    expect([Number(cut) + kept.length, Number(all)]).toEqual([n, n]);
    expect(kept.length).toBeGreaterThan(256_000);
    expect(text(message).length).toBeLessThanOrEqual(256 * 1024);
    expect(await say(session, 'hello')).toEqual(['completed']);
    await session.close();
  },
);

test('case 34 reasoning and the inputs of calls are cut to what can be carried too', async () => {
  const before = model.calls.length;
  const large = { name: 'look', input: { at: 'y'.repeat(200_000) } };
  answer = (call) =>
    last(call).role === 'tool'
      ? 'done'
      : { reasoning: 'r'.repeat(HUGE), text: 'x'.repeat(HUGE), tools: [large, large, large] };
  const session = await h.client.startSession(uniqueId());
  expect(await say(session, 'write')).toEqual(['completed']);
  expect(model.calls).toHaveLength(before + 2);
  const parts = (await session.getTranscript({})).messages.flatMap((message) => message.parts);
  expect(parts.filter((part) => part.type === 'tool-look').map((part) => part['state'])).toEqual([
    'output-available',
    'output-error',
    'output-error',
  ]);
  expect(parts.find((part) => part.type === 'reasoning')?.['text']).toMatch(/\[cut: \d+ of 3000000 characters\]$/u);
  await session.close();
});

test('case 10 T-21 a stream that breaks off is tried again, and nothing of its half is kept', async () => {
  let calls = 0;
  answer = () => (++calls === 1 ? { text: 'half a', finish: null } : 'a whole answer');
  const session = await h.client.startSession(uniqueId());
  expect(await say(session, 'hello')).toEqual(['completed']);
  expect(calls).toBe(2);
  expect((await session.getTranscript({})).messages.map(text)).toEqual(['hello', 'a whole answer']);
  await session.close();
});

test.each(['helper', 'ends-without', 'ends-in-error'])(
  'case 10 T-21 a run of %s whose every stream breaks off is failed / agent_error, and its turn is ModelBroken',
  async (agent) => {
    answer = () => ({ text: 'half a', finish: null });
    const session = await h.client.startSession(uniqueId());
    const { runId } = await session.startRun({ agent, input: 'go', detached: { notify: 'silent' } });
    await expect(session.run(runId).result()).rejects.toMatchObject({
      status: 'failed',
      reason: 'agent_error',
      error: { type: 'ModelBroken' },
    });
    await session.close();
  },
);

test.each([
  ['length', 'length'],
  ['content_filter', 'content-filter'],
])('T-21 an answer that ended for %s completes, and says so in message, row, event and frame', async (finish, told) => {
  answer = (call) => (last(call).text === 'be long' ? { text: 'so far', finish } : 'ok');
  const session = await h.client.startSession(uniqueId());
  expect(await say(session, 'be long')).toEqual(['completed']);
  expect((await session.getTranscript({})).messages.at(-1)?.metadata).toEqual({ finishReason: told });
  const { runId } = await session.startRun({ agent: 'helper', input: 'be long' });
  await atRest(session);
  expect(await session.getRun({ runId })).toMatchObject({ status: 'completed', result: 'so far', finishReason: told });
  const settled = (await allEvents(session)).find(({ type }) => type === 'run.settled');
  expect(settled?.['finishReason']).toBe(told);
  const { messages } = await session.getTranscript({ includeHidden: true });
  expect(messages.map(text).join()).toContain(`{"result":"so far","finishReason":"${told}"}`);
  await session.close();
});

test('T-21 a call in an answer that was cut off is not run', async () => {
  const before = looked.length;
  answer = (call) =>
    last(call).role === 'tool' ? 'ok' : { tools: [{ name: 'look', input: { at: 'here' } }], finish: 'length' };
  const session = await h.client.startSession(uniqueId());
  expect(await say(session, 'look')).toEqual(['completed']);
  expect(looked).toHaveLength(before);
  await session.close();
});
