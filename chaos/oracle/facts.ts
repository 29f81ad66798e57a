/**
 * All that the oracle knows: the logs of the sessions and of their runs as the client reads them, what Temporal says is still open, what the
 * client was told, and what was done in the world. It knows neither the plan nor what befell whom, except that a worker that was stopped
 * for a while may do late what it had taken before.
 */
import type { OutliveEvent } from '../../src/contract.ts';
import type { Effect } from '../effects.ts';

/** The whole log of a session or run. */
export interface Log {
  workflowId: string;
  events: OutliveEvent[];
  /** Ended by force: it could not say how it ended. */
  terminated: boolean;
}

export interface SessionFacts {
  sessionId: string;
  /** That of the session first, then those of all runs of its tree. */
  logs: Log[];
  /** The stream of the session with its runs; nothing when it could not be read. */
  merged: OutliveEvent[] | undefined;
  /** Logs that could not be read, although their workflow is there. */
  unread: { workflowId: string; why: string }[];
  /** Workflows of its tree that run although all has been closed. */
  open: string[];
  /** It was closed so that its runs go on. */
  kept: boolean;
  told: {
    /** Idempotency keys of the turns that were accepted. */
    turns: string[];
    runs: string[];
    /** Names of messages that may have been refused. */
    refusable: string[];
    afterEnd: string[];
  };
}

export interface Facts {
  sessions: SessionFacts[];
  effects: readonly Effect[];
  stopped: readonly string[];
}

export interface Violation {
  sessionId: string;
  /** Path of the run below the session; the session itself when it is left out. */
  run?: string;
  /** One sentence. */
  what: string;
}

/** One thing that must hold of a session. */
export type Rule = (session: SessionFacts, facts: Facts) => Iterable<Violation>;

export function violation({ sessionId }: SessionFacts, workflowId: string, what: string): Violation {
  return workflowId === sessionId
    ? { sessionId, what }
    : { sessionId, run: workflowId.slice(sessionId.length + 1), what };
}
