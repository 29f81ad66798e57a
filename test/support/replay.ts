/** Replays a history with the workflow code of the present test run. */
import { readFileSync } from 'node:fs';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { inject } from 'vitest';
import type { Client } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { dataConverterOf } from '../../src/data-converter.ts';
import { executionsOf } from './histories.ts';

try {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
} catch {
  // Installed by another file of this process.
}

/** Rejects when the code does something else than the history says. Ids of runs are made from the workflow's own id, so a replay needs the real one. */
export async function replay(
  history: unknown,
  workflowId: string,
  dataConverter?: Pick<DataConverter, 'payloadCodecs'>,
): Promise<void> {
  const code = readFileSync(inject('bundlePath'), 'utf8');
  await Worker.runReplayHistory(
    { workflowBundle: { code }, dataConverter: dataConverterOf(dataConverter) },
    history,
    workflowId,
  );
}

/** Replays every execution of a workflow id, and answers how many there are. */
export async function replayAll(
  client: Client,
  workflowId: string,
  dataConverter?: Pick<DataConverter, 'payloadCodecs'>,
): Promise<number> {
  const executions = await executionsOf(client, workflowId);
  for (const events of executions) await replay({ events }, workflowId, dataConverter);
  return executions.length;
}
