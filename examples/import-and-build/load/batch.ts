/** One batch in SQLite: its good rows, its rejected ones, and its own line in `_batches`. Runs inside the transaction of its caller. */
import type { DatabaseSync } from 'node:sqlite';
import type { Item, Position } from '../csv/records.ts';
import { rowOf, type Value } from '../csv/row.ts';
import { quoted } from './database.ts';
import type { ImportState } from './state.ts';

const RAW_CHARS = 500;

/** Writes the items that lie between the state's position and `next`; returns the state behind them. */
export function writeBatch(
  db: DatabaseSync,
  state: ImportState,
  attempt: number,
  items: readonly Item[],
  next: Position,
): ImportState {
  const { table, columns } = state;
  const after: ImportState = {
    ...state,
    position: next,
    batch: state.batch + 1,
    rejected: { ...state.rejected },
    sums: structuredClone(state.sums),
  };
  const insert = db.prepare(`INSERT INTO ${quoted(table)} VALUES (?${', ?'.repeat(columns.length)})`);
  const reject = db.prepare('INSERT INTO _rejected VALUES (?, ?, ?, ?, ?)');
  for (const item of items) {
    const made = rowOf(item, columns);
    if ('values' in made) {
      insert.run(item.row, ...made.values);
      after.rows += 1;
      add(after.sums, made.values);
    } else {
      reject.run(item.row, item.line, item.lines, made.reason, cut(item.raw));
      after.rejected[made.reason] = (after.rejected[made.reason] ?? 0) + 1;
    }
  }
  const rows = after.rows - state.rows;
  db.prepare('INSERT INTO _batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)').run(
    after.batch,
    state.runId,
    attempt,
    state.position.row + 1,
    next.row,
    state.position.offset,
    next.offset,
    rows,
    items.length - rows,
    new Date().toISOString(),
  );
  return after;
}

function add(sums: ImportState['sums'], values: readonly Value[]): void {
  for (const [i, value] of values.entries()) {
    const entry = sums[i];
    if (!entry || value === null) continue;
    entry.count += 1;
    if (typeof value !== 'number') continue;
    entry.sum += value;
    entry.fractions ||= !Number.isInteger(value);
  }
}

function cut(raw: Buffer): string {
  return raw
    .toString('utf8', 0, RAW_CHARS * 4)
    .trimEnd()
    .slice(0, RAW_CHARS)
    .toWellFormed();
}
