/** docs/temporal-cli.md, followed with nothing but the command line: every block works as it stands. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createWorker } from '../../src/worker.ts';
import { startDevServer, type DevServer } from '../../src/server/index.ts';
import { defineTask } from '../../src/define.ts';
import { agentAt } from '../support/app.ts';
import { eventually, Gate } from '../support/harness.ts';
import { ModelServer } from '../support/model-server.ts';

const DOCUMENT = readFileSync(join(import.meta.dirname, '../../docs/temporal-cli.md'), 'utf8');

let server: DevServer;
let model: ModelServer;
let stop: () => Promise<void>;
let client: Client;
const held = new Gate();
const spokenTo = new Gate();

beforeAll(async () => {
  // The document names the task queue `outlive`, so it has a server of its own.
  server = await startDevServer({ cli: inject('cli') });
  model = await ModelServer.start(() => 'ok');
  const native = await NativeConnection.connect({ address: server.address });
  const loadData = defineTask({
    name: 'load_data',
    run: async (input: { hold?: boolean }, ctx) => {
      ctx.progress({ fraction: 0.5, phase: 'ingest', message: 'half of it' });
      if (input.hold === true) await held.opened;
      if (ctx.runId === 'third') await spokenTo.opened;
      return { rows: 80_000 };
    },
  });
  const worker = await createWorker(
    { agents: [agentAt(model.url, { name: 'builder', canStart: ['load_data'] })], tasks: [loadData] },
    { connection: native, bundle: { code: readFileSync(inject('bundlePath'), 'utf8') } },
  );
  const running = worker.run();
  const connection = await Connection.connect({ address: server.address });
  client = new Client({ connection });
  stop = async () => {
    worker.shutdown();
    await running;
    await native.close();
    await connection.close();
  };
});

afterAll(async () => {
  await stop();
  await model.stop();
  await server.stop();
});

interface Ran {
  code: number;
  out: string;
  err: string;
}

async function shell(command: string): Promise<Ran> {
  const env = {
    ...process.env,
    TEMPORAL_ADDRESS: server.address,
    PATH: `${dirname(inject('cli'))}:${process.env['PATH'] ?? ''}`,
  };
  return new Promise((resolve) => {
    execFile('sh', ['-c', command], { env, timeout: 50_000 }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err }),
    );
  });
}

test('every command of the guide works in the order in which it stands there', async () => {
  const commands = [...DOCUMENT.matchAll(/```sh\n([\s\S]*?)```/gu)].flatMap(([, block = '']) =>
    block.trim().split('\n'),
  );
  expect(commands.length).toBeGreaterThan(20);
  const ran: Record<string, Ran[]> = {};
  for (const command of commands) {
    if (command.includes('cancelTurn'))
      await eventually(
        'a quiet session',
        async () => (await client.workflow.getHandle('demo').query<{ status: string }>('getSession')).status === 'idle',
      );
    // The server holds one query for a workflow that is busy, and says so to the next one: who asks by hand asks again.
    const result = await eventually('an answer', async () => {
      const answer = await shell(command);
      return answer.err.includes('query buffer is full') ? undefined : answer;
    });
    expect(result, `${command}\n${result.err}`).toMatchObject({ code: 0 });
    if (command.includes('detachRun')) spokenTo.open();
    (ran[/--(?:name|type) (\w+)/u.exec(command)?.[1] ?? command] ??= []).push(result);
  }
  const json = (name: string, i: number): Record<string, unknown> =>
    JSON.parse(ran[name]?.[i]?.out ?? '{}') as Record<string, unknown>;
  const [first, second] = [json('submitTurn', 1), json('submitTurn', 2)].map(
    (answer) => answer['result'] as { turnId: string; deduplicated: boolean },
  );
  expect(first?.deduplicated).toBe(false);
  expect(second).toMatchObject({ turnId: first?.turnId, deduplicated: true });
  expect(ran['startRun']?.[0]?.out).toContain('"workflowId": "demo/mine"');
  expect(ran['listRuns']?.[0]?.out).toContain('by hand');
  expect(ran['temporal workflow result -w demo/mine']?.[0]?.out).toContain('80000');
  expect(ran['getEvents']?.[0]?.out).toContain('session.started');
  expect(ran['temporal workflow metadata -w demo']?.[0]?.out).toContain('submitTurn');
  expect(ran['temporal workflow result -w demo']?.[0]?.out).toContain('enough');
  expect(ran['temporal workflow show -w demo -o json']?.[0]?.out).toContain('"archiveLog"');
}, 120_000);

test('the refusal that the guide shows is what the command line prints', async () => {
  await shell('temporal workflow start --type session --task-queue outlive --workflow-id refused');
  const { code, err } = await shell(
    `temporal workflow update execute -w refused --name startRun --input '{"agent":"nobody","input":1}'`,
  );
  expect(code).toBe(1);
  const [, shown = ''] = /```\n(unable to update[^\n]*)\n```/u.exec(DOCUMENT) ?? [];
  expect(err).toContain(shown);
});

test('P-01 describe shows the progress of a run that works', async () => {
  await shell('temporal workflow start --type session --task-queue outlive --workflow-id live');
  await shell(
    `temporal workflow update execute -w live --name startRun --input '{"agent":"load_data","input":{"hold":true},"runId":"mine"}'`,
  );
  const shown = await eventually('the progress', async () => {
    const { out } = await shell('temporal workflow describe -w live/mine');
    return out.includes('half of it') ? out : undefined;
  });
  expect(shown).toContain('ingest');
  held.open();
});
