/**
 * The worker processes of the bench: each contender has one, so that the CPU time of each is its own, and each tells how much it
 * has used when it is asked.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { DefaultLogger, Runtime } from '@temporalio/worker';

/** When a model was called and when its answer had ended, milliseconds. */
export interface Stamp {
  calledAt: number;
  endedAt: number;
}

type Said = { ready: true } | { cpuMs: number } | { stamp: Stamp };

export interface WorkerSettings {
  address: string;
  taskQueue: string;
}

/** What can be run until it is told to stop. */
interface Runnable {
  run(): Promise<void>;
  shutdown(): void;
}

/** In a worker process: what it was started with. */
export function settingsOfWorker(): WorkerSettings {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  return JSON.parse(process.argv[2] ?? '{}') as WorkerSettings;
}

/** In a worker process: tells the bench when a model was called. */
export function stamp(when: Stamp): void {
  process.send?.({ stamp: when } satisfies Said);
}

/** In a worker process: runs the workers until the bench ends, and answers how much CPU time this process has used. */
export async function serve(workers: readonly Runnable[]): Promise<void> {
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuMs: (user + system) / 1000 } satisfies Said);
  });
  process.once('disconnect', () => {
    for (const worker of workers) worker.shutdown();
  });
  const running = Promise.all(workers.map(async (worker) => worker.run()));
  process.send?.({ ready: true } satisfies Said);
  await running;
}

/** In the bench: one worker process. */
export class WorkerProcess implements AsyncDisposable {
  /** Since they were last taken, oldest first. */
  readonly stamps: Stamp[] = [];
  private readonly child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.child = child;
    child.on('message', (said: Said) => {
      if ('stamp' in said) this.stamps.push(said.stamp);
    });
  }

  /** @param execArgv of its Node, for profiles. */
  static async start(main: URL, settings: WorkerSettings, execArgv: string[] = []): Promise<WorkerProcess> {
    const worker = new WorkerProcess(fork(fileURLToPath(main), [JSON.stringify(settings)], { execArgv }));
    const ended = once(worker.child, 'exit').then(([code]) => {
      throw new Error(`The worker of the bench ended with code ${String(code)} before it was ready.`);
    });
    await Promise.race([once(worker.child, 'message'), ended]);
    ended.catch(() => undefined);
    return worker;
  }

  /** CPU time of the process so far, all its threads, milliseconds. */
  async cpuMs(): Promise<number> {
    const answer = new Promise<number>((resolve) => {
      const listen = (said: Said): void => {
        if (!('cpuMs' in said)) return;
        this.child.off('message', listen);
        resolve(said.cpuMs);
      };
      this.child.on('message', listen);
    });
    this.child.send('cpu');
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.disconnect();
    await ended;
  }
}
