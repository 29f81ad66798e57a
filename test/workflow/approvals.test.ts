/** Calls that a person is to approve, on the real server: by client and by signal, over restarts and continue-as-new, in runs, in time or never. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { SessionHandle } from '../../src/client/index.ts';
import type { Json, Request } from '../../src/contract.ts';
import { defineTool, type CallContext } from '../../src/define.ts';
import { InvalidInput } from '../../src/errors.ts';
import { agentAt } from '../support/app.ts';
import { allEvents, atRest, eventually, harness, text, types, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer, type ModelCall, type Reply, type ToolUse } from '../support/model-server.ts';

let h: Harness;
let model: ModelServer;
/** What was done: the input of each call of `pay`, by its key. */
const paid: Json[] = [];
const asked: { input: Json; ctx: CallContext }[] = [];

const pay = defineTool({
  name: 'pay',
  description: 'Pays.',
  input: z.object({ to: z.string(), euros: z.number() }),
  approval: true,
  execute: (input) => {
    paid.push(input);
    return { paid: input.euros };
  },
});
/** Asks only above ten. */
const tip = defineTool({
  name: 'tip',
  description: 'Tips.',
  input: z.object({ cents: z.number().transform((cents) => cents / 100) }),
  approval: (input, ctx) => {
    asked.push({ input, ctx });
    if (input.cents === 13) throw new Error('no idea');
    return input.cents > 10;
  },
  execute: ({ cents }) => `tipped ${cents}`,
});

/** A user's text is the calls to make, as JSON; what comes of them ends the turn. */
function answer({ messages }: ModelCall): string | Reply {
  const last = messages.at(-1);
  if (last?.role !== 'user') return `read ${JSON.stringify(last?.content)}`;
  const content = typeof last.content === 'string' ? last.content : JSON.stringify(last.content);
  return content.startsWith('[') ? { tools: JSON.parse(content) as ToolUse[] } : 'ok';
}

const paying = (to: string, euros = 5): string => JSON.stringify([{ name: 'pay', input: { to, euros } }]);

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start(answer);
  const agents = [
    agentAt(model.url, { tools: [pay, tip], canStart: ['payer'] }),
    agentAt(model.url, { name: 'payer', tools: [pay] }),
  ];
  await h.work({ agents });
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await model.stop();
});

async function requests(session: SessionHandle, count = 1): Promise<Request[]> {
  return eventually(`${count} requests`, async () => {
    const { requests: open } = await session.getSession();
    return open.length === count ? open : undefined;
  });
}

const made = (to: string): Json[] => paid.filter((one) => (one as { to: string }).to === to);

test.each(['update', 'signal'] as const)('T-11 approved by %s it runs once, and the model reads so', async (how) => {
  const session = await h.client.startSession(uniqueId());
  await session.submitTurn({ input: paying(how), turnId: 'one' });
  const [request] = await requests(session);
  expect(request).toMatchObject({ kind: 'approval', toolName: 'pay', input: { to: how, euros: 5 }, turnId: 'one' });
  expect((await session.getSession()).status).toBe('input_required');
  const { requestId = '' } = request ?? {};
  const given = { requestId, decision: 'approve', by: 'anna', comment: 'this once' } as const;
  if (how === 'update')
    expect(await session.answer(given)).toMatchObject({
      requestId,
      status: 'approved',
      deduplicated: false,
      by: 'anna',
    });
  else await h.temporal.workflow.getHandle(session.sessionId).signal('answer', given);
  await atRest(session);
  expect(made(how)).toEqual([{ to: how, euros: 5 }]);
  expect(await session.answer({ requestId, decision: 'reject', by: 'ben' })).toMatchObject({
    status: 'approved',
    deduplicated: true,
    by: 'anna',
  });
  const { messages } = await session.getTranscript();
  expect(messages.at(-1) && text(messages.at(-1) as never)).toContain('This call was approved by anna: this once');
  expect(types(await allEvents(session)).filter((type) => /request|step|message/u.test(type))).toEqual([
    'message.added',
    'request.opened',
    'step.waiting',
    'request.answered',
    'message.added',
    'message.added',
  ]);
  await session.close();
});

