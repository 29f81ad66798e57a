/**
 * Calls of an app's own handlers: `onFinish` of a run for each of its delivery slots, and the worker's `onRunStart` and
 * `onRunFinish` for every run. Each is called until it has succeeded once, at most ten times; a crash may repeat a call, whose
 * key is always the same. A handler that fails holds up nothing but itself.
 */
import { backoff, waitForWorker } from '../state/backoff.ts';
import { finishKey, gaveUpKey, milestoneKey, runFinishKey, workflowIdOfRun } from '../state/ids.ts';
import { emit } from '../log/events.ts';
import { nameOfHandler, type Entry, type HandlerCall } from '../state/outbox.ts';
import type { RunState, SlotRef } from '../state/row.ts';
import { isOver, type Cx, type State } from '../state/state.ts';
import type { Failure } from '../state/types.ts';

export const MOST_CALLS = 10;
const BACKOFF_MS = 1000;
const BACKOFF_MOST_MS = 300_000;

/** How long until a call that has failed is made again, milliseconds; `attempt`: the one that failed. */
export function pauseAfterCall(attempt: number): number {
  return backoff(attempt, BACKOFF_MS, BACKOFF_MOST_MS);
}

/** A slot has something to tell: its run's own handler is called, whatever `notify` is. */
export function callOnFinish(cx: Cx, row: RunState, slot: Exclude<SlotRef, { kind: 'ask' }>): void {
  const { onFinish } = row.own.detached;
  if (onFinish === undefined) return;
  schedule(cx, row, {
    handler: `handler:${onFinish}`,
    kind: slot.kind,
    runId: row.runId,
    ...(slot.kind === 'milestone' ? { name: slot.name } : {}),
  });
}

/** A run has been given its place. */
export function callOnRunStart(cx: Cx, row: RunState): void {
  if (cx.state.names[row.agent]?.hooks?.includes('onRunStart') === true)
    schedule(cx, row, { handler: 'onRunStart', kind: 'start', runId: row.runId });
}

/** A run has settled, also one that was never started or is silent. */
export function callOnRunFinish(cx: Cx, row: RunState): void {
  if (row.own.tellsFinish === true) schedule(cx, row, { handler: 'onRunFinish', kind: 'finish', runId: row.runId });
}

function schedule({ state }: Cx, row: RunState, call: HandlerCall): void {
  row.own.calls = (row.own.calls ?? 0) + 1;
  state.outbox.put({ lane: 'handlers', key: keyOfCall(state, call), call });
}

/** The idempotency key of a call. */
function keyOfCall({ workflowId }: State, { handler, kind, runId, name = '' }: HandlerCall): string {
  if (handler === 'onRunStart') return `run-start:${workflowId}/${runId}`;
  if (handler === 'onRunFinish') return runFinishKey(workflowIdOfRun(workflowId, runId));
  if (kind === 'milestone') return milestoneKey(workflowId, runId, name);
  return kind === 'gave-up' ? gaveUpKey(workflowId, runId) : finishKey(workflowId, runId);
}

/** The entry of a call that is under way. */
function underWay({ state }: Cx, key: string): { entry: Entry; call: HandlerCall; key: string } | undefined {
  const entry = state.outbox.get(key);
  return entry?.about.lane === 'handlers' && entry.way.is === 'under-way'
    ? { entry, call: entry.about.call, key: entry.about.key }
    : undefined;
}

/** @param key of the entry in the outbox. */
export function handlerDone(cx: Cx, key: string): void {
  const found = underWay(cx, key);
  if (found === undefined) return;
  cx.state.outbox.told(found.entry);
  const row = cx.state.runs.get(found.call.runId);
  if (row === undefined) return;
  if ((row.own.calls ?? 0) > 1) row.own.calls = (row.own.calls ?? 0) - 1;
  else delete row.own.calls;
}

/** @param isFinal nobody has it: calling again would change nothing. */
export function handlerFailed(cx: Cx, key: string, error: Failure, isFinal = false): void {
  const { state, now } = cx;
  const found = underWay(cx, key);
  if (found === undefined || isOver(state)) return;
  const { entry, call } = found;
  delete entry.unknownSince;
  if (isFinal || entry.attempt >= MOST_CALLS) {
    emit(cx, 'handler.failed', {
      runId: call.runId,
      handler: nameOfHandler(call),
      key: found.key,
      error,
    });
    handlerDone(cx, key);
    return;
  }
  // Who closes does not wait for minutes.
  const wait = state.closing === undefined ? pauseAfterCall(entry.attempt) : BACKOFF_MS;
  state.outbox.failed(entry, now + wait);
}

/** The worker that took it does not have the handler: another one may, which is no attempt. What nobody has had for long has failed. */
export function handlerUnknown(cx: Cx, key: string, error: Failure): void {
  const found = underWay(cx, key);
  if (found === undefined || isOver(cx.state)) return;
  found.entry.unknownSince ??= cx.now;
  const wait = waitForWorker(found.entry.unknownSince, cx.now);
  if (wait === undefined) handlerFailed(cx, key, error, true);
  else cx.state.outbox.later(found.entry, cx.now + wait);
}

/** A call that was given up so that the workflow could continue as new: it is made again, and counts once. */
export function handlerAborted(cx: Cx, key: string): void {
  const found = underWay(cx, key);
  if (found !== undefined) cx.state.outbox.calledOff(found.entry);
}

/** Whoever closes does not wait for minutes. */
export function hurryHandlers({ state, now }: Cx): void {
  state.outbox.hurry('handlers', now + BACKOFF_MS);
}
