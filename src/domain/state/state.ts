/**
 * The state of one conversation: a session, or a run that an agent takes turns in, or a run of a task.
 *
 * Plain JSON: all of it may be carried from one execution to the next. Rules change it in place through a `Cx`, which brings
 * the time of the input and collects what is to be done; nothing here reads a clock, makes randomness or waits.
 */
import { RULES } from './rules.ts';
import type {
  Delivery,
  Detached,
  Failure,
  ForgottenRow,
  InputRef,
  Json,
  MessagePart,
  Milestone,
  OutliveEvent,
  Progress,
  Request,
  Row,
  RunKind,
  Settings,
  SettledStatus,
  TurnStatus,
  UIMessage,
  Usage,
} from './types.ts';

/** What a queued turn will append to the transcript. A background body points at its row: the row is the memory. */
export type Body =
  | { source: 'user'; messages: UIMessage[] }
  | { source: 'background-run'; slot: SlotRef }
  | { source: 'message'; message: RunMessage };

/** A message from a starter to its run; `n` counts from 1 for each run. */
export interface RunMessage {
  n: number;
  messageId: string;
  message: string;
}

/** A delivery slot: which run, and which of its facts. */
export type SlotRef =
  | { runId: string; kind: 'finish' }
  | { runId: string; kind: 'gave-up' }
  | { runId: string; kind: 'milestone'; name: string }
  | { runId: string; kind: 'ask'; requestId: string };

/** `metadata`: that of the user's input, kept with it because inputs merge. */
export interface TurnInput {
  ref: InputRef;
  body: Body;
  bytes: number;
  metadata?: Json;
}

interface TurnCore {
  turnId: string;
  origin: 'user' | 'background';
  inputs: InputRef[];
  metadata?: Json;
  queuedAt: string;
  usage: Usage;
  /** Entries of the dedupe record that answer with this turn. */
  keys: string[];
  /** What of it is never shed, bytes; nothing for a queued background turn, which is in its rows' bytes. */
  cost: number;
}

export interface QueuedTurn extends TurnCore {
  pending: TurnInput[];
  bytes: number;
  /** Debounced: not before this instant, milliseconds. */
  startAfter?: number;
}

/** How a call of a custom tool is to be treated; told by the worker with the model's answer. */
export interface ToolPolicy {
  idempotent: boolean;
  timeoutMs: number;
  retries: number;
}

export interface ToolCall {
  toolCallId: string;
  /** Which call of its step it is: see `turn/calls.ts`. */
  place: string;
  toolName: string;
  input: Json;
  policy: ToolPolicy;
  attempt: number;
  /** Workers that it has taken with it in a row. */
  losses: number;
  state: 'ready' | 'running' | 'backoff' | 'waiting';
  retryAt?: number;
  /** What a call of a tool of the runtime waits for; nothing is in flight meanwhile. */
  wait?: Wait;
}

/** `until`: milliseconds; then the call is answered with what there is. */
export type Wait =
  | { for: 'settle'; runId: string; until?: number }
  | { for: 'cancel'; runId: string; until: number }
  | { for: 'look'; runId: string; since: number; until: number }
  | { for: 'answer'; requestId: string; given?: Json };

export interface ActiveTurn extends TurnCore {
  startedAt: string;
  /** The ceiling of the turn, milliseconds. */
  deadline: number;
  /** The step that is under way, from 1. */
  step: number;
  /** Attempts of the model call of this step, from 1. */
  attempt: number;
  phase: 'ready' | 'model' | 'backoff' | 'tools';
  retryAt?: number;
  /** The assistant message of this step while its tools are answering. */
  parts: MessagePart[];
  /** The calls that have no answer yet. */
  calls: ToolCall[];
  /** Workers that this step has taken with it in a row, and attempts of it that failed otherwise. */
  losses: number;
  failures: number;
  stepsDone: number;
  runsStarted: number;
  /** Runs whose outcome is the result of a call of this step. */
  handed?: string[];
}

export interface PastTurn {
  turnId: string;
  status: Extract<TurnStatus, 'completed' | 'failed' | 'cancelled' | 'skipped'>;
  reason?: string;
  comment?: string;
  inputs: InputRef[];
  metadata?: Json;
  steps: number;
  queuedAt: string;
  startedAt?: string;
  endedAt: string;
  usage: Usage;
  error?: Failure;
}

/** What a run was asked with; kept until its start is confirmed. */
export interface RunRequest {
  agent: string;
  input: Json;
  label?: string;
  metadata?: Json;
  detached: Detached;
}

