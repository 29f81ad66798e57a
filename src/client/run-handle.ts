/** One run, seen from a client: what the session knows of it, and what Temporal knows beside. */
import { setTimeout as pause } from 'node:timers/promises';
import {
  QueryNotRegisteredError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  type Client,
  type WorkflowExecutionDescription,
} from '@temporalio/client';
import { endInTemporal } from '../closed-workflow.ts';
import type { ForgottenRow, Json, Progress, Row, RunResult } from '../contract.ts';
import { workflowIdOfRun } from '../domain/state/ids.ts';
import { resultAsTold } from '../domain/run/result.ts';
import { InvalidInput, ResultGone, RunFailed, UnknownRun, type UnknownSession } from '../errors.ts';
import { ask } from './ask.ts';
import { describe, firstRunId, isOpen, isOurs as isSession, parentEpochOf } from './describe.ts';
import { cameAtABadMoment, orFailure, unknownSession } from './failures.ts';
import { isForbidden } from './server-codes.ts';
import { heartbeatOf } from './heartbeat.ts';
import { ANSWER_MS, noWorker } from './no-worker.ts';

/**
 * What `inspect` answers: the row with the live progress, what is kept of a forgotten one, what Temporal alone can tell while no
 * worker runs, or that nobody knows it.
 */
export type InspectedRun =
  | Row
  | ForgottenRow
  | {
      runId: string;
      workflowId: string;
      status: 'unknown' | 'running' | 'completed' | 'failed' | 'cancelled';
      progress?: Progress;
    };

type Ended = Pick<RunResult, 'status' | 'reason' | 'result' | 'error'> & Partial<Pick<RunResult, 'usage'>>;

interface Rows {
  readonly sessionId: string;
  messageRun(argument: { runId: string; message: string }): Promise<{ messageId: string; deduplicated: boolean }>;
  cancelRun(argument: {
    runId: string;
    reason?: string;
    cascade?: boolean;
    announce?: boolean;
  }): Promise<{ runId: string; status: string; cancelled: string[]; pending: string[] }>;
}

/** A request that was just fired may not have arrived: nothing is called unknown before this time. */
const UNKNOWN_AFTER_MS = 5000;
const LOOK_AGAIN_MS = 250;
/** So long the session may take to answer; without a worker it never does. */
const ASK_MS = 5000;

/** What is not sent, what is refused and what another workflow than a session says is said again each time; not what a session says at a bad moment. */
function isSaidAgain(error: unknown): boolean {
  if (error instanceof QueryNotRegisteredError) return !cameAtABadMoment(error);
  return error instanceof InvalidInput || isForbidden(error);
}

export class RunHandle {
  readonly runId: string;
  readonly workflowId: string;
  private readonly session: Rows;
  private readonly client: Client;

  constructor(session: Rows, client: Client, runId: string) {
    this.session = session;
    this.client = client;
    this.runId = runId;
    this.workflowId = workflowIdOfRun(session.sessionId, runId);
  }

  /**
   * The row with the latest progress that the server has; `unknown` only when neither session nor Temporal know the run for 5 s.
   * While no worker runs, the session does not answer within 5 s, and what Temporal knows of the run's workflow is the answer, its progress
   * too; if that knows nothing either, the session's error is thrown.
   */
  async inspect(): Promise<InspectedRun> {
    return orFailure(this.client, this.session.sessionId, async () => this.look());
  }

  private async look(): Promise<InspectedRun> {
    const { runId, workflowId } = this;
    const until = Date.now() + UNKNOWN_AFTER_MS;
    for (;;) {
      const [row, description] = await Promise.all([this.row(), describe(this.client, this.workflowId)]);
      if ('known' in row && row.known !== null) {
        const { known } = row;
        if (description === undefined || 'forgotten' in known || known.settledAt !== undefined) return known;
        if (!isOpen(description)) return await this.closed(known, description);
        const progress = (await heartbeatOf(this.client, description))?.progress;
        return progress !== undefined && progress.n > (known.progress?.n ?? -1) ? { ...known, progress } : known;
      }
      if (description !== undefined) {
        if (!isOpen(description)) return { runId, workflowId, status: (await this.ended())?.status ?? 'failed' };
        const progress = (await heartbeatOf(this.client, description))?.progress;
        return { runId, workflowId, status: 'running', ...(progress === undefined ? {} : { progress }) };
      }
      if (Date.now() >= until) {
        if ('error' in row) throw row.error;
        return { runId, workflowId, status: 'unknown' };
      }
      await pause(LOOK_AGAIN_MS);
    }
  }

  /** What the session knows, or why it could not be asked. A session that is gone knows nothing. */
  private async row(): Promise<{ known: Row | ForgottenRow | null } | { error: unknown }> {
    try {
      return {
        known: await this.client.withDeadline(Date.now() + ASK_MS, async () =>
          ask<Row | ForgottenRow | null>(this.client.workflow.getHandle(this.session.sessionId), 'getRun', {
            runId: this.runId,
          }),
        ),
      };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return { known: null };
      if (isSaidAgain(error)) throw error;
      return { error };
    }
  }

  /**
   * Waits for the run to settle and answers its whole result, however large. On an interrupted run it goes on waiting.
   *
   * @throws RunFailed when it failed, was cancelled or was lost, also after its session has ended.
   * @throws UnknownRun when neither session nor Temporal know it for 5 s, UnknownSession when there is no such session either.
   * @throws ResultGone when it has completed and retention has taken its result.
   * @throws NoWorker when only the session could tell, and no worker answers for it within 30 s.
   */
  async result(): Promise<Json> {
    return orFailure(this.client, this.session.sessionId, async () => this.settled());
  }