test('T-11 rejected and expired are read as such, and nothing is done', async () => {
  const session = await h.client.startSession(uniqueId(), { budgets: { requestTtlMs: 1500 } });
  await session.submitTurn({ input: paying('expires') });
  await atRest(session);
  await session.submitTurn({ input: paying('rejected') });
  const [request] = await requests(session);
  await expect(session.answer({ requestId: request?.requestId ?? '', value: 'yes' })).rejects.toThrow(InvalidInput);
  await session.answer({ requestId: request?.requestId ?? '', decision: 'reject', by: 'ben', comment: 'too much' });
  await atRest(session);
  const said = (await session.getTranscript()).messages.map(text).filter((words) => words.startsWith('read'));
  expect(said[0]).toMatch(/ApprovalExpired: .*expired/u);
  expect(said[1]).toMatch(/ApprovalRejected: .*rejected by ben.*too much/u);
  expect([...made('expires'), ...made('rejected')]).toEqual([]);
  await session.close();
});

test('T-11 it waits over the loss of every worker and continue-as-new, and is made once', async () => {
  await using own = await harness();
  const config = { agents: [agentAt(model.url, { tools: [pay] })] };
  const worker = await own.work(config);
  const session = await own.client.startSession(uniqueId(), { limits: { historyEvents: 20 } });
  const handle = own.temporal.workflow.getHandle(session.sessionId);
  await session.submitTurn({ input: paying('later'), turnId: 'one' });
  const [request] = await requests(session);
  const { runId } = await handle.describe();
  for (let i = 0; i < 12; i++) await session.submitTurn({ input: `queued ${i}`, turnId: `q${i}` });
  await eventually('the next execution', async () => (await handle.describe()).runId !== runId);
  await worker.stop();
  await own.work(config);
  await session.answer({ requestId: request?.requestId ?? '', decision: 'approve' });
  await atRest(session);
  expect(made('later')).toHaveLength(1);
  expect(await session.getTurn({ turnId: 'one' })).toMatchObject({ status: 'completed', steps: 2 });
  await session.close();
});

test('T-11 several runs ask at once; each is answered at the session, by itself', async () => {
  const session = await h.client.startSession(uniqueId());
  for (const runId of ['a', 'b', 'c']) await session.startRun({ agent: 'payer', input: paying(`run-${runId}`), runId });
  const open = await requests(session, 3);
  expect((await session.getSession()).status).toBe('idle');
  for (const { requestId, workflowId, runId } of open) {
    expect(workflowId).toBe(`${session.sessionId}/${runId}`);
    await session.answer({ requestId, decision: runId === 'b' ? 'reject' : 'approve' });
  }
  await atRest(session);
  expect(['a', 'b', 'c'].map((runId) => made(`run-${runId}`).length)).toEqual([1, 0, 1]);
  await session.close();
});

test('T-11 a function of the input says whether a person is asked; one that throws asks', async () => {
  const session = await h.client.startSession(uniqueId());
  const tips = [500, 2000, 1300].map((cents) => ({ name: 'tip', input: { cents } }));
  await session.submitTurn({ input: JSON.stringify(tips), turnId: 'one' });
  const open = await requests(session, 2);
  expect(open.map(({ input }) => input)).toEqual([{ cents: 2000 }, { cents: 1300 }]);
  expect(asked.map(({ input }) => input)).toEqual([{ cents: 5 }, { cents: 20 }, { cents: 13 }]);
  const { sessionId } = session;
  expect(asked[0]?.ctx).toEqual({ sessionId, workflowId: sessionId, turnId: 'one' });
  for (const { requestId } of open) await session.answer({ requestId, decision: 'approve' });
  await atRest(session);
  const [, step] = (await session.getTurn({ turnId: 'one' }))?.messages ?? [];
  expect(step?.parts.map(({ output }) => output)).toEqual(['tipped 5', 'tipped 20', 'tipped 13']);
  await session.close();
});

test('T-11 input that does not fit asks nobody', async () => {
  const session = await h.client.startSession(uniqueId());
  await session.submitTurn({ input: JSON.stringify([{ name: 'pay', input: { to: 5 } }]) });
  await atRest(session);
  expect((await session.getTranscript()).messages.map(text).at(-1)).toMatch(/InvalidInput: Expected/u);
  expect(types(await allEvents(session))).not.toContain('request.opened');
  await session.close();
});
