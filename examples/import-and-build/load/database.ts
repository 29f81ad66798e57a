/** SQLite as this example uses it: quoted names, one transaction at a time, a lock that dies with its process. */
import { DatabaseSync } from 'node:sqlite';

const SQLITE_BUSY = 5;

/** A name as SQL text, whatever it holds. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""').replaceAll('\0', '')}"`;
}

/** Runs `work` in one transaction that others cannot write beside; what it throws undoes it. */
export function transaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** A lock that another process or connection cannot have at the same time, and that the system frees when its holder is killed. */
export class Lock implements Disposable {
  readonly #db: DatabaseSync;

  private constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** The lock on a path (an empty file is left there), or nothing when someone has it. */
  static take(path: string): Lock | undefined {
    const db = new DatabaseSync(path, { timeout: 0 });
    try {
      db.exec('BEGIN EXCLUSIVE');
      return new Lock(db);
    } catch (error) {
      db.close();
      if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}
