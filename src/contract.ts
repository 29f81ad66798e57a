/**
 * The public surface: names, limits of size, payload shapes and the interface of the activities.
 *
 * The vocabulary, one word per thing, everywhere:
 *
 * - session: a long-lived conversation, one workflow id that runs for weeks, through continue-as-new
 * - turn: one admission of input to the session's agent, run to its end; one at a time, FIFO; made of steps
 * - step: one model call and the tool calls it asks for
 * - turn input: what a turn answers, from a user or made by the runtime from a run's event
 * - agent: what takes turns: instructions, a model, tools
 * - task: a plain function with progress and milestones, run durably
 * - run: one detached execution of an agent, a task or any workflow type, started from a session or from another run
 * - settle: a run reaching `completed`, `failed` or `cancelled`; happens once
 * - give up: the session stops waiting for a run and says so; the run may still settle later
 * - milestone: a named, durable, ordered point in a run
 * - progress: the latest snapshot of a run; latest wins
 * - request: an open question to a person or a parent, with an id
 * - event: a durable, numbered entry in a session's or a run's log
 */
import type { ModelAnswer } from './domain/turn/model-step.ts';
import type { Sight } from './domain/run/looks.ts';
import type { Answer, AnswerReceipt } from './domain/run/requests.ts';
import type { LookedFor } from './domain/state/effects.ts';
import type { DetachedCall } from './domain/state/turn.ts';
import type { NameFacts } from './domain/state/types.ts';
import type {
  Json,
  Limits,
  Misfit,
  OutliveEvent,
  Progress,
  Refusal,
  Row,
  RunKind,
  Usage,
} from './domain/state/types.ts';

export type * from './domain/state/types.ts';

export const DEFAULT_TASK_QUEUE = 'outlive';

export { NAME_PATTERN } from './domain/state/ids.ts';
export const SESSION_ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

export * from './domain/state/sizes.ts';

/** What a worker may serve, each on a task queue of its own: workflows with short errands, model calls, tools and handlers, tasks. */
export const SERVED = ['workflows', 'models', 'tools', 'tasks'] as const;
export type Served = (typeof SERVED)[number];

/** The task queue of what is served: that of workflows is named in the configuration, the others are named after it. */
export function taskQueueOf(taskQueue: string, served: Served): string {
  return served === 'workflows' ? taskQueue : `${taskQueue}.${served}`;
}

/** Keep-alive of activities: a worker that is lost is noticed after this long. */
export const HEARTBEAT_TIMEOUT_MS = 10_000;

/** In the memo of a run's workflow: the epoch of the workflow that started it. */
export const PARENT_EPOCH = 'outliveParentEpoch';

/** In the memo of a session's workflow, written once when its agent is known: what a list of sessions shows. */
export const SESSION_MEMO = 'outlive';

/** `epoch` and `createdAt` are those of its first execution; visibility knows those of its latest. */
export interface SessionMemo {
  v: 1;
  epoch: string;
  createdAt: string;
  agent: string;
  title?: string;
}

/** Failure type of what a stopping worker hands back undone. */
export const HANDED_BACK = 'WorkerShutdown';

/** Failure type of what a worker gives back that does not know the name in it; the first detail is what it fails as when nobody does. */
export const UNKNOWN_HERE = 'UnknownHere';

/** The argument of the `run` workflow, made by the workflow that starts it. */
export interface RunInput {
  v: 1;
  /** By which it decides until it continues as new: those of the workflow that starts it. */
  rules: number;
  runId: string;
  parent: { workflowId: string; epoch: string };
  sessionId: string;
  parentRunId?: string;
  parentToolCallId?: string;
  depth: number;
  agent: string;
  kind: RunKind;
  /** Of a workflow type. */
  taskQueue?: string;
  /** Of a call of a tool. */
  call?: DetachedCall;
  input: Json;
  label?: string;
  metadata?: Json;
  limits: Partial<Limits>;
  /** Those that hold for the whole tree. */
  budgets: { requestTtlMs: number; maxTokens?: number; onMaxTokens?: 'fail' | 'ask' };
  retries: number;
  onBudget: 'cancel' | 'keep';
  deadlineAt: string;
  /** The worker wants to be told when it has settled: by the run itself, when its starter is gone by then. */
  tellsFinish?: true;
}

/** The workflow result of every `run`, whatever its status. */
export interface RunResult {
  status: 'completed' | 'failed' | 'cancelled';
  reason?: string;
  result?: Json;
  error?: { type: string; message: string };
  /** Why its model ended, when it did not end by itself. */
  finishReason?: string;
  usage: { inputTokens: number; outputTokens: number; totalTokens: number; modelCalls: number; costUsd?: number };
  /** False when there was no parent any more to take it. */
  delivered: boolean;
}

/** The workflow result of a session. */
export interface SessionResult {
  status: 'closed';
  reason?: string;
  usage: RunResult['usage'];
  lastSeq: number;
  runs: { runId: string; status: string }[];
}

