/** A task that does nothing by itself: each attempt of it waits for the test to say what happens next. */
import type { Json } from '../contract.ts';
import { defineTask, type ProgressReport, type Schema, type TaskContext, type TaskDefinition } from '../define.ts';

const STARTED_WITHIN_MS = 60_000;

/** One attempt of a run of a manual task, in the hands of the test. Everything rejects once the attempt has ended. */
export interface ManualRun<Input = Json> {
  readonly runId: string;
  readonly sessionId: string;
  /** Counts from 1; a killed worker's run comes again as a further attempt. */
  readonly attempt: number;
  readonly input: Input;
  /** What the attempt before reported last as `checkpoint`. */
  readonly checkpoint: Json | undefined;
  /** Aborted when the run is cancelled or its worker is told to stop; then the attempt has ended. */
  readonly signal: AbortSignal;
  /** Reports progress, as `ctx.progress` does. */
  progress(report: ProgressReport): Promise<void>;
  /** Resolves when the milestone is durable, as `ctx.milestone` does. */
  milestone(name: string, data?: Json): Promise<void>;
  /** The next message that was sent to the run: waits for it. */
  nextMessage(): Promise<string>;
  /** The run is completed with this result. */
  finish(result?: Json): Promise<void>;
  /** The attempt throws. */
  fail(error?: string | Error): Promise<void>;
}

/** Where attempts of one manual task are waited for. */
export interface Started<Input = Json> {
  /**
   * The next attempt that has begun and was not handed out yet, in the order in which they began: waits for it.
   *
   * @param options `runId`: only of this run; `withinMs`: how long to wait at most, default 60,000.
   * @throws Error with a sentence when none has begun by then.
   */
  started(options?: StartedOptions): Promise<ManualRun<Input>>;
}

export interface StartedOptions {
  runId?: string;
  withinMs?: number;
}

export interface ManualTask<Input = Json> extends Readonly<TaskDefinition<Input, Json>>, Started<Input> {}

export interface ManualTaskOptions<Input> {
  description?: string;
  /** Parses the input of its runs, as of any task. */
  input?: Schema<Input>;
  /** How often an attempt that was let fail is followed by another. Default 0: `fail` fails the run. */
  retries?: number;
}

/** Attempts that have begun, and who waits for one: each is handed out once. */
export class Attempts<Input = Json> implements Started<Input> {
  private readonly task: string;
  private readonly begun: ManualRun<Input>[] = [];
  private readonly waiting: {
    runId: string | undefined;
    take: (run: ManualRun<Input>) => void;
    giveUp: (why: string) => void;
  }[] = [];
  private ended: string | undefined;

  constructor(task: string) {
    this.task = task;
  }

  add(run: ManualRun<Input>): void {
    const index = this.waiting.findIndex(({ runId }) => runId === undefined || runId === run.runId);
    const [one] = index < 0 ? [] : this.waiting.splice(index, 1);
    if (one === undefined) this.begun.push(run);
    else one.take(run);
  }

  /** None begins any more: who waits, or will wait, is told why. */
  end(why: string): void {
    this.ended = why;
    for (const { giveUp } of this.waiting.splice(0)) giveUp(why);
  }

  async started({ runId, withinMs = STARTED_WITHIN_MS }: StartedOptions = {}): Promise<ManualRun<Input>> {
    const index = this.begun.findIndex((run) => runId === undefined || runId === run.runId);
    const [run] = index < 0 ? [] : this.begun.splice(index, 1);
    if (run !== undefined) return run;
    return new Promise((resolve, reject) => {
      const which = runId === undefined ? 'A run' : `The run ${runId}`;
      const giveUp = (why: string): void => {
        clearTimeout(late);
        reject(new Error(`${which} of the task "${this.task}" was waited for, and ${why}.`));
      };
      const take = (found: ManualRun<Input>): void => {
        clearTimeout(late);
        resolve(found);
      };
      const one = { runId, take, giveUp };
      const late = setTimeout(() => {
        this.waiting.splice(this.waiting.indexOf(one), 1);
        giveUp(`none has begun in ${withinMs} ms`);
      }, withinMs);
      if (this.ended === undefined) this.waiting.push(one);
      else giveUp(this.ended);
    });
  }
}

