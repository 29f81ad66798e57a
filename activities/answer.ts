/** An answer on its way to the workflow that has asked. */
import { activityInfo } from '@temporalio/activity';
import { WorkflowNotFoundError, WorkflowUpdateFailedError, type Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { Answer, AnswerReceipt } from '../src/domain/run/requests.ts';
import type { Activities } from '../src/contract.ts';
import { isErrorType } from '../src/errors.ts';

/** The receipt of the workflow that has asked, its refusal, or neither when it is closed. An attempt that is repeated is the same update. */
export async function answerRequest(
  client: Client,
  workflowId: string,
  answer: Answer,
): ReturnType<Activities['answerRequest']> {
  const { workflowExecution, activityId } = activityInfo();
  try {
    const receipt = await client.workflow.getHandle(workflowId).executeUpdate<AnswerReceipt, [Answer]>('answer', {
      args: [answer],
      updateId: `${workflowExecution?.runId ?? ''}-${activityId}`,
    });
    return { v: 1, receipt };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { v: 1 };
    const cause = error instanceof WorkflowUpdateFailedError ? error.cause : undefined;
    if (cause instanceof ApplicationFailure && isErrorType(cause.type))
      return { v: 1, refusal: { refused: cause.type, message: cause.message } };
    throw error;
  }
}
