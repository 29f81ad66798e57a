/** What models answer that no provider would take back, or that is no whole answer, with a model server that is as strict as any. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { defineTool } from '../../src/define.ts';
import type { SessionHandle } from '../../src/client/index.ts';
import { agentAt, echo } from '../support/app.ts';
import { atRest, harness, uniqueId, type Harness } from '../support/harness.ts';
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

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start(strictly((call) => answer(call)));
  await h.work({
    agents: [agentAt(model.url, { tools: [look], canStart: ['echo', 'helper'], maxAttempts: 2 })],
    tasks: [echo],
  });
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await model.stop();
});

/** Takes one turn after another; answers how each ended. */
async function say(session: SessionHandle, ...inputs: string[]): Promise<unknown[]> {
  const ended: unknown[] = [];
  for (const input of inputs) {
    const { turnId } = await session.submitTurn({ input });
    await atRest(session);
    const turn = await session.getTurn({ turnId });
    ended.push(turn?.error ?? turn?.status);
  }
  return ended;
}

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
      errorText: expect.stringMatching(/^InvalidInput: /u),
    });
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
