/**
 * Admission of user input: one turn at a time, in the order of acceptance, and what new input does to those before it
 * (`onBusy`). Background inputs are not touched by any of it.
 */
import { entryKey, freshTurnId, payloadHash, recall, remember, rememberEnd, type Known } from '../log/dedupe.ts';
import { jsonBytes } from '../state/json.ts';
import { mintTurnId } from '../state/ids.ts';
import { emit } from '../log/events.ts';
import { echo } from '../log/refusals.ts';
import { closed, full, inputCost, liveBytes, queuedBytes, turnCost } from '../log/capacity.ts';
import { KEY_BYTES, LIVE_BYTES } from '../state/sizes.ts';
import { leaveLoop } from '../state/loop.ts';
import { iso, type Cx, type State } from '../state/state.ts';
import type { QueuedTurn, TurnInput } from '../state/turn.ts';
import { noUsage } from '../state/usage.ts';
import { keepEnded } from './past.ts';
import { endQueued, presentTurn, turnNamed } from './queue.ts';
import { steer } from './steer.ts';
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
  /** Of input that steers: the turn that it becomes if the one it joined ends before it was read. */
  ownTurnId?: string;
}

/** What is reckoned of an input once, as it may be large. */
interface Measure {
  /** By which the same payload is known again: under a turn id, and under a key. */
  payload: string;
  keyed: string;
  /** Of its messages and metadata. */
  bytes: number;
}

function onBusyOf({ onBusy }: SubmitTurn, { settings }: State): OnBusy {
  return onBusy ?? settings.turns.onBusy;
}

/** Input that comes with neither id nor key is like no other, and is not hashed: that costs most of what taking it costs. */
function measureOf(submit: SubmitTurn, state: State): Measure {
  const filled = {
    input: submit.input.map((message) => ({ ...message, id: message.id === '' ? undefined : message.id })),
    metadata: submit.metadata,
    onBusy: onBusyOf(submit, state),
  };
  return {
    payload: submit.turnId === undefined ? '' : payloadHash(filled),
    keyed: submit.idempotencyKey === undefined ? '' : payloadHash({ ...filled, turnId: submit.turnId }),
    bytes: jsonBytes(submit.input) + jsonBytes(submit.metadata ?? null),
  };
}

/** `ownId`: of the input, which may stand for another turn. */
function receiptOf(state: State, submit: SubmitTurn, known: Known, ownId: string): TurnReceipt {
  const turnId = turnNamed(state, ownId);
  const present = presentTurn(state, turnId) ?? { status: (known.status ?? 'completed') as TurnStatus, position: 0 };
  const joined = onBusyOf(submit, state) === 'steer' && turnId !== ownId;
  return { turnId, ...present, deduplicated: true, ...(joined ? { ownTurnId: ownId } : {}) };
}

