/**
 * What leaves the state when it does not fit into what is carried, in a fixed order, each only while it is still too much:
 * old rows and turns, outputs of the step under way, tool outputs and then the oldest messages of the transcript, bodies of
 * results that wait (they stay readable at their run), the oldest memories, and last the details of live rows.
 */
import { jsonBytes, previewOf } from './json.ts';
import { emit } from './log.ts';
import { lastNumber } from './milestones.ts';
import { forget } from './runs.ts';
import { KIB, PREVIEW_BYTES } from './sizes.ts';
import { delivered, isSettled, type Cx, type RunState, type State, type TranscriptEntry } from './state.ts';
import { cutOutput, cutText, fitParts } from './step-size.ts';
import { giveUpLargestCall } from './turn.ts';

/** What the transcript gets when there is room, when results must be cut for it, and always. */
const TRANSCRIPT_BYTES = 384 * KIB;
const TRANSCRIPT_BEFORE_BODIES = 128 * KIB;
const TRANSCRIPT_LEAST = 16 * KIB;
const STEP_BYTES = 96 * KIB;
const STEP_LEAST = 40 * KIB;

/** Sheds until control state and transcript take at most so many bytes. */
export function shed(cx: Cx, most: number, controlBytes: (state: State) => number): void {
  const { state } = cx;
  const transcript = jsonBytes(state.transcript);
  let control = controlBytes(state);
  for (const [room, steps] of [[TRANSCRIPT_BYTES, oldSteps], [TRANSCRIPT_BEFORE_BODIES, bodySteps], [TRANSCRIPT_LEAST, lastSteps]] as const) {
    for (const step of steps) {
      if (control <= most - Math.min(transcript, room)) break;
      step(cx);
      control = controlBytes(state);
    }
  }
  shedTranscript(cx, Math.min(TRANSCRIPT_BYTES, most - control));
}

type Step = (cx: Cx) => void;

/** Rows of runs that have settled and been delivered. */
function oldRows(state: State): RunState[] {
  return state.runs.filter((row) => isSettled(row) && delivered(row));
}

const oldSteps: Step[] = [
  ({ state }) => { for (const row of oldRows(state)) shedBody(row, PREVIEW_BYTES); },
  ({ state }) => { for (const row of oldRows(state)) shedBody(row, 0); },
  ...[100, 25, 0].map((kept): Step => ({ state }) => { const old = oldRows(state); for (const row of old.slice(0, Math.max(0, old.length - kept))) forget(state, row); }),
  ({ state }) => {
    for (const turn of state.past) {
      delete turn.comment;
      delete turn.metadata;
      if (turn.error !== undefined) turn.error = { type: turn.error.type, message: previewOf(turn.error.message, 100) };
    }
  },
  ({ state }) => { state.past.splice(0, Math.max(0, state.past.length - 10)); },
  ({ state }) => { state.forgotten.splice(0, Math.max(0, state.forgotten.length - 500)); },
  ({ state }) => { if (state.turn !== null) state.turn.parts = fitParts(state.turn.parts, STEP_BYTES); },
];

const bodySteps: Step[] = [
  ({ state }) => { for (const row of state.runs) if (isSettled(row)) shedBody(row, PREVIEW_BYTES); },
  ({ state }) => { for (const row of state.runs) { delete row.progress?.data; for (const one of row.milestones) delete one.data; } },
];

const lastSteps: Step[] = [
  ({ state }) => { state.forgotten = []; state.past = []; },
  ({ state }) => { for (const row of state.runs) shedBody(row, 64); },
  shedStep,
  ({ state }) => { for (const row of state.runs) shedDetails(row); },
  ({ state }) => {
    const needed = new Set(state.runs.filter((row) => row.request !== undefined).map((row) => row.agent));
    state.names = Object.fromEntries(Object.entries(state.names).filter(([name]) => needed.has(name)));
  },
];

function shedBody(row: RunState, bytes: number): void {
  if (row.result !== undefined && jsonBytes(row.result) > bytes) {
    row.preview = cutText(previewOf(row.result, bytes), bytes);
    row.resultRef = row.workflowId;
    delete row.result;
  } else if (row.preview !== undefined) row.preview = cutText(row.preview, bytes);
  if (bytes < PREVIEW_BYTES && row.error !== undefined) row.error = { type: cutText(row.error.type, 24), message: cutText(row.error.message, Math.max(bytes, 40)) };
}

/** Leaves of a row what its end and its deliveries need. */
function shedDetails(row: RunState): void {
  delete row.progress;
  delete row.comment;
  delete row.cancelComment;
  delete row.cancelledBelow;
  const slots = row.delivery.milestones ?? {};
  if (row.milestones.length > 0) row.lastMilestone = lastNumber(row);
  row.milestones = row.milestones.filter((one, i, all) => slots[one.name]?.state === 'queued' && all.findIndex((other) => other.name === one.name) === i);
  if (!isSettled(row)) return;
  if (row.reason !== undefined) row.reason = cutText(row.reason, 24);
  if (row.delivery.milestones !== undefined) {
    row.delivery.milestones = Object.fromEntries(Object.entries(slots).filter(([, slot]) => slot.state === 'queued'));
  }
  for (const field of ['startedAt', 'epoch', 'cancelRequestedAt', 'cancelReason', 'cancelCascade'] as const) delete row[field];
  row.usage = { inputTokens: 0, outputTokens: 0, totalTokens: 0, modelCalls: 0 };
  row.deadlineAt = row.settledAt ?? row.createdAt;
}

/** The step under way to its least; calls whose inputs are too large for that are given up, and the model reads so. */
function shedStep(cx: Cx): void {
  const { turn } = cx.state;
  if (turn === null) return;
  while (turn.calls.length > 0 && jsonBytes(turn.calls) > STEP_LEAST) giveUpLargestCall(cx, turn);
  const open = turn.calls.reduce((sum, call) => sum + jsonBytes(call.input), 0);
  turn.parts = fitParts(turn.parts, STEP_LEAST + open);
}

/** Tool outputs become previews, oldest first; then the oldest messages leave, which the log keeps; the last one stays. */
function shedTranscript(cx: Cx, room: number): void {
  const { state } = cx;
  let bytes = jsonBytes(state.transcript);
  for (let i = 0; i < state.transcript.length && bytes > room; i++) {
    const entry = state.transcript[i];
    if (entry === undefined) continue;
    const short: TranscriptEntry = { ...entry, message: { ...entry.message, parts: entry.message.parts.map(cutOutput) } };
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
  if (bytes > room && last !== undefined) last.message = { ...last.message, parts: fitParts(last.message.parts, Math.max(0, room - (bytes - jsonBytes(last.message.parts)))) };
}
