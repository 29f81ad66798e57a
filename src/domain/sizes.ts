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
/** The output of one tool call; a larger one becomes an error result. */
export const TOOL_OUTPUT_BYTES = 256 * KIB;
/** Every list that a query answers is cut here. */
export const LIST_BYTES = MIB;

export const KEPT_TURNS = 100;
export const KEPT_ROWS = 200;
export const KEPT_FORGOTTEN = 4000;
export const KEPT_KEYS = 4000;
/** Milestones of one run: further ones are refused in the run. */
export const MAX_MILESTONES = 1000;
/** Watched milestones of one run that are delivered: further ones are recorded only. */
export const MAX_WATCHED = 100;
/** Runs whose start is under way at once: larger waves are slower. */
export const START_WAVE = 50;
/** Inputs of one background turn. */
export const BATCH_INPUTS = 20;
/**
 * Bytes of what is never shed: queued inputs, live rows and results that wait. New work beyond it is refused,
 * so that the carried state is bounded by construction.
 */
export const LIVE_BYTES = 640 * KIB;
/** What a live row may grow by after its admission, when it is packed to its core. */
export const ROW_GROWTH_BYTES = 400;
/** What one watched milestone that waits to be delivered takes. */
export const WATCHED_BYTES = 300;
/** What one background input that waits in the turn queue takes. */
export const QUEUED_SLOT_BYTES = 96;
/** What a queued turn takes beside its input. */
export const TURN_GROWTH_BYTES = 320;
