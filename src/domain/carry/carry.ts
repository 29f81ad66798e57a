/**
 * What goes from one execution to the next: one versioned, plain JSON object of at most 1 MiB.
 *
 * Over 2 MiB a session would spin dead, so the size is measured, never guessed. What does not fit is shed in a fixed order, see
 * `shed.ts`. Queue, live rows and unfilled slots are never shed: `LIVE_BYTES` bounds them at admission.
 */
import { forgetOldest } from '../log/dedupe.ts';
import { packForgotten, packRow, unpackForgotten, unpackRow } from './row.ts';
import {
  packActive,
  packKeys,
  packTurn,
  slotPacker,
  unpackActive,
  unpackKeys,
  unpackSlotRef,
  unpackTurn,
} from './turn.ts';
import { jsonBytes } from '../state/json.ts';
import { flushRefusals } from '../log/refusals.ts';
import { shed, type Scale } from './shed.ts';
import { KEPT_KEYS, KIB, MIB } from '../state/sizes.ts';
import type { Cx, RunSelf, RunState, State } from '../state/state.ts';
import type { OutliveEvent } from '../state/types.ts';

export const CARRY_VERSION = 1;
export const CARRY_BYTES = MIB;
/** The log is carried as it is up to this size; beyond it its older part goes into the archive. */
export const LOG_BYTES = 128 * KIB;
/** Room for the log that nothing else may take. */
const LOG_LEAST = 32 * KIB;

export interface Carried {
  v: number;
  state: unknown;
}

/** `carried` goes into the next execution, `leaving` into the archive of this one, oldest first. */
export interface Packed {
  carried: Carried;
  leaving: OutliveEvent[];
}

/** Packs the state, and sheds from it what is not carried; one that goes on after that is packed again. Of the log what fits is carried. */
export function pack(cx: Cx): Packed {
  const { state } = cx;
  flushRefusals(cx);
  forgetOldest(state.dedupe, KEPT_KEYS);
  const most = CARRY_BYTES - KIB;
  const scale = scaleOf(state);
  shed(cx, most - LOG_LEAST, scale);
  const room = Math.min(LOG_BYTES, most - scale.control() - jsonBytes(state.transcript));
  const first = state.log.length - tail(state.log, room);
  return {
    carried: { v: CARRY_VERSION, state: compact({ ...state, log: state.log.slice(first) }) },
    leaving: state.log.slice(0, first),
  };
}

/** The state as it was packed. A newer version than this code knows is refused loudly: an older worker must not guess. */
export function unpack(carried: Carried): State {
  if (carried.v !== CARRY_VERSION) {
    throw new Error(
      `This worker reads carried state of version ${CARRY_VERSION}, got version ${carried.v}: deploy a worker that knows it.`,
    );
  }
  return expand(carried.state as Compact);
}

/** How many of the last events fit. */
export function tail(log: readonly OutliveEvent[], bytes: number): number {
  let used = 2;
  let kept = 0;
  for (let i = log.length - 1; i >= 0; i--) {
    used += jsonBytes(log[i]) + 1;
    if (used > bytes) break;
    kept++;
  }
  return kept;
}

/** Weighs everything but log and transcript. Rows may be many and large: each is weighed once, and anew when it was touched. */
function scaleOf(state: State): Scale {
  const rows = new Map<RunState, number>();
  return {
    control() {
      let bytes = jsonBytes({ ...compact({ ...state, log: [], transcript: [] }), runs: [] });
      for (const row of state.runs) {
        const known = rows.get(row) ?? jsonBytes(packRow(state, row)) + 1;
        rows.set(row, known);
        bytes += known;
      }
      return bytes;
    },
    touched(row) {
      rows.delete(row);
    },
  };
}

type Compact = Omit<State, 'runs' | 'queue' | 'forgotten' | 'lines' | 'dedupe'> & {
  runs: Record<string, unknown>[];
  queue: unknown[];
  forgotten: unknown[];
  lines: unknown[];
  dedupe: ReturnType<typeof packKeys>;
};

/** The state in its carried form. */
function compact(state: State): Compact {
  const packSlot = slotPacker(state.runs);
  return {
    ...state,
    ...(state.self === undefined ? {} : { self: packSelf(state.self) }),
    turn: state.turn === null ? null : packActive(state.turn),
    runs: state.runs.map((row) => packRow(state, row)),
    queue: state.queue.map((turn) => packTurn(state, turn, packSlot)),
    forgotten: state.forgotten.map((row) => packForgotten(state, row)),
    lines: state.lines.map(packSlot),
    dedupe: packKeys(state),
  };
}

/** Milestones that the parent knows, and an agent's input once it is a turn, are not needed any more. */
function packSelf(self: RunSelf): RunSelf {
  const last = self.milestones.at(-1);
  return {
    ...self,
    ...(self.kind === 'agent' ? { input: null } : {}),
    milestones: self.milestones.filter((one) => one === last || (self.parentGone !== true && one.n > self.told)),
  };
}

function expand(packed: Compact): State {
  const { epoch } = packed;
  const base: State = {
    ...packed,
    runs: [],
    queue: [],
    forgotten: [],
    lines: [],
    dedupe: unpackKeys(epoch, packed.dedupe),
  };
  const runs = packed.runs.map((row) => unpackRow(base, row));
  return {
    ...base,
    runs,
    turn: packed.turn === null ? null : unpackActive(packed.turn),
    queue: packed.queue.map((turn) => unpackTurn(base, runs, turn)),
    forgotten: packed.forgotten.map((row) => unpackForgotten(base, row)),
    lines: packed.lines.map((slot) => unpackSlotRef(runs, slot)),
  };
}
