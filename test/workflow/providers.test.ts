/** Models by name, through the real packages of their providers, against a server that is as strict as any of them. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { SessionHandle } from '../../src/client/index.ts';
import { defineAgent, defineTool, type AgentDefinition } from '../../src/define.ts';
import type { Block } from '../support/anthropic-wire.ts';
import { readable } from '../support/readable.ts';
import { allEvents, atRest, eventually, harness, say, text, uniqueId, type Harness } from '../support/harness.ts';
import { last, ModelServer, textOf, type Answer, type Reply } from '../support/model-server.ts';
import type { Item } from '../support/responses-wire.ts';
import { refusal, strictly } from '../support/strict.ts';

/** Each has its own, and the configuration names none of them as a secret. */
const keyOf = (provider: string): string => `sk-a-key-of-${provider}-that-nobody-sees`;
const PROVIDERS = ['anthropic', 'openai', 'openai-compatible'] as const;

let h: Harness;
let model: ModelServer;
let answer: Answer = () => 'ok';

const added: number[] = [];
const add = defineTool({
  name: 'add',
  description: 'Adds.',
  input: z.object({ a: z.number(), b: z.number() }),
  execute: ({ a, b }) => {
    added.push(a + b);
    return { sum: a + b };
  },
});

const MODELS: Record<(typeof PROVIDERS)[number], string> = {
  anthropic: 'anthropic:claude-sonnet-4-5',
  openai: 'openai:gpt-5-mini',
  'openai-compatible': 'openai-compatible:llama3.2:3b',
};

const variableOf = (provider: string): string => provider.toUpperCase().replace('-', '_');

function agent(name: string, given: Partial<AgentDefinition> = {}): AgentDefinition {
  return defineAgent({ name, instructions: 'Help.', model: MODELS.anthropic, tools: [add], maxAttempts: 2, ...given });
}

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start(strictly((call) => answer(call)));
  for (const provider of PROVIDERS) {
    process.env[`${variableOf(provider)}_BASE_URL`] = model.url;
    process.env[`${variableOf(provider)}_API_KEY`] = keyOf(provider);
  }
  const thinking = { anthropic: { thinking: { type: 'enabled', budgetTokens: 1024 } } };
  const mcp = { anthropic: { mcpServers: [{ type: 'url', name: 'docs', url: 'https://docs.example/mcp' }] } };
  await h.work({
    agents: [
      ...PROVIDERS.map((name) => agent(name, { model: MODELS[name] })),
      ...PROVIDERS.map((name) => agent(`${name}-hasty`, { model: MODELS[name], stallTimeoutMs: 500 })),
      agent('thinker', { providerOptions: thinking }),
      agent('searcher', { providerOptions: mcp }),
      agent('instructed', {
        instructions: async ({ sessionId, metadata, runId }) =>
          Promise.resolve(`For ${JSON.stringify({ sessionId, metadata, runId })}`),
        maxOutputTokens: 100,
        temperature: 0.5,
      }),
      agent('silent', { instructions: ' ' }),
    ],
  });
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await model.stop();
});

beforeEach(() => {
  answer = () => 'ok';
});

async function begin(agent: string): Promise<SessionHandle> {
  return h.client.startSession(uniqueId(), { agent });
}

async function newestText(session: SessionHandle): Promise<string> {
  return text((await session.getTranscript({})).messages.at(-1));
}

/** Answers with these in turn, and then always with the last of them. */
function inTurn(...replies: (string | Reply)[]): { asked: () => number } {
  let n = 0;
  answer = () => replies[Math.min(n++, replies.length - 1)] ?? 'ok';
  return { asked: () => n };
}

