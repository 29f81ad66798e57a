/**
 * The budget of tokens between a starter and its runs. Downwards goes what is left, when it is used up or is more again, and that there will
 * be no more; upwards goes what was used, and whether something waits. The session asks a person, once for the whole tree.
 */
import { isSettled, type RunState } from '../state/row.ts';
import { isAsking, type Cx, type State } from '../state/state.ts';
import {
  forgetRefusal,
  isToBeTold,
  refuseTokens,
  setTokensLeft,
  tokensLeft,
  want,
  wantsTokens,
} from '../state/tokens.ts';
import { totalOf } from '../state/usage.ts';
import { refuse, type Refusal, type Usage } from '../state/types.ts';
import { askBudget, closeRequest, ownOpen, resumeClocks, startClocks, stopClocks } from './requests.ts';
import { seeUsage } from './progress.ts';

/** `waits`: the run's own turn does; `below`: something below it does. */
export interface WaitingForTokens {
  usage: Usage;
  waits: boolean;
  below: boolean;
}

/** The limit may have been reached, or raised: the runs below hear of it, and what has waited goes on. */
export function passTokens(cx: Cx): void {
  const { state } = cx;
  const left = tokensLeft(state);
  if (left === undefined) return;
  const tokens = (state.tokens ??= {});
  const isSpent = left === 0;
  if (isSpent !== (tokens.isSpent === true)) {
    if (isSpent) tokens.isSpent = true;
    else delete tokens.isSpent;
    for (const row of state.runs.all) tellTokens(state, row);
  }
  if (!isSpent) stopWaiting(cx);
}

/** A run that has started hears what is left. */
export function tellTokens({ outbox }: State, row: Readonly<RunState>): void {
  if (isToBeTold(row)) outbox.put({ lane: 'budget', runId: row.runId });
}

/** Its start is confirmed: what was left may be used up since. */
export function tellAtStart(state: State, row: Readonly<RunState>): void {
  if (state.tokens?.isSpent === true) tellTokens(state, row);
}

/** The turn waits for more. */
export function startWaiting(cx: Cx): void {
  const { state } = cx;
  const tokens = (state.tokens ??= {});
  if (tokens.isWaiting === true) return;
  tokens.isWaiting = true;
  state.pausedAt ??= cx.now;
  tellStarter(state);
}

/** The turn waits no more, or has ended. */
export function stopWaiting(cx: Cx): void {
  const { tokens } = cx.state;
  delete tokens?.isRefused;
  if (tokens?.isWaiting !== true) return;
  delete tokens.isWaiting;
  resumeClocks(cx);
  tellStarter(cx.state);
}

function tellStarter({ self, outbox }: State): void {
  if (self !== undefined && self.parentGone !== true) outbox.put({ lane: 'tokens' });
}

/** The session asks as long as something waits, once for all of it. */
export function askForTokens(cx: Cx): void {
  const { state } = cx;
  if (state.kind !== 'session' || state.tokens === undefined) return;
  const open = ownOpen(state).find(({ kind }) => kind === 'budget');
  if (open === undefined) {
    if (state.tokens.isSpent === true && wantsTokens(state) && !state.closing)
      askBudget(
        cx,
        `The session and its runs have used ${totalOf(state.spent).totalTokens} tokens, all that they may.`,
      );
  } else if (!wantsTokens(state) || state.closing !== undefined) closeRequest(cx, open, 'withdrawn');
}

/** What a run says: what it has used, and whether it waits. */
export function takeWaiting(cx: Cx, row: RunState, { usage, waits, below }: WaitingForTokens): void {
  const { state } = cx;
  if (isSettled(row)) return;
  seeUsage(cx, row, usage);
  setWanting(state, row.runId, waits || below);
  if (waits && row.status === 'running') stopClocks(cx, row);
  else if (!waits && row.status === 'input_required' && !isAsking(state, row.workflowId)) startClocks(cx, row);
  // It may not have heard yet that there is more.
  if ((waits || below) && tokensLeft(state) !== 0) tellTokens(state, row);
}

/** A run has settled: nothing waits there any more. */
export function dropWants({ state }: Cx, { runId }: RunState): void {
  if (state.tokens === undefined) return;
  setWanting(state, runId, false);
  forgetRefusal(state, runId);
}

function setWanting(state: State, runId: string, isWanting: boolean): void {
  const before = wantsTokens(state);
  want(state, runId, isWanting);
  if (wantsTokens(state) !== before) tellStarter(state);
}

/** In a run: what its starter says is left for it and for all below it. */
export function takeTokens(
  cx: Cx,
  { epoch, left, final }: { epoch: string; left: number; final?: boolean | undefined },
): Refusal | undefined {
  const { state } = cx;
  if (epoch !== state.epoch) return refuse('InvalidInput', `Expected epoch to be "${state.epoch}", got another.`);
  setTokensLeft(state, left);
  if (final === true) refuseTokens(state);
  return undefined;
}
