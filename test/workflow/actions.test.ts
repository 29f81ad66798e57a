/** Actions on the real server: what is done once stays done once, whatever turn asks for it and however often the session continues as new. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { defineTool } from '../../src/define.ts';
import { agentAt } from '../support/app.ts';
import { eventually, harness, text, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer, type ModelCall, type Reply, type ToolUse } from '../support/model-server.ts';

let h: Harness;
let model: ModelServer;
/** Each execution. */
const paid: { invoice: string; euros: number }[] = [];
const broken = new Set<string>();

const pay = defineTool({
  name: 'pay',
  description: 'Pays an invoice.',
  input: z.object({ invoice: z.string(), euros: z.number() }),
  idempotencyKey: ({ invoice }, { workflowId }) => (invoice === 'none' ? '' : `${workflowId} ${invoice}`),
  execute: (input) => {
    if (broken.delete(input.invoice)) throw new Error('no money');
    paid.push(input);
    return { receipt: paid.length };
  },
});

function answer({ messages }: ModelCall): string | Reply {
  const last = messages.at(-1);
  if (last?.role !== 'user')
    return `read ${messages
      .slice(-2)
      .map(({ content }) => JSON.stringify(content))
      .join()}`;
  const content = typeof last.content === 'string' ? last.content : JSON.stringify(last.content);
  return content.startsWith('[') ? { tools: JSON.parse(content) as ToolUse[] } : 'ok';
}

const asking = (...calls: [invoice: string, euros: number][]): string =>
  JSON.stringify(calls.map(([invoice, euros]) => ({ name: 'pay', input: { invoice, euros } })));

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start(answer);
  await h.work({ agents: [agentAt(model.url, { tools: [pay] })] });
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await model.stop();
});

const of = (invoice: string): number => paid.filter((one) => one.invoice === invoice).length;

test('T-12 an action is performed once in a session, over turns and continue-as-new; the model reads its first result again', async () => {
  const session = await h.client.startSession(uniqueId(), { limits: { historyEvents: 20 } });
  const handle = h.temporal.workflow.getHandle(session.sessionId);
  const { runId } = await handle.describe();
  const first = await session.runTurn(asking(['a', 5], ['a', 5]));
  const [, step] = first.messages;
  expect(step?.parts.map(({ output }) => output)).toEqual([{ receipt: 1 }, { receipt: 1 }]);
  for (let i = 0; i < 6; i++) await session.runTurn(`hello ${i}`);
  await eventually('the next execution', async () => (await handle.describe()).runId !== runId);
  const again = await session.runTurn(asking(['a', 5]));
  expect(again.messages[1]?.parts.map(({ output }) => output)).toEqual([{ receipt: 1 }]);
  expect(again.messages.map(text).at(-1)).toContain('receipt');
  expect(of('a')).toBe(1);
  await session.close();
});

test('T-12 another input under the key is a conflict that the model reads; one that threw is done when it is asked for again', async () => {
  const session = await h.client.startSession(uniqueId());
  broken.add('b');
  expect((await session.runTurn(asking(['b', 5]))).messages[1]?.parts[0]).toMatchObject({ errorText: 'no money' });
  expect((await session.runTurn(asking(['b', 5]))).messages[1]?.parts[0]).toMatchObject({ state: 'output-available' });
  const conflict = await session.runTurn(asking(['b', 6]));
  expect(conflict.messages[1]?.parts[0]?.['errorText']).toMatch(/^IdempotencyConflict: /u);
  expect(of('b')).toBe(1);
  await session.close();
});

test('T-12 another session has actions of its own; a key that is none is an error result, and nothing is done', async () => {
  const sessions = await Promise.all([1, 2].map(async () => h.client.startSession(uniqueId())));
  for (const session of sessions) await session.runTurn(asking(['c', 5]));
  expect(of('c')).toBe(2);
  const [session] = sessions;
  const turn = await session?.runTurn(asking(['none', 5]));
  expect(turn?.messages[1]?.parts[0]?.['errorText']).toMatch(/^InvalidInput: Expected idempotencyKey of pay /u);
  expect(of('none')).toBe(0);
  for (const one of sessions) await one.close();
});
