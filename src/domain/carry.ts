/**
 * What goes from one execution to the next: one versioned, plain JSON object of at most 1 MiB.
 *
 * Over 2 MiB a session would spin dead, so the size is measured, never guessed. What does not fit is shed in a fixed order:
 * log tail (it is in the archive), old rows, bodies of results that wait (they stay readable at their run), tool outputs, then
 * the oldest messages. Queue, live rows and unfilled slots are never shed: `LIVE_BYTES` bounds them at admission.
 */
import { forgetOldest } from './dedupe.ts';
import { packForgotten, packRow, packTurn, unpackForgotten, unpackRow, unpackTurn } from './carry-row.ts';
import { jsonBytes, previewOf } from './json.ts';
import { delivered, forget } from './runs.ts';
import { KEPT_KEYS, KIB, MIB, PREVIEW_BYTES, TEXT_CHARS } from './sizes.ts';
import { isSettled, type Cx, type RunState, type State, type TranscriptEntry } from './state.ts';
import { emit } from './log.ts';
import { flushRefusals } from './refusals.ts';
import type { MessagePart, OutliveEvent } from './types.ts';

export const CARRY_VERSION = 1;
export const CARRY_BYTES = MIB;
const TRANSCRIPT_BYTES = 384 * KIB;
const LOG_BYTES = 128 * KIB;
const CONTROL_BYTES = 256 * KIB;
const LEAST_TRANSCRIPT_BYTES = 16 * KIB;

export interface Carried { v: number; state: unknown }

/** `carried` goes into the next execution, `leaving` into the archive of this one, oldest first. */
export interface Packed { carried: Carried; leaving: OutliveEvent[] }

/** Packs the state. It changes the state only by shedding: the one given must not be used afterwards. */
export function pack(cx: Cx): Packed {
  const { state } = cx;
  flushRefusals(cx);
  forgetOldest(state.dedupe, KEPT_KEYS);
  if (controlBytes(state) > CONTROL_BYTES) shedControl(state);
  const room = Math.max(LEAST_TRANSCRIPT_BYTES, Math.min(TRANSCRIPT_BYTES, CARRY_BYTES - KIB - controlBytes(state) - jsonBytes(state.dedupe)));
  shedTranscript(cx, room);
  const { log, ...rest } = state;
  const free = CARRY_BYTES - KIB - jsonBytes(compact({ ...rest, log: [] }));
  const kept = tail(log, Math.min(LOG_BYTES, free));
  return {
    carried: { v: CARRY_VERSION, state: compact({ ...rest, log: log.slice(log.length - kept) }) },
    leaving: log.slice(0, log.length - kept),
  };
}

/** The state as it was packed. A newer version than this code knows is refused loudly: an older worker must not guess. */
export function unpack(carried: Carried): State {
  if (carried.v !== CARRY_VERSION) {
    throw new Error(`This worker reads carried state of version ${CARRY_VERSION}, got version ${carried.v}: deploy a worker that knows it.`);
  }
  return expand(carried.state as State);
}

/** How many of the last events fit. */
function tail(log: readonly OutliveEvent[], bytes: number): number {
  let used = 2;
  let kept = 0;
  for (let i = log.length - 1; i >= 0; i--) {
    used += jsonBytes(log[i]) + 1;
    if (used > bytes) break;
    kept++;
  }
  return kept;
}

function controlBytes(state: State): number {
  const { log: _log, transcript: _transcript, dedupe: _dedupe, ...control } = state;
  return jsonBytes(compact({ ...control, log: [], transcript: [], dedupe: {} }));
}

