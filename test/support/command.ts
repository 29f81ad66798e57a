/** A command of the project as a process: what it says, as soon as it says it, and how it ends. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

export interface Ended {
  code: number | null;
  out: string;
  err: string;
}

export interface CommandOptions {
  env?: Record<string, string>;
  cwd?: string;
}

export class RunningCommand implements AsyncDisposable {
  readonly ended: Promise<Ended>;
  private readonly child: ChildProcess;
  private readonly said = { out: '', err: '' };
  private readonly waiting: (() => void)[] = [];
  private isOver = false;

  constructor(script: string, args: readonly string[], { env = {}, cwd }: CommandOptions = {}) {
    this.child = spawn(process.execPath, [script, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(cwd === undefined ? {} : { cwd }),
    });
    for (const [stream, name] of [
      [this.child.stdout, 'out'],
      [this.child.stderr, 'err'],
    ] as const)
      stream?.on('data', (chunk: Buffer) => {
        this.said[name] += chunk.toString('utf8');
        this.wake();
      });
    this.ended = once(this.child, 'close').then(([code]) => {
      this.isOver = true;
      this.wake();
      return { code: code as number | null, ...this.said };
    });
  }

  /** What it says of this, the `times`-th time, on either stream. */
  async says(what: RegExp, times = 1): Promise<RegExpMatchArray> {
    for (;;) {
      const { out, err } = this.said;
      const match = [...`${out}\n${err}`.matchAll(new RegExp(what.source, 'gu'))][times - 1];
      if (match !== undefined) return match;
      if (this.isOver) throw new Error(`It ended without saying ${what.source}: ${out}${err}`);
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isOver) this.child.kill('SIGTERM');
    await this.ended;
  }

  private wake(): void {
    for (const look of this.waiting.splice(0)) look();
  }
}