/** A row with what its starter needs beside what it shows. */
export interface RunState extends Row {
  /** The how manieth of its starter's runs it is: the order of lists. */
  ordinal: number;
  request?: RunRequest;
  detached: Detached;
  /** The start was issued and not confirmed yet: nothing may close or continue as new. */
  starting?: boolean;
  /** The run id of its workflow's first execution, once its start is confirmed. */
  epoch?: string;
  /** What is never shed of it, with what it may grow by. */
  bytes: number;
  /** Its input and metadata, as long as they are kept. */
  inputBytes?: number;
  /** Why its starter gave up on it; stays when it settles later. */
  gaveUpReason?: string;
  cancelReason?: string;
  cancelComment?: string;
  cancelCascade?: boolean;
  /** It was ended by force: that Temporal calls it terminated is our own doing. */
  forced?: boolean;
  /** Then the run is ended by force, milliseconds. */
  graceAt?: number;
  /** Its last progress that its starter knows of, milliseconds: its silence counts from here. */
  movedAt?: number;
  /** Silent for too long: the next look decides. */
  silent?: boolean;
  /** The next look at it, milliseconds, and how many there have been since the waits between them began anew. */
  lookAt?: number;
  looks?: number;
  /** It is to be looked at as soon as may be. */
  due?: boolean;
  /** When it was last looked at, milliseconds. */
  lookedAt?: number;
  /** Looks in a row that found nothing. */
  missed?: number;
  /** History events that the workflow of a `workflow:` run had when it was last seen. */
  seenEvents?: number;
  /** Paths below this run that its settle named as cancelled. */
  cancelledBelow?: string[];
  preview?: string;
  /** Messages to it that it has not read yet, oldest first; their text only until it has them. */
  unread?: { n: number; messageId: string; bytes: number; message?: string }[];
  /** How many messages it was sent. */
  messages?: number;
  /** Messages are on their way to it. */
  sending?: boolean;
  /** Its questions to this workflow that were not answered when last heard of. */
  asks?: Ask[];
  /** Its clocks stand still since then, milliseconds. */
  pausedAt?: number;
  /** Calls of handlers about it that have not succeeded yet. */
  handlers?: number;
  /** The worker wants to be told when it has settled. */
  finishHook?: boolean;
  /** The number of its last milestone, when that was shed. */
  lastMilestone?: number;
}

/** A call of an app's handler that has not succeeded yet. */
export interface HandlerCall {
  /** `handler:<name>` of an `onFinish`, or one of the worker's own. */
  handler: string;
  kind: 'start' | 'finish' | 'gave-up' | 'milestone';
  runId: string;
  /** Of a milestone. */
  name?: string;
  attempt: number;
  state: 'ready' | 'running' | 'backoff';
  retryAt?: number;
}

/** A question of a run to its starter. */
export interface Ask {
  requestId: string;
  question: string;
  delivery: Delivery;
  /** Open as far as this workflow knows; one that it has answered itself is not. */
  open: boolean;
}

/** A question as it is kept: one's own, or a copy of one of a run below. */
export interface RequestState extends Request {
  answeredAt?: string;
  by?: string;
}

/** What is kept of a forgotten run, with its place in the order of lists. */
export interface OldRow extends ForgottenRow {
  ordinal: number;
}

export interface TranscriptEntry {
  message: UIMessage;
  turnId?: string;
}

/** Where a run stands towards the workflow that started it. */
export interface RunSelf {
  runId: string;
  parent: { workflowId: string; epoch: string };
  parentToolCallId?: string;
  parentRunId?: string;
  kind: RunKind;
  label?: string;
  input: Json;
  /** Of a workflow type: where it is served, if not with us. */
  taskQueue?: string;
  retries: number;
  onBudget: 'cancel' | 'keep';
  /** Its ceiling, which it enforces itself once its parent is gone, milliseconds. */
  deadline: number;
  milestones: Milestone[];
  /** Milestones up to this `n` have reached the parent. */
  told: number;
  telling?: boolean;
  progress?: Progress;
  /** Its last own progress that its workflow knows of, milliseconds: a finished step or tool, a milestone, a settle of an own run. */
  movedAt: number;
  checkpoint?: Json;
  task?: 'ready' | 'running' | 'done';
  parentGone?: boolean;
  /** Messages from the parent that a task has not read yet, oldest first. */
  inbox?: RunMessage[];
  /** The number of the last message that came, and of the last one that was read, and of that which the parent knows to be read. */
  heard?: number;
  read?: number;
  readTold?: number;
  /** Requests of this run and of those below whose state the parent is to be told. */
  untold?: string[];
  asking?: boolean;
  tellingRead?: boolean;
  /** The next look whether the parent is still there, as long as it has a question to answer, milliseconds. */
  parentLookAt?: number;
  outcome?: Outcome;
  /** The settle is recorded and on its way to the parent. */
  settled?: boolean;
}

export interface Outcome {
  status: SettledStatus;
  reason?: string;
  comment?: string;
  result?: Json;
  error?: Failure;
}