/** In order, each only while it is still too much: old rows and turns, bodies that wait, then details of live rows. */
function shedControl(state: State): void {
  const steps: (() => void)[] = [
    () => { for (const row of state.runs) if (isSettled(row) && delivered(row)) shedBody(row, 0); },
    () => { for (const row of state.runs.slice()) if (isSettled(row) && delivered(row)) forget(state, row); },
    () => { for (const turn of state.past) { delete turn.comment; delete turn.metadata; if (turn.error !== undefined) turn.error = { type: turn.error.type, message: previewOf(turn.error.message, 100) }; } },
    () => { state.past.splice(0, Math.max(0, state.past.length - 10)); },
    () => { state.forgotten.splice(0, Math.max(0, state.forgotten.length - 500)); },
    () => { for (const row of state.runs) if (isSettled(row)) shedBody(row, PREVIEW_BYTES); },
    () => { for (const row of state.runs) { delete row.progress?.data; for (const one of row.milestones) delete one.data; } },
    () => { for (const row of state.runs) shedBody(row, 64); },
    () => { state.forgotten = []; state.past = []; },
    () => { for (const row of state.runs) shedDetails(row); },
  ];
  for (const step of steps) {
    step();
    if (controlBytes(state) <= CONTROL_BYTES) return;
  }
}

function shedBody(row: RunState, preview: number): void {
  if (row.result !== undefined) {
    row.preview = previewOf(row.result, preview);
    row.resultRef = row.workflowId;
    delete row.result;
  } else if (row.preview !== undefined) row.preview = previewOf(row.preview, preview);
  if (preview < PREVIEW_BYTES && row.error !== undefined) row.error = { type: previewOf(row.error.type, 64), message: previewOf(row.error.message, Math.max(preview, 64)) };
}

function shedDetails(row: RunState): void {
  delete row.progress;
  delete row.comment;
  delete row.cancelComment;
  delete row.cancelledBelow;
  const watched = new Set(Object.keys(row.delivery.milestones ?? {}));
  const last = row.milestones.at(-1);
  row.milestones = row.milestones.filter((one) => watched.has(one.name) || one === last);
}

/** Tool outputs become previews, oldest first; then the oldest messages leave, which the log keeps. */
function shedTranscript(cx: Cx, room: number): void {
  const { state } = cx;
  let bytes = jsonBytes(state.transcript);
  if (state.turn !== null && jsonBytes(state.turn.parts) > TRANSCRIPT_BYTES / 4) state.turn.parts = state.turn.parts.map(shortPart);
  if (bytes <= room) return;
  for (let i = 0; i < state.transcript.length && bytes > room; i++) {
    const entry = state.transcript[i];
    if (entry === undefined) continue;
    const short: TranscriptEntry = { ...entry, message: { ...entry.message, parts: entry.message.parts.map(shortPart) } };
    bytes -= jsonBytes(entry) - jsonBytes(short);
    state.transcript[i] = short;
  }
  let left = 0;
  while (bytes > room && left < state.transcript.length - 1) bytes -= jsonBytes(state.transcript[left++]) + 1;
  if (bytes > room && left < state.transcript.length) left++;
  if (left === 0) return;
  const gone = state.transcript.splice(0, left);
  emit(cx, 'transcript.compacted', { from: gone[0]?.message.id, to: gone.at(-1)?.message.id, messages: gone.length });
}

/** A part whose long output or text is cut to a preview. */
function shortPart(part: MessagePart): MessagePart {
  if (part['output'] === undefined || jsonBytes(part['output']) <= TEXT_CHARS) return part;
  return { ...part, output: { preview: previewOf(part['output'], PREVIEW_BYTES), note: 'The rest of this output was left out to save room.' } };
}

/** The state in its carried form. */
function compact(state: State): unknown {
  return {
    ...state,
    runs: state.runs.map((row) => packRow(state, row)),
    queue: state.queue.map((turn) => packTurn(state, turn)),
    forgotten: state.forgotten.map(packForgotten),
  };
}

function expand(packed: State): State {
  const withRuns: State = { ...packed, runs: packed.runs.map((row) => unpackRow(packed, row as unknown as Record<string, unknown>)) };
  return { ...withRuns, queue: packed.queue.map((turn) => unpackTurn(withRuns, turn)), forgotten: packed.forgotten.map(unpackForgotten) };
}
