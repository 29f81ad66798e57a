/** The prompt is read from the workflow by query, so that history holds each message once. */
import { activityInfo } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import type { UIMessage } from '../src/contract.ts';

/** The whole transcript with hidden messages: exactly what the model is to see. */
export async function readTranscript(client: Client, workflowId: string): Promise<UIMessage[]> {
  const handle = client.workflow.getHandle(workflowId, activityInfo().workflowExecution?.runId);
  const messages: UIMessage[] = [];
  for (;;) {
    const after = messages.at(-1)?.id;
    const page = await handle.query<{ messages: UIMessage[]; hasMore: boolean }, [unknown]>('getTranscript', {
      includeHidden: true, limit: 1_000_000, ...(after === undefined ? {} : { after }),
    });
    messages.push(...page.messages);
    if (!page.hasMore || page.messages.length === 0) return messages;
  }
}
