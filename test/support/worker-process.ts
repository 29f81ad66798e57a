/** Worker processes that share a folder for effects and gates: only those that were started here are killed. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import { WorkerProcess } from '../../src/testing/worker-process.ts';

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

  /**
   * The worker that runs, else another one: where a test leaves its worker running, the next one goes on with it.
   *
   * @param env what this one is told beside what all are. It is another one, and takes the place of the one that runs.
   */
  async worker(env?: Record<string, string>): Promise<WorkerProcess> {
    const newest = this.started.at(-1);
    if (newest?.isUntouched === true) {
      if (env === undefined) return newest;
      await newest.kill();
    }
    const worker = await WorkerProcess.start(new URL('worker-main.ts', import.meta.url), {
      env: { ...this.env, ...env },
    });
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
