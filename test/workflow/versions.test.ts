/** Workers of different builds: an execution keeps the rules it began with, and what is newer than a worker waits for another one. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { WorkerOptions } from '@temporalio/worker';
import type { SessionHandle } from '../../src/client/index.ts';
import { agentAt, echo } from '../support/app.ts';
import { executionsOf } from '../support/histories.ts';
import { allEvents, atRest, eventually, harness, uniqueId } from '../support/harness.ts';
import { ModelServer } from '../support/model-server.ts';

let model: ModelServer;
/** A build that knows one version of the rules more. */
let newer: Partial<WorkerOptions>;

beforeAll(async () => {
  model = await ModelServer.start(() => 'ok');
  const code = await readFile(inject('bundlePath'), 'utf8');
  const rules = /const RULES = 1;/u;
  expect(code).toMatch(rules);
  newer = { workflowBundle: { code: code.replace(rules, 'const RULES = 2;') } };
});

afterAll(async () => {
  await model.stop();
});

async function turns(session: SessionHandle, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await session.submitTurn({ input: 'hello' });
    await atRest(session);
  }
}

test('V-01 V-02 an execution keeps its rules until it continues as new, decides by the newest then, and an older worker leaves it alone', async () => {
  await using h = await harness();
  const config = { agents: [agentAt(model.url)], tasks: [echo] };
  const old = await h.work(config);
  const session = await h.client.startSession(uniqueId(), { limits: { historyEvents: 40 } });
  await turns(session, 1);
  expect((await session.getSession()).rules).toBe(1);
  await old.stop();

  const next = await h.work(config, newer);
  await turns(session, 1);
  expect((await executionsOf(h.temporal, session.sessionId)).length).toBe(1);
  expect((await session.getSession()).rules).toBe(1);
  await turns(session, 6);
  expect((await executionsOf(h.temporal, session.sessionId)).length).toBeGreaterThan(1);
  expect((await session.getSession()).rules).toBe(2);
  // Runs begin by the rules of whoever starts them.
  const { runId } = await session.startRun({ agent: 'echo', input: 1, detached: { notify: 'silent' } });
  await session.run(runId).result();
  await next.stop();

  const again = await h.work(config);
  const handle = h.temporal.workflow.getHandle(session.sessionId);
  await handle.signal('submitTurn', { input: 'waits', turnId: 'waits' });
  await eventually('the older worker to leave it alone', async () => {
    const failed = (await executionsOf(h.temporal, session.sessionId))
      .flat()
      .map((event) => event.workflowTaskFailedEventAttributes?.failure?.message ?? '');
    return failed.some((message) => message.includes('deploy a worker that knows them'));
  });
  await again.stop();
  await h.work(config, newer);
  await atRest(session);
  expect(await session.getTurn({ turnId: 'waits' })).toMatchObject({ status: 'completed' });
  const seqs = (await allEvents(session)).map(({ seq }) => seq);
  expect(seqs).toEqual(seqs.map((_, i) => i + 1));
});
