/** One session: its messages, its queries, its events. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { WorkflowNotFoundError, type Client, type WorkflowHandle } from '@temporalio/client';
import type {
  ForgottenRow,
  OutliveEvent,
  Row,
  RunStatus,
  SessionSnapshot,
  TurnStatus,
  UIMessage,
} from '../contract.ts';
import type { Close } from '../domain/closing.ts';
import type { RunReceipt } from '../domain/run/admission.ts';
import type { AnswerReceipt } from '../domain/run/requests.ts';
import type { MessageReceipt } from '../domain/run/to-runs.ts';
import { backoff } from '../domain/state/backoff.ts';
import type { Rewound } from '../domain/turn/rewind.ts';
import type { TurnReceipt } from '../domain/turn/submit.ts';
import type { DetachReceipt } from '../domain/turn/waits.ts';
import type { GetEvents, GetTranscript, ListRuns, TurnView } from '../domain/view/queries.ts';
import { OutliveError } from '../errors.ts';
import { refuseNested } from '../nested.ts';
import { ask } from './ask.ts';
import { describe, isOpen, whyOf } from './describe.ts';
import { readEvents, type EventItem, type EventsOptions } from './events.ts';
import { cutOff, orFailure, refusedStart } from './failures.ts';
import { followTurn, type TurnPart } from './follow-turn.ts';
import type { AnswerInput, RunRequest, RunTurnOptions, SubmitTurnInput, TurnInput } from './inputs.ts';
import { fromWorker } from './no-worker.ts';
import { checkOptions, checkSignal, checkWord } from './options.ts';
import { RunHandle } from './run-handle.ts';
import { checkSent } from './sent.ts';
import { isUnreached } from './server-codes.ts';

const MOST_SENDS = 12;
const RESEND_MS = 100;
const LONGEST_RESEND_MS = 2000;
const PAGE = 1000;

/** What `runTurn` is given: input, or a function that makes it of the transcript. */
export type RunTurnInput = TurnInput | ((messages: UIMessage[]) => TurnInput | Promise<TurnInput>);

type RunTurnModes = RunTurnOptions & { mode?: 'submit' | 'wait' | 'stream' };

/** Parts of a turn as they come; a promise too, for what is the same once the turn is durable. */
export type TurnStream = Promise<AsyncIterable<TurnPart>> & AsyncIterable<TurnPart>;

export class SessionHandle {
  readonly sessionId: string;
  private readonly temporal: Client;

  constructor(temporal: Client, sessionId: string) {
    this.temporal = temporal;
    this.sessionId = sessionId;
  }

  private get handle(): WorkflowHandle {
    return this.temporal.workflow.getHandle(this.sessionId);
  }

  private async update<T>(name: string, argument: unknown): Promise<T> {
    return orFailure(this.temporal, this.sessionId, async () => {
      checkSent(argument);
      return this.send<T>(name, argument);
    });
  }

