/** D-25: the budget of tokens of a whole tree, on the real server. Every step of a digger costs a hundred. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { defineTool } from '../../src/define.ts';
import { InvalidInput } from '../../src/errors.ts';
import type { SessionHandle } from '../../src/client/index.ts';
import type { Row } from '../../src/contract.ts';
import { agentAt } from '../support/app.ts';
import { allEvents, eventually, Gate, harness, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer, type ModelCall, type Reply } from '../support/model-server.ts';
import { replayAll } from '../support/replay.ts';

const HUNDRED = { prompt_tokens: 80, completion_tokens: 20, total_tokens: 100 };

let model: ModelServer;
let h: Harness;
let gate: Gate;
/** What was dug, in order. */
let dug: string[];

function reply({ messages }: ModelCall): Reply {
  const said = JSON.stringify(messages);
  const calls = messages.reduce((sum, message) => sum + (message.tool_calls?.length ?? 0), 0);
  if (said.includes('MIDDLE') && calls === 0)
    return { tools: [{ name: 'start_run', input: { agent: 'digger', input: 'deep', wait: true } }], usage: HUNDRED };
  if (!said.includes('DIG') || calls === 5) return { text: 'done', usage: HUNDRED };
  const [, what = ''] = /(first|second|deep|slow)/u.exec(said) ?? [];
  return { tools: [{ name: 'dig', input: { what, n: calls + 1 } }], usage: HUNDRED };
}

beforeAll(async () => {
  model = await ModelServer.start(reply);
});

afterAll(async () => model.stop());

beforeEach(async () => {
  h = await harness();
  gate = new Gate();
  dug = [];
  const dig = defineTool({
    name: 'dig',
    description: 'Digs.',
    input: z.object({ what: z.string(), n: z.number() }),
    execute: async ({ what, n }) => {
      dug.push(`${what} ${n}`);
      if (what === 'slow') await gate.opened;
      return 'earth';
    },
  });
  await h.work({
    agents: [
      agentAt(model.url),
      agentAt(model.url, { name: 'digger', instructions: 'DIG', tools: [dig] }),
      agentAt(model.url, { name: 'middle', instructions: 'MIDDLE', canStart: ['digger'] }),
    ],
  });
});

afterEach(async () => {
  gate.open();
  await h[Symbol.asyncDispose]();
});

async function begin(session: SessionHandle, agent: string, input: string): Promise<string> {
  return (await session.startRun({ agent, input, runId: input, detached: { notify: 'silent' } })).runId;
}

async function until(session: SessionHandle, runId: string, status: Row['status']): Promise<Row> {
  return eventually(`${runId} to be ${status}`, async () => {
    const row = (await session.getRun({ runId })) as Row | null;
    return row?.status === status ? row : undefined;
  });
}

test('D-25 a run stops when the tokens of the tree are used up, and so does every turn that comes', async () => {
  const session = await h.client.startSession(uniqueId(), { budgets: { maxTokens: 250 } });
  await begin(session, 'digger', 'first');
  expect(await until(session, 'first', 'failed')).toMatchObject({
    reason: 'token_budget',
    error: { type: 'BudgetExceeded', message: expect.stringContaining('budgets.maxTokens') as unknown },
    usage: { totalTokens: 300, modelCalls: 3 },
  });
  expect(dug).toEqual(['first 1', 'first 2', 'first 3']);
  expect((await session.getSession()).usage).toMatchObject({ totalTokens: 300 });
  const outcome = await session.runTurn('hello');
  expect(outcome).toMatchObject({ status: 'failed', error: { type: 'BudgetExceeded' } });
  await begin(session, 'digger', 'second');
  expect(await until(session, 'second', 'failed')).toMatchObject({ reason: 'token_budget', usage: { modelCalls: 0 } });
  expect(model.calls.filter(({ messages }) => JSON.stringify(messages).includes('second'))).toEqual([]);
});

