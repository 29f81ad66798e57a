/** The prompt is read from the workflow by query, so that history holds each message once. */
import { activityInfo } from '@temporalio/activity';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { ask } from '../src/client/ask.ts';
import type { UIMessage } from '../src/contract.ts';
import { handedBack } from './failure.ts';
import { ownSignal } from './signal.ts';

const LOOK_MS = 100;

/** The execution that the activity belongs to. */
export function ownWorkflow(client: Client, workflowId: string): WorkflowHandle {
  return client.workflow.getHandle(workflowId, activityInfo().workflowExecution?.runId);
}

/** The whole transcript with hidden messages: exactly what the model is to see. */
export async function readTranscript(
  client: Client,
  workflowId: string,
  isStopping: () => boolean,
): Promise<UIMessage[]> {
  const handle = ownWorkflow(client, workflowId);
  const messages: UIMessage[] = [];
  for (;;) {
    const after = messages.at(-1)?.id;
    const page = await unlessStopping(
      isStopping,
      ask<{ messages: UIMessage[]; hasMore: boolean }>(handle, 'getTranscript', {
        includeHidden: true,
        limit: 1_000_000,
        ...(after === undefined ? {} : { after }),
      }),
    );
    messages.push(...page.messages);
    if (!page.hasMore || page.messages.length === 0) return messages;
  }
}

/** A worker that stops may be the only one that could answer: it does not wait for itself. */
export async function unlessStopping<T>(isStopping: () => boolean, answer: Promise<T>): Promise<T> {
  const signal = ownSignal();
  let timer: NodeJS.Timeout | undefined;
  let abort = (): void => undefined;
  const stopped = new Promise<never>((_, reject) => {
    timer = setInterval(() => {
      if (isStopping()) reject(handedBack());
    }, LOOK_MS);
    abort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
  });
  try {
    return await Promise.race([answer, stopped]);
  } finally {
    clearInterval(timer);
    signal.removeEventListener('abort', abort);
  }
}
