/** What an import tells while it runs and when it is done. Everything fits the runtime's limits, however wide the file is. */
import type { ProgressReport } from '../../../src/define.ts';
import type { ColumnType } from '../csv/columns.ts';
import { ENCODING_NAMES } from '../csv/encoding.ts';
import type { ImportState } from './state.ts';
import type { Check } from './verify.ts';

/** Columns, reasons and checks that a result lists; the database has all. */
const LISTED = 60;
/** Of a milestone's 8 KiB. */
const LIST_BYTES = 6000;

export interface LoadResult {
  file: string;
  /** Name of the database in the output folder. */
  database: string;
  table: string;
  /** What its bytes were taken for: `UTF-8`, `UTF-16`, `Windows-1252`. */
  encoding: string;
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

/** Progress behind a batch. */
export function progressOf({ batch, position, rows, size }: ImportState, message?: string): ProgressReport {
  const rejected = position.row - rows;
  return {
    fraction: size === 0 ? 1 : Math.min(1, position.offset / size),
    phase: 'ingest',
    message: message ?? `${count(rows)} rows${rejected > 0 ? `, ${count(rejected)} rejected` : ''}`,
    data: { batch, rows, rejected, bytes: position.offset },
    checkpoint: { batch, offset: position.offset, row: position.row },
  };
}

export function schemaMilestone({ columns }: ImportState): {
  columns: { name: string; type: ColumnType }[];
  columnCount: number;
} {
  return { columns: fitting(columns.map(({ name, type }) => ({ name, type }))), columnCount: columns.length };
}

export function loadedMilestone({ rows, rejectedRows, rejected }: LoadResult): {
  rows: number;
  rejectedRows: number;
  rejected: Record<string, number>;
} {
  return { rows, rejectedRows, rejected: Object.fromEntries(fitting(Object.entries(rejected))) };
}

export function resultOf(state: ImportState, database: string, attempts: number, checks: readonly Check[]): LoadResult {
  const { file, table, dialect, rows, rejected, columns, batch, position, startedAt } = state;
  const reasons = Object.entries(rejected).sort(([, a], [, b]) => b - a);
  return {
    file,
    database,
    table,
    encoding: ENCODING_NAMES[dialect.encoding ?? 'utf-8'],
    rows,
    rejectedRows: position.row - rows,
    rejected: Object.fromEntries(reasons.slice(0, LISTED)),
    columns: columns.slice(0, LISTED).map(({ name, type, sqlName }) => ({ name, type, sqlName })),
    columnCount: columns.length,
    batches: batch,
    attempts,
    durationMs: Date.now() - startedAt,
    checks: checks.slice(0, LISTED),
  };
}

/** The first entries of a list that fit. */
function fitting<T>(list: readonly T[]): T[] {
  let bytes = 0;
  return list.filter((entry) => (bytes += Buffer.byteLength(JSON.stringify(entry)) + 1) < LIST_BYTES);
}

export function count(n: number): string {
  return n.toLocaleString('en');
}