export interface Closing {
  reason?: string;
  runs: 'keep' | 'cancel';
  turn: 'cancel' | 'finish';
  /** What to write on runs that end by it, and on turns. */
  code: 'session_closed' | 'cancelled_by_parent';
  turnCode: 'session_closed' | 'cancelled_by_user';
  /** The transcript has what waited, the runs are told: only settles are missing. */
  swept?: boolean;
  cascade: boolean;
  /** Runs that go on and have not been told yet that nobody hears them any more. */
  toTell?: string[];
  /** Some are being told. */
  telling?: boolean;
  /** Until then the end waits for them, milliseconds. */
  tellUntil?: number;
  /** Of a session: only the end of its workflow is missing, unless something comes that is still to be dealt with. */
  ready?: boolean;
  /** The end is recorded. */
  done?: boolean;
  /** Asked for by Temporal's own cancellation: the workflow ends Cancelled. */
  cancelledInTemporal?: boolean;
  /** A run's ending: by then it settles, whatever its task and its runs do, milliseconds. */
  graceAt?: number;
  /** That time has come. */
  late?: boolean;
}

export interface State {
  /** See `rules.ts`. */
  rules: number;
  kind: 'session' | 'run';
  workflowId: string;
  sessionId: string;
  epoch: string;
  depth: number;
  self?: RunSelf;
  /** Empty until the worker has said which agent a session without one has. */
  agent: string;
  title?: string;
  metadata?: Json;
  createdAt: string;
  settings: Settings;
  /** Kinds of the names that were looked up. */
  names: Record<string, NameFacts>;
  lastSeq: number;
  log: OutliveEvent[];
  transcript: TranscriptEntry[];
  turn: ActiveTurn | null;
  queue: QueuedTurn[];
  past: PastTurn[];
  /** Background turns in a row that started runs. */
  backgroundTurns: number;
  runs: RunState[];
  forgotten: OldRow[];
  dedupe: Record<string, string>;
  counters: { turn: number; run: number; message: number; start: number; request: number };
  usage: Usage;
  closing?: Closing;
  refusals: { since: number; count: number; suppressed: number };
  /** Assistant lines by the framework that wait for the end of a step. */
  lines: SlotRef[];
  /** Open requests of the whole tree, and the last ones that were closed. */
  requests: RequestState[];
  handlers: HandlerCall[];
  /** The clocks of the running turn, and of a run itself, stand still since then, milliseconds: a question of its own is open. */
  pausedAt?: number;
  /** A look at runs is under way. */
  looking?: boolean;
}

/** What a name stands for, as a worker said it. */
export interface NameFacts {
  kind: RunKind | 'handler';
  retries?: number;
  limits?: Partial<Settings['limits']>;
  /** Of a workflow type: where it is served, if not with us. */
  taskQueue?: string;
  /** What the worker wants to be told of every run. */
  hooks?: readonly ('onRunStart' | 'onRunFinish')[];
}

export type Effect =
  | { do: 'model'; turnId: string; step: number; attempt: number }
  | { do: 'tool'; turnId: string; step: number; call: ToolCall }
  | { do: 'abort-step' }
  | { do: 'start'; runId: string }
  | { do: 'cancel-run'; runId: string; reason: string; comment?: string; cascade: boolean }
  | { do: 'terminate'; runId: string; reason: string }
  | { do: 'answer-gone'; workflowId: string; epoch: string }
  | { do: 'tell-gone'; runs: string[] }
  | { do: 'task' }
  | { do: 'cancel-task' }
  | { do: 'tell-milestones'; milestones: Milestone[]; progress?: Progress }
  | { do: 'check-parent'; why: 'ceiling' | 'question' }
  | { do: 'handler'; call: HandlerCall }
  | { do: 'workflow' }
  | { do: 'terminate-workflow' }
  | { do: 'look'; runs: LookedFor[] }
  | { do: 'tell-run'; runId: string; messages: RunMessage[] }
  | { do: 'tell-read'; n: number }
  | { do: 'tell-request'; request: RequestState }
  | { do: 'refuse-request'; workflowId: string; requestId: string }
  | { do: 'answer-request'; workflowId: string; answer: ForwardedAnswer };

/** One kind of effect. */
export type EffectOf<D extends Effect['do']> = Extract<Effect, { do: D }>;

/** An answer on its way to the run that has asked. One that comes too late is a message all the same when it has a `messageId`. */
export interface ForwardedAnswer {
  requestId: string;
  value: string;
  messageId: string;
}

/** A run to look at; `closely`: it has been silent for too long, so that every trace of progress counts. */
export interface LookedFor {
  runId: string;
  workflowId: string;
  epoch: string;
  kind: RunKind;
  closely: boolean;
}

