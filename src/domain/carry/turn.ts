/**
 * Turns, the step under way, and the memory of keys in their carried form. A background input is its slot: number of the row,
 * kind, number of the milestone; keys stand one after another, with a table of the turn ids that they name.
 */
import { HASH } from '../log/dedupe.ts';
import { longTurnId, shortTurnId } from '../state/ids.ts';
import { canonical } from '../state/json.ts';
import {
  iso,
  noUsage,
  slotOf,
  type ActiveTurn,
  type Body,
  type QueuedTurn,
  type RunState,
  type SlotRef,
  type State,
  type TurnInput,
} from '../state/state.ts';
import { isOpen } from '../turn/step-size.ts';
import type { InputRef, Json, MessagePart, UIMessage } from '../state/types.ts';

const SLOTS: readonly SlotRef['kind'][] = ['finish', 'gave-up', 'milestone', 'ask'];

/** The last number counts watched milestones or questions of the row. */
type PackedSlot = [row: number, kind: number, which?: number];
type PackedMessage = [n: number, messageId: string, message: string];

/** Packs slots of these rows; the numbers of the rows are looked up once. */
export function slotPacker(rows: readonly RunState[]): (slot: SlotRef) => PackedSlot {
  const numbers = new Map(rows.map((row, i) => [row.runId, i]));
  return (slot) => {
    const number = numbers.get(slot.runId) ?? -1;
    if (slot.kind === 'ask')
      return [
        number,
        SLOTS.indexOf(slot.kind),
        rows[number]?.asks?.findIndex((ask) => ask.requestId === slot.requestId) ?? -1,
      ];
    if (slot.kind !== 'milestone') return [number, SLOTS.indexOf(slot.kind)];
    return [number, SLOTS.indexOf(slot.kind), Object.keys(rows[number]?.delivery.milestones ?? {}).indexOf(slot.name)];
  };
}

export function unpackSlotRef(rows: readonly RunState[], packed: unknown): SlotRef {
  const [number, kind, which = 0] = packed as PackedSlot;
  const row = rows[number];
  const runId = row?.runId ?? '';
  const named = SLOTS[kind] ?? 'finish';
  if (named === 'milestone')
    return { runId, kind: named, name: Object.keys(row?.delivery.milestones ?? {})[which] ?? '' };
  return named === 'ask'
    ? { runId, kind: named, requestId: row?.asks?.[which]?.requestId ?? '' }
    : { runId, kind: named };
}

interface UserTurn {
  i: string;
  n: number;
  c: number;
  k?: string[];
  m?: Json;
  s?: number;
  p: [key: string | 0, messages: UIMessage[], bytes: number, metadata?: Json][];
}
interface BackgroundTurn {
  i: string;
  n: number;
  b: [input: PackedSlot | PackedMessage, bytes: number][];
}

export function packTurn(
  state: State,
  turn: QueuedTurn,
  packSlot: (slot: SlotRef) => PackedSlot,
): UserTurn | BackgroundTurn {
  const core = { i: shortTurnId(state.epoch, turn.turnId), n: Date.parse(turn.queuedAt) };
  if (turn.origin === 'background')
    return { ...core, b: turn.pending.flatMap(({ body, bytes }) => packBackground(body, bytes, packSlot)) };
  return {
    ...core,
    c: turn.cost,
    ...(turn.keys.length === 0 ? {} : { k: turn.keys }),
    ...(turn.metadata === undefined ? {} : { m: turn.metadata }),
    ...(turn.startAfter === undefined ? {} : { s: turn.startAfter }),
    p: turn.pending.map(
      ({ ref, body, bytes, metadata }, i) =>
        [
          ref.key ?? 0,
          body.source === 'user' ? body.messages : [],
          bytes,
          ...(metadata === undefined || i === 0 ? [] : [metadata]),
        ] as UserTurn['p'][number],
    ),
  };
}

