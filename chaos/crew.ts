/** The worker processes of a chaos run: always so many, whatever befalls them. */
import { WorkerProcess } from '../src/testing/worker-process.ts';
import type { EffectsFile, TaskEffect } from './effects.ts';
import type { Loss } from './plan.ts';
import { until } from './until.ts';

const MAIN = new URL('worker.ts', import.meta.url);

export class Crew implements AsyncDisposable {
  readonly losses: Record<Loss, number> = { kill: 0, stop: 0, term: 0 };
  /** Workers that were stopped for a while: what they had taken they may do although it was given to somebody else. */
  readonly stopped: string[] = [];
  /** What workers did that nobody had asked of them, a sentence each. */
  readonly oddities: string[] = [];
  private readonly workers = new Set<WorkerProcess>();
  private readonly ended = new Set<WorkerProcess>();
  private readonly env: Record<string, string>;
  private readonly effects: EffectsFile;
  private over = false;

  private constructor(env: Record<string, string>, effects: EffectsFile) {
    this.env = env;
    this.effects = effects;
  }

  static async open(size: number, env: Record<string, string>, effects: EffectsFile): Promise<Crew> {
    const crew = new Crew(env, effects);
    await Promise.all(Array.from({ length: size }, async () => crew.hire()));
    return crew;
  }

  private async hire(): Promise<void> {
    const worker = await WorkerProcess.start(MAIN, { env: this.env });
    this.workers.add(worker);
    void worker.exited.then(async ({ code, signal }) => {
      this.workers.delete(worker);
      if (this.over || this.ended.has(worker)) return;
      this.oddities.push(`A worker ended by itself (code ${code}, signal ${signal}).`);
      await until('a worker in its place', async () => this.hire().then(() => true));
    });
  }

  /** Strikes the worker that works on a task, as soon as there is one; resolves when that is made good. */
  async lose(loss: Loss, key: string): Promise<{ healed: Promise<void> }> {
    const { worker, attempt } = await until(`a worker at work on ${key}`, async () => this.atWorkOn(key));
    this.losses[loss] += 1;
    switch (loss) {
      case 'kill':
        this.ended.add(worker);
        await worker.kill();
        return { healed: this.hire() };
      case 'stop':
        this.stopped.push(String(worker.pid));
        worker.signal('SIGSTOP');
        return { healed: this.goOn(worker, key, attempt) };
      case 'term':
        this.ended.add(worker);
        worker.signal('SIGTERM');
        return { healed: this.relieved(worker) };
      default:
        return loss satisfies never;
    }
  }

  /** What has been done of a task by now. */
  done(key: string): TaskEffect[] {
    return this.effects.read().filter((one) => one.kind === 'task' && one.key === key) as TaskEffect[];
  }

  private atWorkOn(key: string): Promise<{ worker: WorkerProcess; attempt: number } | undefined> {
    const last = this.done(key).at(-1);
    const worker = [...this.workers].find(({ pid }) => String(pid) === last?.worker);
    return Promise.resolve(last === undefined || worker === undefined ? undefined : { worker, attempt: last.attempt });
  }

  /** It comes back when what it was working on has been taken by somebody else. */
  private async goOn(worker: WorkerProcess, key: string, attempt: number): Promise<void> {
    try {
      await until(`another attempt at ${key}`, async () => this.done(key).some((one) => one.attempt > attempt));
    } finally {
      worker.signal('SIGCONT');
    }
  }

  private async relieved(worker: WorkerProcess): Promise<void> {
    await this.hire();
    const { code, signal } = await worker.exited;
    if (code !== 0) this.oddities.push(`A worker that was told to stop ended with code ${code}, signal ${signal}.`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.over = true;
    for (const worker of this.workers) await worker.kill();
  }
}
