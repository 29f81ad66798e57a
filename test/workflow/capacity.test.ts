/** Task queues with slots of their own, and turns between sessions: what hangs, or waits by the hundred, holds up nothing else. */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { OutliveClient } from '../../src/client/index.ts';
import { defineTask, defineTool } from '../../src/define.ts';
import { startDevServer } from '../../src/server/index.ts';
import { createWorker } from '../../src/worker.ts';
import { agentAt, echo, gated, type Gated } from '../support/app.ts';
import { atRest, eventually, Gate, harness, uniqueId, type Harness } from '../support/harness.ts';
import { last, ModelServer } from '../support/model-server.ts';

/** One more than a worker has slots for, of each kind. */
const MANY = 101;

let model: ModelServer;

beforeAll(async () => {
  model = await ModelServer.start((call) =>
    last(call).role === 'user' && last(call).text === 'call them all'
      ? { tools: Array.from({ length: MANY }, () => ({ name: 'hang', input: {} })) }
      : 'ok',
  );
});

afterAll(async () => model.stop());

describe('case 33 C-01 on one worker process', () => {
  interface Full extends AsyncDisposable {
    h: Harness;
    never: Gated;
    hanging: { tools: number; handlers: number };
  }

  async function full(): Promise<Full> {
    const h = await harness();
    const never = gated('never');
    const gate = new Gate();
    const hanging = { tools: 0, handlers: 0 };
    const hang = defineTool({
      name: 'hang',
      description: 'Hangs.',
      input: z.object({}),
      execute: async (_input, { signal }) => {
        hanging.tools += 1;
        await Promise.race([
          gate.opened,
          new Promise((resolve) => {
            signal.addEventListener('abort', resolve);
          }),
        ]);
        return null;
      },
    });
    const handler = async (): Promise<void> => {
      hanging.handlers += 1;
      await gate.opened;
    };
    await h.work({
      agents: [agentAt(model.url, { tools: [hang] })],
      tasks: [echo, never.task],
      handlers: { hang: handler },
    });
    return {
      h,
      never,
      hanging,
      async [Symbol.asyncDispose]() {
        gate.open();
        never.gate.open();
        await h[Symbol.asyncDispose]();
      },
    };
  }

  /** A new session opens, takes a turn without tools, and hears of an agent's run; with `tasks`, of a task's too. */
  async function goesOn(h: Harness, tasks: boolean): Promise<void> {
    const session = await h.client.startSession(uniqueId());
    const { turnId } = await session.submitTurn({ input: 'hello' });
    await eventually('the turn', async () => (await session.getTurn({ turnId }))?.status === 'completed');
    for (const agent of tasks ? ['helper', 'echo'] : ['helper']) {
      const { runId } = await session.startRun({ agent, input: 'hello' });
      await eventually('its delivery', async () => {
        const row = await session.getRun({ runId });
        return row !== null && 'delivery' in row && row.delivery.finish.state === 'delivered';
      });
    }
  }

  test('101 tasks that never end hold up no session, no turn, no settle, no cancel', async () => {
    await using all = await full();
    const busy = await all.h.client.startSession(uniqueId(), { limits: { maxConcurrentRuns: MANY } });
    const { runs } = await busy.startRuns({
      runs: Array.from({ length: MANY }, () => ({ agent: 'never', input: 'go' })),
    });
    await eventually('the slots to be taken', async () => Promise.resolve(all.never.started.length === 100));
    await goesOn(all.h, false);
    const [{ runId } = { runId: '' }] = all.never.started;
    expect(runs.map((run) => run.runId)).toContain(runId);
    await busy.cancelRun({ runId });
    await eventually('the cancel to be confirmed', async () => (await busy.getRun({ runId }))?.status === 'cancelled');
  });

  test('101 tools that never end neither', async () => {
    await using all = await full();
    const busy = await all.h.client.startSession(uniqueId());
    await busy.submitTurn({ input: 'call them all' });
    await eventually('the slots to be taken', async () => Promise.resolve(all.hanging.tools === 100));
    await goesOn(all.h, true);
    await busy.cancelTurn();
    await atRest(busy);
  });

  test('101 handlers that never end neither', async () => {
    await using all = await full();
    const sessions = await Promise.all(Array.from({ length: 13 }, async () => all.h.client.startSession(uniqueId())));
    for (const session of sessions)
      await session.startRuns({
        runs: Array.from({ length: 8 }, () => ({
          agent: 'echo',
          input: 'go',
          detached: { notify: 'silent', onFinish: 'hang' },
        })),
      });
    await eventually('the slots to be taken', async () => Promise.resolve(all.hanging.handlers === 100));
    await goesOn(all.h, true);
  });
});

