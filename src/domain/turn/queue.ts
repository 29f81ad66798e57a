/**
 * Admission of user input: one turn at a time, in the order of acceptance, and what new input does to those before it
 * (`onBusy`). Background inputs are not touched by any of it.
 */
import { appendWithoutTurn } from '../delivery/slots.ts';
import { entryKey, freshTurnId, payloadHash, recall, remember, rememberEnd, type Known } from '../log/dedupe.ts';
import { jsonBytes } from '../state/json.ts';
import { mintTurnId } from '../state/ids.ts';
import { emit } from '../log/events.ts';
import { echo } from '../log/refusals.ts';
import { closed, full, inputCost, liveBytes, queuedBytes, turnCost } from '../log/capacity.ts';
import { KEY_BYTES, LIVE_BYTES } from '../state/sizes.ts';
import { cancelStartedBy } from '../run/cancel.ts';
import { leaveLoop } from '../state/loop.ts';
import { iso, type Cx, type State } from '../state/state.ts';
import type { QueuedTurn, TurnInput } from '../state/turn.ts';
import { noUsage } from '../state/usage.ts';
import { keepEnded } from './past.ts';
import { endTurn } from './turn.ts';
import {
  isRefusal,
  refuse,
  type InputRef,
  type Json,
  type OnBusy,
  type Refusal,
  type TurnStatus,
  type UIMessage,
} from '../state/types.ts';

export interface SubmitTurn {
  /** User messages; an id may be empty and is minted then. */
  input: UIMessage[];
  turnId?: string;
  idempotencyKey?: string;
  metadata?: Json;
  onBusy?: OnBusy;
}

export interface TurnReceipt {
  turnId: string;
  status: TurnStatus;
  position: number;
  deduplicated: boolean;
}

export function presentTurn(state: State, turnId: string): { status: TurnStatus; position: number } | undefined {
  if (state.turn?.turnId === turnId) return { status: 'running', position: 0 };
  const queued = state.queue.findIndex((turn) => turn.turnId === turnId);
  if (queued >= 0) return { status: 'queued', position: queued + 1 };
  const past = state.past.find((turn) => turn.turnId === turnId);
  return past === undefined ? undefined : { status: past.status, position: 0 };
}

/** What is reckoned of an input once, as it may be large. */
interface Measure {
  /** By which the same payload is known again: under a turn id, and under a key. */
  payload: string;
  keyed: string;
  /** Of its messages and metadata. */
  bytes: number;
}

/** Input that comes with neither id nor key is like no other, and is not hashed: that costs most of what taking it costs. */
function measureOf(submit: SubmitTurn, state: State): Measure {
  const filled = {
    input: submit.input.map((message) => ({ ...message, id: message.id === '' ? undefined : message.id })),
    metadata: submit.metadata,
    onBusy: submit.onBusy ?? state.settings.turns.onBusy,
  };
  return {
    payload: submit.turnId === undefined ? '' : payloadHash(filled),
    keyed: submit.idempotencyKey === undefined ? '' : payloadHash({ ...filled, turnId: submit.turnId }),
    bytes: jsonBytes(submit.input) + jsonBytes(submit.metadata ?? null),
  };
}

function receiptOf(state: State, known: Known, turnId: string): TurnReceipt {
  const present = presentTurn(state, turnId) ?? { status: (known.status ?? 'completed') as TurnStatus, position: 0 };
  return { turnId, ...present, deduplicated: true };
}

function known(state: State, submit: SubmitTurn, { payload, keyed }: Measure): TurnReceipt | Refusal | undefined {
  if (submit.idempotencyKey !== undefined) {
    const found = recall(state.dedupe, entryKey('turn-key', submit.idempotencyKey));
    if (found !== undefined) {
      return found.payload === keyed
        ? receiptOf(state, found, found.id === '' ? (submit.turnId ?? '') : found.id)
        : refuse(
            'IdempotencyConflict',
            `Expected idempotencyKey "${echo(submit.idempotencyKey)}" to come with the same payload as before, got another.`,
          );
    }
  }
  if (submit.turnId === undefined) return undefined;
  const found = recall(state.dedupe, entryKey('turn', submit.turnId));
  if (found === undefined) {
    return presentTurn(state, submit.turnId) === undefined
      ? undefined
      : refuse(
          'IdempotencyConflict',
          `Expected turnId "${submit.turnId}" to be new or to come with the same payload as before, got another.`,
        );
  }
  return found.payload === payload
    ? receiptOf(state, found, found.id === '' ? submit.turnId : found.id)
    : refuse(
        'IdempotencyConflict',
        `Expected turnId "${submit.turnId}" to come with the same payload as before, got another.`,
      );
}

