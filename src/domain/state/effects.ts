/** What rules ask to be done outside: the shell performs it and gives what becomes of it back as an input. */
import type { ForwardedAnswer, HandlerCall } from './outbox.ts';
import type { Note, ToolCall } from './turn.ts';
import type { Milestone, Progress, RequestState, RunKind, Usage } from './types.ts';

export type Effect =
  | { do: 'model'; turnId: string; step: number; attempt: number }
  | { do: 'tool'; turnId: string; step: number; call: ToolCall }
  | { do: 'abort-step' }
  | { do: 'task' }
  | { do: 'cancel-task' }
  | { do: 'workflow' }
  | { do: 'terminate-workflow' }
  | { do: 'start'; runId: string }
  | { do: 'cancel-run'; runId: string; reason: string; comment?: string; cascade: boolean }
  | { do: 'terminate'; runId: string; reason: string }
  | { do: 'look'; runs: LookedFor[] }
  /** `key`: of the entry in the outbox. */
  | { do: 'tell'; key: string; letter: Letter }
  | { do: 'handler'; key: string; call: HandlerCall; idempotencyKey: string; attempt: number }
  | { do: 'tell-gone'; runs: string[] }
  | { do: 'answer-gone'; workflowId: string; epoch: string }
  | { do: 'refuse-request'; workflowId: string; requestId: string }
  | { do: 'check-parent'; why: 'ceiling' | 'question' };

/** One kind of effect. */
export type EffectOf<D extends Effect['do']> = Extract<Effect, { do: D }>;

/** A signal of the outbox. `upTo`: the number of the last thing that it tells. */
export type Letter = { workflowId: string; upTo?: number } & (
  | { name: 'runMilestones'; message: FromRun & { milestones: Milestone[]; progress?: Progress; usage: Usage } }
  | { name: 'runMessagesRead'; message: FromRun & { n: number } }
  | { name: 'runRequest'; message: FromRun & { request: RequestState; usage: Usage } }
  | { name: 'runTokens'; message: FromRun & { usage: Usage; waits: boolean; below: boolean } }
  | { name: 'runBudget'; message: { epoch: string; left: number; final?: true } }
  | { name: 'runMessage'; message: { epoch: string; messages: Note[] } }
  | { name: 'requestAnswered'; message: ForwardedAnswer }
);

/** Which run says it, to which session of its starter's id. */
interface FromRun {
  runId: string;
  epoch: string;
}

/** A run to look at; `closely`: it has been silent for too long, so that every trace of progress counts. */
export interface LookedFor {
  runId: string;
  workflowId: string;
  epoch: string;
  kind: RunKind;
  closely: boolean;
}
