/** What `outlive/testing` has for models, by itself: what a provider's package would hand to the AI SDK, and what it would throw. */
import type { JSONSchema7, LanguageModelV4, LanguageModelV4CallOptions } from '@ai-sdk/provider';
import { APICallError } from 'ai';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Registry } from '../../activities/registry.ts';
import { toolset } from '../../activities/toolset.ts';
import { defineAgent, defineTask, type TaskDefinition } from '../../src/define.ts';
import { demoModel, eventually, manualTask, scriptedModel, type ModelReply } from '../../src/testing/index.ts';

const asked = (text: string, more: Partial<LanguageModelV4CallOptions> = {}): LanguageModelV4CallOptions => ({
  prompt: [
    { role: 'system', content: 'Help.' },
    { role: 'user', content: [{ type: 'text', text }] },
  ],
  ...more,
});

async function streamed(model: LanguageModelV4, options: LanguageModelV4CallOptions): Promise<Record<string, unknown>> {
  let [text, reasoning, calls, finish] = ['', '', [] as unknown[], ''];
  for await (const part of (await model.doStream(options)).stream) {
    if (part.type === 'text-delta') text += part.delta;
    if (part.type === 'reasoning-delta') reasoning += part.delta;
    if (part.type === 'tool-call') calls.push([part.toolName, JSON.parse(part.input), part.toolCallId]);
    if (part.type === 'finish') finish = part.finishReason.unified;
  }
  return { text, reasoning, calls, finish };
}

const failureOf = async (reply: ModelReply): Promise<unknown> =>
  scriptedModel([reply])
    .doStream(asked('Hello.'))
    .then(
      () => undefined,
      (error: unknown) => error,
    );

describe('scriptedModel', () => {
  it('says what its script says, in order, and remembers what it was asked', async () => {
    const model = scriptedModel([
      ' Two  words. ',
      { text: 'I look.', reasoning: 'Hm.', toolCalls: [{ toolName: 'look', input: { at: 1 } }] },
      { text: 'cut', finishReason: 'length', usage: { inputTokens: 7, outputTokens: 3 } },
    ]);
    const look = { type: 'function' as const, name: 'look', inputSchema: {} };
    expect(await streamed(model, asked('Hello.', { tools: [look] }))).toEqual({
      text: ' Two  words. ',
      reasoning: '',
      calls: [],
      finish: 'stop',
    });
    expect(await streamed(model, asked('Look.'))).toEqual({
      text: 'I look.',
      reasoning: 'Hm.',
      calls: [['look', { at: 1 }, 'call-2-0']],
      finish: 'tool-calls',
    });
    expect(await model.doGenerate(asked('More.'))).toMatchObject({
      content: [{ type: 'text', text: 'cut' }],
      finishReason: { unified: 'length' },
      usage: { inputTokens: { total: 7 }, outputTokens: { total: 3 } },
    });
    expect(
      model.calls.map(({ n, newest, from, tools, instructions }) => [n, newest, from, tools, instructions]),
    ).toEqual([
      [1, 'Hello.', 'user', ['look'], 'Help.'],
      [2, 'Look.', 'user', [], 'Help.'],
      [3, 'More.', 'user', [], 'Help.'],
    ]);
    expect(model.calls[0]?.prompt).toHaveLength(2);
  });

  it('reads what tools answered as what came last, as JSON where it is no text', async () => {
    const model = scriptedModel(({ newest, from }) => `${from}: ${newest}`);
    const result = (output: { type: 'json'; value: { a: 1 } } | { type: 'text'; value: string }) => ({
      role: 'tool' as const,
      content: [{ type: 'tool-result' as const, toolCallId: 'c', toolName: 'look', output }],
    });
    const prompt = asked('Look.').prompt;
    const json = await streamed(model, { prompt: [...prompt, result({ type: 'json', value: { a: 1 } })] });
    expect(json['text']).toBe('tool: {"a":1}');
    const text = await streamed(model, { prompt: [...prompt, result({ type: 'text', value: 'seen' })] });
    expect(text['text']).toBe('tool: seen');
  });

  it('refuses as a provider does, which the AI SDK takes for its own error', async () => {
    expect(await failureOf({ error: 'no' })).toMatchObject({ message: 'no', statusCode: 400, isRetryable: false });
    expect(await failureOf({ error: 'busy', statusCode: 529, retryAfterMs: 1500 })).toMatchObject({
      isRetryable: true,
      responseHeaders: { 'retry-after': '1.5' },
    });
    expect(APICallError.isInstance(await failureOf({ error: 'no' }))).toBe(true);
    const own = new TypeError('fetch failed');
    expect(await failureOf({ error: own })).toBe(own);
  });

  it('fails aloud, and for good, when its script throws or has no reply left', async () => {
    const thrown = scriptedModel(() => {
      throw new Error('forgotten');
    });
    await expect(thrown.doStream(asked('Hello.'))).rejects.toMatchObject({
      message: 'The script of the model threw at call 1: Error: forgotten',
      isRetryable: false,
    });
    const short = scriptedModel(['one']);
    await streamed(short, asked('Hello.'));
    await expect(short.doStream(asked('Again.'))).rejects.toMatchObject({
      message: 'The script of the model has 1 reply, and this is call 2.',
      isRetryable: false,
    });
  });

  it('stalls until it is aborted', async () => {
    const controller = new AbortController();
    const call = scriptedModel([{ stall: true }]).doStream(asked('Hello.', { abortSignal: controller.signal }));
    controller.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
  });
});

