/** Sizes that the contract names, in bytes of UTF-8 or in characters, and counts that keep what is carried bounded. */
export const KIB = 1024;
export const MIB = 1024 * KIB;

/** One message, and the `input` of a run. */
export const MESSAGE_BYTES = 256 * KIB;
/** `startRuns` in all. */
export const BATCH_BYTES = MIB;
/** `metadata`, milestone data, progress. */
export const SMALL_BYTES = 8 * KIB;
/** `label`, `title`. */
export const LABEL_CHARS = 200;
/** `reason`, `comment`, error messages. */
export const TEXT_CHARS = 2000;
/** A result up to this size travels whole. */
export const RESULT_BYTES = 64 * KIB;
export const PREVIEW_BYTES = 2 * KIB;
/** Temporal cannot carry more in one payload. */
export const PAYLOAD_BYTES = 2 * MIB;
/** The result of a run, with room for what stands around it. */
export const WHOLE_RESULT_BYTES = PAYLOAD_BYTES - 32 * KIB;
/** Results of actions that are kept whole, together; of older ones a preview. */
export const ACTION_BYTES = 128 * KIB;
/** The output of one tool call; a larger one becomes an error result. */
export const TOOL_OUTPUT_BYTES = 256 * KIB;
/** Every list that a query answers is cut here. */
export const LIST_BYTES = MIB;

/** The workflow id of a run: Temporal takes 1,000, and more is made of it. */
export const WORKFLOW_ID_CHARS = 960;

/** Of one count of tokens: bounded, so that sums of thousands stay exact. */
export const MOST_TOKENS = 1e12;

export const KEPT_TURNS = 100;
export const KEPT_ROWS = 200;
export const KEPT_FORGOTTEN = 4000;
export const KEPT_KEYS = 4000;
/** Milestones of one run: further ones are refused in the run. */
export const MAX_MILESTONES = 1000;
/** Milestones of one run that are delivered because all are watched: further ones are recorded only. */
export const MAX_WATCHED = 100;
/** Runs whose start is under way at once: larger waves are slower. */
export const START_WAVE = 50;
/** Inputs of one background turn. */
export const BATCH_INPUTS = 20;
/** What the frame around a background input takes. */
export const FRAME_BYTES = 300;

/**
 * What a session may hold of what is never shed when it continues as new: queued inputs, live rows, results that wait, each
 * with what it may still grow by. New work beyond it is refused, so that the carried state is bounded by construction:
 * 600 KiB of these, 256 KiB of keys, the rest for the transcript, the step under way and what a session is. What users give counts
 * as it is, as if it could not be deflated at all; what is made around it counts as it is carried.
 */
export const LIVE_BYTES = 600 * KIB;
/** What a row takes beside what it was asked with and what it may grow by, with its turns in the queue. */
export const ROW_GROWTH_BYTES = 180;
/** What a watched milestone takes beside its name. */
export const WATCHED_BYTES = 40;
/** What a call of a handler takes that has not succeeded yet. */
export const HOOK_BYTES = 30;
/** What a queued turn takes beside its inputs and its id. */
export const TURN_GROWTH_BYTES = 60;
/** What an input of a queued turn takes beside its messages and its key. */
export const INPUT_GROWTH_BYTES = 16;
/** What a key takes that a live turn answers to. */
export const KEY_BYTES = 50;
/** Tool calls of one step: further ones are left out. */
export const MAX_CALLS = 128;
/** A step's message while it is made: longer outputs and texts are cut to previews. */
export const STEP_BYTES = 768 * KIB;
/** So long a name that some workers of a queue might know is looked for, milliseconds. */
export const NAME_PATIENCE_MS = 120_000;