/** What would be answered without changing anything: a refusal, the receipt of a known key, or nothing yet. */
export function admitTurn(
  state: State,
  submit: SubmitTurn,
  measure = measureOf(submit, state),
): TurnReceipt | Refusal | undefined {
  if (state.closing !== undefined) return closed(state);
  const before = known(state, submit, measure);
  if (before !== undefined) return before;
  const onBusy = submit.onBusy ?? state.settings.turns.onBusy;
  if (skipReason(state, submit, onBusy) !== undefined) return undefined;
  const { limits } = state.settings;
  const users = state.queue.filter((turn) => turn.origin === 'user');
  const replaced = onBusy === 'latest' ? users : [];
  if (busy(state)) {
    if (targetOf(state, submit, onBusy) === undefined && users.length - replaced.length >= limits.maxQueuedTurns) {
      return refuse(
        'QueueFull',
        `Expected at most ${limits.maxQueuedTurns} queued turns (limits.maxQueuedTurns), got one more.`,
      );
    }
    const bytes = queuedBytes(state) - replaced.reduce((sum, turn) => sum + turn.bytes, 0) + measure.bytes;
    if (bytes > limits.maxQueuedBytes) {
      return refuse(
        'QueueFull',
        `Expected the inputs of queued turns and runs to hold at most ${limits.maxQueuedBytes} bytes (limits.maxQueuedBytes), got ${bytes}.`,
      );
    }
  }
  const live =
    liveBytes(state) -
    replaced.reduce((sum, turn) => sum + turn.cost, 0) +
    turnCost(submit.turnId ?? mintTurnId(state.epoch, state.counters.turn)) +
    costOf(submit, measure);
  return live > LIVE_BYTES ? full(live) : undefined;
}

function costOf(submit: SubmitTurn, { bytes }: Measure): number {
  const keys = (submit.turnId === undefined ? 0 : 1) + (submit.idempotencyKey === undefined ? 0 : 1);
  return inputCost(bytes, submit.idempotencyKey, keys);
}

function skipReason(state: State, submit: SubmitTurn, onBusy: OnBusy): 'empty' | 'dropped' | undefined {
  if (submit.input.length === 0) return 'empty';
  return onBusy === 'drop' && busy(state) ? 'dropped' : undefined;
}

/** The queued turn that new input joins, if there is one. */
function targetOf(state: State, submit: SubmitTurn, onBusy: OnBusy): QueuedTurn | undefined {
  if (skipReason(state, submit, onBusy) !== undefined) return undefined;
  if (onBusy === 'merge') return state.queue.findLast((turn) => turn.origin === 'user');
  return typeof onBusy === 'object'
    ? state.queue.findLast((turn) => turn.origin === 'user' && turn.startAfter !== undefined)
    : undefined;
}

function busy(state: State): boolean {
  return state.turn !== null || state.queue.length > 0;
}

