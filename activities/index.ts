/** The activities of a worker, bound to what it has registered and to its own client. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import { PARENT_EPOCH, UNHEARD, type Activities, type LocalActivities } from '../src/contract.ts';
import { describe, isOpen } from '../src/client/describe.ts';
import { answerRequest } from './answer.ts';
import { callHandler } from './handler.ts';
import { lookAtRuns } from './look.ts';
import { callModel } from './model.ts';
import type { Registry } from './registry.ts';
import { runTask } from './task.ts';
import { callTool } from './tool.ts';

const TASK_WITHIN_MS = 5000;
const LOOK_MS = 50;

export function createActivities(
  registry: Registry,
  client: Client,
  isStopping: () => boolean,
): Activities & LocalActivities {
  return {
    model: async (arg) => callModel(registry, client, isStopping, arg),
    tool: async (arg) => callTool(registry, arg),
    task: async (arg) => runTask(registry, client, arg),
    resolveName: async ({ name }) => Promise.resolve(registry.resolve(name)),
    archiveLog: async (arg) => Promise.resolve(arg),
    answerRequest: async ({ workflowId, answer }) => answerRequest(client, workflowId, answer),
    handler: async (arg) => callHandler(registry, arg),
    look: async ({ runs }) => lookAtRuns(client, runs),
    lookAtWorkflow: async ({ workflowId, afterTask }) =>
      look(client, workflowId, Date.now() + (afterTask === true ? TASK_WITHIN_MS : 0)),
    terminateRun: async ({ workflowId, epoch, reason }) => {
      try {
        await client.workflow
          .getHandle(workflowId, undefined, epoch === '' ? {} : { firstExecutionRunId: epoch })
          .terminate(reason);
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      }
    },
  };
}

/** @param until as long as the workflow has not taken what has come to it, the answer waits, at most until then. */
async function look(client: Client, workflowId: string, until: number): ReturnType<Activities['lookAtWorkflow']> {
  const description = await describe(client, workflowId);
  if (description === undefined) return null;
  const { raw, memo } = description;
  if (raw.pendingWorkflowTask && Date.now() < until) {
    await pause(LOOK_MS);
    return look(client, workflowId, until);
  }
  const epoch = raw.workflowExecutionInfo?.firstRunId ?? '';
  const parentEpoch = memo?.[PARENT_EPOCH];
  const unheard = memo?.[UNHEARD];
  return {
    epoch,
    open: isOpen(description),
    unheard: Array.isArray(unheard) ? unheard.map(String) : [],
    ...(typeof parentEpoch === 'string' ? { parentEpoch } : {}),
  };
}
