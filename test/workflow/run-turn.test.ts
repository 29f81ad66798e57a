/** `runTurn` and `streamTurn`: a turn awaited, and read as it is written, by whoever wants to, from its beginning. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client, Connection } from '@temporalio/client';
import { inject } from 'vitest';
import { z } from 'zod';
import { OutliveClient, type SessionHandle, type TurnPart } from '../../src/client/index.ts';
import type { UIMessage } from '../../src/contract.ts';
import { defineTask, defineTool, type ToolContext } from '../../src/define.ts';
import { NestedTurn, SessionClosed, UnknownTurn } from '../../src/errors.ts';
import { agentAt, echo } from '../support/app.ts';
import { atRest, eventually, Gate, harness, text, uniqueId, type Harness } from '../support/harness.ts';
import { last, ModelServer, type Answer } from '../support/model-server.ts';

const SECRET = 'sk very-secret-key';
process.env['TEST_SECRET'] = SECRET;

let h: Harness;
let model: ModelServer;
let answer: Answer = () => 'ok';
/** What a tool or a task does with its session. */
let nested: (client: OutliveClient, sessionId: string) => Promise<unknown> = async () => Promise.resolve('nothing');

const tried: string[] = [];
async function tries({ client, sessionId }: Pick<ToolContext, 'client' | 'sessionId'>): Promise<string> {
  try {
    return JSON.stringify(await nested(client, sessionId));
  } catch (error) {
    tried.push((error as Error).name);
    return (error as Error).message;
  }
}

const inTool = defineTool({
  name: 'in_tool',
  description: 'Tries.',
  input: z.object({}),
  execute: async (_, ctx) => tries(ctx),
});
const inTask = defineTask({ name: 'in_task', run: async (_input: null, ctx) => tries(ctx) });

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start((call) => answer(call));
  await h.work({
    agents: [agentAt(model.url, { tools: [inTool], canStart: ['echo', 'helper', 'in_task'], maxAttempts: 3 })],
    tasks: [echo, inTask],
    secrets: ['TEST_SECRET'],
  });
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await model.stop();
});

/** What is left of the parts once each `retry` has taken back what came of its step, text and reasoning joined, step by step. */
function joined(parts: readonly TurnPart[]): { text: string; reasoning: string; calls: string[]; results: string[] }[] {
  const steps: ReturnType<typeof joined> = [];
  for (const part of parts) {
    if (part.type === 'turn') continue;
    const nothing = { text: '', reasoning: '', calls: [], results: [] };
    if (part.type === 'retry') {
      steps[part.step - 1] = nothing;
      continue;
    }
    const step = (steps[part.step - 1] ??= nothing);
    if (part.type === 'tool-call') step.calls.push(part.toolCallId);
    else if (part.type === 'tool-result') step.results.push(part.toolCallId);
    else step[part.type] += part.text;
  }
  return steps;
}

/** The same of the messages of a turn. */
function said(messages: readonly UIMessage[]): ReturnType<typeof joined> {
  const all = (parts: UIMessage['parts'], type: string): string =>
    parts.flatMap((part) => (part.type === type ? [String(part['text'])] : [])).join('');
  return messages
    .filter(({ role }) => role === 'assistant')
    .map(({ parts }) => {
      const calls = parts.flatMap(({ toolCallId }) => (typeof toolCallId === 'string' ? [toolCallId] : []));
      return { text: all(parts, 'text'), reasoning: all(parts, 'reasoning'), calls, results: calls };
    });
}

async function all(parts: AsyncIterable<TurnPart>): Promise<TurnPart[]> {
  const read: TurnPart[] = [];
  for await (const part of parts) read.push(part);
  return read;
}

async function messagesOf(session: SessionHandle, turnId: string): Promise<UIMessage[]> {
  return (await session.getTurn({ turnId }))?.messages ?? [];
}

test('T-13 text is read while the model writes it, also by another client, and what was read, joined, is the message', async () => {
  const [first, second] = [new Gate(), new Gate()];
  answer = () => ({
    reasoning: 'They greet me.',
    text: 'Hello there, you.',
    held: [
      { word: 'there', until: first.opened },
      { word: 'you', until: second.opened },
    ],
  });
  const session = await h.client.startSession(uniqueId());
  const connection = await Connection.connect({ address: inject('address') });
  const elsewhere = new OutliveClient(new Client({ connection }));
  const read: TurnPart[] = [];
  let follower: Promise<TurnPart[]> | undefined;
  for await (const part of session.runTurn('hi', { mode: 'stream', turnId: 'one' })) {
    read.push(part);
    const [step] = joined(read);
    if (step?.text === 'Hello ') {
      expect(step.reasoning).toBe('They greet me.');
      expect((await session.getTurn({ turnId: 'one' }))?.messages.map(({ role }) => role)).toEqual(['user']);
      follower = all(elsewhere.session(session.sessionId).streamTurn('one'));
      first.open();
    }
    if (step?.text === 'Hello there, ') second.open();
  }
  const messages = await messagesOf(session, 'one');
  expect(said(messages)).toMatchObject([{ text: 'Hello there, you.', reasoning: 'They greet me.' }]);
  expect(joined(read)).toEqual(said(messages));
  expect(read.at(-1)).toMatchObject({ type: 'turn', turn: { turnId: 'one', status: 'completed' } });
  expect(read.filter(({ type }) => type === 'retry')).toEqual([]);
  expect(joined((await follower) ?? [])).toEqual(said(messages));
  await connection.close();
  await session.close();
});

