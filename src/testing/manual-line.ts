/**
 * What a test and a worker process say to each other about the attempts of manual tasks, by the channel that Node gives to a forked
 * process. Each attempt has a key; each thing that the test does in it has a number and is answered once.
 */
import type { ChildProcess } from 'node:child_process';
import type { Json } from '../contract.ts';
import type { ManualRun } from './manual-task.ts';

const ACTS = ['progress', 'milestone', 'nextMessage', 'finish', 'fail'] as const;
type Act = (typeof ACTS)[number];

type Begun = Pick<ManualRun, 'runId' | 'sessionId' | 'attempt' | 'input'> & { checkpoint?: Json };

/** From the worker process. */
export type FromProcess =
  | { begun: Begun; task: string; key: number }
  | { aborted: number }
  | { answered: number; value?: unknown; error?: Said };
/** To it. */
interface ToProcess {
  act: Act;
  key: number;
  n: number;
  args: unknown[];
}

/** An error on its way. */
interface Said {
  name: string;
  message: string;
}

function said(error: unknown): Said {
  return error instanceof Error
    ? { name: error.name, message: error.message }
    : { name: 'Error', message: String(error) };
}

/** The test's end. */
export class ManualLine {
  private readonly child: ChildProcess;
  private readonly signals = new Map<number, AbortController>();
  private readonly open = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  private sent = 0;

  constructor(child: ChildProcess, begun: (task: string, run: ManualRun) => void) {
    this.child = child;
    child.on('message', (message) => {
      if (typeof message !== 'object' || message === null) return;
      const told = message as FromProcess;
      if ('begun' in told) begun(told.task, this.runOf(told.key, told.begun));
      else if ('aborted' in told) this.signals.get(told.aborted)?.abort(new Error('The run was told to stop.'));
      else if ('answered' in told) this.answer(told);
    });
    child.once('exit', () => {
      for (const { reject } of this.open.values()) reject(gone());
      this.open.clear();
      for (const signal of this.signals.values()) signal.abort(gone());
    });
  }

  private runOf(key: number, begun: Begun): ManualRun {
    const controller = new AbortController();
    this.signals.set(key, controller);
    const act =
      (name: Act) =>
      async (...args: unknown[]): Promise<never> =>
        (await this.act(name, key, args)) as never;
    return {
      ...begun,
      checkpoint: begun.checkpoint,
      signal: controller.signal,
      progress: act('progress'),
      milestone: act('milestone'),
      nextMessage: act('nextMessage'),
      finish: act('finish'),
      fail: async (error) => act('fail')(...(error === undefined ? [] : [said(error)])),
    };
  }

  private async act(act: Act, key: number, args: unknown[]): Promise<unknown> {
    const n = ++this.sent;
    return new Promise((resolve, reject) => {
      if (!this.child.connected) throw gone();
      this.open.set(n, { resolve, reject });
      this.child.send({ act, key, n, args } satisfies ToProcess);
    });
  }

  private answer({ answered, value, error }: { answered: number; value?: unknown; error?: Said }): void {
    const waiting = this.open.get(answered);
    this.open.delete(answered);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(Object.assign(new Error(error.message), { name: error.name }));
  }
}

function gone(): Error {
  return new Error('The worker process of this attempt has ended: nothing more can be done in it.');
}

/** The worker's end: tells of each attempt, and does in it what the test says. */
export class ManualReceiver {
  private readonly runs = new Map<number, ManualRun>();

  constructor() {
    process.on('message', (message) => void this.take(message as ToProcess));
  }

  begun(task: string, run: ManualRun): void {
    const key = this.runs.size + 1;
    this.runs.set(key, run);
    const { runId, sessionId, attempt, input, checkpoint } = run;
    const begun: Begun = { runId, sessionId, attempt, input, ...(checkpoint === undefined ? {} : { checkpoint }) };
    tell({ begun, task, key });
    run.signal.addEventListener('abort', () => tell({ aborted: key }));
  }

  private async take({ act, key, n, args }: ToProcess): Promise<void> {
    const run = this.runs.get(key);
    if (run === undefined || !ACTS.includes(act)) return;
    try {
      const [first, ...rest] = args;
      const given =
        act === 'fail' && first !== undefined ? [Object.assign(new Error(), first as Said)] : [first, ...rest];
      const value = await (run[act] as (...all: unknown[]) => Promise<unknown>)(...given);
      tell({ answered: n, value });
    } catch (error) {
      tell({ answered: n, error: said(error) });
    }
  }
}

/** Nothing when the test is gone. */
function tell(message: FromProcess): void {
  if (process.connected) process.send?.(message);
}