/** One input being decided: the state it changes, its time, and what is to be done. */
export interface Cx {
  readonly state: State;
  /** Milliseconds since 1970, the workflow's time; for what is written down, and for new deadlines. */
  readonly now: number;
  /** Deadlines up to here have passed. Default: `now`. */
  readonly due?: number;
  readonly effects: Effect[];
  /** Nothing that would be in flight may start: the workflow is about to continue as new. */
  readonly hold?: boolean;
}

/** The time up to which deadlines have passed. */
export function dueBy({ due, now }: Cx): number {
  return due ?? now;
}

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** An instant as another workflow gave it, in the one form that is kept. */
export function instant(given: string, now: number): string {
  const ms = Date.parse(given);
  return Number.isNaN(ms) ? iso(now) : iso(ms);
}

export function noUsage(): Usage {
  return { inputTokens: 0, outputTokens: 0, totalTokens: 0, modelCalls: 0 };
}

export function addUsage(to: Usage, more: Usage): void {
  to.inputTokens += more.inputTokens;
  to.outputTokens += more.outputTokens;
  to.totalTokens += more.totalTokens;
  to.modelCalls += more.modelCalls;
  if (more.costUsd !== undefined) to.costUsd = (to.costUsd ?? 0) + more.costUsd;
}

export interface NewState {
  kind: 'session' | 'run';
  workflowId: string;
  sessionId: string;
  epoch: string;
  depth: number;
  agent: string;
  title?: string;
  metadata?: Json;
  settings: Settings;
  self?: RunSelf;
  /** Default: the newest. */
  rules?: number;
}

export function newState(given: NewState, now: number): State {
  return {
    rules: RULES,
    ...given,
    createdAt: iso(now),
    names: {},
    lastSeq: 0,
    log: [],
    transcript: [],
    turn: null,
    queue: [],
    past: [],
    backgroundTurns: 0,
    runs: [],
    forgotten: [],
    dedupe: {},
    counters: { turn: 0, run: 0, message: 0, start: 0, request: 0 },
    usage: noUsage(),
    refusals: { since: 0, count: 0, suppressed: 0 },
    lines: [],
    requests: [],
    handlers: [],
  };
}

export function findRun(state: State, runId: string): RunState | undefined {
  return state.runs.find((row) => row.runId === runId);
}

/** Whether a call of the running turn takes the outcome of a run. */
export function isWaitedFor({ turn }: State, runId: string): boolean {
  return turn?.calls.some((call) => call.wait?.for === 'settle' && call.wait.runId === runId) === true;
}

/** True when its starter has given up on a run that is nowhere to be found: it holds no place, and a settle is still taken. */
export function isLost(row: { status: string; childStillRunning?: boolean }): boolean {
  return row.status === 'interrupted' && row.childStillRunning !== true;
}

/** Forgets the questions of a run that are answered and told. */
export function forgetAsks(row: RunState): void {
  const kept = (row.asks ?? []).filter((ask) => ask.open || !isFilled(ask.delivery));
  if (kept.length === 0) delete row.asks;
  else row.asks = kept;
}

/** True when nothing of a run is to come any more: it has settled or is lost, and what was to be told is. */
export function isDone(row: RunState): boolean {
  if (row.handlers !== undefined) return false;
  if (isSettled(row)) return delivered(row);
  return isLost(row) && row.delivery.gaveUp !== undefined && isFilled(row.delivery.gaveUp);
}

export function isSettled(row: { status: string }): boolean {
  return row.status === 'completed' || row.status === 'failed' || row.status === 'cancelled';
}

/** True when nothing of a run is still on its way into the transcript. */
export function delivered(row: RunState): boolean {
  const { finish, gaveUp, milestones } = row.delivery;
  if (row.asks?.some((ask) => !isFilled(ask.delivery)) === true) return false;
  return (
    isFilled(finish) &&
    (gaveUp === undefined || isFilled(gaveUp)) &&
    (milestones === undefined || Object.values(milestones).every(isFilled))
  );
}

function isFilled(slot: Delivery): boolean {
  return slot.state === 'delivered' || slot.state === 'not_required';
}

/** True once the last event of this log is written: nothing that still comes changes anything. */
export function isOver(state: State): boolean {
  return state.closing?.done === true || state.self?.settled === true;
}

export function slotOf(row: RunState, slot: SlotRef): Delivery | undefined {
  switch (slot.kind) {
    case 'finish':
      return row.delivery.finish;
    case 'gave-up':
      return row.delivery.gaveUp;
    case 'milestone':
      return row.delivery.milestones?.[slot.name];
    case 'ask':
      return row.asks?.find((ask) => ask.requestId === slot.requestId)?.delivery;
    default:
      return slot satisfies never;
  }
}
