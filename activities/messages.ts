/**
 * The messages to a run, as its task reads them: from the run's own workflow, which keeps those that were not read for the next
 * attempt.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { ask } from '../src/client/ask.ts';
import type { TaskContext } from '../src/define.ts';
import type { Note } from '../src/domain/state/turn.ts';

/** How often a task that waits for a message looks for one. */
const LOOK_MS = 500;

export interface Inbox {
  /** May be iterated again after a `break`, and goes on where it was. Throws the signal's reason when that is aborted. */
  readonly messages: TaskContext['messages'];
  /** The number of the message that was handed out last, 0 when none was: with the result of the task it has been read. */
  readonly handedOut: number;
}

export function openInbox(client: Client, workflowId: string, signal: AbortSignal): Inbox {
  const handle = client.workflow.getHandle(workflowId);
  let came: Note[] = [];
  let handedOut = 0;
  let readUpTo = 0;
  /** One at a time, whoever asks. */
  let line: Promise<unknown> = Promise.resolve();

  async function read(): Promise<void> {
    if (handedOut <= readUpTo) return;
    await handle.signal('taskRead', { n: handedOut });
    readUpTo = handedOut;
  }

  async function take(): Promise<Note> {
    // First, so that what has been read is not given to the next attempt.
    await read();
    for (;;) {
      if (came.length === 0)
        came = await unlessAborted(async () => ask<Note[]>(handle, 'getMessages', { after: readUpTo }), signal);
      signal.throwIfAborted();
      const message = came.shift();
      if (message !== undefined) {
        handedOut = message.n;
        return message;
      }
      await unlessAborted(async () => pause(LOOK_MS), signal);
    }
  }

  async function* iterate(): AsyncGenerator<{ messageId: string; message: string }> {
    for (;;) {
      const one = line.then(take);
      line = one.catch(() => undefined);
      const { messageId, message } = await one;
      yield { messageId, message };
    }
  }

  return {
    messages: { [Symbol.asyncIterator]: iterate },
    get handedOut() {
      return handedOut;
    },
  };
}

/** A worker that stops takes no queries any more, so that the answer may never come. */
async function unlessAborted<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let abort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', abort);
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
