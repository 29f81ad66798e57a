/** Tokens and calls, and how they add up: a total is one's own and that of all below, each as an absolute figure. */
import type { Usage } from './types.ts';

/** What a session or run has used itself, and what all runs below it have, as far as they have told. */
export interface Spent {
  own: Usage;
  below: Usage;
}

export function noUsage(): Usage {
  return { inputTokens: 0, outputTokens: 0, totalTokens: 0, modelCalls: 0 };
}

export function addUsage(to: Usage, more: Usage): void {
  to.inputTokens += more.inputTokens;
  to.outputTokens += more.outputTokens;
  to.totalTokens += more.totalTokens;
  to.modelCalls += more.modelCalls;
  if (more.costUsd !== undefined) to.costUsd = (to.costUsd ?? 0) + more.costUsd;
}

export function totalOf({ own, below }: Spent): Usage {
  const total = { ...own };
  addUsage(total, below);
  return total;
}

/** What a later figure has more than an earlier one: figures that come late, or again, take nothing back and add nothing. */
export function growth(before: Usage, now: Usage): Usage {
  const more = (field: 'inputTokens' | 'outputTokens' | 'totalTokens' | 'modelCalls'): number =>
    Math.max(0, now[field] - before[field]);
  const cost = Math.max(0, (now.costUsd ?? 0) - (before.costUsd ?? 0));
  return {
    inputTokens: more('inputTokens'),
    outputTokens: more('outputTokens'),
    totalTokens: more('totalTokens'),
    modelCalls: more('modelCalls'),
    ...(now.costUsd === undefined && before.costUsd === undefined ? {} : { costUsd: cost }),
  };
}
