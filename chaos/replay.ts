/** Whether every history replays: what one worker did, another one has to be able to go on with. */
import { readFileSync } from 'node:fs';
import type { Client } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { dataConverterOf } from '../src/data-converter.ts';
import { quietRuntime } from '../src/testing/runtime.ts';
import { treeQuery } from './collect.ts';

/** Replays every execution of these sessions and of their runs; answers how many there were, and a sentence for each that does not. */
export async function replayTrees(
  client: Client,
  sessionIds: readonly string[],
  bundlePath: string,
): Promise<{ executions: number; failed: string[] }> {
  quietRuntime();
  const settings = { workflowBundle: { code: readFileSync(bundlePath, 'utf8') }, dataConverter: dataConverterOf() };
  const query = sessionIds.map(treeQuery).join(' OR ');
  const histories = client.workflow.list({ query }).intoHistories();
  const failed: string[] = [];
  let executions = 0;
  for await (const { workflowId, runId, error } of Worker.runReplayHistories(settings, histories)) {
    executions += 1;
    if (error !== undefined) failed.push(`execution ${runId} of ${workflowId} does not replay: ${error.message}`);
  }
  return { executions, failed };
}
