/**
 * Keeps one worker process running: the same one that is started by hand. When it is killed it is started again, which is
 * what a process manager does in production; whatever it was doing goes on where it stood. One that does not come up any more is
 * given up after a few attempts, with its own words.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isObject } from '../schemas/shapes.ts';
import { reasonOf } from '../server/problem.ts';
import { Problem } from './problem.ts';

export interface Supervised {
  /** The pid of the worker that runs now. */
  readonly pid: number | undefined;
  /** Workers that were lost so far. */
  readonly losses: number;
  /** Between the end of a worker and the moment in which the next one is ready. */
  readonly isReplacing: boolean;
  /**
   * Stops the worker, which may finish what it is doing, and starts another one; also when it was given up. Of one that is on its way already
   * nothing more is wanted, and of nothing that was stopped.
   */
  restart(): void;
  /** Stops the worker for good; it may finish what it is doing. */
  stop(): Promise<void>;
}

export interface Supervision {
  args: readonly string[];
  env: Record<string, string>;
  /** Hears of each death and each new start. */
  say: (line: string) => void;
  /** Told when no worker can be started any more. */
  gaveUp: (problem: Problem) => void;
  /** Hears what a worker tells beside that it is ready, and may answer it. */
  heard?: (message: unknown, answer: (message: object) => void) => void;
  /** Lets it write to this process's stderr. Default: what it writes is only read for its last words. */
  speaks?: boolean;
  /** Default: that of `npm run worker`. */
  script?: string;
}

/** What a worker tells once it is ready. */
export const READY = 'ready';

/** What a worker tells that cannot start and leaves to this process to say why. */
export interface Refusal {
  problem: string;
}

const AGAIN_MS = 1000;
const ATTEMPTS = 5;

/** Resolves when the first worker is ready. @throws Problem with its last words when it does not start. */
export async function superviseWorker(supervision: Supervision): Promise<Supervised> {
  const { say, gaveUp } = supervision;
  let own = new WorkerProcess(supervision);
  const stopping = new AbortController();
  let [losses, isReplacing] = [0, false];
  /** Opened when another worker is wanted in place of the one that there is. */
  let wanted = Promise.withResolvers<void>();
  let isWanted = false;
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
      isReplacing = true;
      if (!isWanted) {
        losses += 1;
        say(
          `The worker (pid ${own.pid}) was lost (${how}): starting another one. What it was doing goes on from where it stood.`,
        );
      }
      for (let problem = await replace(); problem !== undefined; problem = await replace()) {
        if (stopping.signal.aborted) return;
        gaveUp(problem);
        await wanted.promise;
      }
      if (stopping.signal.aborted) return;
      isReplacing = false;
      say(`A new worker is running (pid ${own.pid}).`);
    }
  }

  /** One that was asked for is tried once: whoever asked for it sees why it does not start. */
  async function replace(): Promise<Problem | undefined> {
    for (let attempt = 1; ; attempt++) {
      const asked = isWanted;
      if (asked) [isWanted, wanted] = [false, Promise.withResolvers<void>()];
      else await pause(AGAIN_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return undefined;
      try {
        own = new WorkerProcess(supervision);
        await own.ready;
        return undefined;
      } catch (error) {
        if (stopping.signal.aborted) return undefined;
        if (isWanted || !(error instanceof Problem)) continue;
        if (asked) return error;
        if (attempt >= ATTEMPTS)
          return new Problem(`No worker could be started in ${ATTEMPTS} attempts: ${error.message}`);
      }
    }
  }

  function killAll(): void {
    own.kill();
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
    restart() {
      if (stopping.signal.aborted) return;
      isWanted = true;
      own.end();
      wanted.resolve();
    },
    async stop() {
      stopping.abort();
      wanted.resolve();
      own.end();
      await own.ended;
      process.off('exit', killAll);
    },
  };
}

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url));

class WorkerProcess {
  /** Resolves when it says so; rejects with a Problem when it ends before. */
  readonly ready: Promise<void>;
  /** How it ended. */
  readonly ended: Promise<string>;
  private readonly child: ChildProcess;
  private isTold = false;

  /** @throws Problem when there can be no such process. */
  constructor(supervision: Supervision) {
    const { heard } = supervision;
    const child = forked(supervision);
    this.child = child;
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString('utf8')).slice(-LAST_CHARS);
    });
    this.ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`));
      child.once('error', () => child.pid === undefined && resolve('it was none'));
    });
    this.ready = new Promise<void>((resolve, reject) => {
      child.on('message', (message) => {
        if (message === READY) resolve();
        else if (isRefusal(message)) said = message.problem;
        else heard?.(message, (answer) => child.connected && child.send(answer));
      });
      // Also told of what could not be sent to one that ends.
      child.on('error', (error) => child.pid === undefined && reject(noProcess(error)));
      // Behind its exit may come what it said last.
      child.once('close', (code, signal) =>
        reject(new Problem(lastWords(said) ?? `The worker did not start (${signal ?? `code ${code}`}).`)),
      );
    });
    this.ready.catch(() => undefined);
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Lets it finish what it is doing. It is told once: the second time would end it at once. */
  end(): void {
    if (!this.isTold) this.child.kill('SIGTERM');
    this.isTold = true;
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}

function forked({ script = WORKER, args, env, speaks = false }: Supervision): ChildProcess {
  try {
    return fork(script, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', speaks ? 'inherit' : 'ignore', speaks ? 'inherit' : 'pipe', 'ipc'],
      // In a group of its own: what interrupts this process lets it stop the worker in order.
      detached: true,
    });
  } catch (error) {
    throw noProcess(error);
  }
}

function isRefusal(message: unknown): message is Refusal {
  return isObject(message) && typeof message['problem'] === 'string';
}

function noProcess(error: unknown): Problem {
  return new Problem(`No process can be started for the worker (${reasonOf(error)}).`);
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
