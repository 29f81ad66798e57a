/** The defaults of the contract's table of settings, and how given ones are laid over them. */
import { KIB } from './sizes.ts';
import type { Budgets, Limits, Settings, TurnSettings } from './types.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const LIMITS: Limits = {
  maxConcurrentRuns: 16,
  maxQueuedRuns: 1000,
  maxRunsPerTurn: 32,
  maxDepth: 4,
  maxQueuedTurns: 1000,
  maxQueuedBytes: 256 * KIB,
  maxSteps: 100,
  maxLosses: 10,
  maxBackgroundTurns: 1000,
  cancelGraceMs: 30_000,
};

const BUDGETS: Budgets = { maxBudgetMs: DAY, noProgressBudgetMs: HOUR, turnMs: 30 * MINUTE, requestTtlMs: 30 * DAY };

const TURNS: TurnSettings = { onBusy: 'queue', batchBackground: true };

/** What holds for the whole tree is the session's: an agent may only make it less. */
export function limitsOfRun(settings: Settings, own: Partial<Limits> = {}): Partial<Limits> {
  const { maxDepth, maxLosses, cancelGraceMs, historyEvents } = settings.limits;
  return {
    ...own,
    maxDepth: Math.min(maxDepth, own.maxDepth ?? maxDepth),
    maxLosses: Math.min(maxLosses, own.maxLosses ?? maxLosses),
    cancelGraceMs: Math.min(cancelGraceMs, own.cancelGraceMs ?? cancelGraceMs),
    ...(historyEvents === undefined ? {} : { historyEvents }),
  };
}

export interface GivenSettings {
  limits?: Partial<Limits>;
  budgets?: Partial<Budgets>;
  turns?: Partial<TurnSettings>;
}

/** Settings of a session or of a run: the defaults for its kind under what was given. */
export function settingsOf(kind: 'session' | 'run', given: GivenSettings = {}): Settings {
  const places = kind === 'run' ? { maxConcurrentRuns: 4, maxQueuedRuns: 16 } : {};
  return {
    limits: { ...LIMITS, ...places, ...given.limits },
    budgets: { ...BUDGETS, ...given.budgets },
    turns: { ...TURNS, ...given.turns },
  };
}