/** Accepts user input, or answers why not. */
export function submitTurn(cx: Cx, submit: SubmitTurn): TurnReceipt | Refusal {
  const { state } = cx;
  const measure = measureOf(submit, state);
  const before = admitTurn(state, submit, measure);
  if (before !== undefined) {
    if (!isRefusal(before)) rememberSecondKey(state, submit, before, measure);
    return before;
  }
  leaveLoop(state);
  const onBusy = submit.onBusy ?? state.settings.turns.onBusy;
  const target = targetOf(state, submit, onBusy);
  const turnId = target?.turnId ?? submit.turnId ?? freshTurnId(state);
  const keys = rememberSubmit(state, submit, turnId, measure);
  const ref: InputRef =
    submit.idempotencyKey === undefined ? { source: 'user' } : { source: 'user', key: submit.idempotencyKey };
  const core = {
    turnId,
    inputs: [ref],
    queuedAt: iso(cx.now),
    usage: noUsage(),
    keys,
    ...(submit.metadata === undefined ? {} : { metadata: submit.metadata }),
  };

  const skipped = skipReason(state, submit, onBusy);
  if (skipped !== undefined) {
    keepEnded(cx, { ...core, status: 'skipped', reason: skipped, steps: 0, endedAt: iso(cx.now) });
    emit(cx, 'turn.skipped', { turnId, inputs: [ref], reason: skipped });
    return { turnId, status: 'skipped', position: 0, deduplicated: false };
  }
  const { bytes } = measure;
  const input: TurnInput = {
    ref,
    body: { source: 'user', messages: submit.input },
    bytes,
    ...(submit.metadata === undefined ? {} : { metadata: submit.metadata }),
  };
  if (target !== undefined) {
    target.cost += costOf(submit, measure);
    join(cx, target, input, keys, typeof onBusy === 'object' ? cx.now + onBusy.debounceMs : undefined);
    return { turnId, status: 'queued', position: state.queue.indexOf(target) + 1, deduplicated: false };
  }
  const turn: QueuedTurn = {
    ...core,
    origin: 'user',
    pending: [input],
    bytes,
    cost: turnCost(turnId) + costOf(submit, measure),
  };
  if (typeof onBusy === 'object') turn.startAfter = cx.now + onBusy.debounceMs;
  if (onBusy === 'latest')
    for (const old of state.queue.filter((one) => one.origin === 'user')) endQueued(cx, old, 'skipped', 'superseded');
  if (onBusy === 'interrupt') {
    if (state.turn !== null) endTurn(cx, 'cancelled', { reason: 'interrupted' });
    state.queue.unshift(turn);
  } else state.queue.push(turn);
  emit(cx, 'turn.queued', { turnId, inputs: turn.inputs.slice() });
  return { turnId, status: 'queued', position: state.queue.indexOf(turn) + 1, deduplicated: false };
}

function rememberSubmit(state: State, submit: SubmitTurn, turnId: string, { payload, keyed }: Measure): string[] {
  const keys: string[] = [];
  if (submit.idempotencyKey !== undefined) {
    const entry = entryKey('turn-key', submit.idempotencyKey);
    remember(state.dedupe, entry, keyed, turnId === submit.turnId ? '' : turnId);
    keys.push(entry);
  }
  if (submit.turnId !== undefined) {
    const entry = entryKey('turn', submit.turnId);
    remember(state.dedupe, entry, payload, turnId === submit.turnId ? '' : turnId);
    keys.push(entry);
  }
  return keys;
}

/** A turn that is known by its own id came with a key that is new: from now on that key answers with it too. */
function rememberSecondKey(
  state: State,
  submit: SubmitTurn,
  { turnId, status }: TurnReceipt,
  { keyed }: Measure,
): void {
  if (submit.idempotencyKey === undefined) return;
  const entry = entryKey('turn-key', submit.idempotencyKey);
  if (recall(state.dedupe, entry) !== undefined || liveBytes(state) + KEY_BYTES > LIVE_BYTES) return;
  remember(state.dedupe, entry, keyed, turnId === submit.turnId ? '' : turnId);
  const live = state.turn?.turnId === turnId ? state.turn : state.queue.find((turn) => turn.turnId === turnId);
  if (live === undefined) rememberEnd(state.dedupe, entry, status);
  else {
    live.keys.push(entry);
    live.cost += KEY_BYTES;
  }
}

function join(cx: Cx, target: QueuedTurn, input: TurnInput, keys: string[], startAfter: number | undefined): void {
  target.pending.push(input);
  target.inputs.push(input.ref);
  target.keys.push(...keys);
  target.bytes += input.bytes;
  if (startAfter !== undefined) target.startAfter = startAfter;
  emit(cx, 'turn.joined', { turnId: target.turnId, inputs: [input.ref] });
}

/** Ends a user turn that never started: none of its messages enter the transcript. */
export function endQueued(
  cx: Cx,
  turn: QueuedTurn,
  status: 'cancelled' | 'skipped',
  reason: string,
  comment?: string,
): void {
  const { state } = cx;
  state.queue.splice(state.queue.indexOf(turn), 1);
  keepEnded(cx, {
    turnId: turn.turnId,
    status,
    reason,
    ...(comment === undefined ? {} : { comment }),
    inputs: turn.inputs,
    ...(turn.metadata === undefined ? {} : { metadata: turn.metadata }),
    steps: 0,
    queuedAt: turn.queuedAt,
    endedAt: iso(cx.now),
    usage: turn.usage,
    keys: turn.keys,
  });
  emit(cx, status === 'skipped' ? 'turn.skipped' : 'turn.cancelled', {
    turnId: turn.turnId,
    inputs: turn.inputs.slice(),
    reason,
    comment,
  });
}

