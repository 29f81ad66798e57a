/**
 * What the scripted agents are told to do. A script is the input of a turn or of an agent run, as JSON; the model of model.ts follows it
 * step by step, and the tasks of worker.ts work as `Work` says. Labels tell the log what only the asker knows: a label is in the events.
 */

/** The input of the task `work`. */
export interface Work {
  units: number;
  paceMs: number;
  /** Units at which it reports the milestone `half`, `late`. */
  half?: number;
  late?: number;
  /** It reports no progress, and so has no checkpoint. */
  silent?: boolean;
  /** At its end it waits for a message. */
  hears?: boolean;
  /** It throws at its second unit: in its first attempt, or in every one. */
  fails?: 'once' | 'always';
}

export type Call =
  /** Tools of the worker: one must not run twice, the other may. */
  | { tool: 'charge' | 'note' }
  | { tool: 'start_run'; agent: 'work'; input: Work; wait?: true; detachAfterMs?: number }
  | { tool: 'start_run'; agent: 'helper'; input: Script; wait?: true; detachAfterMs?: number }
  | { tool: 'report_milestone'; name: string }
  /** Who is to answer: the parent's agent, or a person at the session. */
  | { tool: 'ask_parent'; who: 'parent' | 'person' }
  /** The run that was started last. */
  | { tool: 'cancel_run' | 'inspect_run' }
  | { tool: 'list_runs' };

export interface Script {
  key: string;
  /** The calls of each step; one more step says something and ends the turn. */
  steps: Call[][];
  /** How long the model thinks, milliseconds. */
  thinkMs: number;
  /** The first answer to this step is a refusal that is worth another attempt. */
  refused?: number;
}

/** What a label says of a run, at most 200 characters of JSON. */
export interface Label {
  notify?: 'react' | 'narrate' | 'silent';
  /** Milestones that are watched. */
  watch?: string[];
  /** Units of a task. */
  units?: number;
  /** The turn that starts it waits for it. */
  waited?: true;
}

export function labelOf(label: Label): string {
  return JSON.stringify(label);
}

/** What a label says; nothing when it is another kind of text. */
export function readLabel(text: unknown): Label {
  if (typeof text !== 'string' || !text.startsWith('{')) return {};
  return JSON.parse(text) as Label;
}

/** How many runs it starts, with those below them. */
export function runsOf({ steps }: Script): number {
  return steps
    .flat()
    .reduce(
      (sum, call) => sum + (call.tool !== 'start_run' ? 0 : 1 + (call.agent === 'helper' ? runsOf(call.input) : 0)),
      0,
    );
}
