/** T-10: what a model reads of a call that must not run twice and whose outcome nobody knows is the agent's to say. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { defineAgent, defineTool, type InterruptedCall, type Repair } from '../../src/define.ts';
import { scriptedModel } from '../../src/testing/index.ts';
import { atRest, Gate, harness, uniqueId, type Harness } from '../support/harness.ts';

let h: Harness;
let ran = 0;
let gate = new Gate();
let asked: InterruptedCall[] = [];
let repair: (call: InterruptedCall) => Repair | Promise<Repair>;

const pays = defineTool({
  name: 'pays',
  description: 'Pays.',
  input: z.object({ to: z.string() }),
  timeoutMs: 1500,
  execute: async () => {
    ran += 1;
    await gate.opened;
    return 'paid';
  },
});

beforeAll(async () => {
  h = await harness();
  const model = scriptedModel(({ from, newest }) =>
    from === 'user' ? { toolCalls: [{ toolName: 'pays', input: { to: 'Ann' } }] } : `read ${newest}`,
  );
  await h.work({
    agents: [
      defineAgent({
        name: 'payer',
        instructions: 'Pay.',
        model,
        tools: [pays],
        repairInterruptedTool: (call) => {
          asked.push(call);
          return repair(call);
        },
      }),
    ],
  });
});

afterAll(async () => {
  gate.open();
  await h[Symbol.asyncDispose]();
});

beforeEach(() => {
  ran = 0;
  asked = [];
  gate = new Gate();
});

const UNKNOWN = { state: 'output-error', errorText: expect.stringMatching(/^The outcome of this call is unknown/u) };

test.each<[string, () => Repair, object]>([
  ['an output', () => ({ output: { paid: true } }), { state: 'output-available', output: { paid: true } }],
  ['other words', () => ({ errorText: 'Ask the bank.' }), { state: 'output-error', errorText: 'Ask the bank.' }],
  ['blank words', () => ({ errorText: ' ' }), UNKNOWN],
  ['what is no repair', () => 7 as never, UNKNOWN],
  ['what is no JSON', () => ({ output: 1n }), UNKNOWN],
  [
    'an error',
    () => {
      throw new Error('no idea');
    },
    UNKNOWN,
  ],
  ['a promise that is rejected', () => Promise.reject(new Error('no idea')) as never, UNKNOWN],
])(
  'T-10 a call that took too long is not run again, and the model reads %s that the agent makes of it',
  async (_, made, part) => {
    repair = made;
    const session = await h.client.startSession(uniqueId());
    const { turnId } = await session.submitTurn({ input: 'pay' });
    await atRest(session);
    const turn = await session.getTurn({ turnId });
    expect(turn).toMatchObject({ status: 'completed', steps: 2 });
    const call = turn?.messages.flatMap(({ parts }) => parts).find(({ type }) => type === 'tool-pays');
    expect(call).toMatchObject(part);
    expect(asked).toEqual([{ toolCallId: call?.['toolCallId'], toolName: 'pays', input: { to: 'Ann' } }]);
    expect(ran).toBe(1);
    gate.open();
    await session.close();
  },
);