test('T-18 a stream that is joined when the turn has ended tells all of it: texts, calls, results, step by step', async () => {
  answer = (call) =>
    last(call).role === 'user'
      ? {
          text: 'I try. ',
          tools: [
            { name: 'in_tool', input: {} },
            { name: 'none', input: {} },
          ],
        }
      : 'Done.';
  const session = await h.client.startSession(uniqueId());
  const { turnId } = await session.runTurn('do it', { mode: 'submit' });
  await atRest(session);
  const parts = await all(session.streamTurn(turnId));
  expect(parts.map(({ type }) => type)).toEqual([
    'text',
    'tool-call',
    'tool-call',
    'tool-result',
    'tool-result',
    'text',
    'turn',
  ]);
  expect(parts).toMatchObject([
    { step: 1, text: 'I try. ' },
    { step: 1, toolName: 'in_tool', input: {} },
    { step: 1, toolName: 'none' },
    { step: 1, output: '"nothing"' },
    { step: 1, errorText: expect.stringMatching(/^UnknownTool: /u) },
    { step: 2, text: 'Done.' },
    { turn: { turnId, steps: 2 } },
  ]);
  expect(joined(parts)).toEqual(said(await messagesOf(session, turnId)));
  await session.close();
});

test('T-09 T-13 what an attempt has said that broke off is taken back by a retry; meanwhile the session is recovering, also for a new reader', async () => {
  const [broken, again] = [new Gate(), new Gate()];
  answer = ({ n }) => ({
    text: n === first ? 'Wrong so.' : 'Right so.',
    held: [{ word: 'so.', until: (n === first ? broken : again).opened }],
    ...(n === first ? { finish: null } : {}),
  });
  const first = model.calls.length + 1;
  const session = await h.client.startSession(uniqueId());
  const read: TurnPart[] = [];
  for await (const part of session.runTurn('go', { mode: 'stream' })) {
    read.push(part);
    const [step] = joined(read);
    if (step?.text === 'Wrong ') broken.open();
    if (step?.text === 'Right ') {
      expect((await h.client.session(session.sessionId).getSession()).turn).toMatchObject({
        recovering: true,
        attempt: 2,
      });
      again.open();
    }
  }
  expect(read.filter(({ type }) => type === 'retry')).toEqual([{ type: 'retry', step: 1, attempt: 2 }]);
  const end = read.at(-1);
  expect(end?.type === 'turn' && joined(read)).toEqual(end?.type === 'turn' && said(end.turn.messages));
  expect(joined(read)).toMatchObject([{ text: 'Right so.' }]);
  const { turn } = await session.getSession();
  expect(turn).toBeNull();
  await session.close();
});

test('a wait answers the turn however it ended, and throws only when the session is gone', async () => {
  answer = (call) => (last(call).text === 'no' ? { status: 400 } : `re: ${last(call).text}`);
  const session = await h.client.startSession(uniqueId());
  const turn = await session.runTurn('yes', { idempotencyKey: 'k' });
  expect(turn).toMatchObject({ status: 'completed', steps: 1 });
  expect(turn.messages.map(text)).toEqual(['yes', 're: yes']);
  expect((await session.runTurn('yes', { idempotencyKey: 'k' })).turnId).toBe(turn.turnId);
  expect(await session.runTurn('no')).toMatchObject({ status: 'failed', error: { message: expect.any(String) } });
  answer = () => ({ hang: true });
  const waiting = session.runTurn('wait');
  await eventually('the turn', async () => (await session.getSession()).turn);
  await h.temporal.workflow.getHandle(session.sessionId).terminate();
  await expect(waiting).rejects.toBeInstanceOf(SessionClosed);
});

test('a stream of a turn that the session never had is UnknownTurn; one of bad input is refused, awaited or iterated', async () => {
  const session = await h.client.startSession(uniqueId());
  await expect(all(session.streamTurn('none'))).rejects.toBeInstanceOf(UnknownTurn);
  const bad = { mode: 'stream', turnId: '' } as const;
  await expect(session.runTurn('x', bad)).rejects.toMatchObject({ name: 'InvalidInput' });
  await expect(all(session.runTurn('x', bad))).rejects.toMatchObject({ name: 'InvalidInput' });
  answer = () => 'ok';
  expect((await all(await session.runTurn('x', { mode: 'stream' }))).at(-1)?.type).toBe('turn');
  await session.close();
});

