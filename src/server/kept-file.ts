/**
 * A database file may have one server: two on the same file would ruin each other's work without an error.
 * Beside `FILE`, `FILE.lock` is locked by the process that started the server, for as long as that process lives, and
 * `FILE.server.json` says where the server is. The operating system drops the lock with the process, so it is never stale; the state can be,
 * and is believed only when the process it names is a server on this file and answers.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { reasonOf, ServerProblem } from './problem.ts';

const SQLITE_BUSY = 5;

export interface ServerState {
  pid: number;
  address: string;
  uiUrl: string;
}

export interface Claim {
  publish(state: ServerState): void;
  release(): void;
}

/** The right to run a server on the file, or undefined while another process has it. */
export async function claim(dbFile: string): Promise<Claim | undefined> {
  const lock = await lockFile(`${dbFile}.lock`);
  if (lock === undefined) return undefined;
  const stateFile = `${dbFile}.server.json`;
  return {
    publish(state) {
      writeFileSync(`${stateFile}.new`, JSON.stringify(state));
      renameSync(`${stateFile}.new`, stateFile);
    },
    release() {
      if (!lock.isOpen) return;
      rmSync(stateFile, { force: true });
      lock.close();
    },
  };
}

/** SQLite is here for its lock: Node has no other that the operating system drops with the process. */
async function lockFile(path: string): Promise<{ isOpen: boolean; close(): void } | undefined> {
  const { DatabaseSync } = await import('node:sqlite');
  const lock = new DatabaseSync(path, { open: false });
  try {
    lock.open();
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    if (lock.isOpen) lock.close();
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined;
    throw new ServerProblem(
      `The file ${path} cannot be locked (${reasonOf(error)}): choose a place for the database that can be written to.`,
    );
  }
}

/** The server that is said to run on the file, if a process of that id is one. */
export function runningServer(dbFile: string): ServerState | undefined {
  try {
    const state = JSON.parse(readFileSync(`${dbFile}.server.json`, 'utf8')) as ServerState;
    return commandOf(state.pid).includes(dbFile) ? state : undefined;
  } catch {
    return undefined;
  }
}

/** The command line of a process; empty when there is none. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // Not every system has /proc.
  }
  try {
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch {
    return '';
  }
}
