/** Where an import stands, as the database itself knows it: one row, written in the transaction of each batch. */
import { basename, extname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { sqlNameOf, type Column } from '../csv/columns.ts';
import type { Dialect } from '../csv/dialect.ts';
import type { Position } from '../csv/records.ts';
import type { Shape } from '../csv/source.ts';
import { quoted } from './database.ts';

/** A file: its name, its size in bytes and its last change in milliseconds since 1970. What is resumed must be the same. */
export interface SourceFile {
  file: string;
  size: number;
  mtimeMs: number;
}

export interface ImportState extends SourceFile {
  runId: string;
  /** The attempt that may write; any other is refused. */
  owner: string;
  table: string;
  dialect: Dialect;
  columns: Column[];
  /** The next byte to read, its line, and the records before it. */
  position: Position;
  /** Batches that are in the table. */
  batch: number;
  rows: number;
  rejected: Record<string, number>;
  /** Per column: how many values were read, the sum of the numbers, and whether one has a fraction. */
  sums: { count: number; sum: number; fractions: boolean }[];
  /** First attempt, milliseconds since 1970. */
  startedAt: number;
  schemaTold: boolean;
  loaded: boolean;
}

const TABLES = `
  CREATE TABLE _import (id INTEGER PRIMARY KEY CHECK (id = 1), run_id TEXT NOT NULL, batch INTEGER NOT NULL, state TEXT NOT NULL);
  CREATE TABLE _batches (
    batch INTEGER PRIMARY KEY, run_id TEXT NOT NULL, attempt INTEGER NOT NULL, first_row INTEGER NOT NULL, last_row INTEGER NOT NULL,
    byte_from INTEGER NOT NULL, byte_to INTEGER NOT NULL, rows INTEGER NOT NULL, rejected INTEGER NOT NULL, at TEXT NOT NULL);
  CREATE TABLE _rejected (row INTEGER PRIMARY KEY, line INTEGER NOT NULL, lines INTEGER NOT NULL, reason TEXT NOT NULL, raw TEXT NOT NULL);
`;

/** The import of a database, if it has one. */
export function readState(db: DatabaseSync): ImportState | undefined {
  if (db.prepare("SELECT 1 FROM sqlite_master WHERE name = '_import'").get() === undefined) return undefined;
  const row = db.prepare('SELECT state FROM _import').get();
  return row === undefined ? undefined : (JSON.parse(String(row['state'])) as ImportState);
}

export function writeState(db: DatabaseSync, state: ImportState): void {
  db.prepare('INSERT OR REPLACE INTO _import (id, run_id, batch, state) VALUES (1, ?, ?, ?)').run(
    state.runId,
    state.batch,
    JSON.stringify(state),
  );
}

export function freshState(
  runId: string,
  owner: string,
  source: SourceFile,
  { dialect, start, columns }: Shape,
): ImportState {
  return {
    runId,
    owner,
    ...source,
    table: tableNameOf(source.file),
    dialect,
    columns,
    position: start,
    batch: 0,
    rows: 0,
    rejected: {},
    sums: columns.map(() => ({ count: 0, sum: 0, fractions: false })),
    startedAt: Date.now(),
    schemaTold: false,
    loaded: false,
  };
}

/** The empty tables of an import, in the place of those of the import before. Throws rather than touch a table of someone else. */
export function replaceTables(db: DatabaseSync, state: ImportState): void {
  const before = readState(db);
  if (before)
    db.exec(
      `DROP TABLE IF EXISTS ${quoted(before.table)}; DROP TABLE _import; DROP TABLE _batches; DROP TABLE _rejected`,
    );
  if (db.prepare('SELECT 1 FROM sqlite_master WHERE name = ?').get(state.table) !== undefined) {
    throw new Error(`The database has a table "${state.table}" that no import made; choose another database.`);
  }
  const columns = state.columns.map((one) => `, ${quoted(one.sqlName)} ${sqlType(one)}`).join('');
  db.exec(`${TABLES} CREATE TABLE ${quoted(state.table)} (_row INTEGER PRIMARY KEY${columns})`);
  writeState(db, state);
}

function sqlType({ type }: Column): string {
  switch (type) {
    case 'integer':
      return 'INTEGER';
    case 'number':
      return 'REAL';
    case 'date':
    case 'text':
      return 'TEXT';
    default:
      return type satisfies never;
  }
}

function tableNameOf(file: string): string {
  const name = sqlNameOf(basename(file, extname(file))).slice(0, 60);
  return name === '' || name.startsWith('sqlite') ? `data_${name}`.replace(/_$/, '') : name;
}
