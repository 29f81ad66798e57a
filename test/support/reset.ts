/** A reset, as an operator does it: the workflow goes on from an earlier task, and what came after that never was. */
import proto from '@temporalio/proto';
import type { Client } from '@temporalio/client';
import { eventually, uniqueId } from './harness.ts';

const { ResetReapplyExcludeType, ResetReapplyType } = proto.temporal.api.enums.v1;

interface Task {
  runId: string;
  eventId: string;
}

/** The first workflow task of the present execution, to reset to. */
export async function firstTask(client: Client, workflowId: string): Promise<Task> {
  return (await allTasks(client, workflowId))[0] ?? { runId: '', eventId: '' };
}

/** The last workflow task that is completed now, to reset to. */
export async function lastTask(client: Client, workflowId: string): Promise<Task> {
  return (await allTasks(client, workflowId)).at(-1) ?? { runId: '', eventId: '' };
}

/** The workflow tasks of the present execution that are completed, to reset to. */
export async function allTasks(client: Client, workflowId: string): Promise<Task[]> {
  const handle = client.workflow.getHandle(workflowId);
  const { runId } = await handle.describe();
  const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
  return (events ?? [])
    .filter((event) => event.workflowTaskCompletedEventAttributes)
    .map(({ eventId }) => ({ runId, eventId: String(eventId) }));
}

/** Resets to a task, without anything that was sent after it, or with all of it sent anew, as the server does if nothing else is said. */
export async function resetTo(
  client: Client,
  workflowId: string,
  { runId, eventId }: Task,
  sent: 'without' | 'anew' = 'without',
): Promise<void> {
  await client.workflowService.resetWorkflowExecution({
    namespace: client.options.namespace,
    workflowExecution: { workflowId, runId },
    reason: 'test',
    requestId: uniqueId(),
    workflowTaskFinishEventId: eventId as never,
    ...(sent === 'anew'
      ? { resetReapplyType: ResetReapplyType.RESET_REAPPLY_TYPE_ALL_ELIGIBLE }
      : {
          resetReapplyType: ResetReapplyType.RESET_REAPPLY_TYPE_NONE,
          resetReapplyExcludeTypes: [
            ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL,
            ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE,
          ],
        }),
  });
  await eventually(
    'the execution after the reset',
    async () => (await client.workflow.getHandle(workflowId).describe()).runId !== runId,
  );
}
