/** An answer on its way to the workflow that has asked. */
import { activityInfo } from '@temporalio/activity';
import { WorkflowNotFoundError, WorkflowUpdateFailedError, type Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { Answer, AnswerReceipt } from '../src/domain/run/requests.ts';
import type { Refusal } from '../src/contract.ts';
import { isErrorType } from '../src/errors.ts';

/** The receipt of the workflow that has asked, its refusal, or null when it is closed. An attempt that is repeated is the same update. */
export async function answerRequest(
  client: Client,
  workflowId: string,
  answer: Answer,
): Promise<AnswerReceipt | Refusal | null> {
  const { workflowExecution, activityId } = activityInfo();
  try {
    return await client.workflow.getHandle(workflowId).executeUpdate<AnswerReceipt, [Answer]>('answer', {
      args: [answer],
      updateId: `${workflowExecution?.runId ?? ''}-${activityId}`,
    });
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    const cause = error instanceof WorkflowUpdateFailedError ? error.cause : undefined;
    if (cause instanceof ApplicationFailure && isErrorType(cause.type))
      return { refused: cause.type, message: cause.message };
    throw error;
  }
}
