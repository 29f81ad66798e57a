/** The start argument of a session, and the settings in it. */
import * as v from 'valibot';
import { SESSION_ID_PATTERN } from '../contract.ts';
import { RESERVED_SESSION_ENDINGS } from '../domain/state/ids.ts';
import { MOST_TOKENS } from '../domain/state/sizes.ts';
import { count, flag, label, lazily, ms, name, object, oneOf, optional, small, string } from './shapes.ts';

const DAY_MS = 24 * 3600 * 1000;

export const onBusy = lazily(() =>
  v.union(
    [oneOf('queue', 'latest', 'merge', 'drop', 'interrupt', 'steer'), object({ debounceMs: ms(1, DAY_MS) })],
    'one of "queue", "latest", "merge", "drop", "interrupt", "steer" or { debounceMs }',
  ),
);

export const limits = lazily(() =>
  object({
    maxConcurrentRuns: optional(count(1, 1000)),
    maxQueuedRuns: optional(count(0)),
    maxRunsPerTurn: optional(count()),
    maxDepth: optional(count(1, 100)),
    maxQueuedTurns: optional(count()),
    maxQueuedBytes: optional(count()),
    maxSteps: optional(count()),
    maxLosses: optional(count()),
    maxBackgroundTurns: optional(count(0)),
    cancelGraceMs: optional(ms()),
    historyEvents: optional(count(20)),
  }),
);

export const budgets = lazily(() =>
  object({
    maxBudgetMs: optional(ms()),
    noProgressBudgetMs: optional(ms(0)),
    turnMs: optional(ms()),
    requestTtlMs: optional(ms()),
    maxTokens: optional(count(1, MOST_TOKENS)),
    onMaxTokens: optional(oneOf('fail', 'ask')),
  }),
);

export const sessionInput = lazily(() =>
  object({
    agent: optional(name),
    title: optional(label),
    metadata: optional(small),
    limits: optional(limits()),
    budgets: optional(budgets()),
    turns: optional(object({ onBusy: optional(onBusy()), batchBackground: optional(flag) })),
    notices: v.optional(v.custom<undefined>(() => false, 'left out, as notices are not supported yet')),
  }),
);

export const sessionId = string(
  '1 to 128 letters, digits, ".", "_", ":" or "-", the first a letter or digit, not ending in ":milestone" or ":ask"',
  (text) => SESSION_ID_PATTERN.test(text) && !RESERVED_SESSION_ENDINGS.some((ending) => text.endsWith(ending)),
);
