/**
 * The client: a thin layer over a Temporal client it is given. Every message and query of the contract is one method with the
 * same name, the same argument and the same JSON, so that what works here works in any SDK and on the command line.
 */
import { Client } from '@temporalio/client';
import { DEFAULT_TASK_QUEUE } from '../contract.ts';
import { isRefusal } from '../domain/state/types.ts';
import { InvalidInput } from '../errors.ts';
import { parse, sessionId } from '../schemas/index.ts';
import { sameCopy } from '../sdk.ts';
import type { SessionInput } from './inputs.ts';
import { SessionHandle } from './session-handle.ts';

export interface OutliveClientOptions {
  /** Task queue of the workers. Default `outlive`. */
  taskQueue?: string;
}

export class OutliveClient {
  readonly temporal: Client;
  readonly taskQueue: string;

  /** @throws InvalidInput when the client was made by another copy of `@temporalio/client`, or is none. */
  constructor(temporal: Client, { taskQueue = DEFAULT_TASK_QUEUE }: OutliveClientOptions = {}) {
    sameCopy(temporal, Client, 'client', '@temporalio/client');
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
    return new SessionHandle(this.temporal, id);
  }
}
