/** SQLite as this example uses it: quoted names, one transaction at a time, a lock that dies with its process, failures in a sentence. */
import { setTimeout } from 'node:timers/promises';
import { DatabaseSync } from 'node:sqlite';

/** Primary result codes: the lower byte of what an error carries. */
const SQLITE_BUSY = 5;
const SQLITE_FULL = 13;
/** How long SQLite itself waits: it holds up everything else in the process meanwhile. */
export const BUSY_MS = 50;
const AGAIN_MS = 200;
/** How long is waited for another process that has a database locked. */
const PATIENCE_MS = 30_000;

/** Another process has the database locked and does not let go of it. */
export class DatabaseLocked extends Error {
  override readonly name = 'DatabaseLocked';
}

/** There is no room left for the database. */
export class DiskFull extends Error {
  override readonly name = 'DiskFull';
}

export interface Waiting {
  /** The name of the database, for people. */
  database: string;
  signal: AbortSignal;
  /** Told once when it has to be waited for. */
  waits?: () => void;
  /** Default 30 s. */
  patienceMs?: number;
}

/**
 * Does something with a database, again and again while another process has it locked; what is tried must be whole or nothing.
 *
 * @throws DatabaseLocked after 30 s, DiskFull, the reason of the signal, whatever else `work` throws.
 */
export async function whenFree<T>(
  work: () => T | Promise<T>,
  { database, signal, waits, patienceMs = PATIENCE_MS }: Waiting,
): Promise<T> {
  let since: number | undefined;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const code = codeOf(error);
      if (code === SQLITE_FULL)
        throw new DiskFull(`The disk is full: ${database} needs more room. Make some, then ask again.`, {
          cause: error,
        });
      if (code !== SQLITE_BUSY) throw error;
      if (since === undefined) {
        since = Date.now();
        waits?.();
      } else if (Date.now() - since > patienceMs)
        throw new DatabaseLocked(
          `Another process has had the database ${database} locked for ${Math.round(patienceMs / 1000)} s: close it there, then ask again.`,
          { cause: error },
        );
    }
    await setTimeout(AGAIN_MS, undefined, { signal }).catch(() => {});
    signal.throwIfAborted();
  }
}

function codeOf(error: unknown): number | undefined {
  const { errcode } = error as { errcode?: unknown };
  return typeof errcode === 'number' ? errcode & 0xff : undefined;
}

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
      if (codeOf(error) === SQLITE_BUSY) return undefined;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}
