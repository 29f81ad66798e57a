/** Reads the loaded table again and compares it with what was counted while the file was read. */
import { setImmediate } from 'node:timers/promises';
import type { DatabaseSync } from 'node:sqlite';
import { quoted } from './database.ts';
import type { ImportState } from './state.ts';

/** `read`: counted while reading the file. `stored`: counted again in SQLite. */
export interface Check {
  name: string;
  read: number;
  stored: number;
  ok: boolean;
}

const SLICE_ROWS = 10_000;
/** Sums of floating-point numbers differ in their last digits with the order of adding. */
const TOLERANCE = 1e-9;

export async function verify(db: DatabaseSync, state: ImportState, signal: AbortSignal): Promise<Check[]> {
  const { columns, sums } = state;
  const numeric = columns.flatMap(({ type, sqlName }, i) =>
    type === 'integer' || type === 'number' ? [{ sqlName, i }] : [],
  );
  const slice = db.prepare(
    `SELECT count(*) AS n${columns.map(({ sqlName }, i) => `, count(${quoted(sqlName)}) AS c${i}`).join('')}${numeric
      .map(({ sqlName, i }) => `, total(${quoted(sqlName)}) AS s${i}`)
      .join('')} FROM ${quoted(state.table)} WHERE _row > ? AND _row <= ?`,
  );
  let rows = 0;
  const stored = columns.map(() => ({ count: 0, sum: 0 }));
  for (let from = 0; from < state.position.row; from += SLICE_ROWS) {
    signal.throwIfAborted();
    const found = slice.get(from, from + SLICE_ROWS) ?? {};
    rows += Number(found['n']);
    for (const [i, entry] of stored.entries()) {
      entry.count += Number(found[`c${i}`]);
      entry.sum += Number(found[`s${i}`] ?? 0);
    }
    await setImmediate();
  }
  const batches =
    db.prepare('SELECT count(*) AS n, total(rows) AS rows, total(rejected) AS rejected FROM _batches').get() ?? {};
  const rejected = db.prepare('SELECT count(*) AS n FROM _rejected').get() ?? {};
  const check = (name: string, read: number, inStore: number): Check => ({
    name,
    read,
    stored: inStore,
    ok: read === inStore,
  });
  return [
    check('rows', state.rows, rows),
    check('rejected', state.position.row - state.rows, Number(rejected['n'])),
    check('batches', state.batch, Number(batches['n'])),
    check('rows of batches', state.position.row, Number(batches['rows']) + Number(batches['rejected'])),
    check('values', total(sums), total(stored)),
    ...numeric.map(({ sqlName, i }) => close(`sum of ${sqlName}`, sums[i]?.sum ?? 0, stored[i]?.sum ?? 0)),
  ];
}

function total(entries: readonly { count: number }[]): number {
  return entries.reduce((sum, { count }) => sum + count, 0);
}

function close(name: string, read: number, stored: number): Check {
  return {
    name,
    read,
    stored,
    ok: Math.abs(read - stored) <= TOLERANCE * Math.max(1, Math.abs(read), Math.abs(stored)),
  };
}
