/**
 * The client: a thin layer over a Temporal client it is given. Every message and query of the contract is one method with the
 * same name, the same argument and the same JSON, so that what works here works in any SDK and on the command line.
 */
import { setTimeout as pause } from 'node:timers/promises';
import {
  QueryNotRegisteredError,
  QueryRejectedError,
  WorkflowExecutionAlreadyStartedError,
  Client,
} from '@temporalio/client';
import { DEFAULT_TASK_QUEUE, type SessionSnapshot } from '../contract.ts';
import { isRefusal } from '../domain/state/types.ts';
import { InvalidInput, SessionExists } from '../errors.ts';
import { parse, sessionId } from '../schemas/index.ts';
import { sameCopy } from '../sdk.ts';
import { ask } from './ask.ts';
import { describe, isOpen, isOurs } from './describe.ts';
import { orFailure, refusedStart, unknownSession } from './failures.ts';
import type { SessionInput } from './inputs.ts';
import { listSessions, type ListSessions, type SessionsPage } from './list-sessions.ts';
import { fromWorker } from './no-worker.ts';
import { checkSent } from './sent.ts';
import { checkOptions, checkWord } from './options.ts';
import { SessionHandle } from './session-handle.ts';

const LOOK_AGAIN_MS = 20;
/** So long the server may take to record a start. */
const START_MS = 30_000;

export interface OutliveClientOptions {
  /** Task queue of the workers. Default `outlive`. */
  taskQueue?: string;
}

export interface StartSessionOptions {
  /** What to do while a session of this id is open. Default `fail`. */
  ifExists?: 'fail' | 'use';
}

export class OutliveClient {
  readonly temporal: Client;
  readonly taskQueue: string;

  /** @throws InvalidInput when the client was made by another copy of `@temporalio/client`, or is none. */
  constructor(temporal: Client, options: OutliveClientOptions = {}) {
    sameCopy(temporal, Client, 'client', '@temporalio/client');
    checkOptions(options, '{ taskQueue?: string }');
    this.temporal = temporal;
    this.taskQueue = options.taskQueue ?? DEFAULT_TASK_QUEUE;
  }

  /**
   * Starts a session, and answers once it has been taken. Its id may be used again once the session has ended. With `ifExists: 'use'` one
   * that is open is used as it is, and `input` says nothing then.
   *
   * @throws SessionExists while a session of this id is open, UnknownSession while another workflow has the id.
   * @throws InvalidInput for an ill-formed id, input or option.
   * @throws UnknownAgent when no worker knows the agent.
   * @throws NoWorker when no worker takes it within 30 s; it is started all the same.
   */
  async startSession(id: string, input: SessionInput = {}, options: StartSessionOptions = {}): Promise<SessionHandle> {
    checkOptions(options, '{ ifExists?: "fail" | "use" }');
    const ifExists = options.ifExists ?? 'fail';
    checkWord('ifExists', ifExists, ['fail', 'use']);
    checkSent(id, 'the session id');
    checkSent(input);
    const checked = parse(sessionId, id, 'the session id');
    if (isRefusal(checked)) throw new InvalidInput(checked.message);
    return orFailure(this.temporal, id, async () => {
      const runId = await this.begun(id, input, ifExists);
      if (ifExists === 'use') await this.checkSession(id);
      await this.taken(id, runId);
      return this.session(id);
    });
  }

  /** The execution that a session's start has begun, or found. */
  private async begun(id: string, input: SessionInput, ifExists: 'fail' | 'use'): Promise<string> {
    try {
      const { firstExecutionRunId } = await this.temporal.withDeadline(Date.now() + START_MS, async () =>
        this.temporal.workflow.start('session', {
          workflowId: id,
          taskQueue: this.taskQueue,
          args: [input],
          workflowIdConflictPolicy: ifExists === 'use' ? 'USE_EXISTING' : 'FAIL',
        }),
      );
      return firstExecutionRunId;
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      await this.checkSession(id);
      throw new SessionExists(
        `Expected the id of a session that is not open, got "${id}": take another one, or use it with { ifExists: 'use' }.`,
      );
    }
  }

  /** @throws UnknownSession when another workflow has the id: it would answer none of what a session is asked. */
  private async checkSession(id: string): Promise<void> {
    const description = await describe(this.temporal, id);
    if (description !== undefined && !isOurs(description)) throw unknownSession(this.temporal, id, description);
  }

  /** Waits until a session's start argument has been taken or refused. */
  private async taken(id: string, runId: string): Promise<void> {
    const handle = this.temporal.workflow.getHandle(id, runId);
    for (;;) {
      try {
        const { lastSeq } = await fromWorker(
          this.temporal,
          id,
          async () => ask<SessionSnapshot>(handle, 'getSession'),
          { started: true },
        );
        if (lastSeq > 0) return;
      } catch (error) {
        // A start argument that is ill-formed fails it before it answers anything.
        if (!(error instanceof QueryNotRegisteredError || error instanceof QueryRejectedError)) throw error;
      }
      const description = await describe(this.temporal, id);
      const refused = description === undefined ? undefined : await refusedStart(this.temporal, description);
      if (refused !== undefined) throw refused;
      if (description === undefined || !isOpen(description)) return;
      await pause(LOOK_AGAIN_MS);
    }
  }

  /**
   * The sessions of this client's task queue, the newest first, open and closed ones as long as Temporal keeps them. Read from Temporal's
   * visibility, which is eventually consistent: what has just begun or ended may show a moment later. Works without a worker.
   *
   * A page looks at 1,000 sessions at most, so that one may be shorter than `limit` and yet have an `after`.
   *
   * @throws InvalidInput for an ill-formed argument.
   */
  async listSessions(options: ListSessions = {}): Promise<SessionsPage> {
    return orFailure(this.temporal, undefined, async () => listSessions(this.temporal, this.taskQueue, options));
  }

  /** A handle; nothing is looked up. */
  session(id: string): SessionHandle {
    return new SessionHandle(this.temporal, id);
  }
}