test('the signal ends the reading and not the turn', async () => {
  const gate = new Gate();
  answer = () => ({
    text: 'One two.',
    held: [{ word: 'two', until: gate.opened }],
  });
  const session = await h.client.startSession(uniqueId());
  const reading = new AbortController();
  const waiting = new AbortController();
  const read: TurnPart[] = [];
  for await (const part of session.runTurn('go', { mode: 'stream', turnId: 'one', signal: reading.signal })) {
    read.push(part);
    reading.abort();
  }
  expect(joined(read)).toMatchObject([{ text: 'One ' }]);
  const waited = session.runTurn('go', { turnId: 'one', signal: waiting.signal });
  waiting.abort(new Error('enough'));
  await expect(waited).rejects.toThrow('enough');
  gate.open();
  await atRest(session);
  expect((await messagesOf(session, 'one')).map(text)).toEqual(['go', 'One two.']);
  await session.close();
});

test('T-06 a function as input is given the transcript as it is then, hidden messages too', async () => {
  answer = (call) => `re: ${last(call).text}`;
  const session = await h.client.startSession(uniqueId());
  await session.startRun({ agent: 'echo', input: 'from below' });
  await atRest(session);
  const turn = await session.runTurn(async (messages) =>
    Promise.resolve(`seen ${messages.map(({ role }) => role).join()}`),
  );
  expect(turn.messages.map(text)).toEqual(['seen user,assistant', 're: seen user,assistant']);
  await session.close();
});

test('a turn that a background result has made is followed by its id', async () => {
  answer = () => 'I see.';
  const session = await h.client.startSession(uniqueId());
  const { runId } = await session.startRun({ agent: 'echo', input: 'x' });
  const turnId = await eventually('the delivery', async () => {
    const row = await session.getRun({ runId });
    return row !== null && 'delivery' in row && row.delivery.finish.turnId;
  });
  expect(joined(await all(session.streamTurn(turnId)))).toMatchObject([{ text: 'I see.' }]);
  await session.close();
});

test('X-08 a secret that the model writes in pieces is in no heartbeat, message or part', async () => {
  const gate = new Gate();
  answer = () => ({
    text: `The key is ${SECRET}. Keep it.`,
    held: [{ word: 'very', until: gate.opened }],
  });
  const session = await h.client.startSession(uniqueId());
  const read: TurnPart[] = [];
  for await (const part of session.runTurn('tell', { mode: 'stream' })) {
    read.push(part);
    gate.open();
  }
  expect(joined(read)).toMatchObject([{ text: 'The key is [secret]. Keep it.' }]);
  expect(read[0]).toEqual({ type: 'text', step: 1, text: 'The key is ' });
  const history = await h.temporal.workflow.getHandle(session.sessionId).fetchHistory();
  const bytes = JSON.stringify(history.events?.map((event) => JSON.stringify(event)));
  expect(bytes).not.toContain(SECRET);
  expect(bytes).not.toContain(Buffer.from(SECRET).toString('base64').slice(4, 16));
  await session.close();
});

test.each(['its own client', 'another client of the process'])(
  'T-05 inside a tool, a task, and a task two levels down nobody waits for a turn of the session, by %s; submitting is allowed',
  async (which) => {
    const clientOf = (own: OutliveClient): OutliveClient => (which === 'its own client' ? own : h.client);
    answer = (call) => {
      const { role, text: input } = last(call);
      if (role !== 'user') return 'done';
      if (input === 'tool') return { tools: [{ name: 'in_tool', input: {} }] };
      if (input === 'task')
        return { tools: [{ name: 'start_run', input: { agent: 'in_task', input: null, wait: true } }] };
      if (input === 'deep')
        return { tools: [{ name: 'start_run', input: { agent: 'helper', input: 'task', wait: true } }] };
      return 'ok';
    };
    const session = await h.client.startSession(uniqueId());
    for (const mode of ['wait', 'stream'] as const) {
      nested = async (client, sessionId) => {
        const there = clientOf(client).session(sessionId);
        return mode === 'wait' ? there.runTurn('again') : all(there.runTurn('again', { mode }));
      };
      for (const where of ['tool', 'task', 'deep']) {
        tried.length = 0;
        expect(await session.runTurn(where)).toMatchObject({ status: 'completed' });
        expect(tried).toEqual([NestedTurn.name]);
      }
    }
    nested = async (client, sessionId) => clientOf(client).session(sessionId).runTurn('later', { mode: 'submit' });
    await session.runTurn('tool');
    await atRest(session);
    const { messages } = await session.getTranscript({ limit: 1000 });
    expect(messages.map(text).filter((one) => one === 'again')).toEqual([]);
    expect(messages.map(text).filter((one) => one === 'later')).toHaveLength(1);
    // Of another session it may wait.
    const other = await h.client.startSession(uniqueId());
    nested = async (client) => (await clientOf(client).session(other.sessionId).runTurn('hello')).status;
    tried.length = 0;
    expect((await session.runTurn('tool')).status).toBe('completed');
    expect(tried).toEqual([]);
    expect((await other.getTranscript()).messages.map(text)).toEqual(['hello', 'ok']);
    await other.close();
    await session.close();
  },
);
