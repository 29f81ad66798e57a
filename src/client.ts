/**
 * The client: a thin layer over a Temporal client it is given. Every message and query of the contract is one method with the
 * same name, the same argument and the same JSON, so that what works here works in any SDK and on the command line.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { DEFAULT_TASK_QUEUE } from './contract.ts';
import type {
  ForgottenRow,
  Json,
  OnBusy,
  OutliveEvent,
  Row,
  RunStatus,
  SessionSnapshot,
  TurnStatus,
  UIMessage,
  Budgets,
  Limits,
  TurnSettings,
} from './contract.ts';
import type { Close } from './domain/closing.ts';
import type { RunReceipt } from './domain/run/admission.ts';
import type { AnswerReceipt } from './domain/run/requests.ts';
import type { MessageReceipt } from './domain/run/to-runs.ts';
import type { DetachReceipt } from './domain/turn/waits.ts';
import type { TurnReceipt } from './domain/turn/queue.ts';
import type { GetEvents, GetTranscript, ListRuns, TurnView } from './domain/view/queries.ts';
import { backoff } from './domain/state/backoff.ts';
import { isRefusal } from './domain/state/types.ts';
import { InvalidInput } from './errors.ts';
import { parse, sessionId } from './schemas/index.ts';
import { ask } from './client/ask.ts';
import { readEvents, type EventsOptions, type EventItem } from './client/events.ts';
import { cutOff, typed } from './client/failures.ts';
import { RunHandle } from './client/run-handle.ts';

/** How a session is started; every field optional. */
export interface SessionInput {
  /** Default: the first agent of the worker's configuration. */
  agent?: string;
  /** At most 200 characters. */
  title?: string;
  /** At most 8 KiB of JSON. */
  metadata?: Json;
  limits?: Partial<Limits>;
  budgets?: Partial<Budgets>;
  turns?: Partial<TurnSettings>;
}

export interface RunRequest {
  /** A registered agent or task. */
  agent: string;
  /** Any JSON, at most 256 KiB. */
  input: Json;
  /** Left out: minted, the same for every retry of the same request. */
  runId?: string;
  label?: string;
  metadata?: Json;
  detached?:
    | true
    | {
        notify?: 'react' | 'narrate' | 'silent' | boolean;
        maxBudgetMs?: number;
        noProgressBudgetMs?: number;
        onBudget?: 'cancel' | 'keep';
        /** Name of a handler that is registered with the worker. */
        onFinish?: string;
        onMilestones?: string[] | { names: string[] | '*'; mode?: 'narrate' | 'react' };
      };
}

export interface SubmitTurnInput {
  input: string | ({ id?: string; role: 'user'; content: string } | UIMessage)[];
  turnId?: string;
  idempotencyKey?: string;
  metadata?: Json;
  onBusy?: OnBusy;
}

export interface AnswerInput {
  requestId: string;
  /** For an approval. */
  decision?: 'approve' | 'reject';
  /** The answer to a question, any JSON. */
  value?: Json;
  comment?: string;
  /** Who answers; kept beside the answer. At most 200 characters. */
  by?: string;
}

export interface OutliveClientOptions {
  /** Task queue of the workers. Default `outlive`. */
  taskQueue?: string;
}

export class OutliveClient {
  readonly temporal: Client;
  readonly taskQueue: string;

  constructor(temporal: Client, { taskQueue = DEFAULT_TASK_QUEUE }: OutliveClientOptions = {}) {
    this.temporal = temporal;
    this.taskQueue = taskQueue;
  }

  /**
   * Starts a session. Its id may be used again once the session has ended.
   *
   * @throws WorkflowExecutionAlreadyStartedError while a session of this id is open, InvalidInput for an ill-formed id.
   */
  async startSession(id: string, input: SessionInput = {}): Promise<SessionHandle> {
    const checked = parse(sessionId, id, 'the session id');
    if (isRefusal(checked)) throw new InvalidInput(checked.message);
    await this.temporal.workflow.start('session', { workflowId: id, taskQueue: this.taskQueue, args: [input] });
    return this.session(id);
  }

  /** A handle; nothing is looked up. */
  session(id: string): SessionHandle {
    return new SessionHandle(this, id);
  }
}

const MOST_SENDS = 12;
const RESEND_MS = 100;
const LONGEST_RESEND_MS = 2000;

export class SessionHandle {
  readonly sessionId: string;
  private readonly client: OutliveClient;

  constructor(client: OutliveClient, sessionId: string) {
    this.client = client;
    this.sessionId = sessionId;
  }

  private get handle(): WorkflowHandle {
    return this.client.temporal.workflow.getHandle(this.sessionId);
  }

  /** Sends an update; one that an end has cut off, or a workflow task that the server gave up, is sent again, for some 15 s. */
  private async update<T>(name: string, argument: unknown): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.handle.executeUpdate<T, [unknown]>(name, { args: [argument], updateId: randomUUID() });
      } catch (error) {
        if (!cutOff(error) || attempt >= MOST_SENDS) throw typed(error, this.sessionId);
        await pause(backoff(attempt, RESEND_MS, LONGEST_RESEND_MS));
      }
    }
  }

  private async query<T>(name: string, argument: unknown = {}): Promise<T> {
    try {
      return await ask<T>(this.handle, name, argument);
    } catch (error) {
      throw typed(error, this.sessionId);
    }
  }

  /** Puts input into the turn queue. Answers once it is durable; the turn may start later. */
  async submitTurn(argument: SubmitTurnInput): Promise<TurnReceipt> {
    return this.update('submitTurn', argument);
  }
  /** Cancels the running turn, or the one named. */
  async cancelTurn(
    argument: { turnId?: string; reason?: string } = {},
  ): Promise<{ turnId: string; status: TurnStatus }> {
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
  /** Cancels a run; the answer waits at most 5 s for the runs below it. */
  async cancelRun(argument: {
    runId: string;
    reason?: string;
    cascade?: boolean;
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
  /** Ends the running turn and skips queued user turns; background inputs stay queued. */
  async resetTurns(argument: { reason?: string } = {}): Promise<{ cancelled?: string; skipped: string[] }> {
    return this.update('resetTurns', argument);
  }
  /** Closes the session; by default the running turn is cancelled and the runs go on. */
  async close(argument: Close = {}): Promise<{ status: 'closing' }> {
    return this.update('close', argument);
  }

  async getSession(): Promise<SessionSnapshot> {
    return this.query('getSession');
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
    return new RunHandle(this, this.client.temporal, runId);
  }

  /**
   * Every event after a number or a cursor, to the present end, out of the session and, beyond what it still holds, out of the
   * archive in its history; after its end no worker is needed. With `includeRuns` the logs of all runs of the tree come too.
   */
  events(options: EventsOptions = {}): AsyncIterable<EventItem> {
    return readEvents(this.client.temporal, this.sessionId, options);
  }
}

export { RunHandle } from './client/run-handle.ts';
export type { InspectedRun } from './client/run-handle.ts';
export type { EventItem, EventsOptions } from './client/events.ts';
