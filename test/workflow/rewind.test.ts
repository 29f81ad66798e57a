/** Input that joins a running turn, and a transcript that is taken back: on the real server, by client, signal and a provider that refuses. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SessionHandle, TurnPart } from '../../src/client/index.ts';
import { InvalidInput, TurnRunning } from '../../src/errors.ts';
import { defineTool } from '../../src/define.ts';
import { z } from 'zod';
import { agentAt, echo } from '../support/app.ts';
import {
  allEvents,
  atRest,
  eventually,
  Gate,
  harness,
  text,
  types,
  uniqueId,
  type Harness,
} from '../support/harness.ts';
import { ModelServer, type Answer, type ModelCall } from '../support/model-server.ts';

let h: Harness;
let model: ModelServer;
let answer: Answer = () => 'ok';
let gate = new Gate();

const work = defineTool({
  name: 'work',
  description: 'Works for a while.',
  input: z.object({}),
  idempotent: true,
  execute: async () => {
    await gate.opened;
    return 'worked';
  },
});

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start((call) => answer(call));
  await h.work({ agents: [agentAt(model.url, { tools: [work], canStart: ['echo'], maxAttempts: 1 })], tasks: [echo] });
});

afterAll(async () => {
  gate.open();
  await h[Symbol.asyncDispose]();
  await model.stop();
});

/** What a call was asked, a line a message, without the instructions. */
function prompt({ messages }: ModelCall): string[] {
  return messages
    .filter(({ role }) => role !== 'system')
    .map(({ role, content }) => `${role} ${typeof content === 'string' ? content : (JSON.stringify(content) ?? '')}`);
}

const calls = (count: number): ModelCall[] => model.calls.slice(-count);

async function texts(session: SessionHandle): Promise<string[]> {
  return (await session.getTranscript()).messages.map(text);
}

test.each(['update', 'signal'] as const)(
  'T-22 a steer sent as %s while a tool works is in the next prompt, behind its result, and the turn goes on by a step',
  async (how) => {
    gate = new Gate();
    answer = (call) =>
      call.messages.at(-1)?.role === 'user' && prompt(call).length === 1
        ? { tools: [{ name: 'work', input: {} }] }
        : 'seen';
    const session = await h.client.startSession(uniqueId());
    await session.submitTurn({ input: 'go', turnId: 'one' });
    await eventually(
      'the tool',
      async () => (await session.getTurn({ turnId: 'one' }))?.messages.at(-1)?.metadata?.['partial'],
    );
    const steer = { input: 'in blue', turnId: 'blue', onBusy: 'steer' as const };
    if (how === 'signal') await h.temporal.workflow.getHandle(session.sessionId).signal('submitTurn', steer);
    else
      expect(await session.submitTurn(steer)).toEqual({
        turnId: 'one',
        status: 'running',
        position: 0,
        deduplicated: false,
        ownTurnId: 'blue',
      });
    await eventually('the steer', async () => (await session.getTurn({ turnId: 'one' }))?.inputs.length === 2);
    gate.open();
    await atRest(session);
    const [second] = calls(1);
    expect(second && prompt(second).map((line) => line.split(' ')[0])).toEqual(['user', 'assistant', 'tool', 'user']);
    expect(second && prompt(second).at(-1)).toContain('in blue');
    expect(await session.getTurn({ turnId: 'blue' })).toMatchObject({ turnId: 'one', status: 'completed', steps: 2 });
    expect(types(await allEvents(session)).filter((type) => type.startsWith('turn.'))).toEqual([
      'turn.queued',
      'turn.started',
      'turn.joined',
      'turn.completed',
    ]);
    await session.close();
  },
);

test('T-22 runTurn with a steer answers the turn that has read it, also when that is its own', async () => {
  gate = new Gate();
  answer = (call) =>
    prompt(call).at(-1) === 'user go' ? { tools: [{ name: 'work', input: {} }] } : `re: ${prompt(call).at(-1)}`;
  const session = await h.client.startSession(uniqueId());
  await session.submitTurn({ input: 'go', turnId: 'one' });
  await eventually(
    'the tool',
    async () => (await session.getTurn({ turnId: 'one' }))?.messages.at(-1)?.metadata?.['partial'],
  );
  const parts: TurnPart[] = [];
  const steered = (async () => {
    for await (const part of session.runTurn('in blue', { mode: 'stream', onBusy: 'steer', turnId: 'blue' }))
      parts.push(part);
  })();
  const waited = session.runTurn('in red', { onBusy: 'steer' });
  await eventually('both', async () => (await session.getTurn({ turnId: 'one' }))?.inputs.length === 3);
  await eventually('the call', async () => Promise.resolve(parts.some(({ type }) => type === 'tool-call')));
  await session.cancelTurn();
  gate.open();
  await steered;
  expect(parts.map(({ type }) => type)).toEqual(['tool-call', 'retry', 'text', 'turn']);
  expect(parts.at(-1)).toMatchObject({ turn: { turnId: 'blue', status: 'completed' } });
  expect(await waited).toMatchObject({ status: 'completed', steps: 1 });
  expect((await waited).messages.map(text)).toEqual(['in red', expect.stringContaining('in red')]);
  await session.close();
});

