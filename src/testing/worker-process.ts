/** A worker in a process of its own that a test starts, stops for a while and kills: only that one, by its pid. */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Attempts, type ManualRun, type StartedOptions } from './manual-task.ts';
import { ManualLine, type FromProcess } from './manual-line.ts';

export interface ProcessSettings {
  args?: readonly string[];
  /** Laid over the environment of this process. */
  env?: Readonly<Record<string, string>>;
  /** Options of Node itself, such as `--import` of what loads the configuration. Default none. */
  execArgv?: readonly string[];
}

/** How a process ended: with a code, or by a signal. */
export interface Exit {
  code: number | null;
  signal: string | null;
}

const ENDED = 'its worker process has ended';

export class WorkerProcess implements AsyncDisposable {
  /** Resolves when the process has ended, for whatever reason. */
  readonly exited: Promise<Exit>;
  private readonly child: ChildProcess;
  private readonly attempts = new Map<string, Attempts>();
  private readonly line: ManualLine;
  private hasEnded = false;

  private constructor(child: ChildProcess) {
    this.child = child;
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
      // One that never began has no exit; what cannot be sent to one that has is answered by its exit.
      child.on('error', () => {
        if (child.pid === undefined) resolve({ code: null, signal: null });
      });
    });
    void this.exited.then(() => {
      this.hasEnded = true;
      for (const attempts of this.attempts.values()) attempts.end(ENDED);
    });
    this.line = new ManualLine(child, (task, run) => this.attemptsOf(task).add(run));
  }

  /**
   * Starts a module as a worker, and resolves once it has sent its first message, which says that it is ready.
   *
   * @throws Error when it ends before that, with what it has said of it.
   */
  static async start(
    main: URL | string,
    { args = [], env = {}, execArgv = [] }: ProcessSettings = {},
  ): Promise<WorkerProcess> {
    const child = fork(main instanceof URL ? fileURLToPath(main) : main, args, {
      env: { ...process.env, ...env },
      execArgv: [...execArgv],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const worker = new WorkerProcess(child);
    await new Promise<void>((resolve, reject) => {
      child.once('error', (error) => reject(new Error(`The worker process did not start: ${error.message}.`)));
      child.once('message', (message) => {
        const { failed } = Object(message) as Partial<FromProcess & { failed: string }>;
        if (failed === undefined) resolve();
        else reject(new Error(failed));
      });
      void worker.exited.then(({ code, signal }) =>
        reject(new Error(`The worker process ended with ${signal ?? code} before it was ready.`)),
      );
    });
    return worker;
  }

  /** It has not ended, and was sent no signal. */
  get isUntouched(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null && !this.child.killed;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /**
   * The next attempt of a manual task of its configuration that has begun in this process and was not handed out yet: waits for it.
   *
   * @throws Error with a sentence when none has begun within 60 s, or `withinMs`, and at once when the process has ended.
   */
  async started(task: string, options?: StartedOptions): Promise<ManualRun> {
    return this.attemptsOf(task).started(options);
  }

  /** Sends it a signal, such as `SIGSTOP` and `SIGCONT`. */
  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Ends it at once, as a crash or the loss of its machine does (`SIGKILL`). */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  /** Tells it to stop, as a deployment does (`SIGTERM`): what is running may finish within 10 s. */
  async stop(): Promise<void> {
    this.child.kill('SIGTERM');
    await this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  private attemptsOf(task: string): Attempts {
    const attempts = this.attempts.get(task) ?? new Attempts(task);
    this.attempts.set(task, attempts);
    if (this.hasEnded) attempts.end(ENDED);
    return attempts;
  }
}
