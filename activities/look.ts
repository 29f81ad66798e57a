/**
 * A look at runs from outside: what Temporal knows of their workflows, without anything that they would have to do. Only one
 * that has been silent for too long is asked itself, since its finished steps stand nowhere else.
 */
import { WorkflowFailedError, type Client, type WorkflowExecutionDescription } from '@temporalio/client';
import type { RunResult, SessionSnapshot } from '../src/contract.ts';
import { endInTemporal } from '../src/closed-workflow.ts';
import { ask } from '../src/client/ask.ts';
import { describe, firstRunId, isOpen } from '../src/client/describe.ts';
import { attemptOf, heartbeatOf, usageOf } from '../src/client/heartbeat.ts';
import { workflowIdOfTarget } from '../src/domain/state/ids.ts';
import { jsonBytes } from '../src/domain/state/json.ts';
import type { Sight } from '../src/domain/run/looks.ts';
import { resultAsTold } from '../src/domain/run/result.ts';
import type { Settled } from '../src/domain/run/settle.ts';
import { MIB } from '../src/domain/state/sizes.ts';
import type { LookedFor } from '../src/domain/state/effects.ts';
import { withHeartbeat } from './heartbeat.ts';
import { within } from './within.ts';

/** Runs looked at side by side. */
const AT_ONCE = 10;
/** So long a run may take to answer; one that cannot has made no progress. */
const ANSWER_MS = 5000;

/** What is seen of each run, as many as fit into one answer. */
export async function lookAtRuns(client: Client, runs: readonly LookedFor[]): Promise<Sight[]> {
  const sights: Sight[] = [];
  let bytes = 0;
  await withHeartbeat(
    () => undefined,
    async () => {
      for (let i = 0; i < runs.length && bytes < MIB; i += AT_ONCE) {
        for (const sight of await Promise.all(
          runs.slice(i, i + AT_ONCE).map(async (run) => lookAt(client, run).catch(() => undefined)),
        )) {
          // One that cannot be seen now must not hide the others.
          if (sight === undefined) continue;
          bytes += jsonBytes(sight);
          if (bytes < MIB) sights.push(sight);
        }
      }
    },
  );
  return sights;
}

async function lookAt(client: Client, run: LookedFor): Promise<Sight> {
  const { runId, workflowId, epoch } = run;
  const description = await describe(client, workflowId);
  if (description === undefined || (epoch !== '' && firstRunId(description) !== epoch))
    return { runId, found: 'nothing' };
  if (!isOpen(description)) return { runId, found: 'closed', outcome: await endOf(client, description, run) };
  const seen: Sight = { runId, found: 'open' };
  const progress = (await heartbeatOf(client, description))?.progress;
  if (progress !== undefined) seen.progress = progress;
  const attempt = attemptOf(description);
  if (attempt !== undefined) seen.attempt = attempt;
  const usage = run.kind === 'agent' ? await usageOf(client, description) : undefined;
  if (usage !== undefined) seen.usage = usage;
  if (run.kind === 'workflow')
    seen.events = (await describe(client, workflowIdOfTarget(workflowId)))?.historyLength ?? 0;
  else if (run.closely) {
    const told = await askedItself(client, workflowId);
    if (told?.progressAt !== undefined) seen.movedAt = Date.parse(told.progressAt);
    if (told !== undefined) seen.usage = told.usage;
  }
  return seen;
}

async function askedItself(client: Client, workflowId: string): Promise<SessionSnapshot | undefined> {
  const answer = ask<SessionSnapshot>(client.workflow.getHandle(workflowId), 'getSession').catch(() => undefined);
  return within(ANSWER_MS, answer);
}

/** How a run ended whose workflow Temporal has closed. One that could not say what it has used is asked, as far as it can be. */
async function endOf(client: Client, description: WorkflowExecutionDescription, run: LookedFor): Promise<Settled> {
  const outcome = await outcomeOf(client, description);
  if (outcome.usage !== undefined || run.kind !== 'agent') return outcome;
  const told = await askedItself(client, run.workflowId);
  return told === undefined ? outcome : { ...outcome, usage: told.usage };
}

async function outcomeOf(
  client: Client,
  { workflowId, runId, status }: WorkflowExecutionDescription,
): Promise<Settled> {
  try {
    return settledAs(workflowId, (await client.workflow.getHandle(workflowId, runId).result()) as RunResult);
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    return endInTemporal(error.cause ?? error, status.name === 'CANCELLED');
  }
}

/** A run's own result, cut as it would have told it. */
function settledAs(
  workflowId: string,
  { status, reason, result, error, usage, delivered, finishReason }: RunResult,
): Settled {
  const told: Settled = {
    status,
    usage,
    delivered,
    ...(reason === undefined ? {} : { reason }),
    ...(error === undefined ? {} : { error }),
    ...(finishReason === undefined ? {} : { finishReason }),
  };
  if (status !== 'completed') return told;
  return { ...told, ...resultAsTold(result ?? null, workflowId) };
}
