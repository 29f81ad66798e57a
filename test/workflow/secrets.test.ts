/** the value of a secret is in nothing that a worker sends to Temporal, whatever an app or a provider makes of it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { defineAgent, defineTask, defineTool, type ToolDefinition } from '../../src/define.ts';
import { scriptedModel } from '../../src/testing/index.ts';
import { atRest, eventually, Gate, harness, text, uniqueId, type Harness } from '../support/harness.ts';
import { readable } from '../support/readable.ts';

/** With what JSON writes otherwise. */
const SECRET = 'pass"word\\of\nours';
const FORMS = [SECRET, JSON.stringify(SECRET).slice(1, -1), JSON.stringify(JSON.stringify(SECRET)).slice(3, -3)];

let h: Harness;
const gate = new Gate();
const leaks = (name: string, execute: () => unknown): ToolDefinition<any> =>
  defineTool({ name, description: 'Leaks.', input: z.object({}), execute });

beforeAll(async () => {
  process.env['A_SECRET_OF_OURS'] = SECRET;
  process.env['A_SHORT_ONE'] = 'short';
  h = await harness();
  const task = defineTask({
    name: 'leaky',
    retries: 0,
    run: async ({ fails }: { fails: boolean }, ctx) => {
      ctx.progress({ message: `with ${SECRET}`, data: { [SECRET]: [SECRET] }, checkpoint: { at: SECRET } });
      await ctx.milestone('known', { by: SECRET });
      await gate.opened;
      if (fails) throw new Error(`It is ${SECRET}.`);
      return { found: SECRET };
    },
  });
  const model = scriptedModel(({ from }) =>
    from === 'user'
      ? {
          text: `I know ${SECRET}.`,
          toolCalls: [
            { toolName: 'answers', input: {} },
            { toolName: 'throws', input: {} },
            { toolName: SECRET, input: { of: SECRET } },
          ],
        }
      : { error: `Not with ${SECRET}.` },
  );
  await h.work({
    agents: [
      defineAgent({
        name: 'leaky-agent',
        instructions: 'Help.',
        model,
        tools: [
          leaks('answers', () => ({ deep: [{ [SECRET]: `it is ${SECRET}` }] })),
          leaks('throws', () => {
            throw new Error(SECRET);
          }),
        ],
      }),
      defineAgent({
        name: 'instructed',
        instructions: () => {
          throw new Error(`No instructions with ${SECRET}.`);
        },
        model,
        maxAttempts: 1,
      }),
    ],
    tasks: [task],
    handlers: {
      tell: () => {
        throw new Error(`Cannot tell ${SECRET}.`);
      },
    },
    secrets: ['A_SECRET_OF_OURS', 'A_SECRET_THAT_IS_NOT_SET'],
  });
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
});

async function historyOf(workflowId: string): Promise<string> {
  return readable(await h.temporal.workflow.getHandle(workflowId).fetchHistory());
}

function expectClean(said: string): void {
  expect(said).toContain('[secret]');
  for (const form of FORMS) expect(said).not.toContain(form);
}

test.each(['leaky-agent', 'instructed'])('X-08 a turn of %s leaves no secret in any history', async (agent) => {
  const session = await h.client.startSession(uniqueId(), { agent });
  const { turnId } = await session.submitTurn({ input: 'go' });
  await atRest(session);
  const turn = await session.getTurn({ turnId });
  expect(turn).toMatchObject({ status: 'failed', error: { message: expect.stringContaining('[secret]') } });
  expectClean(await historyOf(session.sessionId));
  if (agent === 'leaky-agent') expect(text(turn?.messages[1])).toBe('I know [secret].');
  await session.close();
});

test('X-08 a task leaves no secret in its heartbeat, its milestones, its result and its error, nor does its handler', async () => {
  const session = await h.client.startSession(uniqueId(), { agent: 'leaky-agent' });
  const runs = await Promise.all(
    [true, false].map(async (fails) =>
      session.startRun({ agent: 'leaky', input: { fails }, detached: { notify: 'silent', onFinish: 'tell' } }),
    ),
  );
  for (const { workflowId } of runs)
    await eventually('the heartbeat', async () => {
      const { raw } = await h.temporal.workflow.getHandle(workflowId).describe();
      const beat = readable(raw.pendingActivities);
      if (!beat.includes('[secret]')) return false;
      expectClean(beat);
      return true;
    });
  gate.open();
  await eventually('both ends', async () => {
    const { runs: counts } = await session.getSession();
    return counts.completed === 1 && counts.failed === 1;
  });
  for (const { workflowId } of runs) expectClean(await historyOf(workflowId));
  await eventually('a call of the handler', async () => (await historyOf(session.sessionId)).includes('Cannot tell'));
  expectClean(await historyOf(session.sessionId));
  await session.close();
});

test('X-08 a secret that is too short to be kept is refused when the worker starts', async () => {
  const agents = [defineAgent({ name: 'a', instructions: 'Help.', model: scriptedModel([]) })];
  await expect(h.work({ agents, secrets: ['A_SHORT_ONE'] })).rejects.toMatchObject({
    type: 'InvalidInput',
    message: 'Expected the value of A_SHORT_ONE to be at least 8 characters long to be kept secret, got 5.',
  });
});
