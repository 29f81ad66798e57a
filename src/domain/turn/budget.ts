/** A turn whose next model call nothing is left for: it waits, or it ends. */
import { startWaiting } from '../run/tokens.ts';
import type { Cx, State } from '../state/state.ts';
import { totalOf } from '../state/usage.ts';
import { endTurn } from './turn.ts';

/** True when a turn has ended for want of tokens: another one may be next. */
export function endForTokens(cx: Cx): boolean {
  const { state } = cx;
  const { turn, tokens } = state;
  if (turn?.phase !== 'ready' || tokens?.isSpent !== true) return false;
  if (mayGetMore(state)) {
    startWaiting(cx);
    return false;
  }
  const what =
    state.kind === 'session' ? 'The session and its runs have' : 'The run, or the tree that it is part of, has';
  const message = `${what} used ${totalOf(state.spent).totalTokens} tokens, all that budgets.maxTokens allows${tokens.isRefused === true ? ', and gets no more' : ''}.`;
  endTurn(cx, 'failed', { error: { type: 'BudgetExceeded', message } });
  tokens.hasEndedTurn = true;
  return true;
}

/** A person may give more, as long as there is one to be asked. */
function mayGetMore({ settings, tokens, self, closing }: State): boolean {
  return (
    settings.budgets.onMaxTokens === 'ask' &&
    tokens?.isRefused !== true &&
    self?.parentGone !== true &&
    closing === undefined
  );
}
