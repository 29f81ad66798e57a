/**
 * Rows and queued turns in their carried form: short keys, instants as numbers, and nothing that can be made again from ids
 * or defaults. A thousand queued runs must fit beside everything else.
 */
import { finishKey, gaveUpKey, milestoneKey, workflowIdOfRun } from './ids.ts';
import { canonical } from './json.ts';
import { fillDetached } from './runs.ts';
import { iso, noUsage, slotOf, type QueuedTurn, type RunState, type SlotRef, type State, type TurnInput } from './state.ts';
import type { Delivery, ForgottenRow, SettledStatus } from './types.ts';

const SHORT = {
  runId: 'i', agent: 'a', kind: 'k', label: 'l', status: 's', reason: 'r', comment: 'c', childStillRunning: 'b', parentToolCallId: 'p', turnId: 't',
  progress: 'g', result: 'v', preview: 'w', error: 'e', request: 'q', starting: 'y', epoch: 'h8', bytes: 'z', cancelReason: 'cr', cancelComment: 'cc', cancelCascade: 'ca',
  graceAt: 'ga', cancelledBelow: 'cb', gaveUpReason: 'gr',
} as const;
const INSTANTS = { createdAt: 'n', startedAt: 'm', settledAt: 'x', deadlineAt: 'd', cancelRequestedAt: 'cx' } as const;

type Bag = Record<string, unknown>;
const STATES: readonly Delivery['state'][] = ['pending', 'queued', 'delivered', 'not_required'];

export function packRow(state: State, row: RunState): Bag {
  const bag: Bag = {};
  for (const [field, short] of Object.entries(SHORT)) {
    const value = row[field as keyof typeof SHORT];
    if (value !== undefined) bag[short] = value;
  }
  for (const [field, short] of Object.entries(INSTANTS)) {
    const value = row[field as keyof typeof INSTANTS];
    if (value !== undefined) bag[short] = Date.parse(value);
  }
  if (row.milestones.length > 0) bag['o'] = row.milestones;
  if (canonical(row.usage) !== canonical(noUsage())) bag['u'] = row.usage;
  if (row.resultRef !== undefined) bag['f'] = 1;
  if (canonical(row.detached) !== canonical(fillDetached(state))) bag['h'] = row.detached;
  bag['D'] = packSlot(row.delivery.finish);
  if (row.delivery.gaveUp !== undefined) bag['G'] = packSlot(row.delivery.gaveUp);
  if (row.delivery.milestones !== undefined) bag['M'] = Object.entries(row.delivery.milestones).map(([name, slot]) => [name, packSlot(slot)]);
  return bag;
}

export function unpackRow(state: State, bag: Bag): RunState {
  const row: Bag = {};
  for (const [field, short] of Object.entries(SHORT)) if (bag[short] !== undefined) row[field] = bag[short];
  for (const [field, short] of Object.entries(INSTANTS)) if (bag[short] !== undefined) row[field] = iso(bag[short] as number);
  const runId = String(bag['i']);
  const starter = state.workflowId;
  const workflowId = workflowIdOfRun(starter, runId);
  const delivery: RunState['delivery'] = { finish: unpackSlot(finishKey(starter, runId), bag['D']) };
  if (bag['G'] !== undefined) delivery.gaveUp = unpackSlot(gaveUpKey(starter, runId), bag['G']);
  if (bag['M'] !== undefined) {
    delivery.milestones = Object.fromEntries((bag['M'] as [string, unknown][]).map(([name, slot]) => [name, unpackSlot(milestoneKey(starter, runId, name), slot)]));
  }
  return {
    ...row, workflowId, depth: state.depth + 1, milestones: bag['o'] ?? [], usage: bag['u'] ?? noUsage(), detached: bag['h'] ?? fillDetached(state), delivery,
    ...(bag['f'] === 1 ? { resultRef: workflowId } : {}),
  } as unknown as RunState;
}

function packSlot(slot: Delivery): unknown[] {
  return [STATES.indexOf(slot.state), ...(slot.turnId === undefined && slot.at === undefined ? [] : [slot.turnId ?? 0]), ...(slot.at === undefined ? [] : [Date.parse(slot.at)])];
}

function unpackSlot(key: string, packed: unknown): Delivery {
  const [state, turnId, at] = packed as [number, string | 0 | undefined, number | undefined];
  const slot: Delivery = { key, state: STATES[state] ?? 'pending' };
  if (typeof turnId === 'string') slot.turnId = turnId;
  if (at !== undefined) slot.at = iso(at);
  return slot;
}

/** A background turn's inputs are its slots: row number, kind, name. */
export function packTurn(state: State, turn: QueuedTurn): unknown {
  if (turn.origin === 'user') return turn;
  const { pending, inputs: _inputs, usage: _usage, ...rest } = turn;
  const numbers = new Map(state.runs.map((row, i) => [row.runId, i]));
  return {
    ...rest,
    slots: pending.map(({ body, bytes }) => (body.source === 'user' ? body : [numbers.get(body.slot.runId), bytes, body.slot.kind, ...(body.slot.kind === 'milestone' ? [body.slot.name] : [])])),
  };
}

export function unpackTurn(state: State, packed: unknown): QueuedTurn {
  const turn = packed as QueuedTurn & { slots?: [number, number, SlotRef['kind'], string?][] };
  if (turn.slots === undefined) return turn;
  const { slots, ...rest } = turn;
  const pending = slots.map(([number, bytes, kind, name]): TurnInput => {
    const row = state.runs[number];
    const runId = row?.runId ?? '';
    const slot: SlotRef = kind === 'milestone' ? { runId, kind, name: name ?? '' } : { runId, kind };
    const key = row === undefined ? '' : (slotOf(row, slot)?.key ?? '');
    return { ref: { source: 'background-run', key }, body: { source: 'background-run', slot }, bytes };
  });
  return { ...rest, usage: noUsage(), pending, inputs: pending.map((input) => input.ref) };
}

export function packForgotten(row: ForgottenRow): unknown[] {
  return [row.runId, row.status, Date.parse(row.settledAt), ...(row.reason === undefined ? [] : [row.reason])];
}

export function unpackForgotten(packed: unknown): ForgottenRow {
  const [runId, status, at, reason] = packed as [string, SettledStatus, number, string | undefined];
  return { runId, status, ...(reason === undefined ? {} : { reason }), settledAt: iso(at), forgotten: true };
}
