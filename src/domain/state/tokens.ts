/**
 * The budget of tokens of a tree: soft, as what has been used becomes known while the next call is made. The session has the limit; a run gets
 * what is left at its start and a word from its starter whenever that is used up, or is more again.
 */
import { hasEpoch, type RunState } from './row.ts';
import type { State } from './state.ts';
import { totalOf } from './usage.ts';

export interface Tokens {
  /** What this workflow and all below it may have used, from which on no model is called. Default: `budgets.maxTokens`. */
  limit?: number;
  /** It is reached, and the runs below have been told. */
  isSpent?: true;
  /** The running turn waits for more. */
  isWaiting?: true;
  /** There will be no more for the running turn. */
  isRefused?: true;
  /** A turn ended for want of them. */
  hasEndedTurn?: true;
  /** The runs that wait for more, and those that have some below them that do. */
  wanting?: string[];
  /** The runs that are to hear that there will be no more for the turns that run there. */
  refusing?: string[];
}

function limitOf({ tokens, settings }: State): number | undefined {
  return tokens?.limit ?? settings.budgets.maxTokens;
}

/** What this workflow and all below it may still use; nothing when there is no bound. */
export function tokensLeft(state: State): number | undefined {
  const limit = limitOf(state);
  return limit === undefined ? undefined : Math.max(0, limit - totalOf(state.spent).totalTokens);
}

/** True when something in this workflow or below it waits for more. */
export function wantsTokens({ tokens }: State): boolean {
  return tokens?.isWaiting === true || (tokens?.wanting ?? []).length > 0;
}

/** From now on so many more may be used, whatever has been. */
export function setTokensLeft(state: State, left: number): void {
  (state.tokens ??= {}).limit = totalOf(state.spent).totalTokens + left;
}

/** The limit of the tree is so much higher; by default as much as there was at first. */
export function raiseTokens(state: State, more = state.settings.budgets.maxTokens ?? 0): void {
  (state.tokens ??= {}).limit = (limitOf(state) ?? 0) + more;
}

/** The turns that run now, here and below, will get no more; what comes later may ask again. */
export function refuseTokens(state: State): void {
  const tokens = (state.tokens ??= {});
  if (state.turn !== null) tokens.isRefused = true;
  tokens.refusing = state.runs.all.filter(isToBeTold).map(({ runId }) => runId);
  delete tokens.wanting;
  for (const runId of tokens.refusing) state.outbox.put({ lane: 'budget', runId });
}

/** Whether a run waits, or some below it do. */
export function want(state: State, runId: string, isWanting: boolean): void {
  const tokens = (state.tokens ??= {});
  const others = (tokens.wanting ?? []).filter((one) => one !== runId);
  tokens.wanting = isWanting ? [...others, runId] : others;
}

/** True for a run that calls models and has started. */
export function isToBeTold(row: Readonly<RunState>): boolean {
  return row.kind === 'agent' && hasEpoch(row);
}

/** A run is gone, or has heard that there will be no more. */
export function forgetRefusal({ tokens }: State, runId: string): void {
  if (tokens?.refusing !== undefined) tokens.refusing = tokens.refusing.filter((one) => one !== runId);
}
