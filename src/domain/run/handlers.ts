/**
 * Calls of an app's own handlers: `onFinish` of a run for each of its delivery slots, and the worker's `onRunStart` and
 * `onRunFinish` for every run. Each is called until it has succeeded once, at most ten times; a crash may repeat a call, whose
 * key is always the same. A handler that fails holds up nothing but itself.
 */
import { finishKey, gaveUpKey, milestoneKey } from '../state/ids.ts';
import { emit } from '../log/events.ts';
import {
  dueBy,
  findRun,
  isOver,
  type Cx,
  type HookCall,
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

function schedule(cx: Cx, row: RunState, call: Pick<HookCall, 'handler' | 'kind' | 'runId' | 'name'>): void {
  row.hooks = (row.hooks ?? 0) + 1;
  cx.state.hooks.push({ ...call, attempt: 1, state: 'ready' });
}

/** The idempotency key of a call. */
export function keyOfHook({ workflowId }: State, { handler, kind, runId, name = '' }: HookCall): string {
  if (handler === 'onRunStart') return `run-start:${workflowId}/${runId}`;
  if (handler === 'onRunFinish') return `run-finish:${workflowId}/${runId}`;
  if (kind === 'milestone') return milestoneKey(workflowId, runId, name);
  return kind === 'gave-up' ? gaveUpKey(workflowId, runId) : finishKey(workflowId, runId);
}

function same(a: HookCall, b: HookCall): boolean {
  return a.handler === b.handler && a.kind === b.kind && a.runId === b.runId && a.name === b.name;
}

/** Starts the calls that may start now, a few side by side. */
export function startHooks(cx: Cx): void {
  const { hooks } = cx.state;
  let free = AT_ONCE - hooks.filter((one) => one.state === 'running').length;
  for (const hook of hooks) {
    if (free <= 0) return;
    if (hook.state !== 'ready') continue;
    hook.state = 'running';
    free--;
    cx.effects.push({ do: 'hook', hook: { ...hook } });
  }
}

export function hookDone(cx: Cx, call: HookCall): void {
  const { state } = cx;
  const index = state.hooks.findIndex((one) => same(one, call));
  if (index < 0) return;
  state.hooks.splice(index, 1);
  const row = findRun(state, call.runId);
  if (row === undefined) return;
  if ((row.hooks ?? 0) > 1) row.hooks = (row.hooks ?? 0) - 1;
  else delete row.hooks;
}

export function hookFailed(cx: Cx, call: HookCall, error: Failure): void {
  const { state } = cx;
  const hook = state.hooks.find((one) => same(one, call));
  if (hook === undefined || isOver(state)) return;
  if (hook.attempt >= MOST_CALLS) {
    emit(cx, 'handler.failed', {
      runId: hook.runId,
      handler: hook.handler.replace(/^handler:/u, ''),
      key: keyOfHook(state, hook),
      error,
    });
    hookDone(cx, hook);
    return;
  }
  hook.state = 'backoff';
  // Who closes does not wait for minutes.
  hook.retryAt =
    cx.now +
    (state.closing === undefined ? Math.min(BACKOFF_MS * 2 ** (hook.attempt - 1), BACKOFF_MOST_MS) : BACKOFF_MS);
  hook.attempt += 1;
}

/** A call that was given up so that the workflow could continue as new: it is made again, and counts once. */
export function hookAborted({ state }: Cx, call: HookCall): void {
  const hook = state.hooks.find((one) => same(one, call));
  if (hook !== undefined) hook.state = 'ready';
}

/** Calls whose time has come may start. */
export function passHooks(cx: Cx): void {
  const { state, now } = cx;
  for (const hook of state.hooks) {
    if (
      hook.state !== 'backoff' ||
      ((hook.retryAt ?? 0) > dueBy(cx) && !(state.closing !== undefined && (hook.retryAt ?? 0) > now + BACKOFF_MS))
    )
      continue;
    hook.state = 'ready';
    delete hook.retryAt;
  }
}

export function* hookDeadlines({ hooks }: State): Generator<{ at: number; what: string }> {
  for (const hook of hooks)
    if (hook.retryAt !== undefined) yield { at: hook.retryAt, what: `retry of ${hook.handler}` };
}