test('C-02 on a server with fairness, the one task of a session does not wait behind the hundred of another', async () => {
  const server = await startDevServer({
    cli: inject('cli'),
    dynamicConfig: {
      'matching.enableFairness': true,
      'matching.numTaskqueueReadPartitions': 1,
      'matching.numTaskqueueWritePartitions': 1,
    },
  });
  try {
    const connection = await Connection.connect({ address: server.address });
    const native = await NativeConnection.connect({ address: server.address });
    const client = new OutliveClient(new Client({ connection }));
    const started: string[] = [];
    // The first two hold the slots until everything else waits.
    const gate = new Gate();
    const held = defineTask({
      name: 'held',
      run: async (_input, { sessionId }) => {
        started.push(sessionId);
        await gate.opened;
        return null;
      },
    });
    const config = { agents: [agentAt(model.url)], tasks: [held], concurrency: { tasks: 2 } };
    const worker = await createWorker(config, {
      connection: native,
      bundle: { code: await readFile(inject('bundlePath'), 'utf8') },
    });
    await worker.runUntil(async () => {
      // An id of as many characters as one may have.
      const [a, b] = [uniqueId('a').padEnd(128, 'x'), uniqueId('b')];
      const many = await client.startSession(a, { limits: { maxConcurrentRuns: 100 } });
      const one = await client.startSession(b);
      const request = { agent: 'held', input: 'go', detached: { notify: 'silent' as const } };
      await many.startRuns({ runs: Array.from({ length: 100 }, () => request) });
      await eventually('all to be started', async () => (await many.getSession()).runs.running > 90);
      const { workflowId } = await one.startRun(request);
      await eventually('the one to wait', async () => {
        const { pendingActivities } = (await client.temporal.workflow.getHandle(workflowId).describe()).raw;
        return pendingActivities?.some((activity) => activity.activityType?.name === 'task');
      });
      expect(started).toEqual([a, a]);
      gate.open();
      await eventually('the one', async () => Promise.resolve(started.includes(b)));
      expect(started.indexOf(b)).toBeLessThan(50);
      for (const session of [many, one]) await session.close({ runs: 'cancel' });
      for (const id of [a, b]) await client.temporal.workflow.getHandle(id).result();
    });
    await native.close();
    await connection.close();
  } finally {
    await server.stop();
  }
});

test('a worker takes only what it serves, and what nobody serves waits', async () => {
  await using h = await harness();
  const config = { agents: [agentAt(model.url)], tasks: [echo] };
  await h.work({ ...config, serve: ['workflows', 'models'] });
  const session = await h.client.startSession(uniqueId());
  const { runId, workflowId } = await session.startRun({ agent: 'echo', input: 'hello' });
  const scheduled = await eventually(
    'the task to be scheduled',
    async () => (await h.temporal.workflow.getHandle(workflowId).describe()).raw.pendingActivities?.[0],
  );
  expect(scheduled.activityType?.name).toBe('task');
  expect(scheduled.lastStartedTime ?? null).toBeNull();
  await h.work({ ...config, serve: ['tasks'], concurrency: { tasks: 1 } });
  expect(await session.run(runId).result()).toBe('hello');
  await atRest(session);
});
