/** One run, seen from a client: what the session knows of it, and what Temporal knows beside. */
import { setTimeout as pause } from 'node:timers/promises';
import { WorkflowFailedError, WorkflowNotFoundError, type Client, type WorkflowExecutionDescription } from '@temporalio/client';
import type { ForgottenRow, Json, Row, RunResult } from '../contract.ts';
import { workflowIdOfRun } from '../domain/ids.ts';
import { RunFailed } from '../errors.ts';
import { heartbeatOf } from './heartbeat.ts';

/** What `inspect` answers: the row with the live progress, what is kept of a forgotten one, or that nobody knows it. */
export type InspectedRun = Row | ForgottenRow | { runId: string; workflowId: string; status: 'unknown' | 'running' | 'completed' | 'failed' };

interface Rows {
  readonly sessionId: string;
  getRun(argument: { runId: string }): Promise<Row | ForgottenRow | null>;
  messageRun(argument: { runId: string; message: string }): Promise<{ messageId: string; deduplicated: boolean }>;
  cancelRun(argument: { runId: string; reason?: string; cascade?: boolean }): Promise<{ runId: string; status: string; cancelled: string[]; pending: string[] }>;
}

/** A request that was just fired may not have arrived: nothing is called unknown before this time. */
const UNKNOWN_AFTER_MS = 5000;
const LOOK_AGAIN_MS = 250;

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

  /** The row with the latest progress that the server has; `unknown` only when neither knows the run for 5 s. */
  async inspect(): Promise<InspectedRun> {
    const { runId, workflowId } = this;
    const until = Date.now() + UNKNOWN_AFTER_MS;
    for (;;) {
      const [row, description] = await Promise.all([this.row(), this.describe()]);
      if (row !== null) {
        if (description === undefined || 'forgotten' in row) return row;
        const progress = (await heartbeatOf(this.client, description))?.progress;
        return progress !== undefined && progress.n > (row.progress?.n ?? -1) ? { ...row, progress } : row;
      }
      if (description !== undefined) {
        const { name } = description.status;
        return { runId, workflowId, status: name === 'RUNNING' ? 'running' : name === 'COMPLETED' ? 'completed' : 'failed' };
      }
      if (Date.now() >= until) return { runId, workflowId, status: 'unknown' };
      await pause(LOOK_AGAIN_MS);
    }
  }

  private async row(): Promise<Row | ForgottenRow | null> {
    try {
      return await this.session.getRun({ runId: this.runId });
    } catch {
      return null;
    }
  }

  private async describe(): Promise<WorkflowExecutionDescription | undefined> {
    try {
      return await this.client.workflow.getHandle(this.workflowId).describe();
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }

  /**
   * Waits for the run to settle and answers its whole result, however large. On an interrupted run it goes on waiting.
   *
   * @throws RunFailed when it failed or was cancelled.
   */
  async result(): Promise<Json> {
    for (;;) {
      const row = await this.row();
      // The workflow of a run that could not be started, if there is one, is another session's.
      const outcome = row?.reason === 'start_failed' ? this.outcomeOf(row) : ((await this.workflowResult()) ?? this.outcomeOf(row));
      if (outcome !== undefined) {
        if (outcome.status === 'completed') return outcome.result ?? null;
        throw new RunFailed(outcome.status, outcome.reason, outcome.error);
      }
      await pause(LOOK_AGAIN_MS);
    }
  }

  private outcomeOf(row: Row | ForgottenRow | null): Pick<RunResult, 'status' | 'reason' | 'result' | 'error'> | undefined {
    if (row === null || (row.status !== 'completed' && row.status !== 'failed' && row.status !== 'cancelled')) return undefined;
    const { status, reason } = row;
    return { status, ...(reason === undefined ? {} : { reason }), ...('forgotten' in row ? {} : { ...(row.result === undefined ? {} : { result: row.result }), ...(row.error === undefined ? {} : { error: row.error }) }) };
  }

  private async workflowResult(): Promise<RunResult | undefined> {
    try {
      return (await this.client.workflow.getHandle(this.workflowId).result()) as RunResult;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError || error instanceof WorkflowFailedError) return undefined;
      throw error;
    }
  }

  /** Sends a message to the run, as `messageRun` of its session. */
  async message(text: string): Promise<{ messageId: string; deduplicated: boolean }> {
    return this.session.messageRun({ runId: this.runId, message: text });
  }

  /** Cancels the run, as `cancelRun` of its session. */
  async cancel(argument: { reason?: string; cascade?: boolean } = {}): Promise<{ runId: string; status: string; cancelled: string[]; pending: string[] }> {
    return this.session.cancelRun({ ...argument, runId: this.runId });
  }
}
