/**
 * A worker process that imports: prints a line for each batch it has committed. With a number it stops dead there, in the middle
 * of its work, and waits to be killed; with `inside` it does so within the transaction of that batch.
 *
 *     node example-import-child.ts <folder> <attempt> [<batch>] [inside]
 */
import { writeSync } from 'node:fs';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { join } from 'node:path';
import { createLoadData } from '../../examples/import-and-build/load-data.ts';
import { taskContext } from './example-support.ts';

const [, , dir = '', attempt = '1', batch, inside] = process.argv;
const stopAt = batch === undefined ? Infinity : Number(batch);

function stop(): void {
  writeSync(1, 'stopped\n');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

let done = 0;
if (inside === 'inside') {
  const prepare = Object.getOwnPropertyDescriptor(DatabaseSync.prototype, 'prepare')?.value as (
    sql: string,
  ) => StatementSync;
  DatabaseSync.prototype.prepare = function (this: DatabaseSync, sql: string): StatementSync {
    // The record of the batch is written when all its rows are, before the transaction is committed.
    if (sql.startsWith('INSERT INTO _batches') && done + 1 === stopAt) stop();
    return prepare.call(this, sql);
  };
}

const context = taskContext({
  attempt: Number(attempt),
  onProgress: ({ phase, checkpoint }) => {
    if (phase !== 'ingest') return;
    done = (checkpoint as { batch: number }).batch;
    writeSync(1, `batch ${done}\n`);
    if (inside === undefined && done >= stopAt) stop();
  },
});
const result = await createLoadData({ filesDir: dir, outDir: join(dir, 'out') }).run({ file: 'orders.csv' }, context);
writeSync(1, `result ${JSON.stringify(result)}\n`);
