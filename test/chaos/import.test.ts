/** The worker is killed in the middle of the import: it resumes from its checkpoint, and the completion arrives once. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Client, Connection } from '@temporalio/client';
import { expect, inject, test } from 'vitest';
import { generateOrders } from '../../examples/import-and-build/generate-orders.ts';
import { OutliveClient } from '../../src/client/index.ts';
import { startDevServer } from '../../src/server/index.ts';
import { allEvents, eventually } from '../support/harness.ts';
import { WorkerProcess } from '../../src/testing/worker-process.ts';

const WORKER = new URL('../../src/cli/worker.ts', import.meta.url);

test('kill -9 in the middle of the import: every good row is there once, no batch was ingested twice, finished steps are not taken again', async () => {
  const out = mkdtempSync(join(tmpdir(), 'outlive-import-'));
  const server = await startDevServer({ cli: inject('cli') });
  const truth = await generateOrders(join(out, 'orders.csv'), { rows: 30_000, seed: 7 });
  const start = async (): Promise<WorkerProcess> =>
    WorkerProcess.start(WORKER, {
      env: { OUTLIVE_OUT: out, OUTLIVE_FILES: out, OUTLIVE_PACE: '0.6', TEMPORAL_ADDRESS: server.address },
    });
  const connection = await Connection.connect({ address: server.address });
  let worker = await start();
  const session = await new OutliveClient(new Client({ connection })).startSession('import');
  await session.submitTurn({ input: 'Load orders.csv and build me a dashboard.' });
  const { runId } = await eventually('the run', async () => (await session.listRuns()).runs[0]);
  await eventually('the middle of the import', async () => {
    const row = await session.run(runId).inspect();
    return 'progress' in row && row.progress?.phase === 'ingest' && (row.progress.fraction ?? 0) > 0.2;
  });
  await worker.kill();
  worker = await start();
  await eventually(
    'the finished dashboard',
    async () => {
      const { status, queue, runs } = await session.getSession();
      return status === 'idle' && queue.length === 0 && runs.completed === 1;
    },
    110_000,
  );

  const result = (await session.run(runId).result()) as { database: string; table: string; rows: number };
  expect(result.rows).toBe(truth.rows);
  const database = new DatabaseSync(join(out, result.database), { readOnly: true });
  const count = (sql: string): number => Number(Object.values(database.prepare(sql).get() ?? {})[0]);
  expect(count(`SELECT count(*) FROM "${result.table}"`)).toBe(truth.rows);
  expect(count(`SELECT count(DISTINCT "order_id") FROM "${result.table}"`)).toBe(truth.rows);
  expect(count('SELECT count(*) - count(DISTINCT batch) FROM _batches')).toBe(0);
  expect(count('SELECT count(DISTINCT attempt) FROM _batches')).toBe(2);
  database.close();

  const events = await allEvents(session);
  expect(events.filter((event) => event.type === 'run.delivered')).toHaveLength(1);
  expect(events.filter((event) => event.type === 'run.queued')).toHaveLength(1);
  expect(events.filter((event) => event.type === 'run.milestone').map((event) => event['name'])).toEqual([
    'schema',
    'loaded',
  ]);
  const steps = events.filter(
    (event) => event.type === 'message.added' && (event['message'] as { role: string }).role === 'assistant',
  );
  expect((await session.getSession()).usage.modelCalls).toBe(steps.length);
  expect(readFileSync(join(out, 'import', 'dashboard.html'), 'utf8')).toContain(truth.rows.toLocaleString('en'));
  await session.close();
  await worker.kill();
  await connection.close();
  await server.stop();
  rmSync(out, { recursive: true, force: true });
}, 180_000);
