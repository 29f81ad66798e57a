/**
 * What goes from one execution to the next, at most 1 MiB.
 *
 * Over 2 MiB a session would spin dead, so the size is measured, never guessed. What does not fit is shed in a fixed order, see
 * `shed.ts`. Queue, live rows and unfilled slots are never shed: `LIVE_BYTES` bounds them at admission.
 */
import { revived, type Cx, type State } from '../state/state.ts';
import { forgetOldest } from '../log/dedupe.ts';
import { flushRefusals } from '../log/refusals.ts';
import { jsonBytes } from '../state/json.ts';
import { RULES } from '../state/rules.ts';
import { KEPT_KEYS, KIB } from '../state/sizes.ts';
import type { RunSelf } from '../state/self.ts';
import type { OutliveEvent } from '../state/types.ts';
import { carriedBytes, CARRY_BYTES, decode, encode, type Carried } from './encode.ts';
import { shed } from './shed.ts';
import { packStep, unpackStep } from './step.ts';

export type { Carried } from './encode.ts';

/** The log is carried as it is up to this size; beyond it its older part goes into the archive. */
export const LOG_BYTES = 128 * KIB;
/** Room for the log that nothing else may take. */
const LOG_LEAST = 32 * KIB;

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
  const room = most - shed(cx, most - LOG_LEAST, (rest) => carriedBytes(lasting({ ...rest, log: [] })));
  const first = state.log.length - tail(state.log, Math.min(LOG_BYTES, room));
  return {
    carried: encode(lasting({ ...state, log: state.log.slice(first) })),
    leaving: state.log.slice(0, first),
  };
}

/** The state as it was packed. */
export function unpack(carried: Carried): State {
  const state = revived(decode(carried));
  return { ...state, turn: state.turn === null ? null : unpackStep(state.turn) };
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

/** What of a state has to last; the next execution decides by the newest rules. */
function lasting(state: State): State {
  return {
    ...state,
    rules: RULES,
    ...(state.self === undefined ? {} : { self: lastingSelf(state.self) }),
    turn: state.turn === null ? null : packStep(state.turn),
  };
}

/** Milestones that the parent knows, and an agent's input once it is a turn, are not needed any more. */
function lastingSelf(self: RunSelf): RunSelf {
  const last = self.milestones.at(-1);
  return {
    ...self,
    ...(self.work.kind === 'agent' ? { input: null } : {}),
    milestones: self.milestones.filter((one) => one === last || (self.parentGone !== true && one.n > self.told)),
  };
}