describe.each(PROVIDERS)('%s', (provider) => {
  test('T-20 says what the model says, calls tools at once whatever their ids, and reads their results', async () => {
    const asks = { name: 'add', input: { a: 1, b: 2 } };
    let results: string[] = [];
    answer = (call) => {
      if (last(call).role === 'user')
        return { text: 'Adding. ', tools: [asks, { ...asks, id: '' }, { ...asks, id: 'a' }, { ...asks, id: 'a' }] };
      results = call.messages.filter(({ role }) => role === 'tool').map(textOf);
      return 'done';
    };
    const before = added.length;
    const session = await begin(provider);
    expect(await say(session, 'add', 'again')).toEqual(['completed', 'completed']);
    expect(added.slice(before)).toEqual(Array.from({ length: 8 }, () => 3));
    expect(results).toEqual(Array.from({ length: 8 }, () => expect.stringContaining('"sum":3')));
    expect(await newestText(session)).toBe('done');
    expect((await session.getSession()).usage).toEqual({
      inputTokens: 40,
      outputTokens: 20,
      totalTokens: 60,
      modelCalls: 4,
    });
    await session.close();
  });

  test.each([{ text: '   ' }, { text: '\n' }, { reasoning: 'I wonder.' }, {}])(
    'T-20 after an answer of %j the next turns are taken',
    async (blank) => {
      answer = (call) => (last(call).text === 'say nothing' ? blank : 'ok');
      const session = await begin(provider);
      expect(await say(session, 'say nothing', 'hello', 'hello')).toEqual(['completed', 'completed', 'completed']);
      await session.close();
    },
  );

  test.each<[string, Reply]>([
    ['ends without an end', { text: 'half a', finish: null }],
    ['breaks in the middle', { text: 'half a', breaks: 'drop' }],
    ['breaks before it answers', { drop: true }],
    ['is none', { garbled: '{"type":' }],
  ])('T-21 an answer that %s is tried again, and nothing of its half is kept', async (_, broken) => {
    const { asked } = inTurn(broken, 'a whole answer');
    const session = await begin(provider);
    expect(await say(session, 'hello')).toEqual(['completed']);
    expect(asked()).toBe(2);
    expect((await session.getTranscript({})).messages.map(text)).toEqual(['hello', 'a whole answer']);
    await session.close();
  });

  test.each<[string, Reply]>([
    ['ends without an end', { text: 'half a', finish: null }],
    ['breaks in the middle', { text: 'half a', breaks: 'drop' }],
    ['is none', { garbled: '{"type":' }],
  ])('T-21 an answer that always %s fails the turn as ModelBroken', async (_, broken) => {
    inTurn(broken);
    const session = await begin(provider);
    expect(await say(session, 'hello')).toEqual([{ type: 'ModelBroken', message: expect.any(String) }]);
    await session.close();
  });

  test.each([
    ['length', 'length'],
    ['content_filter', 'content-filter'],
  ])('T-21 an answer that ended for %s completes and says so', async (finish, told) => {
    inTurn({ text: 'so far', finish });
    const session = await begin(provider);
    expect(await say(session, 'be long')).toEqual(['completed']);
    expect((await session.getTranscript({})).messages.at(-1)?.metadata).toEqual({ finishReason: told });
    await session.close();
  });

  test.each<[string, Reply]>([
    ['before its first word', { hang: true }],
    ['in the middle', { text: 'half a', breaks: 'stall' }],
  ])('T-08 an answer that stalls %s is asked for again, and fails as ModelStalled in the end', async (_, stalled) => {
    const first = inTurn(stalled, 'there');
    const session = await begin(`${provider}-hasty`);
    expect(await say(session, 'hello?')).toEqual(['completed']);
    expect(first.asked()).toBe(2);
    const second = inTurn(stalled);
    expect(await say(session, 'hello?')).toEqual([
      { type: 'ModelStalled', message: expect.stringContaining('500 ms') },
    ]);
    expect(second.asked()).toBe(2);
    inTurn('back');
    expect(await say(session, 'and now?')).toEqual(['completed']);
    expect((await session.getTranscript({})).messages.map(text)).toEqual([
      'hello?',
      'there',
      'hello?',
      'and now?',
      'back',
    ]);
    await session.close();
  });

  test.each([400, 401, 403, 404, 413])(
    'T-16 a refusal with status %i fails the turn at once with the words of the provider, and the next turn is taken',
    async (status) => {
      const { asked } = inTurn(refusal(status, `Not like this (${status}).`), 'ok');
      const session = await begin(provider);
      const error = { type: 'ProviderError', message: `Not like this (${status}).`, statusCode: status };
      expect(await say(session, 'hello')).toEqual([error]);
      expect(asked()).toBe(1);
      const failed = (await allEvents(session)).find(({ type }) => type === 'turn.failed');
      expect(failed?.['error']).toEqual(error);
      expect(await say(session, 'hello')).toEqual(['completed']);
      await session.close();
    },
  );

  test.each([429, 500, 503, 529])('T-16 status %i is tried again, and told with it when it lasts', async (status) => {
    const first = inTurn(refusal(status, 'Not now.'), 'ok');
    const session = await begin(provider);
    expect(await say(session, 'hello')).toEqual(['completed']);
    expect(first.asked()).toBe(2);
    const second = inTurn(refusal(status, 'Not now.'));
    expect(await say(session, 'hello')).toEqual([{ type: 'ProviderError', message: 'Not now.', statusCode: status }]);
    expect(second.asked()).toBe(2);
    await session.close();
  });

  test.each([
    ['seconds', { 'retry-after': '2' }],
    ['milliseconds', { 'retry-after-ms': '2000', 'retry-after': '600' }],
  ])('T-16 an overload says in %s when it is to be asked again, and it is not asked before', async (_, headers) => {
    inTurn(refusal(429, 'Not so fast.', headers), 'ok');
    const session = await begin(provider);
    const { turnId } = await session.submitTurn({ input: 'hello' });
    await eventually('recovering', async () => (await session.getSession()).turn?.recovering === true);
    await atRest(session);
    expect(await session.getTurn({ turnId })).toMatchObject({ status: 'completed' });
    const timers = (await h.temporal.workflow.getHandle(session.sessionId).fetchHistory()).events?.flatMap((event) => {
      const { startToFireTimeout } = event.timerStartedEventAttributes ?? {};
      return startToFireTimeout == null
        ? []
        : [Number(startToFireTimeout.seconds) + (startToFireTimeout.nanos ?? 0) / 1e9];
    });
    expect(timers?.some((seconds) => seconds > 1.5 && seconds <= 2)).toBe(true);
    await session.close();
  });

  test('T-16 X-08 a key is in no error, no event and no history, although the provider says it', async () => {
    const key = keyOf(provider);
    const { asked } = inTurn(refusal(401, `Incorrect API key provided: ${key}.`));
    const session = await begin(provider);
    const [error] = await say(session, 'hello');
    expect(error).toMatchObject({
      type: 'ProviderError',
      statusCode: 401,
      message: 'Incorrect API key provided: [secret].',
    });
    expect(asked()).toBe(1);
    const history = await h.temporal.workflow.getHandle(session.sessionId).fetchHistory();
    const said = readable(history);
    expect(said).toContain('[secret]');
    expect(said).not.toContain(key);
    const { headers } = model.calls.at(-1) ?? {};
    expect(headers?.['x-api-key'] ?? headers?.['authorization']).toContain(key);
    await session.close();
  });
});

