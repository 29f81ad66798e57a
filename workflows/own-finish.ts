/** A run that outlives whoever started it: nobody else is left to call `onRunFinish`, so it does that itself. */
import { sleep } from '@temporalio/workflow';
import { emit } from '../src/domain/log/events.ts';
import { resultAsTold } from '../src/domain/run/result.ts';
import { backoff, waitForWorker } from '../src/domain/state/backoff.ts';
import type { Outcome } from '../src/domain/state/row.ts';
import { MOST_CALLS } from '../src/domain/run/handlers.ts';
import type { RunSelf } from '../src/domain/state/self.ts';
import { iso } from '../src/domain/state/state.ts';
import type { Json, Row } from '../src/domain/state/types.ts';
import { totalOf } from '../src/domain/state/usage.ts';
import { failureOf, isHandedBack, isKnownNowhere, unknownHere } from './failures.ts';
import { handler } from './proxies.ts';
import type { Stage } from './stage.ts';

const PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 300_000;

/** Calls it until it has succeeded once, with the same key and bounds as its starter would. */
export async function callOwnFinish(stage: Stage, self: RunSelf, outcome: Outcome): Promise<void> {
  const { workflowId } = stage.state;
  const key = `run-finish:${workflowId}`;
  const told = toldOf(outcome, workflowId);
  const run = rowOf(stage, self, outcome);
  let unknownSince: number | undefined;
  for (let attempt = 1; ;) {
    const summary = `handler: onRunFinish${attempt > 1 ? `, attempt ${attempt}` : ''}`;
    try {
      await handler(summary).handler({ v: 1, handler: 'onRunFinish', key, kind: 'finish', run, ...told.whole });
      return;
    } catch (error) {
      if (isHandedBack(error)) continue;
      const now = Date.now();
      const isUnknown = unknownHere(error) !== undefined;
      unknownSince = isUnknown ? (unknownSince ?? now) : undefined;
      const wait = unknownSince === undefined ? undefined : waitForWorker(unknownSince, now);
      if (isKnownNowhere(error) || attempt >= MOST_CALLS || (isUnknown && wait === undefined)) {
        stage.dispatch((cx) => emit(cx, 'handler.failed', { handler: 'onRunFinish', key, error: failureOf(error) }));
        return;
      }
      await sleep(wait ?? backoff(attempt, PAUSE_MS, LONGEST_PAUSE_MS), { summary: 'retry of onRunFinish' });
      if (!isUnknown) attempt += 1;
    }
  }
}

/** The result, or where it is read. */
function toldOf(
  { result }: { result?: Json | undefined },
  workflowId: string,
): { whole: { result?: Json }; elsewhere: { resultRef?: string } } {
  if (result === undefined) return { whole: {}, elsewhere: {} };
  const told = resultAsTold(result, workflowId);
  return 'result' in told
    ? { whole: { result: told.result }, elsewhere: {} }
    : { whole: {}, elsewhere: { resultRef: told.resultRef } };
}

/** The row as its starter would show it, as far as the run knows it. */
function rowOf(
  { state }: Stage,
  self: RunSelf,
  { status, reason, comment, error, result, finishReason }: Outcome,
): Row {
  const { workflowId, agent, depth, createdAt, spent } = state;
  const { elsewhere } = toldOf({ result }, workflowId);
  return {
    runId: self.runId,
    workflowId,
    agent,
    kind: self.work.kind,
    status,
    depth,
    createdAt,
    settledAt: iso(Date.now()),
    deadlineAt: iso(self.deadline),
    milestones: [],
    usage: totalOf(spent),
    delivery: { finish: { key: `bg-task:${self.parent.workflowId}:${self.runId}`, state: 'not_required' } },
    ...(self.label === undefined ? {} : { label: self.label }),
    ...(self.progress === undefined ? {} : { progress: self.progress }),
    ...(reason === undefined ? {} : { reason }),
    ...(comment === undefined ? {} : { comment }),
    ...(error === undefined ? {} : { error }),
    ...(finishReason === undefined ? {} : { finishReason }),
    ...elsewhere,
  };
}
