/** What readers see: the answers of the queries, cut at 1 MiB. Pure functions of the state. */
import { totalOf } from '../state/usage.ts';
import { jsonBytes } from '../state/json.ts';
import { firstSeq } from '../log/events.ts';
import { isLooping } from '../state/loop.ts';
import { LIST_BYTES } from '../state/sizes.ts';
import { presentRun } from '../run/admission.ts';
import type { OldRow, RunState } from '../state/row.ts';
import { iso, type State } from '../state/state.ts';
import type { ActiveTurn, PastTurn } from '../state/turn.ts';
import { isHidden } from '../delivery/transcript.ts';
import type {
  Failure,
  ForgottenRow,
  InputRef,
  Json,
  OutliveEvent,
  Request,
  Row,
  RunStatus,
  SessionSnapshot,
  TurnStatus,
  UIMessage,
  Usage,
} from '../state/types.ts';

/** So many inputs, each with the longest key, are less than 1 MiB. */
const FEW_INPUTS = 700;

/** @param undecided messages have come that take effect only once the names in them have been looked up: the session does not rest. */
export function sessionView(state: State, undecided = false): Omit<SessionSnapshot, 'now'> {
  const { turn } = state;
  const counts: Record<RunStatus, number> = {
    queued: 0,
    running: 0,
    input_required: 0,
    interrupted: 0,
    completed: 0,
    failed: 0,
    cancelled: 0,
  };
  for (const row of [...state.runs.all, ...state.runs.allForgotten]) counts[row.status] += 1;
  return {
    sessionId: state.sessionId,
    epoch: state.epoch,
    status: statusOf(state, undecided),
    agent: state.agent,
    ...(state.title === undefined ? {} : { title: state.title }),
    ...(state.metadata === undefined ? {} : { metadata: state.metadata }),
    createdAt: state.createdAt,
    turn:
      turn === null || state.self?.work.kind === 'tool'
        ? null
        : {
            turnId: turn.turnId,
            status: turnStatus(state),
            step: turn.step,
            attempt: turn.attempt,
            recovering: turn.phase === 'backoff' || turn.attempt > 1,
            startedAt: turn.startedAt,
          },
    queue: queueView(state),
    runs: counts,
    requests: openRequests(state),
    usage: totalOf(state.spent),
    lastSeq: state.lastSeq,
    rules: state.rules,
    ...(isLooping(state) ? { loop: true as const } : {}),
    ...(state.self === undefined ? {} : { progressAt: iso(state.self.movedAt) }),
  };
}

/** The queue, cut at 1 MiB. This is asked for after every input, so a short one is not weighed. */
function queueView(state: State): SessionSnapshot['queue'] {
  const queue = state.queue.map((queued, i) => ({
    turnId: queued.turnId,
    position: i + 1,
    inputs: queued.inputs.slice(),
    queuedAt: queued.queuedAt,
  }));
  const inputs = queue.reduce((sum, queued) => sum + queued.inputs.length, 0);
  return inputs <= FEW_INPUTS ? queue : cut(queue, queue.length, 'queue').queue;
}

/** A turn that only waits for an answer. */
function turnStatus({ turn, pausedAt }: State): 'running' | 'input_required' {
  return pausedAt !== undefined && turn !== null && turn.calls.every((call) => call.state === 'waiting')
    ? 'input_required'
    : 'running';
}

function openRequests({ requests }: State): Request[] {
  const open = requests
    .filter((one) => one.status === 'open')
    .map(({ answeredAt: _at, by: _by, comment: _comment, ...request }): Request => request);
  return cut(open, open.length, 'requests').requests;
}

function statusOf(state: State, undecided: boolean): SessionSnapshot['status'] {
  if (state.self !== undefined && state.self.end.is !== 'working') return 'closed';
  if (state.closing !== undefined) return state.closing.stage.is === 'done' ? 'closed' : 'closing';
  if (state.turn === null) return undecided ? 'running' : 'idle';
  return turnStatus(state);
}

/** A row as it is shown: without what only its starter needs. */
export function rowView(row: Readonly<RunState>, withResult: boolean): Row {
  const { own, life: _life, result, ...rest } = row;
  const shown: Row = { ...rest, deadlineAt: iso(own.deadline) };
  // A thousand milestones with all their data are more than a query can answer; the log has them.
  if (jsonBytes(shown.milestones) > LIST_BYTES / 4)
    shown.milestones = shown.milestones.map(({ data: _data, ...one }) => one);
  return withResult && result !== undefined ? { ...shown, result } : shown;
}

function oldRowView({ ordinal: _ordinal, ...shown }: OldRow): ForgottenRow {
  return shown;
}

function ordinalOf(row: OldRow | Readonly<RunState>): number {
  return 'forgotten' in row ? row.ordinal : row.own.ordinal;
}

export interface ListRuns {
  status?: RunStatus;
  limit?: number;
  after?: string;
}

/** The runs in the order they were started, the forgotten ones among them. */
export function listRuns(
  state: State,
  { status, limit = 100, after }: ListRuns,
): { runs: (Row | ForgottenRow)[]; hasMore: boolean } {
  const all = [...state.runs.allForgotten, ...state.runs.all].sort((a, b) => ordinalOf(a) - ordinalOf(b));
  const start = after === undefined ? 0 : all.findIndex((row) => row.runId === after) + 1;
  const wanted = all.slice(start).filter((row) => status === undefined || row.status === status);
  return cut(
    wanted.slice(0, limit + 1).map((row) => ('forgotten' in row ? oldRowView(row) : rowView(row, false))),
    limit,
    'runs',
  );
}

