/**
 * One process of the dev server: started, watched and stopped.
 * It has a process group of its own, so that Ctrl-C in the terminal does not reach it before us, and a guard in that group that holds one
 * end of a pipe: when this process ends in whatever way, `SIGKILL` included, the pipe closes and the guard ends the group.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, mkdirSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { reasonOf, ServerProblem } from './problem.ts';
import { lastLine } from './run.ts';

/** `exec` makes the server the process that is waited for; the guard is its sibling. */
const GUARDED = '(cat <&3 >/dev/null 2>&1; kill -TERM 0) & exec "$@" 3<&-';
const STOP_WITHIN_MS = 15_000;
const TAIL_BYTES = 16_384;

export interface ServerProcess {
  readonly pid: number;
  /** Resolves when the process has ended, for whatever reason. */
  readonly ended: Promise<void>;
  hasEnded(): boolean;
  /** What it printed last. */
  output(): string;
  lastWords(): string;
  /** `SIGTERM` lets it put its file in order; `SIGKILL` is faster when there is none. */
  stop(how: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

export async function startProcess(cli: string, args: readonly string[], logFile?: string): Promise<ServerProcess> {
  const log = logFile === undefined ? unnamedFile() : openLog(logFile);
  const begin = fstatSync(log).size;
  const child = spawn('sh', ['-c', GUARDED, 'sh', cli, ...args], {
    detached: true,
    stdio: ['ignore', log, log, 'pipe'],
  });
  const lifeline = child.stdio[3] as Socket;
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      lifeline.destroy();
      resolve();
    });
  });
  await once(child, 'spawn').catch((error: unknown) => {
    closeSync(log);
    throw new ServerProblem(`No shell can be run to start the Temporal server (${reasonOf(error)}): put sh on PATH.`);
  });
  const { pid } = child;
  if (pid === undefined) throw new Error('the process has no id');
  // Neither may keep this process alive when it has nothing else to do.
  child.unref();
  lifeline.unref();

  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const output = (): string => tail(log, begin);
  let stopped: Promise<void> | undefined;
  async function end(how: NodeJS.Signals): Promise<void> {
    child.ref();
    if (!hasEnded()) signal(pid as number, how);
    const patience = new AbortController();
    const tooLong = delay(STOP_WITHIN_MS, undefined, { signal: patience.signal }).then(
      () => signal(pid as number, 'SIGKILL'),
      () => {},
    );
    await ended;
    patience.abort();
    await tooLong;
    closeSync(log);
  }
  return {
    pid,
    ended,
    hasEnded,
    output,
    lastWords: () =>
      child.signalCode === null
        ? (lastLine(output()) ?? `it ended with code ${child.exitCode ?? 'unknown'}`)
        : `it was ended by ${child.signalCode}`,
    stop: (how) => (stopped ??= end(how)),
  };
}

/** To the whole group, which may be gone already. */
function signal(group: number, name: NodeJS.Signals): void {
  try {
    process.kill(-group, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true });
  return openSync(path, 'a+');
}

/** A file that nothing has to clean up. */
function unnamedFile(): number {
  const folder = mkdtempSync(join(tmpdir(), 'outlive-'));
  const file = openSync(join(folder, 'temporal.log'), 'w+');
  rmSync(folder, { recursive: true });
  return file;
}

function tail(file: number, begin: number): string {
  const { size } = fstatSync(file);
  const from = Math.max(begin, size - TAIL_BYTES);
  const bytes = Buffer.alloc(Math.max(0, size - from));
  return bytes.toString('utf8', 0, readSync(file, bytes, 0, bytes.length, from));
}
