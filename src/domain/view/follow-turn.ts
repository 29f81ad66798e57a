/** A turn as one who follows it reads it: the steps that he has not read yet, each once it has all its answers, and the step under way. */
import type { State } from '../state/state.ts';
import type { UIMessage } from '../state/types.ts';
import { cut, getTurn, stepSoFar, type TurnView } from './queries.ts';

export interface FollowTurn {
  turnId: string;
  /** Steps that were read already. */
  after?: number;
}

export interface FollowedTurn {
  /** Without its messages, which may be many. */
  turn: TurnView;
  steps: { step: number; message: UIMessage }[];
  /** True when there are more finished steps than fit. */
  hasMore: boolean;
  /** The step under way: which attempt of its model call it is at, and, when that has been answered, its message so far. */
  underWay?: { step: number; attempt: number; message?: UIMessage };
}

export function followTurn(state: State, { turnId, after = 0 }: FollowTurn): FollowedTurn | null {
  const turn = getTurn(state, turnId);
  if (turn === null) return null;
  const finished = state.transcript.filter(
    ({ message, turnId: of }) =>
      of === turnId && message.role === 'assistant' && message.metadata?.['source'] === undefined,
  );
  // Early steps of a long turn may have been shed.
  const first = turn.steps - finished.length + 1;
  const unread = finished.map(({ message }, i) => ({ step: first + i, message })).filter(({ step }) => step > after);
  const active = state.turn?.turnId === turnId ? state.turn : undefined;
  const soFar = active === undefined ? undefined : stepSoFar(active);
  return {
    turn: { ...turn, messages: [] },
    ...cut(unread, unread.length, 'steps'),
    ...(active === undefined
      ? {}
      : {
          underWay: {
            step: active.step,
            attempt: active.attempt,
            ...(soFar === undefined ? {} : { message: soFar }),
          },
        }),
  };
}
