/**
 * Records the histories that are kept: `npm run histories -- <name of this version>` plays every behaviour on a real server and
 * writes one file for each execution into `test/replay/histories/<name>`. Histories that are there are never written anew:
 * sessions outlive deployments, so what was once written must replay for ever.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { OutliveClient } from '../../src/client/index.ts';
import { findCli, startDevServer } from '../../src/server/index.ts';
import { createWorker } from '../../src/worker.ts';
import { appAt, ELSEWHERE, startModel } from './app.ts';
import { atRest, behaviours, refusedStart, until, type Behaviour } from './behaviours.ts';

const [version = ''] = process.argv.slice(2);
if (!/^[\w.-]+$/u.test(version)) throw new Error('Expected the name of a version as the argument, e.g. 0.1.0.');
const folder = join(import.meta.dirname, 'histories', version);
if (existsSync(folder)) throw new Error(`${folder} is there already; kept histories are never written anew.`);

Runtime.install({ logger: new DefaultLogger('ERROR') });
const server = await startDevServer({ cli: await findCli({ say: console.log }) });
const model = await startModel();
const { address } = server;
const connection = await Connection.connect({ address });
const temporal = new Client({ connection });
const native = await NativeConnection.connect({ address });
const workers = [
  await createWorker(appAt(model.url), { connection: native }),
  await createWorker(appAt(model.url, true), { connection: native }),
  await Worker.create({
    connection: native,
    taskQueue: ELSEWHERE,
    workflowsPath: fileURLToPath(new URL('../support/native-workflows.ts', import.meta.url)),
  }),
];
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

async function play(name: string, { input, taskQueue, ends, play: act }: Behaviour): Promise<void> {
  const client = new OutliveClient(temporal, taskQueue === undefined ? {} : { taskQueue });
  const session = await client.startSession(name, input);
  await act(session, temporal);
  if (ends !== true) await atRest(session);
  const { runs } = await session.listRuns();
  if (ends !== true) await session.close();
  else if (taskQueue !== undefined) await session.close({ runs: 'keep' });
  await temporal.workflow
    .getHandle(name)
    .result()
    .catch(() => undefined);
  await endLeft(name);
  for (const [i, row] of runs.slice(0, 3).entries()) await keep(`${name}/${row.runId}`, `${name}.run-${i}`);
  await until(
    async () => (await temporal.workflow.count(`WorkflowId = "${name}" AND ExecutionStatus = "Running"`)).count === 0,
  );
  await keep(name, name);
  console.log(`kept ${name}`);
}

/** What goes on after its session is cancelled, as nobody is left to tell it anything. */
async function endLeft(name: string): Promise<void> {
  const left = async (): Promise<string[]> => {
    const ids: string[] = [];
    const query = `WorkflowId STARTS_WITH "${name}/" AND ExecutionStatus = "Running"`;
    for await (const { workflowId } of temporal.workflow.list({ query })) ids.push(workflowId);
    return ids;
  };
  await until(async () => {
    const ids = await left();
    for (const id of ids) {
      const handle = temporal.workflow.getHandle(id);
      await handle.cancel().catch(() => undefined);
    }
    return ids.length === 0;
  });
}

for (const worker of workers) void worker.run();
for (const [name, behaviour] of Object.entries(behaviours)) await play(name, behaviour);
await refusedStart(new OutliveClient(temporal));
await keep('refused-start', 'refused-start');
// One of the tasks never ends, so no worker would.
await model.stop();
await server.stop();
process.exit(0);
