/** The activities of a worker, bound to what it has registered and to its own client. */
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { Activities } from '../src/contract.ts';
import { RULES } from '../src/domain/state/rules.ts';
import { describe, firstRunId, isOpen, parentEpochOf } from '../src/client/describe.ts';
import { answerRequest } from './answer.ts';
import { checkInputs } from './check-inputs.ts';
import { callHandler } from './handler.ts';
import { lookAtRuns } from './look.ts';
import type { Registry } from './registry.ts';
import { resolveName } from './resolve-name.ts';
import { unlessPaused } from './signal.ts';
import { runTask } from './task.ts';
import { callTool } from './tool.ts';

export function createActivities(registry: Registry, client: Client, isStopping: () => boolean): Activities {
  return {
    model: async (arg) =>
      unlessPaused(client, async () => {
        // Loaded late: who serves no models need not have the AI SDK installed.
        const { callModel } = await import('./model.ts');
        return { v: 1, ...registry.clean(await callModel(registry, client, isStopping, arg)) };
      }),
    tool: async (arg) => unlessPaused(client, async () => ({ v: 1, output: await callTool(registry, client, arg) })),
    task: async (arg) => unlessPaused(client, async () => runTask(registry, client, arg)),
    resolveName: async ({ name }) => ({ v: 1, rules: RULES, ...(await resolveName(registry, client, name)) }),
    checkInputs: async ({ runs }) => ({ v: 1, misfits: await checkInputs(registry, client, runs) }),
    archiveLog: async () => Promise.resolve(),
    answerRequest: async ({ workflowId, answer }) => answerRequest(client, workflowId, answer),
    handler: async (arg) => unlessPaused(client, async () => callHandler(registry, client, arg)),
    look: async ({ runs }) => ({ v: 1, sights: await lookAtRuns(client, runs) }),
    lookAtWorkflow: async ({ workflowId }) => look(client, workflowId),
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

async function look(client: Client, workflowId: string): ReturnType<Activities['lookAtWorkflow']> {
  const description = await describe(client, workflowId);
  if (description === undefined) return { v: 1 };
  const parentEpoch = parentEpochOf(description);
  return {
    v: 1,
    found: {
      epoch: firstRunId(description),
      open: isOpen(description),
      status: description.status.name,
      ...(parentEpoch === undefined ? {} : { parentEpoch }),
    },
  };
}