/** As many of them as a list may have, and as fit into one answer; at least one. */
export function cut<T, K extends string>(
  items: readonly T[],
  limit: number,
  name: K,
): { [P in K]: T[] } & { hasMore: boolean } {
  const taken: T[] = [];
  let bytes = 0;
  for (const item of items) {
    bytes += jsonBytes(item) + 1;
    if (taken.length >= limit || (bytes > LIST_BYTES && taken.length > 0)) break;
    taken.push(item);
  }
  return { [name]: taken, hasMore: taken.length < items.length } as { [P in K]: T[] } & { hasMore: boolean };
}

export function getRun(state: State, runId: string): Row | ForgottenRow | null {
  const row = state.runs.peek(runId);
  if (row !== undefined) return rowView(row, true);
  const old = state.runs.forgotten(runId);
  return old === undefined ? null : oldRowView(old);
}

export interface TurnView {
  turnId: string;
  status: TurnStatus;
  reason?: string;
  comment?: string;
  inputs: InputRef[];
  /** As it was given with `submitTurn`. */
  metadata?: Json;
  position: number;
  steps: number;
  queuedAt: string;
  startedAt?: string;
  endedAt?: string;
  usage: Usage;
  error?: Failure;
  messages: UIMessage[];
}

/** The step under way as far as it is known: what the model has said, and the calls that have been answered. */
export function stepSoFar({ messageId, parts, about }: ActiveTurn): UIMessage | undefined {
  if (messageId === undefined || parts.length === 0) return undefined;
  return { id: messageId, role: 'assistant', parts: parts.slice(), metadata: { ...about, partial: true } };
}

export function getTurn(state: State, turnId: string): TurnView | null {
  const { turn } = state;
  const messages = state.transcript.filter((entry) => entry.turnId === turnId).map((entry) => entry.message);
  const soFar = turn?.turnId === turnId ? stepSoFar(turn) : undefined;
  if (soFar !== undefined) messages.push(soFar);
  const shown = cut(messages, messages.length, 'messages').messages;
  if (turn?.turnId === turnId) {
    return {
      turnId,
      status: turnStatus(state),
      inputs: turn.inputs,
      ...metadataOf(turn),
      position: 0,
      steps: turn.stepsDone,
      queuedAt: turn.queuedAt,
      startedAt: turn.startedAt,
      usage: turn.usage,
      messages: shown,
    };
  }
  const queued = state.queue.findIndex((one) => one.turnId === turnId);
  const waiting = state.queue[queued];
  if (waiting !== undefined) {
    return {
      turnId,
      status: 'queued',
      inputs: waiting.inputs,
      ...metadataOf(waiting),
      position: queued + 1,
      steps: 0,
      queuedAt: waiting.queuedAt,
      usage: waiting.usage,
      messages: [],
    };
  }
  const past: PastTurn | undefined = state.past.find((one) => one.turnId === turnId);
  if (past === undefined) return null;
  return { ...past, position: 0, messages: shown };
}

function metadataOf({ metadata }: { metadata?: Json }): { metadata?: Json } {
  return metadata === undefined ? {} : { metadata };
}

export interface GetTranscript {
  after?: string;
  limit?: number;
  includeHidden?: boolean;
}

/** The messages after the one named; with `includeHidden` exactly what the model sees, in the order of `promptOf`. */
export function getTranscript(
  state: State,
  { after, limit = 100, includeHidden = false }: GetTranscript,
): { messages: UIMessage[]; hasMore: boolean } {
  const start = after === undefined ? 0 : state.transcript.findIndex((entry) => entry.message.id === after) + 1;
  const messages = state.transcript.slice(start).map((entry) => entry.message);
  const wanted = includeHidden
    ? messages
    : messages.filter((message) => !isHidden(message)).map((message) => withPresentRuns(state, message));
  return cut(wanted, limit, 'messages');
}

/** A reader is shown how the runs that a message started stand now; the model goes on reading what it was told. */
function withPresentRuns(state: State, message: UIMessage): UIMessage {
  if (!message.parts.some((part) => part.type === 'tool-start_run')) return message;
  return {
    ...message,
    parts: message.parts.map((part) => {
      const output = part['output'] as { runId?: unknown } | undefined;
      if (part.type !== 'tool-start_run' || typeof output?.runId !== 'string') return part;
      const { known, status } = presentRun(state, output.runId);
      return known ? { ...part, output: { ...output, status } } : part;
    }),
  };
}

export interface GetEvents {
  after?: number;
  limit?: number;
  types?: readonly string[];
}

/** The events after a number; what lies before `firstSeq` is in the archive. */
export function getEvents(
  state: State,
  { after = 0, limit = 500, types }: GetEvents,
): { events: OutliveEvent[]; firstSeq: number; lastSeq: number; hasMore: boolean } {
  const first = firstSeq(state);
  const wanted = state.log.filter((event) => event.seq > after && (types === undefined || types.includes(event.type)));
  return { ...cut(wanted, limit, 'events'), firstSeq: first, lastSeq: state.lastSeq };
}
