/**
 * The database of one import. Its invariant: a batch and the position behind it are one transaction, so that whatever is killed,
 * every row is in it once and no batch twice.
 *
 * Who may write: other runs are kept out by a lock that dies with its holder. A later attempt of the same run does not wait for
 * an earlier one that may hang: it makes itself the owner, and each transaction of any other fails from then on.
 */
import { randomUUID } from 'node:crypto';
import { basename } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Shape } from '../csv/source.ts';
import type { Item, Position } from '../csv/records.ts';
import { writeBatch } from './batch.ts';
import { BUSY_MS, Lock, transaction } from './database.ts';
import { freshState, readState, replaceTables, writeState, type ImportState, type SourceFile } from './state.ts';

/** Another live run writes to the database, or has taken it over. */
export class DatabaseInUse extends Error {
  override readonly name = 'DatabaseInUse';
}

/** The file is not the one that the run began with. */
export class SourceChanged extends Error {
  override readonly name = 'SourceChanged';
}

export class ImportStore implements Disposable {
  readonly db: DatabaseSync;
  readonly #path: string;
  readonly #runId: string;
  readonly #attempt: number;
  #lock: Lock | undefined;
  #state: ImportState | undefined;

  private constructor(path: string, runId: string, attempt: number, lock: Lock | undefined) {
    this.db = new DatabaseSync(path, { timeout: BUSY_MS });
    this.#path = path;
    this.#runId = runId;
    this.#attempt = attempt;
    this.#lock = lock;
  }

  /**
   * Opens the database for an attempt of a run and takes up what this run has in it.
   *
   * @throws DatabaseInUse when another live run has it, SourceChanged when the file is not the one that the run began with.
   */
  static open(path: string, runId: string, attempt: number, source: SourceFile): ImportStore {
    const lock = Lock.take(`${path}.lock`);
    let store: ImportStore | undefined;
    try {
      store = new ImportStore(path, runId, attempt, lock);
      store.#resume(source);
      return store;
    } catch (error) {
      if (store) store[Symbol.dispose]();
      else lock?.[Symbol.dispose]();
      throw error;
    }
  }

  #resume(source: SourceFile): void {
    const found = readState(this.db);
    if (!this.#lock && found?.runId !== this.#runId) {
      const by = found ? `run ${found.runId}` : 'another run';
      throw new DatabaseInUse(
        `The database ${this.#name} is being written by ${by}, which is still alive. Wait for it, cancel it, or choose another database.`,
      );
    }
    this.db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
    if (found?.runId !== this.#runId) return;
    if (found.size !== source.size || found.mtimeMs !== source.mtimeMs) {
      throw new SourceChanged(
        `Expected ${found.file} as it was when the run began (${found.size} bytes), got one of ${source.size} bytes that was changed since. Start a new run.`,
      );
    }
    this.#state = { ...found, owner: randomUUID() };
    transaction(this.db, () => writeState(this.db, this.state));
  }

  get #name(): string {
    return basename(this.#path);
  }

  /** Whether this run had begun here before. */
  get resumed(): boolean {
    return this.#state !== undefined;
  }

  get state(): ImportState {
    if (!this.#state) throw new Error('An import has a state only after begin().');
    return this.#state;
  }

  /** Begins anew: replaces what an earlier run left here. Tables that no import made are not touched. */
  begin(source: SourceFile, shape: Shape): void {
    const state = freshState(this.#runId, randomUUID(), source, shape);
    transaction(this.db, () => replaceTables(this.db, state));
    this.#state = state;
  }

  /** Writes one batch and the position behind it, or nothing. */
  commit(items: readonly Item[], next: Position): void {
    this.#change((state) => writeBatch(this.db, state, this.#attempt, items, next));
  }

  /** Remembers that the columns have been told. */
  schemaTold(): void {
    this.#change((state) => ({ ...state, schemaTold: true }));
  }

  /** Marks the import as loaded and folds the journal into the database, so that it is one file that can be copied. */
  finish(): void {
    this.#change((state) => ({
      ...state,
      loaded: true,
      columns: state.columns.map((one, i) =>
        one.type === 'integer' && state.sums[i]?.fractions ? { ...one, type: 'number' } : one,
      ),
    }));
    try {
      this.db.exec('PRAGMA journal_mode = DELETE');
    } catch {
      // A reader has it open: it stays in two files, which readers do not notice.
    }
  }

  /** One transaction of the owner. */
  #change(work: (state: ImportState) => ImportState): void {
    this.#lock ??= Lock.take(`${this.#path}.lock`);
    this.#state = transaction(this.db, () => {
      const now = readState(this.db);
      if (now?.owner !== this.state.owner) {
        const by = now?.runId === this.#runId ? 'a later attempt of this run' : `run ${now?.runId ?? '?'}`;
        throw new DatabaseInUse(`The database ${this.#name} was taken over by ${by}.`);
      }
      const after = work(this.state);
      writeState(this.db, after);
      return after;
    });
  }

  [Symbol.dispose](): void {
    this.db.close();
    this.#lock?.[Symbol.dispose]();
  }
}
