/**
 * The task `load_data`: a CSV file of any shape into SQLite, in batches, so that it can be killed at any moment and go on.
 *
 * Phases: `spin-up` (open file and database), `schema` (columns and types from samples of the whole file), `ingest` (batches),
 * `verify` (counts and sums read again from SQLite). What a broken row is stands in `csv/row.ts`; broken rows are kept in the
 * table `_rejected` and counted by reason. Each batch leaves a row in `_batches`. The checkpoint is a hint for readers only:
 * a retry goes on from what the database says.
 */
import { mkdir } from 'node:fs/promises';
import { basename, dirname, extname } from 'node:path';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { z } from 'zod';
import { defineTask, type TaskContext, type TaskDefinition } from '../../src/define.ts';
import type { ColumnType } from './csv/columns.ts';
import { CsvSource } from './csv/source.ts';
import { inside, nameIn } from './files.ts';
import { ImportStore } from './load/store.ts';
import { verify, type Check } from './load/verify.ts';

/** Records of one batch. */
export const BATCH_ROWS = 2000;
/** Columns and reasons that a result lists; the database has all. */
const LISTED = 60;

const input = z.object({
  file: z.string().min(1).describe('Name of the CSV file.'),
  database: z.string().min(1).optional().describe('Name of the SQLite database to write; left out: <session>/<file>.db.'),
  /** Stands in for a slow source or a busy disk, so that a demo can be watched. It makes nothing more correct. */
  pace: z.number().int().min(0).max(60_000).optional().describe('Milliseconds of pause after each batch. Default 0.'),
  dates: z.enum(['dmy', 'mdy']).optional().describe('How the file writes 04/03/2026. Left out: what its dates show, else day first.'),
});

export type LoadInput = z.infer<typeof input>;

export interface LoadResult {
  file: string;
  /** Name of the database in the output folder. */
  database: string;
  table: string;
  /** Rows in the table. */
  rows: number;
  rejectedRows: number;
  /** Rejected rows by reason, the most frequent first. */
  rejected: Record<string, number>;
  columns: { name: string; type: ColumnType; sqlName: string }[];
  columnCount: number;
  batches: number;
  attempts: number;
  /** From the begin of the first attempt, milliseconds of wall clock. */
  durationMs: number;
  checks: Check[];
}

export interface LoadOptions {
  /** Folder of the files that may be read. */
  filesDir: string;
  /** Folder that databases are written to. */
  outDir: string;
  /** Default of `pace`, milliseconds. Default 0. */
  pace?: number;
}

/** The task, bound to its folders. */
export function createLoadData(options: LoadOptions): Readonly<TaskDefinition<LoadInput, LoadResult>> {
  return defineTask<LoadInput, LoadResult>({
    name: 'load_data',
    description: 'Loads a CSV file into SQLite. Input: { file }. Result: table, rows, rejected rows by reason, columns, database.',
    input,
    run: async (given, ctx) => load(options, given, ctx),
  });
}

/** The name of a session's folder in the output folder. */
export function sessionFolder(sessionId: string): string {
  return encodeURIComponent(sessionId).replace(/^\.+$/, '_');
}

async function load(options: LoadOptions, { file, database, pace = options.pace ?? 0, dates }: LoadInput, ctx: TaskContext): Promise<LoadResult> {
  const path = inside(options.filesDir, file);
  const target = inside(options.outDir, database ?? `${sessionFolder(ctx.sessionId)}/${basename(file, extname(file))}.db`);
  ctx.progress({ phase: 'spin-up', message: `Opening ${basename(file)}` });
  await mkdir(dirname(target), { recursive: true });
  await using source = await CsvSource.open(path);
  const begin = { file: basename(file), size: source.size, mtimeMs: source.mtimeMs };
  using store = ImportStore.open(target, ctx.runId, ctx.attempt, begin);

  if (!store.resumed) {
    const lost = ctx.checkpoint === undefined ? '' : ', as the database that this run had begun is gone';
    ctx.progress({ fraction: 0, phase: 'schema', message: `Reading the columns${lost}` });
    store.begin(ctx.runId, begin, await source.shape(dates));
  }
  if (!store.state.schemaTold) {
    await ctx.milestone('schema', { columns: fitting(store.state.columns.map(({ name, type }) => ({ name, type }))), columnCount: store.state.columns.length });
    store.note({ schemaTold: true });
  }
  report(store, ctx, source.size, ctx.attempt > 1 ? `Resuming behind batch ${store.state.batch}` : undefined);
  while (store.state.position.offset < source.size) {
    ctx.signal.throwIfAborted();
    const { items, next } = await source.read(store.state.position, store.state.dialect, BATCH_ROWS);
    await setImmediate();
    store.commit(items, next);
    report(store, ctx, source.size);
    await (pace > 0 ? pause(pace, ctx.signal) : setImmediate());
  }

  ctx.progress({ fraction: 1, phase: 'verify', message: `Comparing ${count(store.state.rows)} rows with what was read` });
  const checks = await verify(store.db, store.state, ctx.signal);
  const failed = checks.find(({ ok }) => !ok);
  if (failed) throw Object.assign(new Error(`The database does not hold what was read: ${failed.name} is ${failed.stored}, expected ${failed.read}.`), { name: 'VerifyFailed' });
  store.finish();
  const result = resultOf(store, nameIn(options.outDir, target), ctx.attempt, checks);
  await ctx.milestone('loaded', { rows: result.rows, rejectedRows: result.rejectedRows, rejected: Object.fromEntries(fitting(Object.entries(result.rejected))) });
  return result;
}

function report(store: ImportStore, ctx: TaskContext, size: number, message?: string): void {
  const { batch, position, rows } = store.state;
  const rejected = position.row - rows;
  ctx.progress({
    fraction: size === 0 ? 1 : Math.min(1, position.offset / size), phase: 'ingest',
    message: message ?? `${count(rows)} rows${rejected > 0 ? `, ${count(rejected)} rejected` : ''}`,
    data: { batch, rows, rejected, bytes: position.offset },
    checkpoint: { batch, offset: position.offset, row: position.row },
  });
}

function resultOf(store: ImportStore, database: string, attempts: number, checks: Check[]): LoadResult {
  const { file, table, rows, rejected, columns, batch, position, startedAt } = store.state;
  const reasons = Object.entries(rejected).sort(([, a], [, b]) => b - a);
  return {
    file, database, table, rows, rejectedRows: position.row - rows, rejected: Object.fromEntries(reasons.slice(0, LISTED)),
    columns: columns.slice(0, LISTED).map(({ name, type, sqlName }) => ({ name, type, sqlName })), columnCount: columns.length,
    batches: batch, attempts, durationMs: Date.now() - startedAt, checks: checks.slice(0, LISTED),
  };
}

/** The first entries of a list that fit in the data of a milestone. */
function fitting<T>(list: readonly T[]): T[] {
  let bytes = 0;
  return list.filter((entry) => (bytes += Buffer.byteLength(JSON.stringify(entry)) + 1) < 6000);
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal }).catch(() => {});
  signal.throwIfAborted();
}

function count(n: number): string {
  return n.toLocaleString('en');
}
