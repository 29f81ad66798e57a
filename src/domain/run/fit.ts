/**
 * Whether the input of runs fits what their tasks take. Only a worker that has a task's schema can tell, so it is asked before a message
 * from outside takes effect. What does not fit is refused with all that came with it, as an update; as a signal, which nobody waits for, it
 * is accepted and fails at once, without being started.
 */
import { entryKey, recall } from '../log/dedupe.ts';
import type { State } from '../state/state.ts';
import type { Misfit } from '../state/types.ts';
import type { StartRun } from './admission.ts';

/** What does not fit, by the request that it came with; `at` is where that stands in the message. */
export type Misfits = ReadonlyMap<StartRun, Misfit & { at: string }>;

/** What a worker has said of the input of a message. */
export interface Checked {
  misfits: Misfits;
  /** Else what does not fit fails by itself. */
  refuses: boolean;
}

export const UNCHECKED: Checked = { misfits: new Map(), refuses: false };

/** True when a worker is to be asked: what is known already, or would be refused anyway, is not asked for again. */
export function needsCheck({ names, closing, dedupe }: State, { agent, runId }: StartRun): boolean {
  if (closing !== undefined || !Object.hasOwn(names, agent) || names[agent]?.hasSchema !== true) return false;
  return runId === undefined || recall(dedupe, entryKey('run', runId)) === undefined;
}

/** The one sentence. `what`: the whole that has the field. */
export function misfitSentence({ field, wrong }: Misfit, what = 'input'): string {
  return `Expected ${what}${field} ${wrong}.`;
}
