/** The queries of the contract. */
import { defineQuery, setHandler } from '@temporalio/workflow';
import {
  getEvents,
  getRun,
  getTranscript,
  getTurn,
  listRuns,
  sessionView,
  type GetEvents,
  type GetTranscript,
  type ListRuns,
} from '../src/domain/view/queries.ts';
import { followTurn, type FollowTurn } from '../src/domain/view/follow-turn.ts';
import { turnNamed } from '../src/domain/turn/queue.ts';
import type { State } from '../src/domain/state/state.ts';
import type { Note } from '../src/domain/state/turn.ts';
import { PLAIN } from '../src/contract.ts';
import { isRefusal, refuse } from '../src/domain/state/types.ts';
import { parseMessage, type SchemaName } from '../src/schemas/index.ts';
import { refusal } from './failures.ts';
import type { Shell } from './shell.ts';

/** The real time, which `Date` does not tell in a workflow. Only what a reader is told may depend on it. */
function wallClock(): number {
  return (Date.prototype.constructor as DateConstructor).now();
}

interface Query {
  description: string;
  answer: (shell: Shell, payload: any) => unknown;
}

const QUERIES: { [N in SchemaName]?: Query } = {
  getSession: {
    description: 'The session: status, turn, queue, counts of runs, usage.',
    answer: ({ state, inbox, isRefused }) => ({
      ...sessionView(state, !inbox.isAtRest),
      ...(isRefused ? { status: 'closed' } : {}),
      now: new Date(wallClock()).toISOString(),
    }),
  },
  listRuns: {
    description: 'The runs in the order they were started: { status?, limit?, after? }.',
    answer: ({ state }, payload: ListRuns) => {
      // From the start again, a reader whose last row is forgotten would read everything twice.
      if (payload.after !== undefined && getRun(state, payload.after) === null)
        throw refusal(
          refuse('InvalidInput', `Expected after to name a run of this ${state.kind}, got "${payload.after}".`),
        );
      return listRuns(state, payload);
    },
  },
  getRun: {
    description: 'One run, or null: { runId }.',
    answer: ({ state }, { runId }: { runId: string }) => getRun(state, runId),
  },
  getTurn: {
    description: 'One turn with its messages, or null: { turnId }.',
    answer: ({ state }, { turnId }: { turnId: string }) => getTurn(state, turnNamed(state, turnId)),
  },
  followTurn: {
    description: 'Between a session and who follows one of its turns; see the documentation.',
    answer: ({ state }, payload: FollowTurn) =>
      followTurn(state, { ...payload, turnId: turnNamed(state, payload.turnId) }),
  },
  getTranscript: {
    description: 'The messages: { after?, limit?, includeHidden? }.',
    answer: ({ state }, payload: GetTranscript) => {
      const { after } = payload;
      if (after !== undefined && !state.transcript.some(({ message }) => message.id === after))
        throw refusal(
          refuse('InvalidInput', `Expected after to name a message of this ${state.kind}, got "${after}".`),
        );
      return getTranscript(state, payload);
    },
  },
  getEvents: {
    description: 'The events after a number: { after?, limit?, types? }.',
    answer: ({ state }, payload: GetEvents) => getEvents(state, payload),
  },
};

const OF_RUNS: { [N in SchemaName]?: Query } = {
  getMessages: {
    description: 'Between a run and its task; see the documentation.',
    answer: ({ state }, { after = 0 }: { after?: number }) => inboxOf(state).filter((one) => one.n > after),
  },
};

function inboxOf({ self }: State): readonly Note[] {
  return self?.work.kind === 'task' ? self.work.inbox : [];
}

export function answerQueries(shell: Shell): void {
  const queries = shell.state.kind === 'run' ? { ...QUERIES, ...OF_RUNS } : QUERIES;
  for (const [name, { description, answer }] of Object.entries(queries)) {
    setHandler(
      defineQuery<unknown, [unknown]>(name),
      (payload) => {
        const parsed = parseMessage(name as SchemaName, payload);
        try {
          if (isRefusal(parsed)) throw refusal(parsed);
          return answer(shell, parsed);
        } catch (error) {
          throw Object.assign(error as Error, { [PLAIN]: true });
        }
      },
      { description },
    );
  }
}
