/** Turns, as they wait, run and have ended, and what they are made of. */
import type { SlotRef } from './row.ts';
import type { EndedTurnStatus, Failure, InputRef, Json, MessagePart, NameFacts, UIMessage, Usage } from './types.ts';

/** A call that is a run of its own: whose tool it is, how it is to be treated, and where it was asked for. */
export interface DetachedCall {
  owner: string;
  policy: ToolPolicy;
  turnId: string;
  toolCallId: string;
}

/** What a queued turn will append to the transcript. A background body points at its row: the row is the memory. */
export type Body =
  | { source: 'user'; messages: UIMessage[] }
  | { source: 'background-run'; slot: SlotRef }
  | { source: 'note'; note: Note }
  | { source: 'reminder' };

/** A message from a starter to its run; `n` counts from 1 for each run. */
export interface Note {
  n: number;
  messageId: string;
  message: string;
}

/** What is kept with each input, because inputs merge. */
export interface TurnInput {
  ref: InputRef;
  body: Body;
  bytes: number;
  /** Of a user's input. */
  metadata?: Json;
  /** Entries of the dedupe record that were made for it. */
  keys?: string[];
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
  /** Debounced: not before this instant, milliseconds, which any user input for the queue puts off by so much anew. */
  startAfter?: number;
  debounceMs?: number;
}

/** How a call of a custom tool is to be treated; told by the worker with the model's answer. */
export interface ToolPolicy {
  idempotent: boolean;
  timeoutMs: number;
  retries: number;
  /** When its outcome is unknown the app says what the model reads of it: a second attempt asks for that, and runs nothing. */
  repairs?: boolean;
  /** A person is to approve the call before it is made. */
  approval?: boolean;
  /** Of an action: which calls of the tool are the same. */
  actionKey?: string;
  /** The call is a run of its own; told of as the worker wants. */
  detached?: boolean;
  hooks?: NameFacts['hooks'];
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
  /** Where it is remembered as an action. */
  action?: string;
  /** Since when no worker that took it has known it, milliseconds. */
  unknownSince?: number;
  /** What a call of a tool of the runtime waits for; nothing is in flight meanwhile. */
  wait?: Wait;
}

/** `until`: milliseconds; then the call is answered with what there is. */
export type Wait =
  | { for: 'settle'; runId: string; until?: number }
  | { for: 'cancel'; runId: string; until: number }
  | { for: 'look'; runId: string; since: number; until: number }
  | { for: 'answer'; requestId: string; given?: Json }
  | { for: 'approval'; requestId: string }
  /** For another call of this step that is the same action. */
  | { for: 'action'; toolCallId: string };

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
  /** Since when no worker that took this step has known the agent, milliseconds. */
  unknownSince?: number;
  /** The assistant message of this step while its tools are answering. */
  parts: MessagePart[];
  /** What that message says of itself. */
  about?: { cut?: number; finishReason?: string };
  /** The id that message will have. */
  messageId?: string;
  /** While the step waits: how many of its calls had no answer when it was last shown in the log. */
  shownOpen?: number;
  /** The calls that have no answer yet. */
  calls: ToolCall[];
  /** Workers that this step has taken with it in a row, and attempts of it that failed otherwise. */
  losses: number;
  failures: number;
  /** The most characters that an attempt of this step had said when its worker was lost. */
  said?: number;
  stepsDone: number;
  runsStarted: number;
  /** Runs whose outcome is the result of a call of this step. */
  handed?: string[];
  /** The slots that this turn has filled. */
  told?: SlotRef[];
  /** Input for this turn that is to be read before its next model call; what is left over at its end becomes turns of its own. */
  steers?: QueuedTurn[];
}

export interface PastTurn {
  turnId: string;
  status: EndedTurnStatus;
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

export interface TranscriptEntry {
  message: UIMessage;
  turnId?: string;
  /** Of the first message of a user's input: see `TurnInput`. */
  keys?: string[];
}

const LONG: readonly Wait['for'][] = ['settle', 'answer', 'approval'];

/** True when a call of the step under way waits for a run or a person, which may take weeks. */
export function isStepWaiting({ phase, calls }: ActiveTurn): boolean {
  return phase === 'tools' && calls.some(({ wait }) => wait !== undefined && LONG.includes(wait.for));
}

/** True when an attempt at a call has been made. */
export function isBegun({ state, attempt }: ToolCall): boolean {
  return state === 'running' || attempt > 1;
}

/** True when a model call or a tool is in flight. */
export function isInFlight({ phase, calls }: ActiveTurn): boolean {
  return phase === 'model' || calls.some((call) => call.state === 'running');
}
