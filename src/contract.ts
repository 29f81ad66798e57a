/**
 * The public surface: names, limits of size, payload shapes and the interface of the activities.
 *
 * The vocabulary, one word per thing, everywhere:
 *
 * - session: a long-lived conversation, one workflow id that runs for weeks, through continue-as-new
 * - turn: one admission of input to the session's agent, run to its end; one at a time, FIFO; made of steps
 * - step: one model call and the tool calls it asks for
 * - turn input: what a turn answers, from a user or made by the runtime from a run's event
 * - agent: what takes turns: instructions, a model, tools
 * - task: a plain function with progress and milestones, run durably
 * - run: one detached execution of an agent or a task, started from a session or from another run
 * - settle: a run reaching `completed`, `failed` or `cancelled`; happens once
 * - give up: the session stops waiting for a run and says so; the run may still settle later
 * - milestone: a named, durable, ordered point in a run
 * - progress: the latest snapshot of a run; latest wins
 * - event: a durable, numbered entry in a session's or a run's log
 */
export type * from './domain/types.ts';

export const DEFAULT_TASK_QUEUE = 'outlive';

/** Names, run ids, turn ids, message ids. */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
export const SESSION_ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

export const KIB = 1024;
export const MIB = 1024 * KIB;
