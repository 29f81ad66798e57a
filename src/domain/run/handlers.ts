/**
 * Calls of an app's own handlers: `onFinish` of a run for each of its delivery slots, and the worker's `onRunStart` and
 * `onRunFinish` for every run. Each is called until it has succeeded once, at most ten times; a crash may repeat a call, whose
 * key is always the same. A handler that fails holds up nothing but itself.
 */
import { backoff } from '../state/backoff.ts';
import { finishKey, gaveUpKey, milestoneKey } from '../state/ids.ts';
import { emit } from '../log/events.ts';
import {
  dueBy,
  findRun,
  isOver,
  type Cx,
  type HandlerCall,
  type RunState,
  type SlotRef,
  type State,
} from '../state/state.ts';
import type { Failure } from '../state/types.ts';

const MOST_CALLS = 10;
const AT_ONCE = 10;
const BACKOFF_MS = 1000;
const BACKOFF_MOST_MS = 300_000;

/** A slot has something to tell: its run's own handler is called, whatever `notify` is. */
export function callOnFinish(cx: Cx, row: RunState, slot: Exclude<SlotRef, { kind: 'ask' }>): void {
  const { onFinish } = row.detached;
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
  if (row.finishHook === true) schedule(cx, row, { handler: 'onRunFinish', kind: 'finish', runId: row.runId });
}

function schedule(cx: Cx, row: RunState, call: Pick<HandlerCall, 'handler' | 'kind' | 'runId' | 'name'>): void {
  row.handlers = (row.handlers ?? 0) + 1;
  cx.state.handlers.push({ ...call, attempt: 1, state: 'ready' });
}

/** The idempotency key of a call. */
export function keyOfCall({ workflowId }: State, { handler, kind, runId, name = '' }: HandlerCall): string {
  if (handler === 'onRunStart') return `run-start:${workflowId}/${runId}`;
  if (handler === 'onRunFinish') return `run-finish:${workflowId}/${runId}`;
  if (kind === 'milestone') return milestoneKey(workflowId, runId, name);
  return kind === 'gave-up' ? gaveUpKey(workflowId, runId) : finishKey(workflowId, runId);
}

function same(a: HandlerCall, b: HandlerCall): boolean {
  return a.handler === b.handler && a.kind === b.kind && a.runId === b.runId && a.name === b.name;
}

/** Starts the calls that may start now, a few side by side. */
export function startHandlers(cx: Cx): void {
  const { handlers } = cx.state;
  let free = AT_ONCE - handlers.filter((one) => one.state === 'running').length;
  for (const call of handlers) {
    if (free <= 0) return;
    if (call.state !== 'ready') continue;
    call.state = 'running';
    free--;
    cx.effects.push({ do: 'handler', call: { ...call } });
  }
}

export function handlerDone(cx: Cx, call: HandlerCall): void {
  const { state } = cx;
  const index = state.handlers.findIndex((one) => same(one, call));
  if (index < 0) return;
  state.handlers.splice(index, 1);
  const row = findRun(state, call.runId);
  if (row === undefined) return;
  if ((row.handlers ?? 0) > 1) row.handlers = (row.handlers ?? 0) - 1;
  else delete row.handlers;
}

export function handlerFailed(cx: Cx, call: HandlerCall, error: Failure): void {
  const { state } = cx;
  const pending = state.handlers.find((one) => same(one, call));
  if (pending === undefined || isOver(state)) return;
  if (pending.attempt >= MOST_CALLS) {
    emit(cx, 'handler.failed', {
      runId: pending.runId,
      handler: pending.handler.replace(/^handler:/u, ''),
      key: keyOfCall(state, pending),
      error,
    });
    handlerDone(cx, pending);
    return;
  }
  pending.state = 'backoff';
  // Who closes does not wait for minutes.
  pending.retryAt =
    cx.now + (state.closing === undefined ? backoff(pending.attempt, BACKOFF_MS, BACKOFF_MOST_MS) : BACKOFF_MS);
  pending.attempt += 1;
}

/** A call that was given up so that the workflow could continue as new: it is made again, and counts once. */
export function handlerAborted({ state }: Cx, call: HandlerCall): void {
  const pending = state.handlers.find((one) => same(one, call));
  if (pending !== undefined) pending.state = 'ready';
}

/** Calls whose time has come may start. */
export function passHandlers(cx: Cx): void {
  const { state, now } = cx;
  for (const pending of state.handlers) {
    if (
      pending.state !== 'backoff' ||
      ((pending.retryAt ?? 0) > dueBy(cx) &&
        !(state.closing !== undefined && (pending.retryAt ?? 0) > now + BACKOFF_MS))
    )
      continue;
    pending.state = 'ready';
    delete pending.retryAt;
  }
}

export function* handlerDeadlines({ handlers }: State): Generator<{ at: number; what: string }> {
  for (const call of handlers)
    if (call.retryAt !== undefined) yield { at: call.retryAt, what: `retry of ${call.handler}` };
}
