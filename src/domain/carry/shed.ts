/**
 * What leaves the state when it does not fit into what is carried, in a fixed order, each only while it is still too much:
 * old rows and turns, outputs of the step under way, tool outputs and then the oldest messages of the transcript, bodies of
 * results that wait (they stay readable at their run), the oldest memories, and last the details of live rows.
 */
import { jsonBytes, previewOf } from '../state/json.ts';
import { emit } from '../log/events.ts';
import { lastNumber } from '../run/milestones.ts';
import { keepClosed } from '../run/requests.ts';
import { forgetNames } from '../run/start.ts';
import { forgetAllBut } from '../run/settle.ts';
import { KIB, PREVIEW_BYTES } from '../state/sizes.ts';
import { isDone, isSettled, type Cx, type RunState, type State, type TranscriptEntry } from '../state/state.ts';
import { cutOutput, cutText, fitParts } from '../turn/step-size.ts';
import { giveUpLargestCall } from '../turn/turn.ts';

/** What the transcript gets when there is room, when results must be cut for it, and always. */
const TRANSCRIPT_BYTES = 384 * KIB;
const TRANSCRIPT_BEFORE_BODIES = 128 * KIB;
const TRANSCRIPT_LEAST = 16 * KIB;
const STEP_BYTES = 96 * KIB;
const STEP_LEAST = 40 * KIB;

/** Weighs what is carried beside log and transcript. */
export interface Scale {
  control(): number;
  /** A row has changed. */
  touched(row: RunState): void;
}

/** Sheds until control state and transcript take at most so many bytes. */
export function shed(cx: Cx, most: number, scale: Scale): void {
  const { state } = cx;
  const transcript = jsonBytes(state.transcript);
  let control = scale.control();
  for (const [room, steps] of [
    [TRANSCRIPT_BYTES, oldSteps],
    [TRANSCRIPT_BEFORE_BODIES, bodySteps],
    [TRANSCRIPT_LEAST, lastSteps],
  ] as const) {
    for (const step of steps) {
      const over = control - (most - Math.min(transcript, room));
      if (over <= 0) break;
      step(cx, over, scale);
      control = scale.control();
    }
  }
  shedTranscript(cx, Math.min(TRANSCRIPT_BYTES, most - control));
}

/** Sheds one kind of thing; `over` is how much is too much. */
type Step = (cx: Cx, over: number, scale: Scale) => void;

/** Rows of runs of which nothing is to come any more. */
function oldRows(state: State): RunState[] {
  return state.runs.filter(isDone);
}

const oldSteps: Step[] = [
  ({ state }, _over, scale) => {
    for (const row of oldRows(state)) shedBody(row, PREVIEW_BYTES, scale);
  },
  ({ state }, _over, scale) => {
    for (const row of oldRows(state)) shedBody(row, 0, scale);
  },
  ...[100, 25, 0].map((kept): Step => ({ state }) => {
    forgetAllBut(state, oldRows(state), kept);
  }),
  ({ state }) => {
    for (const turn of state.past) {
      delete turn.comment;
      delete turn.metadata;
      if (turn.error !== undefined) turn.error = { type: turn.error.type, message: previewOf(turn.error.message, 100) };
    }
  },
  ({ state }) => {
    keepClosed(state, 0);
  },
  ({ state }) => {
    state.past.splice(0, Math.max(0, state.past.length - 10));
  },
  ({ state }) => {
    state.forgotten.splice(0, Math.max(0, state.forgotten.length - 500));
  },
  ({ state }) => {
    if (state.turn !== null) state.turn.parts = fitParts(state.turn.parts, STEP_BYTES);
  },
];

const bodySteps: Step[] = [
  ({ state }, _over, scale) => {
    for (const row of state.runs) if (isSettled(row)) shedBody(row, PREVIEW_BYTES, scale);
  },
  ({ state }, _over, scale) => {
    for (const row of state.runs) {
      if (row.progress !== undefined || row.milestones.length > 0) scale.touched(row);
      delete row.progress?.data;
      for (const one of row.milestones) delete one.data;
    }
  },
];

const lastSteps: Step[] = [
  ({ state }) => {
    state.forgotten = [];
    state.past = [];
  },
  ({ state }, _over, scale) => {
    for (const row of state.runs) shedBody(row, 64, scale);
  },
  ({ state }, _over, scale) => {
    for (const row of state.runs) {
      shedDetails(row);
      scale.touched(row);
    }
  },
  (cx) => forgetNames(cx),
  ({ state: { turn } }) => {
    if (turn !== null)
      turn.parts = fitParts(turn.parts, STEP_LEAST + turn.calls.reduce((sum, call) => sum + jsonBytes(call.input), 0));
  },
  giveUpCalls,
];

function shedBody(row: RunState, bytes: number, scale: Scale): void {
  if (row.result !== undefined || row.preview !== undefined || row.error !== undefined) scale.touched(row);
  if (row.result !== undefined && jsonBytes(row.result) > bytes) {
    row.preview = cutText(previewOf(row.result, bytes), bytes);
    row.resultRef = row.workflowId;
    delete row.result;
  } else if (row.preview !== undefined) row.preview = cutText(row.preview, bytes);
  if (bytes < PREVIEW_BYTES && row.error !== undefined)
    row.error = { type: cutText(row.error.type, 24), message: cutText(row.error.message, Math.max(bytes, 40)) };
}

/** Leaves of a row what its end and its deliveries need. */
function shedDetails(row: RunState): void {
  delete row.progress;
  delete row.comment;
  delete row.cancelComment;
  delete row.cancelledBelow;
  const slots = row.delivery.milestones ?? {};
  if (row.milestones.length > 0) row.lastMilestone = lastNumber(row);
  row.milestones = row.milestones.filter(
    (one, i, all) => slots[one.name]?.state === 'queued' && all.findIndex((other) => other.name === one.name) === i,
  );
  if (!isSettled(row)) return;
  if (row.reason !== undefined) row.reason = cutText(row.reason, 24);
  if (row.delivery.milestones !== undefined) {
    row.delivery.milestones = Object.fromEntries(Object.entries(slots).filter(([, slot]) => slot.state === 'queued'));
  }
  for (const field of ['startedAt', 'epoch', 'cancelRequestedAt', 'cancelReason', 'cancelCascade'] as const)
    delete row[field];
  row.usage = { inputTokens: 0, outputTokens: 0, totalTokens: 0, modelCalls: 0 };
  row.deadlineAt = row.settledAt ?? row.createdAt;
}

/** Calls that wait for another attempt are given up, the largest first, and the model reads so. */
function giveUpCalls(cx: Cx, over: number): void {
  let left = over;
  for (let { turn } = cx.state; left > 0 && turn !== null && turn.calls.length > 0; { turn } = cx.state)
    left -= giveUpLargestCall(cx, turn);
}

/** Tool outputs become previews, oldest first; then the oldest messages leave, which the log keeps; the last one stays. */
function shedTranscript(cx: Cx, room: number): void {
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
