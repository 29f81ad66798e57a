/**
 * The state of one shell: a session, or a run that an agent takes turns in, or a run of a task.
 *
 * All of it may be carried from one execution to the next: it is JSON, save that rows and outbox know their sums beside it. Rules change it
 * in place through a `Cx`, which brings the time of the input and collects what is to be done; nothing here reads a clock, makes randomness
 * or waits.
 */
import type { Closing } from './closing.ts';
import type { Effect } from './effects.ts';
import { Outbox } from './outbox.ts';
import type { SlotRef } from './row.ts';
import { Rows } from './rows.ts';
import { RULES } from './rules.ts';
import { hasSettled, type RunSelf } from './self.ts';
import type { Tokens } from './tokens.ts';
import type { ActiveTurn, PastTurn, QueuedTurn, TranscriptEntry } from './turn.ts';
import type { Json, NameFacts, OutliveEvent, RequestState, Settings } from './types.ts';
import { noUsage, type Spent } from './usage.ts';

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
  runs: Rows;
  outbox: Outbox;
  dedupe: Record<string, string>;
  /** What actions came to, by their entries in `dedupe`, oldest first: see `turn/actions.ts`. */
  actions?: Record<string, Json>;
  /** Hashes of the ids of messages and turns that were taken back by `rewind`, oldest first. */
  rewound?: string[];
  counters: { turn: number; run: number; message: number; start: number; request: number };
  spent: Spent;
  closing?: Closing;
  refusals: { since: number; count: number; suppressed: number };
  /** Assistant lines by the framework that wait for the end of a step. */
  lines: SlotRef[];
  /** Open requests of the whole tree, and the last ones that were closed. */
  requests: RequestState[];
  /** The clocks of the running turn, and of a run itself, stand still since then, milliseconds: a question of its own is open. */
  pausedAt?: number;
  /** The budget of tokens, once there is one. */
  tokens?: Tokens;
  /** A look at runs is under way. */
  looking?: true;
}

/** A state as JSON has it. */
export type StateJson = Omit<State, 'runs' | 'outbox'> & {
  runs: ReturnType<Rows['toJSON']>;
  outbox: ReturnType<Outbox['toJSON']>;
};

/** A state that was JSON. */
export function revived({ runs, outbox, ...rest }: StateJson): State {
  return { ...rest, runs: new Rows(runs), outbox: new Outbox(outbox) };
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
    runs: new Rows(),
    outbox: new Outbox(),
    dedupe: {},
    counters: { turn: 0, run: 0, message: 0, start: 0, request: 0 },
    spent: { own: noUsage(), below: noUsage() },
    refusals: { since: 0, count: 0, suppressed: 0 },
    lines: [],
    requests: [],
  };
}

/** True when a call of the running turn takes the outcome of a run. */
export function isWaitedFor({ turn }: State, runId: string): boolean {
  return turn?.calls.some((call) => call.wait?.for === 'settle' && call.wait.runId === runId) === true;
}

/** True when a workflow, this one or one below it, waits for an answer. */
export function isAsking({ requests }: State, workflowId: string): boolean {
  return requests.some((one) => one.status === 'open' && one.workflowId === workflowId);
}

/** True once the last event of this log is written: nothing that still comes changes anything. */
export function isOver(state: State): boolean {
  return state.closing?.stage.is === 'done' || hasSettled(state.self);
}
