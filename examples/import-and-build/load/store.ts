/**
 * The database of one import. Its invariant: a batch and the position behind it are one transaction, so that whatever is killed,
 * every row is in it once and no batch twice.
 *
 * Who may write: other runs are kept out by a lock that dies with its holder. A later attempt of the same run does not wait for
 * an earlier one that may hang: it makes itself the owner, and each transaction of any other fails from then on.
 */
import { randomUUID } from 'node:crypto';
import { basename, extname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { sqlNameOf, type Column } from '../csv/columns.ts';
import type { Item, Position } from '../csv/records.ts';
import { rowOf, type Value } from '../csv/row.ts';
import { Lock, quoted, transaction } from './database.ts';
import { readState, TABLES, writeState, type ImportState } from './state.ts';

const RAW_CHARS = 500;

/** Another live run writes to the database, or has taken it over. */
export class DatabaseInUse extends Error {
  override readonly name = 'DatabaseInUse';
}

/** The file is not the one that the run began with. */
export class SourceChanged extends Error {
  override readonly name = 'SourceChanged';
}

export type Begin = Pick<ImportState, 'file' | 'size' | 'mtimeMs'>;

export class ImportStore implements Disposable {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #attempt: number;
  #lock: Lock | undefined;
  #state: ImportState | undefined;
  #insert: StatementSync | undefined;

  private constructor(db: DatabaseSync, path: string, attempt: number, lock: Lock | undefined) {
    this.#db = db;
    this.#path = path;
    this.#attempt = attempt;
    this.#lock = lock;
  }

  /**
   * Opens the database for a run's attempt and resumes what this run has in it.
   *
   * @throws DatabaseInUse when another live run has it, SourceChanged when the file is not the one the run began with.
   */
  static open(path: string, runId: string, attempt: number, source: Begin): ImportStore {
    const lock = Lock.take(`${path}.lock`);
    let store: ImportStore | undefined;
    try {
      store = new ImportStore(new DatabaseSync(path, { timeout: 5000 }), path, attempt, lock);
      store.#resume(runId, source);
      return store;
    } catch (error) {
      if (store) store[Symbol.dispose]();
      else lock?.[Symbol.dispose]();
      throw error;
    }
  }

  #resume(runId: string, source: Begin): void {
    const found = readState(this.#db);
    if (!this.#lock && found?.runId !== runId) {
      throw new DatabaseInUse(`The database ${basename(this.#path)} is being written by ${found ? `run ${found.runId}` : 'another run'}, which is still alive. Wait for it, cancel it, or choose another database.`);
    }
    this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
    if (found?.runId !== runId) return;
    if (found.size !== source.size || found.mtimeMs !== source.mtimeMs) {
      throw new SourceChanged(`Expected ${found.file} as it was when the run began (${found.size} bytes), got one of ${source.size} bytes that was changed since. Start a new run.`);
    }
    this.#state = { ...found, owner: randomUUID() };
    transaction(this.#db, () => writeState(this.#db, this.state));
  }

  /** Whether this run had begun here before. */
  get resumed(): boolean {
    return this.#state !== undefined;
  }

  get state(): ImportState {
    if (!this.#state) throw new Error('An import has a state only after begin().');
    return this.#state;
  }

  get db(): DatabaseSync {
    return this.#db;
  }

  /** Begins anew: replaces what an earlier run left here. Tables that no import made are not touched. */
  begin(runId: string, source: Begin, shape: { dialect: ImportState['dialect']; start: Position; columns: Column[] }): void {
    const table = tableNameOf(source.file);
    this.#state = {
      runId, owner: randomUUID(), ...source, table, dialect: shape.dialect, columns: shape.columns, position: shape.start,
      batch: 0, rows: 0, rejected: {}, sums: shape.columns.map(() => ({ count: 0, sum: 0, fractions: false })), startedAt: Date.now(), schemaTold: false, loaded: false,
    };
    transaction(this.#db, () => {
      const before = readState(this.#db);
      if (before) this.#db.exec(`DROP TABLE IF EXISTS ${quoted(before.table)}; DROP TABLE _import; DROP TABLE _batches; DROP TABLE _rejected`);
      if (this.#db.prepare('SELECT 1 FROM sqlite_master WHERE name = ?').get(table) !== undefined) {
        throw new Error(`The database ${basename(this.#path)} has a table "${table}" that no import made; choose another database.`);
      }
      this.#db.exec(`${TABLES} CREATE TABLE ${quoted(table)} (_row INTEGER PRIMARY KEY, ${shape.columns.map((one) => `${quoted(one.sqlName)} ${sqlType(one)}`).join(', ')})`);
      writeState(this.#db, this.state);
    });
  }

  /** Writes one batch and the position behind it, or nothing. */
  commit(items: readonly Item[], next: Position): void {
    const { state } = this;
    const { columns } = state;
    const after: ImportState = { ...state, position: next, batch: state.batch + 1, rejected: { ...state.rejected }, sums: structuredClone(state.sums) };
    this.#insert ??= this.#db.prepare(`INSERT INTO ${quoted(state.table)} VALUES (?${', ?'.repeat(columns.length)})`);
    const insert = this.#insert;
    this.#own(() => {
      const reject = this.#db.prepare('INSERT INTO _rejected VALUES (?, ?, ?, ?, ?)');
      for (const item of items) {
        const made = rowOf(item, columns);
        if ('values' in made) {
          insert.run(item.row, ...made.values);
          after.rows += 1;
          add(after.sums, made.values);
        } else {
          reject.run(item.row, item.line, item.lines, made.reason, item.raw.toString('utf8', 0, RAW_CHARS * 4).trimEnd().slice(0, RAW_CHARS).toWellFormed());
          after.rejected[made.reason] = (after.rejected[made.reason] ?? 0) + 1;
        }
      }
      const rows = after.rows - state.rows;
      this.#db.prepare('INSERT INTO _batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)').run(
        after.batch, state.runId, this.#attempt, state.position.row + 1, next.row, state.position.offset, next.offset, rows, items.length - rows, new Date().toISOString());
      writeState(this.#db, after);
    });
    this.#state = after;
  }

  /** Changes the state, of which the batches are no part. */
  note(change: Partial<Pick<ImportState, 'schemaTold' | 'loaded' | 'columns'>>): void {
    const after = { ...this.state, ...change };
    this.#own(() => writeState(this.#db, after));
    this.#state = after;
  }

  #own(work: () => void): void {
    this.#lock ??= Lock.take(`${this.#path}.lock`);
    transaction(this.#db, () => {
      const now = readState(this.#db);
      if (now?.owner !== this.state.owner) {
        throw new DatabaseInUse(`The database ${basename(this.#path)} was taken over by ${now?.runId === this.state.runId ? 'a later attempt of this run' : `run ${now?.runId ?? '?'}`}.`);
      }
      work();
    });
  }

  /** Marks the import as loaded and folds the journal into the database, so that it is one file that can be copied. */
  finish(): void {
    const { columns, sums } = this.state;
    this.note({ loaded: true, columns: columns.map((one, i) => (one.type === 'integer' && sums[i]?.fractions ? { ...one, type: 'number' } : one)) });
    try {
      this.#db.exec('PRAGMA journal_mode = DELETE');
    } catch {
      // A reader has it open: it stays in two files, which readers do not notice.
    }
  }

  [Symbol.dispose](): void {
    this.#db.close();
    this.#lock?.[Symbol.dispose]();
  }
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

function sqlType({ type }: Column): string {
  switch (type) {
    case 'integer': return 'INTEGER';
    case 'number': return 'REAL';
    case 'date': case 'text': return 'TEXT';
    default: return type satisfies never;
  }
}

function tableNameOf(file: string): string {
  const name = sqlNameOf(basename(file, extname(file))).slice(0, 60);
  return name === '' || name.startsWith('sqlite') ? `data_${name}`.replace(/_$/, '') : name;
}