export interface ModelArg {
  v: 1;
  agent: string;
  workflowId: string;
  turnId: string;
  step: number;
  attempt: number;
  isRun: boolean;
  /** What the workflow has used so far, own and below: the heartbeat carries it, so that a look sees it. */
  usage: Usage;
}
export interface ToolArg {
  v: 1;
  /** Whose tool it is. */
  agent: string;
  workflowId: string;
  sessionId: string;
  turnId: string;
  toolCallId: string;
  toolName: string;
  input: Json;
  attempt: number;
}
/** What a handler is called with, and which one it is. */
export interface HandlerArg {
  v: 1;
  handler: string;
  key: string;
  kind: 'start' | 'finish' | 'gave-up' | 'milestone';
  run: Partial<Row>;
  result?: Json;
}
export interface TaskArg {
  v: 1;
  task: string;
  input: Json;
  runId: string;
  workflowId: string;
  sessionId: string;
  retries: number;
  maxLosses: number;
  checkpoint?: Json;
  n: number;
}
export interface TaskDone {
  v: 1;
  result: Json;
  progress?: Progress;
  /** The number of the last message that it had read, if it had any. */
  read?: number;
}

/** What a model call's heartbeat carries. */
export interface ModelHeartbeat {
  usage: Usage;
  turnId?: string;
  step?: number;
  attempt?: number;
  /** What has come of the answer so far, in order, 64 KiB of it at most. */
  parts?: StreamedPart[];
}

export interface StreamedPart {
  type: 'text' | 'reasoning';
  text: string;
}

/** What a task's heartbeat carries: the live progress, the checkpoint of the next attempt, and what has become of the attempts so far. */
export interface TaskHeartbeat {
  progress?: Progress;
  checkpoint?: Json;
  /** How often it threw. */
  errors: number;
  /** The attempt that says this, from 1. */
  attempt: number;
  /** It has ended by itself: its worker was not lost. */
  ended?: true;
  /** It has shown progress: a report or a milestone. */
  moved?: true;
  /** Workers lost in a row before this attempt, without progress between. */
  losses: number;
  /** Since when no worker that took it has known its name, milliseconds. */
  unknownSince?: number;
}

/**
 * Activities on the task queue, implemented in `activities/`; workflows know only this. Arguments and answers carry `v`, the
 * number of their shape; `trace` is reserved in all of them.
 */
export interface Activities {
  model(arg: ModelArg): Promise<{ v: 1 } & ModelAnswer>;
  tool(arg: ToolArg): Promise<{ v: 1; output: Json }>;
  task(arg: TaskArg): Promise<TaskDone>;
  /** Calls a handler of the app. */
  handler(arg: HandlerArg): Promise<void>;
  /** What a name stands for, and the newest rules that the worker knows; without a name, which agent a session has that names none. */
  resolveName(arg: {
    v: 1;
    name?: string;
  }): Promise<{ v: 1; rules: number; name: string; facts?: NameFacts; known: string[] }>;
  /** What does not fit of the input of runs that tasks with a schema are to do, in their order; `null` where it fits, or nobody can tell. */
  checkInputs(arg: { v: 1; runs: { agent: string; input: Json }[] }): Promise<{ v: 1; misfits: (Misfit | null)[] }>;
  /** What can be seen of runs from outside; those that do not fit into one answer are left out. */
  look(arg: { v: 1; runs: LookedFor[] }): Promise<{ v: 1; sights: Sight[] }>;
  /** Sends an answer to the workflow that has asked; neither receipt nor refusal when that is closed. */
  answerRequest(arg: {
    v: 1;
    workflowId: string;
    answer: Answer;
  }): Promise<{ v: 1; receipt?: AnswerReceipt; refusal?: Refusal }>;
  /** Which execution chain has a workflow id now, whether it is open, what Temporal calls its end, and, of a run, the epoch of the workflow that started it. */
  lookAtWorkflow(arg: {
    v: 1;
    workflowId: string;
  }): Promise<{ v: 1; found?: { epoch: string; open: boolean; status?: string; parentEpoch?: string } }>;
  terminateRun(arg: { v: 1; workflowId: string; epoch: string; reason: string }): Promise<void>;
  /** Does nothing: that it was scheduled puts its argument into the history, where readers of the log find it. */
  archiveLog(arg: Archived): Promise<void>;
}

/** A part of a log that has left the state, oldest first; `first` is the number of its first event. */
export interface Archived {
  v: 1;
  first: number;
  events: OutliveEvent[];
}

/** What a query is told that comes between an event and the workflow task for it; nothing is wrong. */
export const ASK_AGAIN = 'The workflow is about to take what has just happened; ask again.';

/** How many frames a stack trace of workflow code has; the worker puts it before the workflow bundle, from the environment. Default: none. */
export const STACKS_GLOBAL = '__outlive_stacks';

/** Marks an error that goes to the caller of a query, and into no history. */
export const PLAIN = Symbol.for('outlive.plain');

/** Put before the workflow bundle by a worker with payload codecs: then what errors say is encoded too. */
export const ENCODES_GLOBAL = '__outlive_encodes';

/** The list of registered agents and tasks that the worker puts before the workflow bundle; read by validators only. */
export const NAMES_GLOBAL = '__outlive_names';
