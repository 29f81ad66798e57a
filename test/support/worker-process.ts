/** Starts and kills worker processes: only those it started itself, by their pid. */
import { fork, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';

export class WorkerProcess {
  private readonly child: ChildProcess;
  readonly exited: Promise<{ code: number | null; signal: string | null }>;

  private constructor(child: ChildProcess) {
    this.child = child;
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
  }

  static async start(main: URL, env: Record<string, string>): Promise<WorkerProcess> {
    const child = fork(fileURLToPath(main), {
      env: { ...process.env, ...env },
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const worker = new WorkerProcess(child);
    await new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve());
      child.once('exit', (code) => reject(new Error(`The worker process ended with ${code} before it was ready.`)));
    });
    return worker;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }
}

/** A folder for effects and gates, and workers that share it. */
export class Bench implements AsyncDisposable {
  readonly folder: string;
  private readonly env: Record<string, string>;
  private readonly started: WorkerProcess[] = [];

  private constructor(folder: string, env: Record<string, string>) {
    this.folder = folder;
    this.env = env;
  }

  static async open(taskQueue: string, modelUrl: string): Promise<Bench> {
    const folder = await mkdtemp(join(tmpdir(), 'outlive-bench-'));
    return new Bench(folder, {
      ADDRESS: inject('address'),
      BUNDLE: inject('bundlePath'),
      QUEUE: taskQueue,
      MODEL_URL: modelUrl,
      FOLDER: folder,
    });
  }

  async worker(): Promise<WorkerProcess> {
    const worker = await WorkerProcess.start(new URL('worker-main.ts', import.meta.url), this.env);
    this.started.push(worker);
    return worker;
  }

  open(gate: string): void {
    writeFileSync(join(this.folder, gate), '');
  }

  lines(file: string): string[] {
    const path = join(this.folder, file);
    return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
  }

  /** Kills every worker that is left. */
  async stop(): Promise<void> {
    for (const worker of this.started) await worker.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
