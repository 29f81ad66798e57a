/**
 * Records the histories that are kept: `npm run histories -- <name of this version>` plays every behaviour on a real server and
 * writes one file for each execution into `test/replay/histories/<name>`. Histories that are there are never written anew:
 * sessions outlive deployments, so what was once written must replay for ever.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { z } from 'zod';
import { OutliveClient, type SessionHandle } from '../../src/client/index.ts';
import { defineAgent, defineConfig, defineTask, defineTool } from '../../src/define.ts';
import { findCli, startDevServer } from '../../src/server/index.ts';
import { createWorker } from '../../src/worker.ts';
import { last, ModelServer } from '../support/model-server.ts';

const [version = ''] = process.argv.slice(2);
if (!/^[\w.-]+$/u.test(version)) throw new Error('Expected the name of a version as the argument, e.g. 0.1.0.');
const folder = join(import.meta.dirname, 'histories', version);
if (existsSync(folder)) throw new Error(`${folder} is there already; kept histories are never written anew.`);

Runtime.install({ logger: new DefaultLogger('ERROR') });
const server = await startDevServer({ cli: await findCli({ say: console.log }) });
let failures = 1;
const model = await ModelServer.start((call) => {
  const { role, text } = last(call);
  if (text.includes('hang')) return { hang: true };
  if (text.includes('retry') && failures-- > 0) return { status: 503 };
  if (role === 'user' && text.includes('use'))
    return {
      text: 'Using. ',
      tools: [
        { name: 'add', input: { a: 1, b: 2 } },
        { name: 'nothing', input: {} },
      ],
    };
  if (role === 'user' && text.includes('start'))
    return {
      tools: [
        {
          name: 'start_run',
          input: { agent: text.includes('nested') ? 'helper' : 'work', input: 'start inner', label: 'inner' },
        },
      ],
    };
  return 'ok';
});
const add = defineTool({
  name: 'add',
  description: 'Adds.',
  input: z.object({ a: z.number(), b: z.number() }),
  execute: ({ a, b }) => ({ sum: a + b }),
});
const work = defineTask({
  name: 'work',
  run: async (input, ctx) => {
    ctx.progress({ fraction: 0.5 });
    await ctx.milestone('half');
    return { input: input as string };
  },
});
const stuck = defineTask({
  name: 'stuck',
  run: async (_input, ctx) =>
    new Promise<never>((_, reject) => {
      ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason as Error));
    }),
});
const fails = defineTask({
  name: 'fails',
  retries: 0,
  run: () => {
    throw new Error('no');
  },
});
const config = defineConfig({
  agents: [
    defineAgent({
      name: 'helper',
      instructions: 'Help.',
      model: createOpenAICompatible({ name: 'local', baseURL: model.url, includeUsage: true })('test'),
      tools: [add],
      canStart: ['work', 'helper'],
    }),
  ],
  tasks: [work, stuck, fails],
});
const connection = await Connection.connect({ address: server.address });
const temporal = new Client({ connection });
const client = new OutliveClient(temporal);
const worker = await createWorker(config, { connection: await NativeConnection.connect({ address: server.address }) });

async function until(what: () => Promise<boolean>): Promise<void> {
  while (!(await what())) await pause(50);
}

async function atRest(session: SessionHandle): Promise<void> {
  await until(async () => {
    const { status, queue, runs } = await session.getSession();
    return status === 'idle' && queue.length === 0 && runs.queued + runs.running + runs.interrupted === 0;
  });
}

const behaviours: Record<string, (session: SessionHandle) => Promise<void>> = {
  'turn-with-tools': async (session) => {
    await session.submitTurn({ input: 'use it', idempotencyKey: 'k' });
  },
  'model-retry': async (session) => {
    await session.submitTurn({ input: 'retry' });
  },
  'run-from-turn': async (session) => {
    await session.submitTurn({ input: 'start it' });
  },
  'nested-runs': async (session) => {
    await session.submitTurn({ input: 'start nested' });
    await until(async () => (await session.getSession()).runs.completed === 1);
  },
  'run-failed': async (session) => {
    await session.startRun({ agent: 'fails', input: 1 });
  },
  'give-up': async (session) => {
    await session.startRun({ agent: 'stuck', input: 1, detached: { maxBudgetMs: 300 } });
  },
  'cancel-run': async (session) => {
    const { runId } = await session.startRun({ agent: 'stuck', input: 1 });
    await session.cancelRun({ runId });
  },
  'narrate-and-silent': async (session) => {
    await session.startRun({
      agent: 'work',
      input: 1,
      detached: { notify: 'narrate', onMilestones: { names: '*', mode: 'react' } },
    });
    await session.startRun({ agent: 'work', input: 2, detached: { notify: 'silent' } });
  },
  'queue-and-busy': async (session) => {
    await session.submitTurn({ input: 'hang' });
    for (const onBusy of ['queue', 'merge', 'latest', 'drop', 'interrupt', { debounceMs: 200 }] as const)
      await session.submitTurn({ input: `busy ${JSON.stringify(onBusy)}`, onBusy });
    await session.submitTurn({ input: 'hang' });
    await session.resetTurns({ reason: 'enough' });
  },
  'continue-as-new': async (session) => {
    for (let i = 0; i < 6; i++) {
      await session.startRun({ agent: 'work', input: i, runId: `run-${i}` });
      await session.submitTurn({ input: 'use it' });
      await atRest(session);
    }
  },
  'refused-signals': async (session) => {
    const handle = temporal.workflow.getHandle(session.sessionId);
    await handle.signal('submitTurn', { input: 5 });
    await handle.signal('startRun', { agent: 'nobody', input: 5 });
    await handle.signal('nothing', 1, 2, 3);
    await until(async () => (await session.getEvents({ types: ['input.refused'] })).events.length === 3);
  },
  'close-cancelling-runs': async (session) => {
    await session.startRuns({ runs: [1, 2, 3].map((input) => ({ agent: 'stuck', input })) });
    await session.close({ runs: 'cancel', reason: 'done' });
  },
};

mkdirSync(folder, { recursive: true });

async function keep(workflowId: string, name: string): Promise<void> {
  let count = 0;
  for await (const { runId } of temporal.workflow.list({ query: `WorkflowId = "${workflowId}"` })) {
    const history = await temporal.workflow.getHandle(workflowId, runId).fetchHistory();
    writeFileSync(
      join(folder, `${name}${count === 0 ? '' : `-${count}`}.json`),
      JSON.stringify(JSON.parse(historyToJSON(history))),
    );
    count += 1;
  }
}

await worker.runUntil(async () => {
  for (const [name, behave] of Object.entries(behaviours)) {
    const session = await client.startSession(
      name,
      name === 'continue-as-new' ? { limits: { historyEvents: 40 } } : { limits: { maxConcurrentRuns: 2 } },
    );
    await behave(session);
    if (name !== 'close-cancelling-runs') {
      await atRest(session);
      const { runs } = await session.listRuns();
      await session.close();
      for (const [i, row] of runs.slice(0, 2).entries()) await keep(`${name}/${row.runId}`, `${name}.run-${i}`);
    }
    await temporal.workflow.getHandle(name).result();
    await until(
      async () => (await temporal.workflow.count(`WorkflowId = "${name}" AND ExecutionStatus = "Running"`)).count === 0,
    );
    await keep(name, name);
    console.log(`kept ${name}`);
  }
});
await connection.close();
await model.stop();
await server.stop();
process.exit(0);
