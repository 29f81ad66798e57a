/**
 * What leaves the state when it does not fit into what is carried, in a fixed order, each only while it is still too much:
 * old rows and turns, outputs of the step under way, tool outputs and then the oldest messages of the transcript, bodies of
 * results that wait (they stay readable at their run), the oldest memories, the details of live rows, and last the rows of lost runs, whose late
 * results would else be taken.
 */
import { isDone, isLost, isSettled, unsettledOf, type RunState } from '../state/row.ts';
import { noUsage } from '../state/usage.ts';
import { jsonBytes, previewOf } from '../state/json.ts';
import { emit } from '../log/events.ts';
import { lastNumber } from '../run/milestones.ts';
import { keepClosed } from '../run/requests.ts';
import { forgetNames } from '../run/start.ts';
import { forgetAllBut } from '../run/forget.ts';
import { KIB, MIB, PREVIEW_BYTES } from '../state/sizes.ts';
import type { Cx, State } from '../state/state.ts';
import type { TranscriptEntry } from '../state/turn.ts';
import { carriedBytes } from './encode.ts';
import { cutOutput, cutText, fitParts } from '../turn/step-size.ts';
import { shedActions } from '../turn/actions.ts';
import { giveUpLargestCall } from '../turn/tool-calls.ts';

/** What the transcript gets when there is room, when results must be cut for it, and always. */
const TRANSCRIPT_BYTES = 384 * KIB;
const TRANSCRIPT_BEFORE_BODIES = 128 * KIB;
const TRANSCRIPT_LEAST = 16 * KIB;
/** However well it can be deflated: no model reads more, and every step sends it whole. */
const TRANSCRIPT_JSON_BYTES = 2 * MIB;
const STEP_BYTES = 96 * KIB;
const STEP_LEAST = 40 * KIB;

/** Sheds until the state without its log takes at most so many bytes of what is carried, and answers how many it takes. */
export function shed(cx: Cx, most: number, weigh: (state: State) => number): number {
  const { state } = cx;
  const weighTranscript = (): number => carriedBytes(state.transcript);
  const weighRest = (): number => weigh({ ...state, transcript: [] });
  const whole = weigh(state);
  // Weighed apart the two take more than together, so that what fits together is left alone.
  if (whole <= most && jsonBytes(state.transcript) <= TRANSCRIPT_JSON_BYTES) return whole;
  const transcript = weighTranscript();
  let rest = weighRest();
  for (const [room, steps] of [
    [TRANSCRIPT_BYTES, oldSteps],
    [TRANSCRIPT_BEFORE_BODIES, bodySteps],
    [TRANSCRIPT_LEAST, lastSteps],
  ] as const) {
    for (const step of steps) {
      const over = rest - (most - Math.min(transcript, room));
      if (over <= 0) break;
      step(cx, over);
      rest = weighRest();
    }
  }
  shedTranscript(cx, Math.min(TRANSCRIPT_BYTES, most - rest), weighTranscript);
  return weigh(state);
}

/** Sheds one kind of thing; `over` is how much is too much. */
type Step = (cx: Cx, over: number) => void;

/** Rows of runs that have settled and been told of. */
function oldRows(state: State): RunState[] {
  return [...state.runs.each()].filter((row) => isDone(row) && isSettled(row));
}

/** Rows of runs that are lost and have been told of: a late result would still be taken. */
function lostRows(state: State): RunState[] {
  return [...state.runs.each()].filter((row) => isDone(row) && isLost(row));
}

const oldSteps: Step[] = [
  ({ state }) => {
    for (const row of oldRows(state)) shedBody(row, PREVIEW_BYTES);
  },
  ({ state }) => {
    for (const row of oldRows(state)) {
      shedBody(row, 0);
      delete row.metadata;
    }
  },
  ...[100, 25, 0].map((kept): Step => ({ state }) => {
    forgetAllBut(state, oldRows(state), kept);
  }),
  ({ state }) => {
    for (const turn of state.past) {
      delete turn.comment;
      delete turn.metadata;
      if (turn.error !== undefined) turn.error = { ...turn.error, message: previewOf(turn.error.message, 100) };
    }
  },
  ({ state }) => {
    keepClosed(state, 0);
  },
  ({ state }) => {
    state.past.splice(0, Math.max(0, state.past.length - 10));
    shedActions(state, 'previews');
  },
  ({ state }) => {
    state.runs.forgetOld(500);
  },
  ({ state }) => {
    if (state.turn !== null) state.turn.parts = fitParts(state.turn.parts, STEP_BYTES);
  },
];

const bodySteps: Step[] = [
  ({ state }) => {
    for (const row of state.runs.each()) if (isSettled(row)) shedBody(row, PREVIEW_BYTES);
  },
  ({ state }) => {
    for (const row of state.runs.each()) {
      delete row.progress?.data;
      for (const one of row.milestones) delete one.data;
    }
  },
];