function known(state: State, submit: SubmitTurn, { payload, keyed }: Measure): TurnReceipt | Refusal | undefined {
  if (submit.idempotencyKey !== undefined) {
    const found = recall(state.dedupe, entryKey('turn-key', submit.idempotencyKey));
    if (found !== undefined) {
      return found.payload === keyed
        ? receiptOf(state, submit, found, found.id === '' ? (submit.turnId ?? '') : found.id)
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
    ? receiptOf(state, submit, found, submit.turnId)
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
  const onBusy = onBusyOf(submit, state);
  if (skipReason(state, submit, onBusy) !== undefined) return undefined;
  const { limits } = state.settings;
  const users = state.queue.filter((turn) => turn.origin === 'user');
  const replaced = onBusy === 'latest' ? users : [];
  if (busy(state)) {
    const waiting = users.length - replaced.length + (state.turn?.steers?.length ?? 0);
    if (targetOf(state, submit, onBusy) === undefined && waiting >= limits.maxQueuedTurns) {
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
    costOf(state, submit, measure);
  return live > LIVE_BYTES ? full(live) : undefined;
}

function costOf(state: State, submit: SubmitTurn, { bytes }: Measure): number {
  const { turnId, idempotencyKey } = submit;
  // One that steers is always known by the turn that it may become.
  const keys =
    (turnId === undefined && !joinsRunning(state, onBusyOf(submit, state)) ? 0 : 1) +
    (idempotencyKey === undefined ? 0 : 1);
  return inputCost(bytes, idempotencyKey, keys);
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

function joinsRunning({ turn }: State, onBusy: OnBusy): boolean {
  return onBusy === 'steer' && turn !== null;
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
  const onBusy = onBusyOf(submit, state);
  const skipped = skipReason(state, submit, onBusy);
  if (skipped !== undefined) return skip(cx, submit, measure, skipped);
  const cost = costOf(state, submit, measure);
  if (state.turn !== null && joinsRunning(state, onBusy)) {
    const turn = newTurn(cx, submit, measure, cost);
    steer(cx, state.turn, turn);
    return { turnId: state.turn.turnId, status: 'running', position: 0, deduplicated: false, ownTurnId: turn.turnId };
  }
  const target = targetOf(state, submit, onBusy);
  if (target !== undefined) {
    target.cost += cost;
    join(cx, target, inputOf(submit, measure, rememberSubmit(state, submit, target.turnId, measure)));
    putOff(cx, onBusy, target);
    return { turnId: target.turnId, status: 'queued', position: state.queue.indexOf(target) + 1, deduplicated: false };
  }
  const turn = newTurn(cx, submit, measure, cost);
  putOff(cx, onBusy, turn);
  if (onBusy === 'latest')
    for (const old of state.queue.filter((one) => one.origin === 'user')) endQueued(cx, old, 'skipped', 'superseded');
  if (onBusy === 'interrupt') {
    if (state.turn !== null) endTurn(cx, 'cancelled', { reason: 'interrupted' });
    state.queue.unshift(turn);
  } else state.queue.push(turn);
  const { turnId, inputs } = turn;
  emit(cx, 'turn.queued', { turnId, inputs: inputs.slice() });
  return { turnId, status: 'queued', position: state.queue.indexOf(turn) + 1, deduplicated: false };
}

function skip(cx: Cx, submit: SubmitTurn, measure: Measure, reason: 'empty' | 'dropped'): TurnReceipt {
  const { state } = cx;
  const turnId = submit.turnId ?? freshTurnId(state);
  const keys = rememberSubmit(state, submit, turnId, measure);
  const { ref, metadata } = inputOf(submit, measure, keys);
  keepEnded(cx, {
    turnId,
    status: 'skipped',
    reason,
    inputs: [ref],
    ...(metadata === undefined ? {} : { metadata }),
    steps: 0,
    queuedAt: iso(cx.now),
    endedAt: iso(cx.now),
    usage: noUsage(),
    keys,
  });
  emit(cx, 'turn.skipped', { turnId, inputs: [ref], reason });
  return { turnId, status: 'skipped', position: 0, deduplicated: false };
}

/** The turn that new input is, or becomes. */
function newTurn(cx: Cx, submit: SubmitTurn, measure: Measure, cost: number): QueuedTurn {
  const { state } = cx;
  const turnId = submit.turnId ?? freshTurnId(state);
  const keys = rememberSubmit(state, submit, turnId, measure);
  const input = inputOf(submit, measure, keys);
  return {
    turnId,
    origin: 'user',
    inputs: [input.ref],
    pending: [input],
    queuedAt: iso(cx.now),
    usage: noUsage(),
    keys: keys.slice(),
    ...(submit.metadata === undefined ? {} : { metadata: submit.metadata }),
    bytes: measure.bytes,
    cost: turnCost(turnId) + cost,
  };
}

function inputOf({ input, idempotencyKey, metadata }: SubmitTurn, { bytes }: Measure, keys: string[]): TurnInput {
  const ref: InputRef = idempotencyKey === undefined ? { source: 'user' } : { source: 'user', key: idempotencyKey };
  return {
    ref,
    body: { source: 'user', messages: input },
    bytes,
    ...(metadata === undefined ? {} : { metadata }),
    ...(keys.length === 0 ? {} : { keys }),
  };
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
  { turnId, ownTurnId, status }: TurnReceipt,
  { keyed }: Measure,
): void {
  if (submit.idempotencyKey === undefined || submit.turnId === undefined) return;
  const entry = entryKey('turn-key', submit.idempotencyKey);
  if (recall(state.dedupe, entry) !== undefined || liveBytes(state) + KEY_BYTES > LIVE_BYTES) return;
  const stands = ownTurnId ?? turnId;
  remember(state.dedupe, entry, keyed, stands === submit.turnId ? '' : stands);
  const live = [state.turn, ...(state.turn?.steers ?? []), ...state.queue].find((turn) => turn?.turnId === stands);
  if (live === undefined || live === null) rememberEnd(state.dedupe, entry, status);
  else {
    live.keys.push(entry);
    live.cost += KEY_BYTES;
  }
  const first = entryKey('turn', submit.turnId);
  const inputs = [...(state.turn?.steers ?? []), ...state.queue].flatMap(({ pending }) => pending);
  for (const { keys } of [...inputs, ...state.transcript]) if (keys?.includes(first) === true) keys.push(entry);
}

function join(cx: Cx, target: QueuedTurn, input: TurnInput): void {
  target.pending.push(input);
  target.inputs.push(input.ref);
  target.keys.push(...(input.keys ?? []));
  target.bytes += input.bytes;
  emit(cx, 'turn.joined', { turnId: target.turnId, inputs: [input.ref] });
}

/** Whoever waits for quiet begins to wait anew with every input for the queue; debounced input says itself for how long. */
function putOff({ state, now }: Cx, onBusy: OnBusy, turn: QueuedTurn): void {
  if (typeof onBusy === 'object') turn.debounceMs = onBusy.debounceMs;
  for (const one of new Set([...state.queue, turn])) {
    const { debounceMs, startAfter = 0 } = one;
    // For one that has had its quiet and only waits for its turn nothing begins anew.
    if (debounceMs !== undefined && (one === turn || startAfter > now)) one.startAfter = now + debounceMs;
  }
}