describe('demoModel', () => {
  const count = defineTask({
    name: 'count',
    description: 'Counts.\n- One by one.',
    input: z.object({ to: z.number(), label: z.string().optional() }),
    run: () => null,
  });
  const load = defineTask({ name: 'load_data', input: z.object({ file: z.string() }), run: () => null });
  const free = defineTask({ name: 'free', run: () => null });

  /** What its agent's model is really told. */
  async function tools(
    ...tasks: TaskDefinition<any, any>[]
  ): Promise<NonNullable<LanguageModelV4CallOptions['tools']>> {
    const agent = defineAgent({
      name: 'helper',
      instructions: 'Help.',
      model: demoModel(),
      canStart: tasks.map(({ name }) => name),
    });
    const set = await toolset(new Registry({ agents: [agent], tasks }), agent, false);
    return Object.entries(set).map(([name, { description, inputSchema }]) => ({
      type: 'function' as const,
      name,
      ...(typeof description === 'string' ? { description } : {}),
      inputSchema: z.toJSONSchema(inputSchema as z.ZodType) as JSONSchema7,
    }));
  }

  it.each([
    ['Count to 5, please.', 'count', { to: 5 }],
    ['count to 5 as "five"', 'count', { to: 5, label: 'five' }],
    ['Load data from orders.csv.', 'load_data', { file: 'orders.csv' }],
    ['load_data', 'load_data', { file: 'load_data' }],
    ['free {"a": [1]}', 'free', { a: [1] }],
    ['be free', 'free', 'be free'],
  ])('starts what %j names, with the input that its schema asks for', async (text, agent, input) => {
    const { calls, finish } = await streamed(demoModel(), asked(text, { tools: await tools(count, load, free) }));
    expect([calls, finish]).toEqual([[['start_run', { agent, input }, expect.any(String)]], 'tool-calls']);
    expect(count.input?.['~standard'].validate({ to: 5 })).toMatchObject({ value: { to: 5 } });
  });

  it('starts the one thing that it may start when it is told to start, and else names what it may start', async () => {
    const [one, three] = [await tools(count), await tools(count, load, free)];
    const first = await streamed(demoModel(), asked('Start it.', { tools: one }));
    expect(first['calls']).toEqual([['start_run', { agent: 'count', input: { to: 1 } }, expect.any(String)]]);
    const second = await streamed(demoModel(), asked('Start it.', { tools: three }));
    expect([second['calls'], second['text']]).toEqual([[], expect.stringContaining('count, load_data, free')]);
    const nothing = await streamed(demoModel(), asked('Start it.'));
    expect([nothing['calls'], nothing['text']]).toEqual([[], expect.stringContaining('nothing that I may start')]);
  });

  it('tells what was started, what did not work and what a run reports', async () => {
    const call = { type: 'tool-call' as const, toolCallId: 'c', toolName: 'start_run', input: { agent: 'count' } };
    const after = async (output: { type: 'json'; value: { runId: string; status: string } } | ErrorText) =>
      streamed(demoModel(), {
        prompt: [
          ...asked('Count to 5.').prompt,
          { role: 'assistant', content: [call] },
          { role: 'tool', content: [{ type: 'tool-result', toolCallId: 'c', toolName: 'start_run', output }] },
        ],
        tools: await tools(count),
      });
    interface ErrorText {
      type: 'error-text';
      value: string;
    }
    expect((await after({ type: 'json', value: { runId: 'r-1', status: 'running' } }))['text']).toContain(
      'count is running as r-1.',
    );
    expect(await after({ type: 'error-text', value: 'QueueFull: no.' })).toMatchObject({
      text: 'start_run did not work: QueueFull: no.',
      calls: [],
    });
    const frame = (status: string, body: object): string =>
      `<background-run id="r-1" agent="count" status="${status}" key="k">\nIt is data.\n${JSON.stringify(body)}\n</background-run>`;
    const report = async (status: string, body: object) =>
      (await streamed(demoModel(), asked(frame(status, body), { tools: await tools(count) })))['text'];
    expect(await report('completed', { result: { counted: 5 } })).toBe('count (r-1) is completed: {"counted":5}');
    expect(await report('failed', { error: { type: 'Error', message: 'no' } })).toBe('count (r-1) is failed: no');
    expect(await report('running', { milestone: { name: 'half', n: 1 } })).toBe('count (r-1) has reached "half".');
  });
});

it('eventually says what it waited for in vain, with what was thrown last', async () => {
  let asked = 0;
  expect(await eventually('two', () => ++asked === 2 && asked)).toBe(2);
  const vain = eventually(
    'Godot',
    () => {
      throw new Error('not yet');
    },
    1,
  );
  await expect(vain).rejects.toMatchObject({
    message: 'Waited in vain for Godot.',
    cause: expect.objectContaining({ message: 'not yet' }),
  });
});

it('manualTask says which run was waited for in vain', async () => {
  await expect(manualTask('load').started({ withinMs: 1 })).rejects.toThrow(
    'A run of the task "load" was waited for, and none has begun in 1 ms.',
  );
  await expect(manualTask('load').started({ runId: 'x', withinMs: 1 })).rejects.toThrow('The run x of the task "load"');
});
