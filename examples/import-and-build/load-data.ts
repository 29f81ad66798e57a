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
import { CsvSource } from './csv/source.ts';
import { nameIn, ofSession } from './files.ts';
import { whenFree, type Waiting } from './load/database.ts';
import { count, loadedMilestone, progressOf, resultOf, schemaMilestone, type LoadResult } from './load/report.ts';
import { ImportStore } from './load/store.ts';
import { fileToLoad } from './named-files.ts';
import { verify, type Check } from './load/verify.ts';

export { sessionFolder } from './files.ts';
export type { LoadResult } from './load/report.ts';

/** Records of one batch. */
const BATCH_ROWS = 2000;

const input = z.object({
  file: z.string().min(1).describe('Name of the CSV file.'),
  database: z
    .string()
    .min(1)
    .optional()
    .describe('Name of the SQLite database to write. Left out: <session>/<file>.db.'),
  // Stands in for a slow source or a busy disk, so that a demo can be watched. It makes nothing more correct.
  pace: z.number().int().min(0).max(60_000).optional().describe('Milliseconds of pause after each batch. Default 0.'),
  dates: z
    .enum(['dmy', 'mdy'])
    .optional()
    .describe('How the file writes 04/03/2026. Left out: what its dates show, else day first.'),
});

export type LoadInput = z.infer<typeof input>;

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
    description:
      'Loads a CSV file into SQLite. Input: { file }. Result: table, rows, rejected rows by reason, columns, database.',
    input,
    run: async (given, ctx) => load(options, given, ctx),
  });
}

async function load(options: LoadOptions, given: LoadInput, ctx: TaskContext): Promise<LoadResult> {
  const { file, pace = options.pace ?? 0, dates } = given;
  const path = fileToLoad(options, file);
  const target = ofSession(options.outDir, ctx.sessionId, given.database ?? `${basename(file, extname(file))}.db`);
  ctx.progress({ phase: 'spin-up', message: `Opening ${basename(file)}` });
  await mkdir(dirname(target), { recursive: true });
  await using source = await CsvSource.open(path);
  const described = { file: basename(file), size: source.size, mtimeMs: source.mtimeMs };
  const waiting: Waiting = {
    database: basename(target),
    signal: ctx.signal,
    waits: () => ctx.progress({ message: `Waits for ${basename(target)}, which another process has locked` }),
  };
  using store = await whenFree(() => ImportStore.open(target, ctx.runId, ctx.attempt, described), waiting);

  if (!store.resumed) {
    const lost = ctx.checkpoint === undefined ? '' : ', as the database that this run had begun is gone';
    ctx.progress({ fraction: 0, phase: 'schema', message: `Reading the columns${lost}` });
    const shape = await source.shape(dates);
    await whenFree(() => store.begin(described, shape), waiting);
  }
  if (!store.state.schemaTold) {
    await ctx.milestone('schema', schemaMilestone(store.state));
    await whenFree(() => store.schemaTold(), waiting);
  }
  await ingest(source, store, pace, ctx, waiting);
  const checks = await whenFree(async () => verified(store, ctx), waiting);
  await whenFree(() => store.finish(), waiting);
  const result = resultOf(store.state, nameIn(options.outDir, target), ctx.attempt, checks);
  await ctx.milestone('loaded', loadedMilestone(result));
  return result;
}

async function ingest(
  source: CsvSource,
  store: ImportStore,
  pace: number,
  ctx: TaskContext,
  waiting: Waiting,
): Promise<void> {
  ctx.progress(progressOf(store.state, ctx.attempt > 1 ? `Resuming behind batch ${store.state.batch}` : undefined));
  while (store.state.position.offset < source.size) {
    ctx.signal.throwIfAborted();
    const { items, next } = await source.read(store.state.position, store.state.dialect, BATCH_ROWS);
    // Reading and writing a batch take some 10 ms each: timers, heartbeats among them, get their turn in between.
    await setTimeout(0);
    await whenFree(() => store.commit(items, next), waiting);
    ctx.progress(progressOf(store.state));
    await (pace > 0 ? pause(pace, ctx.signal) : setImmediate());
  }
}

async function verified(store: ImportStore, ctx: TaskContext): Promise<Check[]> {
  ctx.progress({
    fraction: 1,
    phase: 'verify',
    message: `Comparing ${count(store.state.rows)} rows with what was read`,
  });
  const checks = await verify(store.db, store.state, ctx.signal);
  const failed = checks.find(({ ok }) => !ok);
  if (!failed) return checks;
  const message = `The database does not hold what was read: ${failed.name} is ${failed.stored}, expected ${failed.read}.`;
  throw Object.assign(new Error(message), { name: 'VerifyFailed' });
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal }).catch(() => {});
  signal.throwIfAborted();
}