test('T-16 an overload that comes on the stream, behind the first words, is tried again', async () => {
  const error = { type: 'overloaded_error', message: 'Overloaded' };
  const first = inTurn({ text: 'half a', breaks: { error } }, 'whole');
  const session = await begin('anthropic');
  expect(await say(session, 'hello')).toEqual(['completed']);
  expect(first.asked()).toBe(2);
  expect(await newestText(session)).toBe('whole');
  inTurn({ text: 'half a', breaks: { error: { type: 'invalid_request_error', message: 'No more.' } } });
  expect(await say(session, 'hello')).toEqual([{ type: 'ProviderError', message: 'No more.', statusCode: 400 }]);
  await session.close();
});

/** All that is in the messages of a request to Anthropic. */
function blocksIn(body: Record<string, unknown> = {}): Block[] {
  return (body['messages'] as { content: Block[] }[]).flatMap(({ content }) => content);
}

/** Asks for the sum first, with what it has thought, and then says it. */
function thinking(): Record<string, unknown>[] {
  const bodies: Record<string, unknown>[] = [];
  answer = (call) => {
    bodies.push(call.body);
    return last(call).role === 'tool'
      ? { reasoning: 'Three.', text: 'It is three.' }
      : { reasoning: `I add ${call.n}.`, tools: [{ name: 'add', input: { a: 1, b: 2 } }] };
  };
  return bodies;
}