/** Who is told of each attempt in place of `started`: a worker process hands them on to the test. */
const watchers = new WeakMap<object, (take: (run: ManualRun) => void) => void>();

/** Tells of each attempt of a manual task that begins; false when it is none. */
export function watchManual(task: object, take: (run: ManualRun) => void): boolean {
  const watch = watchers.get(task);
  watch?.(take);
  return watch !== undefined;
}

/**
 * A task for `defineConfig` that the test drives by hand: wait for its start, then say what happens.
 *
 * In a configuration that a worker process loads, its runs are driven through `started(name)` of that process.
 *
 * @example
 * ```ts
 * const load = manualTask('load_data');
 * await environment.startWorker({ agents: [helper], tasks: [load] });
 * await session.startRun({ agent: 'load_data', input: { file: 'orders.csv' } });
 * const run = await load.started();
 * await run.progress({ fraction: 0.5 });
 * await run.finish({ rows: 3 });
 * ```
 * @throws InvalidInput when the name is not usable.
 */
export function manualTask<Input = Json>(name: string, options: ManualTaskOptions<Input> = {}): ManualTask<Input> {
  const attempts = new Attempts<Input>(name);
  let take = (run: ManualRun<Input>): void => attempts.add(run);
  const definition = defineTask<Input, Json>({
    retries: 0,
    ...options,
    name,
    run: async (input, ctx) => attempt(name, input, ctx, (run) => take(run)),
  });
  const started = async (which?: StartedOptions): Promise<ManualRun<Input>> => attempts.started(which);
  // Not enumerable, as it is no field of a task.
  const task = Object.freeze(
    Object.defineProperty({ ...definition }, 'started', { value: started }),
  ) as ManualTask<Input>;
  watchers.set(task, (watcher) => {
    take = watcher as unknown as typeof take;
  });
  return task;
}

/** Ends when the test says how, or the attempt is told to stop. */
async function attempt<Input>(
  task: string,
  input: Input,
  ctx: TaskContext,
  begun: (run: ManualRun<Input>) => void,
): Promise<Json> {
  const { promise, resolve, reject } = Promise.withResolvers<Json>();
  const over = Promise.withResolvers<never>();
  over.promise.catch(() => undefined);
  const { runId, sessionId, checkpoint, signal } = ctx;
  const stop = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  const messages = ctx.messages[Symbol.asyncIterator]();
  let ended = false;
  const hasEnded = (): Error =>
    new Error(`Attempt ${ctx.attempt} of the run ${runId} of "${task}" has ended: nothing more can be done in it.`);
  const going = async <T>(act: () => T | Promise<T>): Promise<T> => {
    if (ended || signal.aborted) throw hasEnded();
    return act();
  };
  const next = async (): Promise<string> => {
    const { value } = await messages.next();
    return (value as { message: string }).message;
  };
  const end = async (how: () => void): Promise<void> =>
    going(() => {
      ended = true;
      how();
    });
  begun({
    runId,
    sessionId,
    attempt: ctx.attempt,
    input,
    checkpoint,
    signal,
    progress: async (report) => going(() => ctx.progress(report)),
    milestone: async (name, data) => going(async () => ctx.milestone(name, data)),
    nextMessage: async () => going(async () => Promise.race([next(), over.promise])),
    finish: async (result = null) => end(() => resolve(result)),
    fail: async (error = 'The test let it fail.') =>
      end(() => reject(error instanceof Error ? error : new Error(error))),
  });
  try {
    return await promise;
  } finally {
    ended = true;
    over.reject(hasEnded());
    signal.removeEventListener('abort', stop);
  }
}