test('T-23 after a rewind the next prompt begins before it, and the same id and text are a new turn; done again it is deduplicated', async () => {
  answer = (call) => `re: ${prompt(call).at(-1)}`;
  const session = await h.client.startSession(uniqueId());
  const say = async (content: string, id: string) =>
    session.runTurn([{ id, role: 'user', content }], { turnId: id, idempotencyKey: id });
  await say('one', 'u1');
  await say('two', 'u2');
  await say('three', 'u3');
  const { removed, deduplicated } = await session.rewind({ messageId: 'u2', reason: 'edited' });
  expect([removed[0], removed[2], removed.length, deduplicated]).toEqual(['u2', 'u3', 4, false]);
  expect(await session.rewind({ messageId: 'u2' })).toEqual({ removed: [], deduplicated: true });
  expect(await session.rewind({ turnId: 'u3' })).toEqual({ removed: [], deduplicated: true });
  expect((await say('two', 'u2')).messages.map(({ id }) => id)[0]).toBe('u2');
  expect(calls(1).flatMap(prompt)).toEqual(['user one', 'assistant re: user one', 'user two']);
  expect((await session.rewind({ turnId: 'u2' })).deduplicated).toBe(false);
  expect(await texts(session)).toEqual(['one', 're: user one']);
  await expect(session.rewind({ messageId: 'nobody' })).rejects.toThrow(InvalidInput);
  await expect(session.rewind({} as { turnId: string })).rejects.toThrow(InvalidInput);
  await expect(session.rewind({ messageId: 'u1', turnId: 'u1' })).rejects.toThrow(InvalidInput);
  const events = await allEvents(session);
  expect(events.filter(({ type }) => type === 'transcript.rewound')).toMatchObject([
    { messageId: 'u2', removed, comment: 'edited' },
    { messageId: 'u2' },
  ]);
  expect(JSON.stringify(events)).toContain('three');
  await session.close();
});

test('T-23 a rewind is refused while a turn runs, as an update and as a signal, and changes nothing', async () => {
  gate = new Gate();
  answer = (call) => (call.messages.at(-1)?.role === 'user' ? { tools: [{ name: 'work', input: {} }] } : 'done');
  const session = await h.client.startSession(uniqueId());
  await session.submitTurn({ input: 'go', turnId: 'one' });
  await eventually('the turn', async () => (await session.getSession()).turn);
  await expect(session.rewind({ turnId: 'one' })).rejects.toThrow(TurnRunning);
  await h.temporal.workflow.getHandle(session.sessionId).signal('rewind', { turnId: 'one' });
  gate.open();
  await atRest(session);
  expect(await texts(session)).toEqual(['go', '', 'done']);
  expect((await allEvents(session)).filter(({ type }) => type === 'input.refused')).toMatchObject([{ name: 'rewind' }]);
  await session.close();
});

test('T-23 a rewind heals a transcript that the provider refuses', async () => {
  answer = (call) => (JSON.stringify(call.messages).includes('poison') ? { status: 400 } : 'fine');
  const session = await h.client.startSession(uniqueId());
  await session.runTurn('hello');
  expect(await session.runTurn('poison', { turnId: 'bad' })).toMatchObject({ status: 'failed' });
  expect(await session.runTurn('and now?')).toMatchObject({ status: 'failed' });
  await session.rewind({ turnId: 'bad' });
  expect(await session.runTurn('and now?')).toMatchObject({ status: 'completed' });
  await session.close();
});

test('a delivery says how the turn that read it has ended', async () => {
  answer = (call) => (JSON.stringify(call.messages.at(-1)).includes('background-run') ? { status: 400 } : 'fine');
  const session = await h.client.startSession(uniqueId());
  await session.startRun({ agent: 'echo', input: 1, runId: 'x', metadata: { ticket: 7 } });
  await atRest(session);
  expect(await session.getRun({ runId: 'x' })).toMatchObject({
    metadata: { ticket: 7 },
    delivery: { finish: { state: 'delivered', turnStatus: 'failed' } },
  });
  await session.close();
});
