/** D-34, CASES 11: what a run has used is kept however it ends. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { defineTool } from '../../src/define.ts';
import type { SessionHandle } from '../../src/client/index.ts';
import type { Row } from '../../src/contract.ts';
import { agentAt, echo } from '../support/app.ts';
import { allEvents, eventually, harness, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer, type ModelCall, type Reply } from '../support/model-server.ts';

const HUNDRED = { prompt_tokens: 80, completion_tokens: 20, total_tokens: 100 };

let model: ModelServer;
/** What the run's model does in its fourth step. */
let fourth: Reply = { hang: true };
let isFourth = false;

function reply({ messages }: ModelCall): Reply {
  const steps = messages.filter((message) => message.role === 'assistant').length;
  if (!messages.some((message) => message.role === 'user' && JSON.stringify(message).includes('work')))
    return { text: 'ok' };
  if (steps < 3) return { tools: [{ name: 'look_up', input: {} }], usage: HUNDRED };
  isFourth = true;
  return fourth;
}

beforeAll(async () => {
  model = await ModelServer.start(reply);
});

afterAll(async () => model.stop());

const lookUp = defineTool({
  name: 'look_up',
  description: 'Looks up.',
  input: z.object({}),
  idempotent: true,
  execute: () => 'found',
});

/** A run of an agent that is in its fourth step. */
async function working(
  h: Harness,
  inFourth: Reply,
): Promise<{ session: SessionHandle; runId: string; workflowId: string }> {
  fourth = inFourth;
  isFourth = false;
  await h.work({ agents: [agentAt(model.url, { tools: [lookUp] })], tasks: [echo] });
  const session = await h.client.startSession(uniqueId());
  const { runId, workflowId } = await session.startRun({
    agent: 'helper',
    input: 'work',
    detached: { notify: 'silent' },
  });
  await eventually('the fourth step', async () => Promise.resolve(isFourth));
  return { session, runId, workflowId };
}

async function settled(session: SessionHandle, runId: string): Promise<Row> {
  const row = await eventually('the settle', async () => {
    const seen = await session.getRun({ runId });
    return seen !== null && 'settledAt' in seen && seen.settledAt !== undefined ? seen : undefined;
  });
  const event = (await allEvents(session)).find(({ type }) => type === 'run.settled');
  expect(event?.['usage']).toEqual((row as Row).usage);
  expect((await session.getSession()).usage).toEqual((row as Row).usage);
  return row as Row;
}

const THREE = { inputTokens: 240, outputTokens: 60, totalTokens: 300, modelCalls: 3 };

test('case 11 D-34 a run that is terminated in its fourth step has used what its three steps have', async () => {
  await using h = await harness();
  const { session, runId, workflowId } = await working(h, { hang: true });
  await h.temporal.workflow.getHandle(workflowId).terminate('by an operator');
  expect(await settled(session, runId)).toMatchObject({ status: 'failed', reason: 'lost', usage: THREE });
});

test('D-34 so has one that is cancelled, and one whose provider refuses', async () => {
  await using h = await harness();
  const { session, runId } = await working(h, { hang: true });
  await session.cancelRun({ runId });
  expect(await settled(session, runId)).toMatchObject({ status: 'cancelled', usage: THREE });

  await using other = await harness();
  const refused = await working(other, { status: 400 });
  expect(await settled(refused.session, refused.runId)).toMatchObject({ status: 'failed', usage: THREE });
});

test('D-34 a look sees what a run has used while it works', async () => {
  await using h = await harness();
  const { session, runId } = await working(h, { hang: true });
  await eventually('a look', async () => {
    const row = await session.getRun({ runId });
    return row !== null && 'usage' in row && row.usage.totalTokens === 300;
  });
  expect((await session.getSession()).usage).toEqual(THREE);
  await session.cancelRun({ runId });
  expect(await settled(session, runId)).toMatchObject({ usage: THREE });
});
