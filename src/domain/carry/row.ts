/**
 * Rows of runs in their carried form: short keys, instants and statuses as numbers, and nothing that can be made again from
 * ids or defaults. A thousand queued runs must fit beside everything else.
 */
import {
  finishKey,
  gaveUpKey,
  longTurnId,
  milestoneKey,
  mintRunId,
  shortTurnId,
  workflowIdOfRun,
} from '../state/ids.ts';
import { fillDetached } from '../run/admission.ts';
import { iso, noUsage, type OldRow, type RunState, type State } from '../state/state.ts';
import type { Delivery, Detached, Milestone, RunKind, RunStatus, SettledStatus, Usage } from '../state/types.ts';

const SHORT = {
  runId: 'i',
  agent: 'a',
  label: 'l',
  reason: 'r',
  comment: 'c',
  childStillRunning: 'b',
  parentToolCallId: 'p',
  progress: 'g',
  result: 'v',
  preview: 'w',
  error: 'e',
  starting: 'y',
  epoch: 'h8',
  bytes: 'z',
  inputBytes: 'zi',
  cancelReason: 'cr',
  cancelComment: 'cc',
  cancelCascade: 'ca',
  graceAt: 'ga',
  cancelledBelow: 'cb',
  gaveUpReason: 'gr',
  lastMilestone: 'on',
  missed: 'ms',
  seenEvents: 'se',
  unread: 'ur',
  messages: 'mn',
  asks: 'ak',
  pausedAt: 'pa',
  handlers: 'hk',
  finishHook: 'fh',
  forced: 'fo',
  ordinal: 'j',
} as const;
const INSTANTS = { createdAt: 'n', startedAt: 'm', settledAt: 'x', deadlineAt: 'd', cancelRequestedAt: 'cx' } as const;

type Bag = Record<string, unknown>;
const DELIVERIES: readonly Delivery['state'][] = ['pending', 'queued', 'delivered', 'not_required'];
const KINDS: readonly RunKind[] = ['agent', 'task', 'workflow'];
const STATUSES: readonly RunStatus[] = [
  'queued',
  'running',
  'input_required',
  'completed',
  'failed',
  'cancelled',
  'interrupted',
];

export function packRow(state: State, row: RunState): Bag {
  const bag: Bag = { k: KINDS.indexOf(row.kind), s: STATUSES.indexOf(row.status) };
  for (const [field, short] of Object.entries(SHORT)) {
    const value = row[field as keyof typeof SHORT];
    if (value !== undefined) bag[short] = value;
  }
  for (const [field, short] of Object.entries(INSTANTS)) {
    const value = row[field as keyof typeof INSTANTS];
    if (value !== undefined) bag[short] = Date.parse(value);
  }
  const since = Date.parse(row.createdAt);
  if (row.movedAt !== undefined) bag['mv'] = row.movedAt - since;
  if (row.lookAt !== undefined || row.due === true)
    bag['L'] = [row.due === true ? 0 : (row.lookAt ?? since) - since, row.looks ?? 0];
  if (row.turnId !== undefined) bag['t'] = shortTurnId(state.epoch, row.turnId);
  if (row.milestones.length > 0)
    bag['o'] = row.milestones.map(({ n, name, at, data }) => [
      n,
      name,
      Date.parse(at),
      ...(data === undefined ? [] : [data]),
    ]);
  const usage = packUsage(row.usage);
  if (usage.some((count) => count !== 0)) bag['u'] = usage;
  if (row.resultRef !== undefined) bag['f'] = row.resultRef === row.workflowId ? 1 : row.resultRef;
  // Agent, label and `detached` of the request are those of the row.
  if (row.request !== undefined)
    bag['q'] = {
      input: row.request.input,
      ...(row.request.metadata === undefined ? {} : { metadata: row.request.metadata }),
    };
  const defaults = fillDetached(state);
  const own = Object.entries(row.detached).filter(
    ([field, value]) => value !== undefined && value !== defaults[field as keyof Detached],
  );
  if (own.length > 0) bag['h'] = Object.fromEntries(own);
  bag['D'] = packSlot(state, row.delivery.finish);
  if (row.delivery.gaveUp !== undefined) bag['G'] = packSlot(state, row.delivery.gaveUp);
  if (row.delivery.milestones !== undefined)
    bag['M'] = Object.entries(row.delivery.milestones).map(([name, slot]) => [name, packSlot(state, slot)]);
  return bag;
}

