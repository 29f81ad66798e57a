/**
 * The carried form of a state: all of it as JSON, deflated, beside a small head that can be read. One generic encoding loses nothing by
 * construction, and a thousand queued rows take 35 KB in it.
 *
 * Version 1 is that of 0.2.0. A later version adds how the one before becomes it to `MIGRATIONS`, so that every older one is read.
 */
import { deflateSync, inflateSync, strFromU8, strToU8 } from 'fflate';
import { requireRules } from '../state/rules.ts';
import { MIB } from '../state/sizes.ts';
import type { State, StateJson } from '../state/state.ts';
import type { RunStatus } from '../state/types.ts';

export const CARRY_VERSION = 1;
export const CARRY_BYTES = MIB;

/** What can be read of a carried state in Temporal's Web UI. */
export interface Head {
  /** The version of the carried form. */
  v: number;
  /** By which rules the next execution decides. */
  rules: number;
  /** The number of the last event. */
  lastSeq: number;
  queuedTurns: number;
  runs: Partial<Record<RunStatus, number>>;
  /** Bytes of the state as JSON. */
  bytes: number;
}

/** `body` is the whole state: JSON in UTF-8, deflated. */
export interface Carried {
  head: Head;
  body: Uint8Array;
}

/** From a version to the next one: the state as it was to the state as it is to be. */
const MIGRATIONS: Readonly<Record<number, (state: never) => unknown>> = {};

/** The quickest: higher ones take twice as long for some per cent. */
const LEVEL = { level: 1 } as const;

export function encode(state: State): Carried {
  const json = strToU8(JSON.stringify(state));
  const runs: Head['runs'] = {};
  for (const { status } of state.runs.all) runs[status] = (runs[status] ?? 0) + 1;
  return {
    head: {
      v: CARRY_VERSION,
      rules: state.rules,
      lastSeq: state.lastSeq,
      queuedTurns: state.queue.length,
      runs,
      bytes: json.length,
    },
    body: deflateSync(json, LEVEL),
  };
}

/** The state as it was carried. A newer version than this code knows is refused loudly: an older worker must not guess. */
export function decode({ head, body }: Carried): StateJson {
  if (!Number.isInteger(head.v) || head.v < 1 || head.v > CARRY_VERSION)
    throw new Error(
      `This worker reads carried state up to version ${CARRY_VERSION}, got version ${head.v}: deploy a worker that knows it.`,
    );
  requireRules(head.rules);
  let state: unknown = JSON.parse(strFromU8(inflateSync(body)));
  for (let version = head.v; version < CARRY_VERSION; version++) state = MIGRATIONS[version]?.(state as never);
  return state as StateJson;
}

/** So many times what is carried the state may be, so that it stays quick to read and to write. */
const MOST_RATIO = 4;

/** What a value takes of what may be carried, bytes: as it is deflated, and at least a fourth of its JSON. Too much is not deflated. */
export function carriedBytes(value: unknown): number {
  const json = strToU8(JSON.stringify(value));
  const least = Math.ceil(json.length / MOST_RATIO);
  return least > CARRY_BYTES ? least : Math.max(least, deflateSync(json, LEVEL).length);
}
