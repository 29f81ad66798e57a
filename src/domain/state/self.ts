/**
 * Where a run stands towards the workflow that started it. Its `end` moves `working → ending → settled`: the outcome is decided once, what
 * the run has begun is brought to its end, then the outcome is recorded and told. It is written here and nowhere else.
 */
import type { Outcome } from './row.ts';
import type { DetachedCall, Note } from './turn.ts';
import type { Json, Milestone, Progress } from './types.ts';

export interface RunSelf {
  readonly runId: string;
  readonly parent: { workflowId: string; epoch: string };
  readonly parentToolCallId?: string;
  readonly parentRunId?: string;
  readonly label?: string;
  readonly onBudget: 'cancel' | 'keep';
  /** What it was asked with; not carried once it is an agent's first turn. */
  readonly input: Json;
  readonly work: Work;
  readonly end: End;
  /** Its ceiling, which it enforces itself once its parent is gone, milliseconds. */
  deadline: number;
  milestones: Milestone[];
  /** Milestones up to this `n` have reached the parent. */
  told: number;
  progress?: Progress;
  /** Its last own progress that its workflow knows of, milliseconds: a finished step or tool, a milestone, a settle of an own run. */
  movedAt: number;
  parentGone?: true;
  /** Notes of the parent: the number of the last one that came, of the last one that was read, and of that which the parent knows to be read. */
  notes: { heard: number; read: number; readTold: number };
  /** The next look whether the parent is still there, as long as it has a question to answer, milliseconds. */
  parentLookAt?: number;
}

export type Work =
  /**
   * `reported`: what it last gave as its result. `wantsResult`: it has to give one, as its worker last said; `reminded`: it had ended without, and
   * was asked once more.
   */
  | { kind: 'agent'; reported?: { result: Json }; wantsResult?: boolean; reminded?: true }
  /** `inbox`: notes that it has not read yet, oldest first. */
  | { kind: 'task'; readonly retries: number; activity: Activity; checkpoint?: Json; inbox: Note[] }
  | ({ kind: 'tool' } & DetachedCall)
  /** `taskQueue`: where its type is served, if not with us. */
  | { kind: 'workflow'; readonly taskQueue?: string; activity: Activity };

type Activity = 'ready' | 'running' | 'done';

export type End = { is: 'working' } | { is: 'ending'; outcome: Outcome } | { is: 'settled'; outcome: Outcome };

/** The outcome, once it is decided. */
export function outcomeOf({ end }: RunSelf): Outcome | undefined {
  return end.is === 'working' ? undefined : end.outcome;
}

/** Decides the outcome: the first one stands, but that a run which completes before its cancellation takes effect has completed. */
export function decide(self: RunSelf, outcome: Outcome): void {
  const { end } = self;
  const isLate = end.is === 'ending' && end.outcome.status === 'cancelled' && outcome.status === 'completed';
  if (end.is !== 'working' && !isLate)
    throw new Error(`Run ${self.runId} is ${end.is} as ${end.outcome.status}: its outcome is decided once.`);
  put(self, { is: 'ending', outcome });
}

/** Records that the outcome stands: nothing that still comes changes anything. */
export function settle(self: RunSelf): Outcome {
  const { end } = self;
  if (end.is !== 'ending')
    throw new Error(`Run ${self.runId} is ${end.is} and cannot settle: that needs an outcome, and happens once.`);
  put(self, { is: 'settled', outcome: end.outcome });
  return end.outcome;
}

function put(self: RunSelf, end: End): void {
  Object.assign(self, { end });
}

export function hasSettled(self: RunSelf | undefined): boolean {
  return self?.end.is === 'settled';
}

/** True while its task, or the workflow that it executes, is in flight. */
export function isAtWork(self: RunSelf | undefined): boolean {
  return self !== undefined && 'activity' in self.work && self.work.activity === 'running';
}
