/**
 * The nouns of the domain: what readers see (rows, turns, events, usage) and the settings that rules read.
 * Plain JSON throughout, because all of it is carried from one execution of a workflow to the next.
 */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** One part of a message, as in the AI SDK's `UIMessage`: `text`, `reasoning`, `tool-<name>`, … */
export type MessagePart = { type: string; [key: string]: unknown };

/** A message in the shape of the AI SDK's `UIMessage`. */
export interface UIMessage {
  id: string;
  role: 'user' | 'assistant' | 'system';
  parts: MessagePart[];
  metadata?: { [key: string]: Json | undefined };
}

export interface Limits {
  /** Runs that run at once; more are queued. Default 16 in a session, 4 in a run. */
  maxConcurrentRuns: number;
  /** Runs that wait for a place. Default 1000 in a session, 16 in a run; 0 refuses at once. */
  maxQueuedRuns: number;
  /** Runs that a model may start in one turn. Default 32. */
  maxRunsPerTurn: number;
  /** Nesting of runs. Default 4. */
  maxDepth: number;
  /** Turns that wait. Default 1000. */
  maxQueuedTurns: number;
  /** Bytes of the inputs of queued turns and runs together. Default 256 KiB. */
  maxQueuedBytes: number;
  /** Steps of one turn. Default 100. */
  maxSteps: number;
  /** Workers that one task, tool or step may take with it in a row, without progress between. Default 10. */
  maxLosses: number;
  /** Background turns in a row that started runs, before further ones take no model call. Default 1000; 0 is no bound. */
  maxBackgroundTurns: number;
  /** Then a run that ignores its cancellation is ended. Default 30 s. */
  cancelGraceMs: number;
  /** Continue as new after so many history events; left out: when the server suggests it. At least 20. */
  historyEvents?: number;
}

export interface Budgets {
  /** Ceiling of a run from its acceptance. Default 24 h. */
  maxBudgetMs: number;
  /** Silence before a session gives up on a run. Default 1 h; 0 is off. */
  noProgressBudgetMs: number;
  /** Ceiling of one turn. Default 30 min. */
  turnMs: number;
  /** Life of a request. Default 30 days. */
  requestTtlMs: number;
  /** Tokens over the whole tree, soft. Default none. */
  maxTokens?: number;
  /** What comes of a turn or run when they are used up: it ends, or a person is asked for more. Default `fail`. */
  onMaxTokens?: 'fail' | 'ask';
}

export type OnBusy = 'queue' | 'latest' | 'merge' | 'drop' | 'interrupt' | 'steer' | { debounceMs: number };

export interface TurnSettings {
  /** What new user input does when a turn runs, waits or is queued. Default `queue`. */
  onBusy: OnBusy;
  /** Background inputs join the last queued background turn. Default true. */
  batchBackground: boolean;
}

export interface Settings {
  limits: Limits;
  budgets: Budgets;
  turns: TurnSettings;
}

export interface Usage {
  inputTokens: number;
  outputTokens: number;
  totalTokens: number;
  modelCalls: number;
  costUsd?: number;
}

export interface Failure {
  type: string;
  message: string;
  /** Of HTTP, when a model's provider refused. */
  statusCode?: number;
}

export interface Progress {
  fraction?: number;
  phase?: string;
  message?: string;
  data?: Json;
  n: number;
  at: string;
}

export interface Milestone {
  n: number;
  name: string;
  at: string;
  data?: Json;
}

export type RunKind = 'agent' | 'task' | 'workflow' | 'tool';
export type RunStatus = 'queued' | 'running' | 'input_required' | 'completed' | 'failed' | 'cancelled' | 'interrupted';
export type SettledStatus = 'completed' | 'failed' | 'cancelled';
export type TurnStatus = 'queued' | 'running' | 'input_required' | EndedTurnStatus;
export type EndedTurnStatus = 'completed' | 'failed' | 'cancelled' | 'skipped';

export interface Delivery {
  key: string;
  state: 'pending' | 'queued' | 'delivered' | 'not_required';
  turnId?: string;
  at?: string;
  /** How the turn that read it ended. */
  turnStatus?: EndedTurnStatus;
}

export interface OnMilestones {
  names: string[] | '*';
  mode: 'narrate' | 'react';
}

/** `detached` of `startRun` with every default filled in. */
export interface Detached {
  notify: 'react' | 'narrate' | 'silent';
  maxBudgetMs: number;
  noProgressBudgetMs: number;
  onBudget: 'cancel' | 'keep';
  onMilestones?: OnMilestones;
  /** Name of a registered handler. */
  onFinish?: string;
}

/** What the starter of a run knows of it and shows. */
export interface Row {
  runId: string;
  workflowId: string;
  agent: string;
  kind: RunKind;
  label?: string;
  status: RunStatus;
  reason?: string;
  comment?: string;
  childStillRunning?: boolean;
  cancelRequestedAt?: string;
  parentToolCallId?: string;
  turnId?: string;
  /** As it was given with `startRun`. */
  metadata?: Json;
  depth: number;
  createdAt: string;
  startedAt?: string;
  settledAt?: string;
  /** Of its task, as last seen; counts from 1. */
  attempt?: number;
  deadlineAt: string;
  progress?: Progress;
  milestones: Milestone[];
  usage: Usage;
  result?: Json;
  resultRef?: string;
  /** Why its model ended, when it did not end by itself: `length`, `content-filter`, … */
  finishReason?: string;
  error?: Failure;
  delivery: { finish: Delivery; gaveUp?: Delivery; milestones?: Record<string, Delivery> };
}

