/** `report_result` with a schema and without, on the real server: what a run that an agent takes turns in comes to. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as v from 'valibot';
import { z } from 'zod';
import type { Row } from '../../src/contract.ts';
import { RunFailed } from '../../src/errors.ts';
import { agentAt } from '../support/app.ts';
import { atRest, harness, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer, type ModelCall, type Reply } from '../support/model-server.ts';

let h: Harness;
let model: ModelServer;
/** What each call was made of, by what it was asked to do. */
const offered = new Map<string, ModelCall['body']>();

const use = (result: unknown): Reply => ({ tools: [{ name: 'report_result', input: { result } }] });

function answer(call: ModelCall): string | Reply {
  const all = JSON.stringify(call.messages);
  const reports = call.messages.reduce((sum, { tool_calls: calls = [] }) => sum + calls.length, 0);
  const task = /task:(\w+)/u.exec(all)?.[1] ?? '';
  offered.set(task, call.body);
  if (task === 'wrong') return [use({ rows: 'many' }), use({}), use({ rows: 7 })][reports] ?? 'done';
  if (task === 'twice') return [use({ rows: 1 }), use({ rows: 2 })][reports] ?? 'done';
  if (task === 'reminded') return all.includes('ended without a result') && reports === 0 ? use({ rows: 3 }) : 'done';
  if (task === 'free') return reports === 0 ? use(['any', { thing: 1 }]) : 'done';
  if (task === 'cut') return { text: 'It was the best of', finish: 'length' };
  return 'done';
}

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start(answer);
  await h.work({
    agents: [
      agentAt(model.url, { output: z.object({ rows: z.number() }) }),
      // Of a library that cannot write its schemas for a model.
      agentAt(model.url, { name: 'unwritten', output: v.object({ rows: v.number() }) }),
      agentAt(model.url, { name: 'free' }),
    ],
  });
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await model.stop();
});

async function run(task: string, agent = 'helper'): Promise<Row> {
  const session = await h.client.startSession(uniqueId());
  const { runId } = await session.startRun({ agent, input: `task:${task}`, detached: { notify: 'silent' } });
  const result = session.run(runId).result();
  await result.catch((error: unknown) => {
    if (!(error instanceof RunFailed)) throw error;
  });
  await atRest(session);
  const row = (await session.getRun({ runId })) as Row;
  await session.close();
  return row;
}

test('D-39 with a schema the result is that JSON, checked: what does not fit is an error result that names the field', async () => {
  expect(await run('wrong')).toMatchObject({ status: 'completed', result: { rows: 7 } });
  const calls = model.calls.filter((call) => JSON.stringify(call.messages).includes('task:wrong'));
  const errors = calls.map(({ messages }) => messages.at(-1)).filter((message) => message?.role === 'tool');
  expect(JSON.stringify(errors[0])).toContain('InvalidInput: Expected result.rows to be ');
  expect(JSON.stringify(errors[1])).toContain('result.rows');
  expect(JSON.stringify(offered.get('wrong'))).toContain('"rows":{"type":"number"}');
});

test('D-39 a schema that cannot be written for the model is checked all the same', async () => {
  expect(await run('wrong', 'unwritten')).toMatchObject({ status: 'completed', result: { rows: 7 } });
});

test('D-39 the last report that fits counts', async () => {
  expect(await run('twice')).toMatchObject({ status: 'completed', result: { rows: 2 } });
});

test('D-39 never called: asked once more, then ResultMissing', async () => {
  expect(await run('reminded')).toMatchObject({ status: 'completed', result: { rows: 3 } });
  expect(await run('missing')).toMatchObject({
    status: 'failed',
    reason: 'agent_error',
    error: { type: 'ResultMissing' },
  });
  expect(model.calls.filter((call) => JSON.stringify(call.messages).includes('task:missing'))).toHaveLength(2);
});

test('D-39 without a schema any JSON may be reported, and else the last message is the result', async () => {
  expect(await run('free', 'free')).toMatchObject({ status: 'completed', result: ['any', { thing: 1 }] });
  expect(await run('nothing', 'free')).toMatchObject({ status: 'completed', result: 'done' });
});

test('D-39 finishReason is told when the model was cut off', async () => {
  expect(await run('cut', 'free')).toMatchObject({
    status: 'completed',
    result: 'It was the best of',
    finishReason: 'length',
  });
});

test('D-39 in a session output has no effect', async () => {
  const session = await h.client.startSession(uniqueId());
  const turn = await session.runTurn('task:session');
  expect(turn).toMatchObject({ status: 'completed', steps: 1 });
  expect(offered.has('session')).toBe(true);
  expect(JSON.stringify(offered.get('session'))).not.toContain('report_result');
  await session.close();
});
