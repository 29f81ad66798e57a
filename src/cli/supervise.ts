/**
 * Keeps one worker process running: the same one that `npm run worker` starts. When it is killed it is started again, which is
 * what a process manager does in production; whatever it was doing goes on where it stood.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Supervised {
  /** The pid of the worker that runs now. */
  readonly pid: number | undefined;
  /** Stops the worker for good; it may finish what it is doing. */
  stop(): Promise<void>;
}

const AGAIN_MS = 1000;

/** Resolves when the first worker is ready. `say` hears of each death and each new start. */
export async function superviseWorker(
  args: readonly string[],
  env: Record<string, string>,
  say: (line: string) => void,
): Promise<Supervised> {
  let child: ChildProcess;
  let stopping = false;
  let again: NodeJS.Timeout | undefined;
  const start = async (): Promise<void> => {
    const own = fork(fileURLToPath(new URL('worker.ts', import.meta.url)), args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      detached: true,
    });
    child = own;
    let last = '';
    own.stderr?.on('data', (chunk: Buffer) => {
      last = chunk.toString('utf8').trim().split('\n').at(-1) ?? last;
    });
    const ready = new Promise<void>((resolve, reject) => {
      own.once('message', () => resolve());
      own.once('exit', (code) => reject(new Error(last === '' ? `The worker ended with code ${code}.` : last)));
    });
    own.once('exit', (code, signal) => {
      if (stopping) return;
      say(
        `The worker (pid ${own.pid}) was lost (${signal ?? `code ${code}`}): starting another one. What it was doing goes on from where it stood.`,
      );
      again = setTimeout(() => {
        start().then(
          () => say(`A new worker is running (pid ${child.pid}).`),
          (error: unknown) => say(String(error)),
        );
      }, AGAIN_MS);
    });
    await ready;
  };
  await start();
  const exit = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', exit);
  return {
    get pid() {
      return child.pid;
    },
    async stop() {
      stopping = true;
      clearTimeout(again);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise<void>((resolve) => {
        child.once('exit', () => resolve());
      });
      child.kill('SIGTERM');
      await ended;
      process.off('exit', exit);
    },
  };
}
