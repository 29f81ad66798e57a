/** A run that outlives whoever started it: nobody else is left to call `onRunFinish`, so it does that itself. */
import { sleep } from '@temporalio/workflow';
import { emit } from '../src/domain/log/events.ts';
import { resultAsTold } from '../src/domain/run/result.ts';
import { waitForWorker } from '../src/domain/state/backoff.ts';
import type { Outcome } from '../src/domain/state/row.ts';
import { MOST_CALLS, pauseAfterCall } from '../src/domain/run/handlers.ts';
import type { RunSelf } from '../src/domain/state/self.ts';
import { finishKey, runFinishKey } from '../src/domain/state/ids.ts';
import { iso } from '../src/domain/state/state.ts';
import type { Row } from '../src/domain/state/types.ts';
import { totalOf } from '../src/domain/state/usage.ts';
import { atHome } from './here.ts';
import { failureOf, isHandedBack, isKnownNowhere, unknownHere } from './failures.ts';
import { handler } from './proxies.ts';
import type { Stage } from './stage.ts';

/** Calls it until it has succeeded once, with the same key and bounds as its starter would. */
export async function callOwnFinish(stage: Stage, self: RunSelf, outcome: Outcome): Promise<void> {
  const { workflowId } = stage.state;
  const key = runFinishKey(workflowId);
  // Whole, or where it is read.
  const told = outcome.result === undefined ? undefined : resultAsTold(outcome.result, workflowId);
  const whole = told !== undefined && 'result' in told ? { result: told.result } : {};
  const elsewhere = told !== undefined && 'resultRef' in told ? { resultRef: told.resultRef } : {};
  const run = { ...rowOf(stage, self, outcome), ...elsewhere };
  let unknownSince: number | undefined;
  for (let attempt = 1; ;) {
    const summary = `handler: onRunFinish${attempt > 1 ? `, attempt ${attempt}` : ''}`;
    try {
      await handler(summary).handler({ v: 1, handler: 'onRunFinish', key, kind: 'finish', run, ...whole });
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
      await atHome(async () => sleep(wait ?? pauseAfterCall(attempt), { summary: 'retry of onRunFinish' }));
      if (!isUnknown) attempt += 1;
    }
  }
}

/** The row as its starter would show it, as far as the run knows it. */
function rowOf({ state }: Stage, self: RunSelf, { status, reason, comment, error, finishReason }: Outcome): Row {
  const { workflowId, agent, depth, createdAt, spent } = state;
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
    delivery: { finish: { key: finishKey(self.parent.workflowId, self.runId), state: 'not_required' } },
    ...(self.label === undefined ? {} : { label: self.label }),
    ...(self.progress === undefined ? {} : { progress: self.progress }),
    ...(reason === undefined ? {} : { reason }),
    ...(comment === undefined ? {} : { comment }),
    ...(error === undefined ? {} : { error }),
    ...(finishReason === undefined ? {} : { finishReason }),
  };
}
