/** Where an import stands, as the database itself knows it: one row, written in the transaction of each batch. */
import type { DatabaseSync } from 'node:sqlite';
import type { Column } from '../csv/columns.ts';
import type { Dialect } from '../csv/dialect.ts';
import type { Position } from '../csv/records.ts';

export interface ImportState {
  runId: string;
  /** The attempt that may write; another one that tries is refused. */
  owner: string;
  /** Name of the file. */
  file: string;
  /** Its size in bytes and its last change in milliseconds since 1970: what is resumed must be the same file. */
  size: number;
  mtimeMs: number;
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

export const TABLES = `
  CREATE TABLE IF NOT EXISTS _import (id INTEGER PRIMARY KEY CHECK (id = 1), run_id TEXT NOT NULL, batch INTEGER NOT NULL, state TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS _batches (batch INTEGER PRIMARY KEY, run_id TEXT NOT NULL, attempt INTEGER NOT NULL, first_row INTEGER NOT NULL, last_row INTEGER NOT NULL,
    byte_from INTEGER NOT NULL, byte_to INTEGER NOT NULL, rows INTEGER NOT NULL, rejected INTEGER NOT NULL, at TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS _rejected (row INTEGER PRIMARY KEY, line INTEGER NOT NULL, lines INTEGER NOT NULL, reason TEXT NOT NULL, raw TEXT NOT NULL);
`;

/** The import of a database, if it has one. */
export function readState(db: DatabaseSync): ImportState | undefined {
  if (db.prepare("SELECT 1 FROM sqlite_master WHERE name = '_import'").get() === undefined) return undefined;
  const row = db.prepare('SELECT state FROM _import').get();
  return row === undefined ? undefined : JSON.parse(String(row['state'])) as ImportState;
}

export function writeState(db: DatabaseSync, state: ImportState): void {
  db.prepare('INSERT OR REPLACE INTO _import (id, run_id, batch, state) VALUES (1, ?, ?, ?)').run(state.runId, state.batch, JSON.stringify(state));
}