  /** Sends an update; one that an end has cut off, or a workflow task that the server gave up, is sent again, for some 15 s. */
  private async send<T>(name: string, argument: unknown): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const updateId = randomUUID();
      try {
        return await fromWorker(
          this.temporal,
          this.sessionId,
          async () => this.handle.executeUpdate<T, [unknown]>(name, { args: [argument], updateId }),
          { goesOn: true },
        );
      } catch (error) {
        const again = attempt < MOST_SENDS && (cutOff(error) || (await this.isThereAfterAll(error)));
        if (!again) throw error;
        await pause(backoff(attempt, RESEND_MS, LONGEST_RESEND_MS));
      }
    }
  }

  /** What meets the end of an execution may be told that there is none, although another has taken over; or it has begun since. */
  private async isThereAfterAll(error: unknown): Promise<boolean> {
    if (!(error instanceof WorkflowNotFoundError)) return false;
    const description = await describe(this.temporal, this.sessionId);
    return description !== undefined && isOpen(description);
  }

  private async query<T>(name: string, argument: unknown = {}): Promise<T> {
    const asked = async (): Promise<T> =>
      fromWorker(this.temporal, this.sessionId, async () => ask<T>(this.handle, name, argument), { reads: true });
    return orFailure(this.temporal, this.sessionId, async () => {
      try {
        return await asked();
      } catch (error) {
        if (!(await this.isThereAfterAll(error))) throw error;
        return asked();
      }
    });
  }

  /** Puts input into the turn queue. Answers once it is durable; the turn may start later. */
  async submitTurn(argument: SubmitTurnInput): Promise<TurnReceipt> {
    return this.update('submitTurn', argument);
  }
  /**
   * Takes a turn. `input` is text, messages, or a function of the transcript, hidden messages too, which is called now. A key or id that is known
   * joins its turn; with `onBusy: 'steer'` it is the running turn, or the one that the input becomes when that ends before it was read.
   *
   * - `submit` answers the receipt, as `submitTurn` does;
   * - `wait` (the default) answers the turn once it has ended, however it has: as `getTurn` does;
   * - `stream` tells what comes of it while it does. It may be iterated with or without awaiting it first; awaited, it is once the turn is durable.
   *
   * @throws NestedTurn for `wait` and `stream` inside a tool or task of this session.
   * @throws SessionClosed when the session is gone before the turn has ended.
   */
  runTurn(input: RunTurnInput, options: RunTurnOptions & { mode: 'submit' }): Promise<TurnReceipt>;
  runTurn(input: RunTurnInput, options: RunTurnOptions & { mode: 'stream' }): TurnStream;
  runTurn(input: RunTurnInput, options?: RunTurnOptions & { mode?: 'wait' }): Promise<TurnView>;
  runTurn(input: RunTurnInput, options: RunTurnModes | null = {}): Promise<TurnReceipt | TurnView> | TurnStream {
    // What is ill-formed is told to whoever awaits or iterates.
    const { mode, signal } = options ?? {};
    const submitted = this.submitted(input, options);
    if (mode === 'submit') return submitted;
    const turnId = submitted.then((receipt) => receipt.ownTurnId ?? receipt.turnId);
    // Whoever awaits or iterates is told.
    turnId.catch(() => undefined);
    const parts = this.partsOf(turnId, { signal });
    if ((mode ?? 'wait') === 'wait') return endOf(parts, signal);
    const whenDurable = submitted.then(() => parts);
    whenDurable.catch(() => undefined);
    return Object.assign(whenDurable, { [Symbol.asyncIterator]: () => parts });
  }

  /**
   * What comes of a turn that waits or runs, or came of one that has ended: from its beginning, without its input. Also of a background turn.
   *
   * @throws UnknownTurn for one that this session never had, or keeps no more.
   * @throws NestedTurn inside a tool or task of this session.
   */
  streamTurn(turnId: string, options: { signal?: AbortSignal } = {}): AsyncIterable<TurnPart> {
    return this.partsOf(turnId, options);
  }

  private async submitted(input: RunTurnInput, options: RunTurnModes | null): Promise<TurnReceipt> {
    checkOptions(options, '{ mode?: "submit" | "wait" | "stream", … }');
    const { mode, signal, ...rest } = options ?? {};
    checkWord('mode', mode, ['submit', 'wait', 'stream']);
    checkSignal({ signal });
    if (mode !== 'submit') refuseNested(this.sessionId);
    return this.submitTurn({
      ...rest,
      input: typeof input === 'function' ? await input(await this.wholeTranscript()) : input,
    });
  }

  private async *partsOf(
    submitted: Promise<string> | string,
    options: { signal?: AbortSignal | undefined },
  ): AsyncGenerator<TurnPart> {
    checkSignal(options);
    refuseNested(this.sessionId);
    const followed = {
      client: this.temporal,
      sessionId: this.sessionId,
      query: async <T>(name: string, argument: unknown) => this.query<T>(name, argument),
    };
    yield* followTurn(followed, await submitted, options.signal);
  }

  private async wholeTranscript(): Promise<UIMessage[]> {
    const all: UIMessage[] = [];
    for (;;) {
      const after = all.at(-1)?.id;
      const { messages, hasMore } = await this.getTranscript({
        includeHidden: true,
        limit: PAGE,
        ...(after === undefined ? {} : { after }),
      });
      all.push(...messages);
      if (!hasMore || messages.length === 0) return all;
    }
  }

  /**
   * Cancels the running turn, or the one named. With `runs: 'cancel'` also what it has started, with all that is below, also of a turn that has ended and
   * is still kept: nobody is told of these. `cancelled` and `pending` are those of `cancelRun` then.
   */
  async cancelTurn(
    argument: { turnId?: string; reason?: string; runs?: 'keep' | 'cancel' } = {},
  ): Promise<{ turnId: string; status: TurnStatus; cancelled?: string[]; pending?: string[] }> {
    return this.update('cancelTurn', argument);
  }
  /** Starts a detached run. Answers once it is durable, before the run has done anything. */
  async startRun(argument: RunRequest): Promise<RunReceipt> {
    return this.update('startRun', argument);
  }
  /** Starts up to 200 detached runs, all or none. */
  async startRuns(argument: { runs: RunRequest[] }): Promise<{ runs: RunReceipt[] }> {
    return this.update('startRuns', argument);
  }
  /** Cancels a run; the answer waits at most 5 s for the runs below it. With `announce: false` its starter is not told. */
  async cancelRun(argument: {
    runId: string;
    reason?: string;
    cascade?: boolean;
    announce?: boolean;
  }): Promise<{ runId: string; status: RunStatus; cancelled: string[]; pending: string[] }> {
    return this.update('cancelRun', argument);
  }
  /** Lets the turn that waits for a run go on; the run is not disturbed. */
  async detachRun(argument: { runId: string }): Promise<DetachReceipt> {
    return this.update('detachRun', argument);
  }
  /** Sends a message to a run, at most 256 KiB: an agent reads it as its next input, a task through its context. */
  async messageRun(argument: { runId: string; message: string; messageId?: string }): Promise<MessageReceipt> {
    return this.update('messageRun', argument);
  }
  /** Answers an open request anywhere in the tree; a second answer is told what stands. */
  async answer(argument: AnswerInput): Promise<AnswerReceipt> {
    return this.update('answer', argument);
  }
  /** Ends the running turn, with `runs: 'cancel'` also what it has started, and skips queued user turns; background inputs stay queued. */
  async resetTurns(
    argument: { reason?: string; runs?: 'keep' | 'cancel' } = {},
  ): Promise<{ cancelled?: string; skipped: string[]; runs?: { cancelled: string[]; pending: string[] } }> {
    return this.update('resetTurns', argument);
  }
  /**
   * The transcript forgets a message, or what a user said in a turn, and all after it: the next prompt ends before it. Its ids and keys are free again. Runs
   * that it has started go on. Done again it is `deduplicated`, until that id is in the transcript anew.
   *
   * @throws TurnRunning while a turn runs or waits.
   * @throws InvalidInput for an id that the transcript does not have.
   */
  async rewind(
    argument: { messageId: string; reason?: string } | { turnId: string; reason?: string },
  ): Promise<Rewound> {
    return this.update('rewind', argument);
  }
  /** Closes the session; by default the running turn is cancelled and the runs go on. */
  async close(argument: Close = {}): Promise<{ status: 'closing' }> {
    return this.update('close', argument);
  }

  /** @throws InvalidInput or UnknownAgent, as `startSession` does, when the session was refused at its start. */
  async getSession(): Promise<SessionSnapshot> {
    const snapshot = await this.query<SessionSnapshot>('getSession').catch(async (error: unknown) => {
      // Of a server that is not there nothing more is known.
      if (error instanceof OutliveError && isUnreached(error.cause)) throw error;
      throw (await this.refusal()) ?? error;
    });
    // One that has taken its start has an event of it.
    const refused = snapshot.status === 'closed' && snapshot.lastSeq === 0 ? await this.refusal() : undefined;
    if (refused !== undefined) throw refused;
    return snapshot;
  }

  /** What its start was refused with, if it was, and if the server can tell. */
  private async refusal(): Promise<OutliveError | undefined> {
    return whyOf(this.temporal, async () => {
      const description = await describe(this.temporal, this.sessionId);
      return description === undefined ? undefined : refusedStart(this.temporal, description);
    });
  }
  async listRuns(argument: ListRuns = {}): Promise<{ runs: (Row | ForgottenRow)[]; hasMore: boolean }> {
    return this.query('listRuns', argument);
  }
  /** The row, or null when this session has no record of that id, which proves nothing: see `run(id).inspect()`. */
  async getRun(argument: { runId: string }): Promise<Row | ForgottenRow | null> {
    return this.query('getRun', argument);
  }
  async getTurn(argument: { turnId: string }): Promise<TurnView | null> {
    return this.query('getTurn', argument);
  }
  async getTranscript(argument: GetTranscript = {}): Promise<{ messages: UIMessage[]; hasMore: boolean }> {
    return this.query('getTranscript', argument);
  }
  async getEvents(
    argument: GetEvents = {},
  ): Promise<{ events: OutliveEvent[]; firstSeq: number; lastSeq: number; hasMore: boolean }> {
    return this.query('getEvents', argument);
  }

  /** A handle on a run that this session started; nothing is looked up. */
  run(runId: string): RunHandle {
    return new RunHandle(this, this.temporal, runId);
  }

  /**
   * Every event after a number or a cursor, to the present end, out of the session and, beyond what it still holds, out of the
   * archive in its history; after its end no worker is needed. With `includeRuns` the logs of all runs of the tree come too.
   */
  events(options: EventsOptions = {}): AsyncIterable<EventItem> {
    return readEvents(this.temporal, this.sessionId, options);
  }
}

async function endOf(parts: AsyncIterable<TurnPart>, signal: AbortSignal | undefined): Promise<TurnView> {
  for await (const part of parts) if (part.type === 'turn') return part.turn;
  // Nothing else ends them before.
  throw signal?.reason;
}
