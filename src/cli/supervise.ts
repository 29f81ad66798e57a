/**
 * Keeps one worker process running: the same one that `npm run worker` starts. When it is killed it is started again, which is
 * what a process manager does in production; whatever it was doing goes on where it stood. One that does not come up any more is
 * given up after a few attempts, with its own words.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Problem } from './problem.ts';

export interface Supervised {
  /** The pid of the worker that runs now. */
  readonly pid: number | undefined;
  /** Workers that were lost so far. */
  readonly losses: number;
  /** Between the loss of a worker and the moment in which the next one is ready. */
  readonly isReplacing: boolean;
  /** Stops the worker for good; it may finish what it is doing. */
  stop(): Promise<void>;
}

export interface Supervision {
  args: readonly string[];
  env: Record<string, string>;
  /** Hears of each death and each new start. */
  say: (line: string) => void;
  /** Told once when no worker can be started any more. */
  gaveUp: (problem: Problem) => void;
  /** Default: that of `npm run worker`. */
  script?: string;
}

const AGAIN_MS = 1000;
const ATTEMPTS = 5;

/** Resolves when the first worker is ready. @throws Problem with its last words when it does not start. */
export async function superviseWorker({ args, env, say, gaveUp, script }: Supervision): Promise<Supervised> {
  const path = script ?? fileURLToPath(new URL('worker.ts', import.meta.url));
  let own = new WorkerProcess(path, args, env);
  const stopping = new AbortController();
  let [losses, isReplacing] = [0, false];
  process.once('exit', killAll);
  try {
    await own.ready;
  } catch (error) {
    process.off('exit', killAll);
    throw error;
  }
  void keep();

  async function keep(): Promise<void> {
    for (;;) {
      const how = await own.ended;
      if (stopping.signal.aborted) return;
      losses += 1;
      isReplacing = true;
      say(
        `The worker (pid ${own.pid}) was lost (${how}): starting another one. What it was doing goes on from where it stood.`,
      );
      const problem = await replace();
      if (stopping.signal.aborted) return;
      if (problem !== undefined) {
        gaveUp(problem);
        return;
      }
      isReplacing = false;
      say(`A new worker is running (pid ${own.pid}).`);
    }
  }

  async function replace(): Promise<Problem | undefined> {
    for (let attempt = 1; ; attempt++) {
      await pause(AGAIN_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return undefined;
      own = new WorkerProcess(path, args, env);
      try {
        await own.ready;
        return undefined;
      } catch (error) {
        if (attempt >= ATTEMPTS && error instanceof Problem)
          return new Problem(`No worker could be started in ${ATTEMPTS} attempts: ${error.message}`);
      }
    }
  }

  function killAll(): void {
    own.kill('SIGKILL');
  }

  return {
    get pid() {
      return own.pid;
    },
    get losses() {
      return losses;
    },
    get isReplacing() {
      return isReplacing;
    },
    async stop() {
      stopping.abort();
      own.kill('SIGTERM');
      await own.ended;
      process.off('exit', killAll);
    },
  };
}

class WorkerProcess {
  /** Resolves when it says so; rejects with a Problem when it ends before. */
  readonly ready: Promise<void>;
  /** How it ended. */
  readonly ended: Promise<string>;
  private readonly child: ChildProcess;

  constructor(script: string, args: readonly string[], env: Record<string, string>) {
    const child = fork(script, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      detached: true,
    });
    this.child = child;
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString('utf8')).slice(-LAST_CHARS);
    });
    this.ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`));
    });
    this.ready = new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve());
      // Behind its exit may come what it said last.
      child.once('close', (code, signal) =>
        reject(new Problem(lastWords(said) ?? `The worker ended (${signal ?? `code ${code}`}).`)),
      );
    });
    this.ready.catch(() => undefined);
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

const LAST_CHARS = 16_384;

/** The line that says what is wrong: that of an error in what Node prints of one, else the last. */
function lastWords(said: string): string | undefined {
  const lines = said
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return lines.findLast((line) => /^(?:Uncaught )?\w*Error\b[^:]*: /u.test(line)) ?? lines.at(-1);
}