const lastSteps: Step[] = [
  ({ state }) => {
    state.runs.forgetOld(0);
    state.past = [];
  },
  ({ state }) => {
    for (const row of state.runs.each()) shedBody(row, 64);
  },
  ({ state }) => {
    for (const row of state.runs.each()) shedDetails(row);
  },
  ({ state }) => {
    forgetAllBut(state, lostRows(state), 0);
  },
  ({ state }) => {
    delete state.rewound;
    shedActions(state, 'nothing');
  },
  (cx) => forgetNames(cx),
  ({ state: { turn } }) => {
    if (turn !== null)
      turn.parts = fitParts(turn.parts, STEP_LEAST + turn.calls.reduce((sum, call) => sum + jsonBytes(call.input), 0));
  },
  giveUpCalls,
];

function shedBody(row: RunState, bytes: number): void {
  const { life } = row;
  if (life.stage === 'settled' && row.result !== undefined && jsonBytes(row.result) > bytes) {
    life.preview = cutText(previewOf(row.result, bytes), bytes);
    row.resultRef = row.workflowId;
    delete row.result;
  } else if (life.stage === 'settled' && life.preview !== undefined) life.preview = cutText(life.preview, bytes);
  if (bytes < PREVIEW_BYTES && row.error !== undefined)
    row.error = { type: cutText(row.error.type, 24), message: cutText(row.error.message, Math.max(bytes, 40)) };
}

/** Leaves of a row what its end and its deliveries need. */
function shedDetails(row: RunState): void {
  delete row.progress;
  delete row.comment;
  delete unsettledOf(row)?.cancel?.comment;
  const slots = row.delivery.milestones ?? {};
  if (row.milestones.length > 0) row.own.lastMilestone = lastNumber(row);
  row.milestones = row.milestones.filter(
    (one, i, all) => slots[one.name]?.state === 'queued' && all.findIndex((other) => other.name === one.name) === i,
  );
  if (row.life.stage !== 'settled') return;
  delete row.life.cancelledBelow;
  if (row.reason !== undefined) row.reason = cutText(row.reason, 24);
  if (row.delivery.milestones !== undefined) {
    row.delivery.milestones = Object.fromEntries(Object.entries(slots).filter(([, slot]) => slot.state === 'queued'));
  }
  delete row.startedAt;
  delete row.cancelRequestedAt;
  row.usage = noUsage();
}

/** Calls that wait for another attempt are given up, the largest first, and the model reads so. */
function giveUpCalls(cx: Cx, over: number): void {
  let left = over;
  for (let { turn } = cx.state; left > 0 && turn !== null && turn.calls.length > 0; { turn } = cx.state)
    left -= giveUpLargestCall(cx, turn);
}

/** Tool outputs become previews, oldest first; then the oldest messages leave, which the log keeps; the last one stays. */
function shedTranscript(cx: Cx, room: number, weigh: () => number): void {
  const { state } = cx;
  // How much leaves is reckoned in JSON, by how far all of it can be deflated, and weighed again.
  for (let weight = weigh(); weight > room || jsonBytes(state.transcript) > TRANSCRIPT_JSON_BYTES; weight = weigh()) {
    const bytes = jsonBytes(state.transcript);
    const before = state.transcript.length;
    shedMessages(cx, Math.min(TRANSCRIPT_JSON_BYTES, Math.floor((bytes * room) / Math.max(1, weight)) - KIB));
    if (state.transcript.length === before && jsonBytes(state.transcript) >= bytes) return;
  }
}

function shedMessages(cx: Cx, room: number): void {
  const { state } = cx;
  let bytes = jsonBytes(state.transcript);
  for (let i = 0; i < state.transcript.length && bytes > room; i++) {
    const entry = state.transcript[i];
    if (entry === undefined) continue;
    const short: TranscriptEntry = {
      ...entry,
      message: { ...entry.message, parts: entry.message.parts.map(cutOutput) },
    };
    bytes -= jsonBytes(entry) - jsonBytes(short);
    state.transcript[i] = short;
  }
  let left = 0;
  while (bytes > room && left < state.transcript.length - 1) bytes -= jsonBytes(state.transcript[left++]) + 1;
  if (left > 0) {
    const gone = state.transcript.splice(0, left);
    emit(cx, 'transcript.compacted', { from: gone[0]?.message.id, to: gone.at(-1)?.message.id, messages: gone.length });
  }
  const [last] = state.transcript;
  if (bytes > room && last !== undefined)
    last.message = {
      ...last.message,
      parts: fitParts(last.message.parts, Math.max(0, room - (bytes - jsonBytes(last.message.parts)))),
    };
}