test('D-25 runs that have not used up their share stop when others have', async () => {
  const session = await h.client.startSession(uniqueId(), { budgets: { maxTokens: 500 } });
  await begin(session, 'digger', 'slow');
  await eventually('the slow one to dig', async () => Promise.resolve(dug.includes('slow 1')));
  await begin(session, 'digger', 'first');
  await until(session, 'first', 'failed');
  expect((await session.getSession()).usage.totalTokens).toBe(500);
  const slow = h.temporal.workflow.getHandle(`${session.sessionId}/slow`);
  await eventually('the word to the slow one', async () =>
    (await slow.fetchHistory()).events?.some(
      (event) => event.workflowExecutionSignaledEventAttributes?.signalName === 'runBudget',
    ),
  );
  gate.open();
  expect(await until(session, 'slow', 'failed')).toMatchObject({ reason: 'token_budget', usage: { modelCalls: 1 } });
  expect(dug.filter((one) => one.startsWith('slow'))).toEqual(['slow 1']);
});

test('D-25 with onMaxTokens "ask" one request is opened for the whole tree; approved, all go on where they were and do nothing twice', async () => {
  const session = await h.client.startSession(uniqueId(), { budgets: { maxTokens: 450, onMaxTokens: 'ask' } });
  await begin(session, 'digger', 'first');
  await begin(session, 'digger', 'second');
  await begin(session, 'middle', 'go');
  await until(session, 'first', 'input_required');
  await until(session, 'second', 'input_required');
  const { turnId } = await session.submitTurn({ input: 'hello' });
  await eventually('the turn to wait', async () => (await session.getTurn({ turnId }))?.status === 'input_required');
  expect((await session.getSession()).status).toBe('input_required');
  const { requests } = await session.getSession();
  expect(requests).toMatchObject([{ kind: 'budget', status: 'open', workflowId: session.sessionId }]);
  const requestId = requests[0]?.requestId ?? '';
  await expect(session.answer({ requestId, decision: 'approve', value: 0 })).rejects.toThrow(InvalidInput);
  expect(await session.answer({ requestId, decision: 'approve', value: 100_000, by: 'ann' })).toMatchObject({
    status: 'approved',
  });
  for (const runId of ['first', 'second', 'go']) await until(session, runId, 'completed');
  await eventually('the turn', async () => (await session.getTurn({ turnId }))?.status === 'completed');
  const all = ['first', 'second', 'deep'].flatMap((what) => [1, 2, 3, 4, 5].map((n) => `${what} ${n}`));
  expect(dug.toSorted()).toEqual(all.toSorted());
  const events = await allEvents(session);
  expect(events.filter(({ type }) => type === 'request.opened')).toHaveLength(1);
  // Three times six of the diggers, two of the one in the middle, and the turn.
  expect((await session.getSession()).usage).toMatchObject({ modelCalls: 21, totalTokens: 2100 });
  for (const workflowId of ['', '/first', '/go'].map((path) => session.sessionId + path))
    expect(await replayAll(h.temporal, workflowId)).toBe(1);
});

test('D-25 rejected, what runs fails as token_budget, and the next turn asks anew', async () => {
  const session = await h.client.startSession(uniqueId(), { budgets: { maxTokens: 150, onMaxTokens: 'ask' } });
  await begin(session, 'middle', 'go');
  const asked = async (): Promise<string> =>
    eventually('the request', async () => (await session.getSession()).requests[0]?.requestId);
  await session.answer({ requestId: await asked(), decision: 'reject', comment: 'enough' });
  // The one in the middle waits for its own run, and would have to call its model again.
  expect(await until(session, 'go', 'failed')).toMatchObject({ reason: 'token_budget', usage: { totalTokens: 200 } });
  const { turnId } = await session.submitTurn({ input: 'hello' });
  expect(await asked()).not.toBe('');
  await session.cancelTurn({ turnId });
  await eventually('nothing to be open', async () => (await session.getSession()).requests.length === 0);
});
