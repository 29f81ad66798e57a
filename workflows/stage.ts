/** What effects need of the shell that performs them. */
import type { Cx, State } from '../src/domain/state/state.ts';
import type { Outgoing } from './outgoing.ts';
import type { Scopes } from './scopes.ts';

export interface Stage {
  readonly state: State;
  readonly scopes: Scopes;
  readonly outgoing: Outgoing;
  /** The next execution is to take over: nothing new begins. */
  readonly isHandingOver: boolean;
  /** What is in flight is being called off for it. */
  readonly isAborting: boolean;
  /** Once every message that has come by now has been taken: what a run that has ended has said may wait behind one that is looked up. */
  afterMessages(then: () => void): void;
  /** Decides one input now and performs what comes of it. */
  dispatch<T>(decide: (cx: Cx) => T): T;
}