test('T-20 the thinking of Anthropic goes back as it was, with its signature, in this turn and in later ones', async () => {
  const bodies = thinking();
  const session = await begin('thinker');
  expect(await say(session, 'one', 'two')).toEqual(['completed', 'completed']);
  const blocks = blocksIn(bodies.at(-1));
  const thought = blocks.filter(({ type }) => type === 'thinking');
  expect(thought.map((block) => block.thinking)).toEqual([
    expect.stringMatching(/^I add/u),
    'Three.',
    expect.stringMatching(/^I add/u),
  ]);
  await session.close();
});

test('T-20 the reasoning of OpenAI goes back encrypted, and nothing has to be kept by OpenAI', async () => {
  const bodies = thinking();
  const session = await begin('openai');
  expect(await say(session, 'one', 'two')).toEqual(['completed', 'completed']);
  expect(bodies.map((body) => body['store'])).toEqual([false, false, false, false]);
  const items = ((bodies.at(-1)?.['input'] as Item[] | undefined) ?? []).filter(({ type }) => type === 'reasoning');
  expect(items.map(({ summary }) => summary?.[0]?.text)).toEqual([
    expect.stringMatching(/^I add/u),
    'Three.',
    expect.stringMatching(/^I add/u),
  ]);
  await session.close();
});

test('T-20 reasoning that is too long to be kept goes back without its signature, so that no half is refused', async () => {
  answer = (call) => (last(call).text === 'think' ? { reasoning: 'r'.repeat(100_000), text: 'A long thought.' } : 'ok');
  const before = model.calls.length;
  const session = await begin('thinker');
  expect(await say(session, 'think', 'and?')).toEqual(['completed', 'completed']);
  // None of them was a second try.
  expect(model.calls.length - before).toBe(2);
  await session.close();
});

test('T-20 a provider that does not take its own reasoning any more is asked once more without it', async () => {
  const bodies = thinking();
  const session = await begin('thinker');
  expect(await say(session, 'one')).toEqual(['completed']);
  const isThinking = (body: Record<string, unknown>): boolean =>
    JSON.stringify(body['messages']).includes('"thinking"');
  answer = (call) => {
    bodies.push(call.body);
    return isThinking(call.body)
      ? refusal(
          400,
          'messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different conversation.',
        )
      : 'all the same';
  };
  expect(await say(session, 'two')).toEqual(['completed']);
  expect(bodies.slice(-2).map(isThinking)).toEqual([true, false]);
  expect(await newestText(session)).toBe('all the same');
  await session.close();
});

test('T-20 tools that the provider runs itself are run by nobody else, and stand with their results in the next prompt', async () => {
  let body: Record<string, unknown> = {};
  answer = (call) => {
    body = call.body;
    if (last(call).text !== 'look it up') return 'ok';
    const ran = [
      { name: 'find', input: { q: 'outlive' }, output: 'It is there.' },
      { name: 'add', input: { a: 'x' }, output: 'no', failed: true },
      { name: 'find', input: { q: 'more' } },
      { name: 'find', input: { q: 'all' }, output: 'x'.repeat(300_000) },
    ];
    return { ran, text: 'Found.', tools: [{ name: 'add', input: { a: 2, b: 2 } }] };
  };
  const before = added.length;
  const session = await begin('searcher');
  expect(await say(session, 'look it up', 'and?')).toEqual(['completed', 'completed']);
  expect(added.slice(before)).toEqual([4]);
  const parts = (await session.getTranscript({})).messages.flatMap((message) => message.parts);
  expect(parts.filter((part) => part['toolCallId'] !== undefined)).toMatchObject([
    {
      type: 'tool-find',
      providerExecuted: true,
      state: 'output-available',
      output: [{ type: 'text', text: 'It is there.' }],
    },
    { type: 'tool-add', providerExecuted: true, state: 'output-error' },
    {
      type: 'tool-find',
      providerExecuted: true,
      state: 'output-error',
      errorText: expect.stringContaining('no result'),
    },
    {
      type: 'tool-find',
      providerExecuted: true,
      state: 'output-error',
      errorText: expect.stringContaining('too large'),
    },
    { type: 'tool-add', state: 'output-available' },
  ]);
  const blocks = blocksIn(body);
  expect(blocks.find(({ type }) => type === 'mcp_tool_result')).toMatchObject({
    is_error: false,
    content: [{ type: 'text', text: 'It is there.' }],
  });
  expect(blocks.filter(({ type }) => type === 'mcp_tool_use')).toHaveLength(4);
  await session.close();
});

