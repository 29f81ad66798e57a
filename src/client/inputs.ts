/** What the client's methods are given; the messages of the contract say the same in JSON. */
import type { Budgets, Json, Limits, OnBusy, TurnSettings, UIMessage } from '../contract.ts';

/** How a session is started; every field optional. */
export interface SessionInput {
  /** Default: the first agent of the worker's configuration. */
  agent?: string;
  /** At most 200 characters. */
  title?: string;
  /** At most 8 KiB of JSON. */
  metadata?: Json;
  limits?: Partial<Limits>;
  budgets?: Partial<Budgets>;
  turns?: Partial<TurnSettings>;
}

export interface RunRequest {
  /** A registered agent or task. */
  agent: string;
  /** Any JSON, at most 256 KiB. */
  input: Json;
  /** Left out: minted, the same for every retry of the same request. */
  runId?: string;
  label?: string;
  metadata?: Json;
  detached?:
    | true
    | {
        notify?: 'react' | 'narrate' | 'silent' | boolean;
        maxBudgetMs?: number;
        noProgressBudgetMs?: number;
        onBudget?: 'cancel' | 'keep';
        /** Name of a handler that is registered with the worker. */
        onFinish?: string;
        onMilestones?: string[] | { names: string[] | '*'; mode?: 'narrate' | 'react' };
      };
}

/** What a turn begins with: text, or messages of a user. */
export type TurnInput = string | ({ id?: string; role: 'user'; content: string } | UIMessage)[];

export interface SubmitTurnInput {
  input: TurnInput;
  turnId?: string;
  idempotencyKey?: string;
  metadata?: Json;
  onBusy?: OnBusy;
}

export interface AnswerInput {
  requestId: string;
  /** For an approval. */
  decision?: 'approve' | 'reject';
  /** The answer to a question, any JSON. */
  value?: Json;
  comment?: string;
  /** Who answers; kept beside the answer. At most 200 characters. */
  by?: string;
}

export interface RunTurnOptions extends Omit<SubmitTurnInput, 'input'> {
  /** Ends the reading, and never the turn. A `wait` rejects with its reason, a stream ends. */
  signal?: AbortSignal;
}