/** What is kept of a run that settled long ago. */
export interface ForgottenRow {
  runId: string;
  status: SettledStatus;
  reason?: string;
  settledAt: string;
  forgotten: true;
}

export interface InputRef {
  source: 'user' | 'background-run' | 'notice';
  key?: string;
}

export type EventType =
  | 'session.started'
  | 'session.closed'
  | 'turn.queued'
  | 'turn.joined'
  | 'turn.started'
  | 'turn.completed'
  | 'turn.failed'
  | 'turn.cancelled'
  | 'turn.skipped'
  | 'message.added'
  | 'step.waiting'
  | 'run.queued'
  | 'run.started'
  | 'run.input_required'
  | 'run.resumed'
  | 'run.detached'
  | 'run.cancel_requested'
  | 'run.milestone'
  | 'run.gave_up'
  | 'run.settled'
  | 'run.delivered'
  | 'message.sent'
  | 'message.received'
  | 'request.opened'
  | 'request.answered'
  | 'handler.failed'
  | 'input.refused'
  | 'transcript.compacted'
  | 'transcript.rewound'
  | 'log.truncated';

/** A durable, numbered entry in the log of one workflow id; (`workflowId`, `seq`) is its identity. */
export interface OutliveEvent {
  seq: number;
  at: string;
  type: EventType;
  /** The workflow in whose log the event stands. */
  workflowId: string;
  /** The root of the tree. */
  sessionId: string;
  runId?: string;
  parentRunId?: string;
  turnId?: string;
  toolCallId?: string;
  parentToolCallId?: string;
  [field: string]: unknown;
}

export const ERROR_TYPES = [
  'InvalidInput',
  'UnknownAgent',
  'UnknownRun',
  'UnknownTurn',
  'UnknownRequest',
  'UnknownHandler',
  'IdempotencyConflict',
  'RunSettled',
  'RunFailed',
  'QueueFull',
  'RunLimitExceeded',
  'DepthExceeded',
  'NestedTurn',
  'TurnRunning',
  'ResultMissing',
  'OutcomeUnknown',
  'ApprovalRejected',
  'ApprovalExpired',
  'ApprovalWithdrawn',
  'SessionClosed',
  'ResultTooLarge',
  'ModelStalled',
  'ModelBroken',
  'ProviderError',
  'BudgetExceeded',
  'WorkerLost',
  'StaleCursor',
  'ResultGone',
  'NoWorker',
  'SessionExists',
  'Unavailable',
  'UnknownSession',
  'Unauthorized',
  'Forbidden',
  'Internal',
] as const;

export type ErrorType = (typeof ERROR_TYPES)[number];

/** Why something was not accepted: one sentence and its type. A value, not an exception. */
export interface Refusal {
  refused: ErrorType;
  message: string;
}

export function refuse(refused: ErrorType, message: string): Refusal {
  return { refused, message };
}

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && 'refused' in value;
}

export type RequestStatus = 'open' | 'approved' | 'rejected' | 'answered' | 'expired' | 'withdrawn' | 'parent_closed';

/** A question to a person or a parent. */
export interface Request {
  requestId: string;
  kind: 'approval' | 'ask_parent' | 'budget';
  /** The workflow that asks. */
  workflowId: string;
  runId?: string;
  turnId?: string;
  toolCallId?: string;
  toolName?: string;
  /** Of the call that is to be approved; a larger one than 8 KiB as a preview. */
  input?: Json;
  inputPreview?: string;
  question?: string;
  status: RequestStatus;
  openedAt: string;
  expiresAt: string;
}

/** A question as it is kept: one's own, or a copy of one of a run below. */
export interface RequestState extends Request {
  answeredAt?: string;
  by?: string;
  comment?: string;
}

/** The answer of `getSession`. */
export interface SessionSnapshot {
  sessionId: string;
  epoch: string;
  status: 'idle' | 'running' | 'input_required' | 'closing' | 'closed';
  agent: string;
  title?: string;
  metadata?: Json;
  createdAt: string;
  turn: {
    turnId: string;
    status: TurnStatus;
    step: number;
    attempt: number;
    recovering: boolean;
    startedAt: string;
  } | null;
  queue: { turnId: string; position: number; inputs: InputRef[]; queuedAt: string }[];
  runs: Record<RunStatus, number>;
  /** The open ones of the whole tree. */
  requests: Request[];
  usage: Usage;
  lastSeq: number;
  /** When this was answered, by the worker's clock: what has a deadline counts down from here. */
  now: string;
  /** The version of the rules by which this execution decides. */
  rules: number;
  /** Background turns take no model call until somebody from outside says something: `limits.maxBackgroundTurns`. */
  loop?: true;
  /** Of a run: when it last finished a step or a tool, reached a milestone, or a run of its own settled. */
  progressAt?: string;
}

/** Where input does not fit what is declared of it: the path below it, as `.files[0]`, and the phrase behind "Expected <field> ". */
export interface Misfit {
  field: string;
  wrong: string;
}

/** What a name stands for, as a worker said it. */
export interface NameFacts {
  kind: RunKind | 'handler';
  /** Of a task that says what its input is to be: a worker can tell what does not fit. */
  hasSchema?: true;
  retries?: number;
  limits?: Partial<Settings['limits']>;
  /** Of a workflow type: where it is served, if not with us. */
  taskQueue?: string;
  /** What the worker wants to be told of every run. */
  hooks?: readonly ('onRunStart' | 'onRunFinish')[];
}