  private async settled(): Promise<Json> {
    const since = Date.now();
    for (;;) {
      const row = await this.row();
      const known = 'known' in row ? row.known : null;
      const outcome = this.outcomeOf(known, true) ?? (await this.ownEnd(row)) ?? this.outcomeOf(known);
      if (outcome !== undefined) {
        if (outcome.status !== 'completed') throw new RunFailed(outcome.status, outcome.reason, outcome.error);
        if (outcome.result !== undefined) return outcome.result;
        throw new ResultGone(
          `Expected the result of run "${this.runId}" to be there, got none: retention has taken its workflow.`,
        );
      }
      const waited = Date.now() - since;
      if ('error' in row && waited >= ANSWER_MS && !(await this.isOpen())) {
        const missing = await noWorker(this.client, this.session.sessionId, since);
        if (missing !== undefined) throw missing;
      }
      if (known === null && !('error' in row) && waited >= UNKNOWN_AFTER_MS && !(await this.isOurs()))
        throw await this.unknown();
      await pause(LOOK_AGAIN_MS);
    }
  }

  private async unknown(): Promise<UnknownRun | UnknownSession> {
    const { sessionId } = this.session;
    const session = await describe(this.client, sessionId);
    return session === undefined || !isSession(session)
      ? unknownSession(this.client, sessionId, session)
      : new UnknownRun(`Expected runId to name a run of "${sessionId}", got "${this.runId}".`);
  }

  /** How the run's own workflow says that it ended, or Temporal, if nobody is left to settle it otherwise. Waits for that. */
  private async ownEnd(row: { known: Row | ForgottenRow | null } | { error: unknown }): Promise<Ended | undefined> {
    if (!('known' in row)) return this.ended(false);
    if (row.known === null) return (await this.isOurs()) ? this.ended(true) : undefined;
    const session = await describe(this.client, this.session.sessionId);
    return this.ended(session === undefined || !isOpen(session));
  }

  /** True when there is a workflow of this run that no other session of this id has started. */
  private async isOurs(): Promise<boolean> {
    const [run, session] = await Promise.all(
      [this.workflowId, this.session.sessionId].map(async (id) => describe(this.client, id)),
    );
    return run !== undefined && (session === undefined || parentEpochOf(run) === firstRunId(session));
  }

  private async isOpen(): Promise<boolean> {
    const run = await describe(this.client, this.workflowId);
    return run !== undefined && isOpen(run);
  }

  /** How the row says that it ended; a completed one is read from its workflow first, which has the whole result. */
  private outcomeOf(row: Row | ForgottenRow | null, onlyFailed = false): Ended | undefined {
    if (row === null || (row.status !== 'completed' && row.status !== 'failed' && row.status !== 'cancelled'))
      return undefined;
    const { status, reason } = row;
    if (onlyFailed && status === 'completed') return undefined;
    return {
      status,
      ...(reason === undefined ? {} : { reason }),
      ...('forgotten' in row
        ? {}
        : {
            ...(row.result === undefined ? {} : { result: row.result }),
            ...(row.error === undefined ? {} : { error: row.error }),
          }),
    };
  }

  /** A run that has ended without its session having heard of it: not yet, or no more, since it is closed. */
  private async closed(row: Row, { startTime, closeTime }: WorkflowExecutionDescription): Promise<Row> {
    // One that was there before is an earlier session's.
    if (row.status === 'queued' || startTime.getTime() < Date.parse(row.createdAt)) return row;
    const ended = await this.ended();
    if (ended === undefined) return row;
    const { reason: _reason, childStillRunning: _still, error: _error, ...rest } = row;
    // One that does not end although it was asked to is terminated.
    const forced = ended.reason === 'lost' && row.cancelRequestedAt !== undefined;
    const { status, reason, result, error, usage }: Ended = forced
      ? { status: 'cancelled', reason: 'cancelled_by_user' }
      : ended;
    return {
      ...rest,
      status,
      ...(usage === undefined ? {} : { usage }),
      ...(reason === undefined ? {} : { reason }),
      ...(error === undefined ? {} : { error }),
      ...(closeTime === undefined ? {} : { settledAt: closeTime.toISOString() }),
      ...(result === undefined ? {} : resultAsTold(result, this.workflowId)),
    };
  }

  /** The workflow's own result; with `orLost` also what became of one that Temporal closed without any. */
  private async ended(orLost = true): Promise<Ended | undefined> {
    try {
      const told = (await this.client.workflow.getHandle(this.workflowId).result()) as RunResult;
      return told.status === 'completed' ? { ...told, result: told.result ?? null } : told;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      if (!(error instanceof WorkflowFailedError)) throw error;
      if (!orLost) return undefined;
      const isCancelled = (await describe(this.client, this.workflowId))?.status.name === 'CANCELLED';
      return endInTemporal(error.cause ?? error, isCancelled);
    }
  }

  /** Sends a message to the run, as `messageRun` of its session. */
  async message(text: string): Promise<{ messageId: string; deduplicated: boolean }> {
    return this.session.messageRun({ runId: this.runId, message: text });
  }

  /** Cancels the run, as `cancelRun` of its session. */
  async cancel(
    argument: { reason?: string; cascade?: boolean; announce?: boolean } = {},
  ): Promise<{ runId: string; status: string; cancelled: string[]; pending: string[] }> {
    return this.session.cancelRun({ ...argument, runId: this.runId });
  }
}