test('T-20 an answer in which only the provider has run tools ends the turn', async () => {
  inTurn({ ran: [{ name: 'find', input: {}, output: 'There.' }], text: 'Found.' }, 'ok');
  const session = await begin('searcher');
  expect(await say(session, 'look', 'and?')).toEqual(['completed', 'completed']);
  expect((await session.getSession()).usage.modelCalls).toBe(2);
  await session.close();
});

test('instructions can be made for each call of whom it is for, blank ones are none, and the settings of a model reach it', async () => {
  const metadata = { plan: 'gold' };
  const session = await h.client.startSession(uniqueId(), { agent: 'instructed', metadata });
  expect(await say(session, 'hello')).toEqual(['completed']);
  const { sessionId } = session;
  expect(model.calls.at(-1)?.messages[0]).toEqual({
    role: 'system',
    content: `For ${JSON.stringify({ sessionId, metadata })}`,
  });
  expect(model.calls.at(-1)?.body).toMatchObject({ max_tokens: 100, temperature: 0.5 });
  const runMetadata = { of: 'the run' };
  const { runId } = await session.startRun({
    agent: 'instructed',
    input: 'hi',
    metadata: runMetadata,
    detached: { notify: 'silent' },
  });
  expect(await session.run(runId).result()).toBe('ok');
  expect(model.calls.at(-1)?.messages[0]?.content).toBe(
    `For ${JSON.stringify({ sessionId, metadata: runMetadata, runId })}`,
  );
  await session.close();
  const silent = await begin('silent');
  expect(await say(silent, 'hello')).toEqual(['completed']);
  expect(model.calls.at(-1)?.messages.map(({ role }) => role)).toEqual(['user']);
  await silent.close();
});

test.each([
  ['anthropic', 'ANTHROPIC_API_KEY'],
  ['openai', 'OPENAI_API_KEY'],
])('T-16 without a key a turn of %s fails at once with a sentence that names %s', async (provider, variable) => {
  const before = model.calls.length;
  const session = await begin(provider);
  process.env[variable] = '';
  try {
    expect(await say(session, 'hello')).toEqual([
      {
        type: 'ProviderError',
        message: `Expected ${variable} to be set where the worker runs: it is the key for the model "${MODELS[provider as 'openai']}".`,
      },
    ]);
  } finally {
    process.env[variable] = keyOf(provider);
  }
  expect(model.calls).toHaveLength(before);
  expect(await say(session, 'hello')).toEqual(['completed']);
  await session.close();
});

test('T-20 a session goes on when its agent has a model of another provider', async () => {
  await using own = await harness();
  const session = await own.begin({ agent: 'mover' });
  for (const named of [MODELS.anthropic, MODELS.openai, MODELS['openai-compatible'], MODELS.anthropic]) {
    const worker = await own.work({ agents: [agent('mover', { model: named })] });
    const ran = named === MODELS.anthropic ? [{ name: 'find', input: {}, output: 'There.' }] : [];
    answer = (call) =>
      last(call).role === 'tool'
        ? { reasoning: 'Three.', text: 'Three.', ran }
        : { reasoning: 'I add.', tools: [{ id: 'call_0', name: 'add', input: { a: 1, b: 2 } }] };
    const before = model.calls.length;
    expect(await say(session, `add with ${named}`)).toEqual(['completed']);
    expect(model.calls.length - before).toBe(2);
    await worker.stop();
  }
});

test('a worker does not start where an openai-compatible model is nowhere', async () => {
  const { OPENAI_COMPATIBLE_BASE_URL: url } = process.env;
  process.env['OPENAI_COMPATIBLE_BASE_URL'] = '';
  try {
    await expect(h.work({ agents: [agent('nowhere', { model: 'openai-compatible:x' })] })).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringContaining('Expected OPENAI_COMPATIBLE_BASE_URL to be set'),
    });
  } finally {
    process.env['OPENAI_COMPATIBLE_BASE_URL'] = url;
  }
});