export function unpackTurn(state: State, rows: readonly RunState[], packed: unknown): QueuedTurn {
  const turn = packed as UserTurn | BackgroundTurn;
  const pending =
    'b' in turn
      ? turn.b.map(([input, bytes]) => unpackBackground(rows, input, bytes))
      : turn.p.map(([key, messages, bytes, own], i): TurnInput => {
          // That of the first input is the turn's.
          const metadata = i === 0 && own === undefined ? turn.m : own;
          return {
            ref: key === 0 ? { source: 'user' } : { source: 'user', key },
            body: { source: 'user', messages },
            bytes,
            ...(metadata === undefined ? {} : { metadata }),
          };
        });
  const inputs: InputRef[] = pending.map((input) => input.ref);
  return {
    turnId: longTurnId(state.epoch, turn.i),
    cost:
      'c' in turn
        ? turn.c
        : pending.reduce((sum, input) => sum + (input.body.source === 'message' ? input.bytes : 0), 0),
    origin: 'b' in turn ? 'background' : 'user',
    queuedAt: iso(turn.n),
    inputs,
    pending,
    usage: noUsage(),
    bytes: pending.reduce((sum, input) => sum + input.bytes, 0),
    keys: ('k' in turn && turn.k) || [],
    ...('m' in turn ? { metadata: turn.m } : {}),
    ...('s' in turn && turn.s !== undefined ? { startAfter: turn.s } : {}),
  };
}

function packBackground(
  body: Body,
  bytes: number,
  packSlot: (slot: SlotRef) => PackedSlot,
): [PackedSlot | PackedMessage, number][] {
  switch (body.source) {
    case 'user':
      return [];
    case 'message':
      return [[[body.message.n, body.message.messageId, body.message.message], bytes]];
    case 'background-run':
      return [[packSlot(body.slot), bytes]];
    default:
      return body satisfies never;
  }
}

function isMessage(packed: PackedSlot | PackedMessage): packed is PackedMessage {
  return typeof packed[1] === 'string';
}

function unpackBackground(rows: readonly RunState[], packed: PackedSlot | PackedMessage, bytes: number): TurnInput {
  if (isMessage(packed)) {
    const [n, messageId, message] = packed;
    return {
      ref: { source: 'background-run', key: messageId },
      body: { source: 'message', message: { n, messageId, message } },
      bytes,
    };
  }
  const slot = unpackSlotRef(rows, packed);
  const row = rows.find((one) => one.runId === slot.runId);
  return {
    ref: { source: 'background-run', key: row === undefined ? '' : (slotOf(row, slot)?.key ?? '') },
    body: { source: 'background-run', slot },
    bytes,
  };
}

/** The running turn: a call that has no answer yet has its input once, not in its part too. */
export function packActive(turn: ActiveTurn): ActiveTurn {
  return {
    ...turn,
    parts: turn.parts.map((part) => {
      const { input, ...rest } = part;
      return isOpen(part) && canonical(inputOf(turn, part)) === canonical(input) ? rest : part;
    }),
  };
}

export function unpackActive(turn: ActiveTurn): ActiveTurn {
  return {
    ...turn,
    parts: turn.parts.map((part) => {
      const input = part['input'] === undefined && isOpen(part) ? inputOf(turn, part) : undefined;
      return input === undefined ? part : { ...part, input };
    }),
  };
}

function inputOf(turn: ActiveTurn, part: MessagePart): Json | undefined {
  return turn.calls.find((call) => call.toolCallId === part['toolCallId'])?.input;
}

interface PackedKeys {
  ids: string[];
  keys: string[];
}

export function packKeys({ epoch, dedupe }: State): PackedKeys {
  const ids = new Map<string, number>();
  const keys = Object.entries(dedupe).map(([entry, value]) => {
    const id = value.slice(HASH + 1);
    if (id === '') return `${entry}${value}`;
    if (!ids.has(id)) ids.set(id, ids.size);
    return `${entry}${value.slice(0, HASH + 1)}${ids.get(id) ?? 0}`;
  });
  return { ids: [...ids.keys()].map((id) => shortTurnId(epoch, id)), keys };
}

export function unpackKeys(epoch: string, { ids, keys }: PackedKeys): Record<string, string> {
  return Object.fromEntries(
    keys.map((key) => {
      const number = key.slice(2 * HASH + 1);
      return [
        key.slice(0, HASH),
        `${key.slice(HASH, 2 * HASH + 1)}${number === '' ? '' : longTurnId(epoch, ids[Number(number)] ?? '')}`,
      ];
    }),
  );
}