export function unpackRow(state: State, bag: Bag): RunState {
  const row: Bag = {};
  for (const [field, short] of Object.entries(SHORT)) if (bag[short] !== undefined) row[field] = bag[short];
  for (const [field, short] of Object.entries(INSTANTS))
    if (bag[short] !== undefined) row[field] = iso(bag[short] as number);
  const runId = String(bag['i']);
  const starter = state.workflowId;
  const workflowId = workflowIdOfRun(starter, runId);
  const detached: Detached = { ...fillDetached(state), ...(bag['h'] as Partial<Detached> | undefined) };
  const delivery: RunState['delivery'] = { finish: unpackSlot(state, finishKey(starter, runId), bag['D']) };
  if (bag['G'] !== undefined) delivery.gaveUp = unpackSlot(state, gaveUpKey(starter, runId), bag['G']);
  if (bag['M'] !== undefined) {
    delivery.milestones = Object.fromEntries(
      (bag['M'] as [string, unknown][]).map(([name, slot]) => [
        name,
        unpackSlot(state, milestoneKey(starter, runId, name), slot),
      ]),
    );
  }
  const since = bag[INSTANTS.createdAt] as number;
  if (bag['mv'] !== undefined) row['movedAt'] = since + Number(bag['mv']);
  if (bag['L'] !== undefined) [row['lookAt'], row['looks']] = unpackLooks(since, bag['L']);
  if (typeof bag['t'] === 'string') row['turnId'] = longTurnId(state.epoch, bag['t']);
  if (bag['f'] !== undefined) row['resultRef'] = bag['f'] === 1 ? workflowId : bag['f'];
  if (bag['q'] !== undefined) {
    row['request'] = {
      agent: row['agent'],
      ...(bag['q'] as object),
      detached,
      ...(row['label'] === undefined ? {} : { label: row['label'] }),
    };
  }
  return {
    // A settled row that was cut to the bone has no deadline any more.
    deadlineAt: row['settledAt'] ?? row['createdAt'],
    ...row,
    kind: KINDS[bag['k'] as number],
    status: STATUSES[bag['s'] as number],
    workflowId,
    depth: state.depth + 1,
    usage: unpackUsage(bag['u']),
    detached,
    delivery,
    milestones: ((bag['o'] as [number, string, number, Milestone['data']?][] | undefined) ?? []).map(
      ([n, name, at, data]) => ({ n, name, at: iso(at), ...(data === undefined ? {} : { data }) }),
    ),
  } as unknown as RunState;
}

function unpackLooks(since: number, packed: unknown): [lookAt: number, looks: number] {
  const [after, looks] = packed as [number, number];
  return [since + after, looks];
}

function packUsage({ inputTokens, outputTokens, totalTokens, modelCalls, costUsd }: Usage): number[] {
  return [inputTokens, outputTokens, totalTokens, modelCalls, ...(costUsd === undefined ? [] : [costUsd])];
}

function unpackUsage(packed: unknown): Usage {
  if (packed === undefined) return noUsage();
  const [inputTokens = 0, outputTokens = 0, totalTokens = 0, modelCalls = 0, costUsd] = packed as number[];
  return { inputTokens, outputTokens, totalTokens, modelCalls, ...(costUsd === undefined ? {} : { costUsd }) };
}

function packSlot({ epoch }: State, slot: Delivery): unknown[] {
  const turnId = slot.turnId === undefined ? 0 : shortTurnId(epoch, slot.turnId);
  if (slot.at !== undefined) return [DELIVERIES.indexOf(slot.state), turnId, Date.parse(slot.at)];
  return [DELIVERIES.indexOf(slot.state), ...(turnId === 0 ? [] : [turnId])];
}

function unpackSlot({ epoch }: State, key: string, packed: unknown): Delivery {
  const [state, turnId, at] = packed as [number, string | 0 | undefined, number | undefined];
  const slot: Delivery = { key, state: DELIVERIES[state] ?? 'pending' };
  if (typeof turnId === 'string') slot.turnId = longTurnId(epoch, turnId);
  if (at !== undefined) slot.at = iso(at);
  return slot;
}

/** A minted run id without what all of them begin with. */
function minted(state: State): string {
  return mintRunId(state.epoch, 0).slice(0, -1);
}

export function packForgotten(state: State, row: OldRow): unknown[] {
  const start = minted(state);
  const id = row.runId.startsWith(start) ? `~${row.runId.slice(start.length)}` : row.runId;
  return [
    id,
    STATUSES.indexOf(row.status),
    Date.parse(row.settledAt),
    row.ordinal,
    ...(row.reason === undefined ? [] : [row.reason]),
  ];
}

export function unpackForgotten(state: State, packed: unknown): OldRow {
  const [id, status, at, ordinal, reason] = packed as [string, number, number, number, string | undefined];
  const runId = id.startsWith('~') ? `${minted(state)}${id.slice(1)}` : id;
  return {
    ordinal,
    runId,
    status: STATUSES[status] as SettledStatus,
    ...(reason === undefined ? {} : { reason }),
    settledAt: iso(at),
    forgotten: true,
  };
}