export interface CancelTurn {
  turnId?: string;
  reason?: string;
  /** What becomes of the runs that the turn has started. Default `keep`. */
  runs?: 'keep' | 'cancel';
}

/** `runIds`: the runs that are cancelled with it, if that was asked for. */
export interface TurnCancelled {
  turnId: string;
  status: TurnStatus;
  runIds?: string[];
}

export function admitCancelTurn(state: State, cancel: CancelTurn): Refusal | undefined {
  if (cancel.turnId === undefined)
    return state.turn === null ? refuse('UnknownTurn', 'Expected a running turn, got none.') : undefined;
  const turnId = cancel.turnId;
  if (presentTurn(state, turnId) !== undefined || recall(state.dedupe, entryKey('turn', turnId)) !== undefined)
    return undefined;
  return refuse('UnknownTurn', `Expected turnId to name a turn of this ${state.kind}, got "${turnId}".`);
}

/** The turn that an id stands for: its own, or the one that its input was merged into. */
export function turnNamed(state: State, turnId: string): string {
  if (presentTurn(state, turnId) !== undefined) return turnId;
  const found = recall(state.dedupe, entryKey('turn', turnId));
  return found === undefined || found.id === '' ? turnId : found.id;
}

/** Cancels the running or a queued turn; an ended one answers with its status. */
export function cancelTurn(cx: Cx, cancel: CancelTurn): TurnCancelled | Refusal {
  const { state } = cx;
  const refusal = admitCancelTurn(state, cancel);
  if (isRefusal(refusal)) return refusal;
  const turnId = turnNamed(state, cancel.turnId ?? state.turn?.turnId ?? '');
  const status = endNamed(cx, turnId, cancel);
  if (cancel.runs !== 'cancel') return { turnId, status };
  return { turnId, status, runIds: cancelStartedBy(cx, turnId, cancel.reason) };
}

function endNamed(cx: Cx, turnId: string, cancel: CancelTurn): TurnStatus {
  const { state } = cx;
  if (state.turn?.turnId === turnId) {
    endTurn(cx, 'cancelled', { reason: 'cancelled_by_user', comment: cancel.reason });
    return 'cancelled';
  }
  const queued = state.queue.find((turn) => turn.turnId === turnId);
  if (queued === undefined) {
    const status =
      presentTurn(state, turnId)?.status ??
      recall(state.dedupe, entryKey('turn', cancel.turnId ?? turnId))?.status ??
      'completed';
    return status as TurnStatus;
  }
  if (queued.origin === 'background') appendWithoutTurn(cx, queued);
  endQueued(cx, queued, 'cancelled', 'cancelled_by_user', cancel.reason);
  return 'cancelled';
}

/** `runIds`: the runs of the turn that was ended which are cancelled with it, if that was asked for. */
export interface TurnsReset {
  cancelled?: string;
  skipped: string[];
  runIds?: string[];
}

/** Ends the running turn and skips queued user turns; background inputs stay queued. */
export function resetTurns(
  cx: Cx,
  { reason, runs }: { reason?: string; runs?: 'keep' | 'cancel' },
): TurnsReset | Refusal {
  const { state } = cx;
  if (state.closing !== undefined) return closed(state);
  leaveLoop(state);
  const cancelled = state.turn?.turnId;
  if (state.turn !== null) endTurn(cx, 'cancelled', { reason: 'reset', comment: reason });
  const skipped = state.queue.filter((turn) => turn.origin === 'user');
  for (const turn of skipped) endQueued(cx, turn, 'skipped', 'reset', reason);
  const reset = { ...(cancelled === undefined ? {} : { cancelled }), skipped: skipped.map((turn) => turn.turnId) };
  if (runs !== 'cancel') return reset;
  return { ...reset, runIds: cancelled === undefined ? [] : cancelStartedBy(cx, cancelled, reason) };
}
