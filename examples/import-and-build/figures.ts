/** Everything a finished dashboard shows, read from a loaded database in one go. */
import { setImmediate } from 'node:timers/promises';
import { basename } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { planCharts, type ChartSpec } from './charts.ts';
import { ENCODING_NAMES } from './csv/encoding.ts';
import { BUSY_MS, quoted, whenFree } from './load/database.ts';
import { readState } from './load/state.ts';
import { runChart, type ChartResult } from './queries.ts';

export interface Figures {
  file: string;
  /** What its bytes were taken for; left out by an earlier version, which took all for UTF-8. */
  encoding?: string;
  rows: number;
  rejectedRows: number;
  /** The most frequent reasons first. */
  rejected: { reason: string; rows: number; example: string; line: number }[];
  columns: { name: string; type: string }[];
  /** Of the first date column that has a date. */
  range?: { column: string; first: string; last: string };
  charts: ChartResult[];
}

/** Runs the charts read-only, giving way between them. Throws when the import has not finished, or another process locks the database. */
export async function readFigures(
  database: string,
  specs: readonly ChartSpec[],
  signal: AbortSignal,
): Promise<Figures> {
  return whenFree(async () => read(database, specs, signal), { database: basename(database), signal });
}

async function read(database: string, specs: readonly ChartSpec[], signal: AbortSignal): Promise<Figures> {
  using db = new DatabaseSync(database, { readOnly: true, timeout: BUSY_MS });
  const state = readState(db);
  if (!state?.loaded)
    throw new Error(
      'Expected a database whose import has finished, got one that is not loaded yet. Wait for the run to complete.',
    );
  const planned = planCharts(specs, state.columns);
  const charts: ChartResult[] = [];
  for (const chart of planned) {
    signal.throwIfAborted();
    charts.push(runChart(db, state.table, chart));
    await setImmediate();
  }
  const rejected = db
    .prepare(
      'SELECT reason, count(*) AS rows, min(line) AS line, raw FROM _rejected GROUP BY reason ORDER BY rows DESC, reason LIMIT 20',
    )
    .all();
  const range = dateRange(
    db,
    state.table,
    state.columns.filter(({ type }) => type === 'date'),
  );
  return {
    file: state.file,
    encoding: ENCODING_NAMES[state.dialect.encoding ?? 'utf-8'],
    rows: state.rows,
    rejectedRows: state.position.row - state.rows,
    rejected: rejected.map((one) => ({
      reason: String(one['reason']),
      rows: Number(one['rows']),
      example: String(one['raw']),
      line: Number(one['line']),
    })),
    columns: state.columns.map(({ name, type }) => ({ name, type })),
    ...(range ? { range } : {}),
    charts,
  };
}

/** Figures from the file that `run_queries` keeps them in. */
export function parseFigures(text: string): Figures {
  try {
    const figures = JSON.parse(text) as Partial<Figures>;
    if (
      Array.isArray(figures.charts) &&
      Array.isArray(figures.rejected) &&
      Array.isArray(figures.columns) &&
      typeof figures.file === 'string'
    )
      return figures as Figures;
  } catch {
    // Not JSON: refused below.
  }
  throw new Error('Expected figures to name a file that run_queries has written.');
}

function dateRange(
  db: DatabaseSync,
  table: string,
  dates: readonly { name: string; sqlName: string }[],
): Figures['range'] {
  for (const { name, sqlName } of dates) {
    const x = quoted(sqlName);
    const { first, last } =
      db.prepare(`SELECT min(${x}) AS first, max(${x}) AS last FROM ${quoted(table)}`).get() ?? {};
    if (typeof first === 'string' && typeof last === 'string')
      return { column: name, first: first.slice(0, 10), last: last.slice(0, 10) };
  }
  return undefined;
}
