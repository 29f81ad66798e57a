/** The shapes of everything that comes from outside, by name. */
import type * as v from 'valibot';
import { jsonBytes } from '../domain/state/json.ts';
import { BATCH_BYTES, MESSAGE_BYTES } from '../domain/state/sizes.ts';
import { isRefusal, refuse, type Refusal } from '../domain/state/types.ts';
import { between, runInput } from './between.ts';
import { messages, queries } from './messages.ts';
import { MOST_LEVELS, parse } from './parse.ts';
import type { Shape } from './shapes.ts';

export * from './answers.ts';
export { echo, isDeeper, isUnreadable, MOST_LEVELS, parse, pathText, sentence, UNREADABLE } from './parse.ts';
export { limits, sessionId, sessionInput } from './settings.ts';
export { isObject, type Shape } from './shapes.ts';

/** The argument of each message and query, by name. */
export const schemas = { ...messages, ...queries, ...between };

export type SchemaName = keyof typeof schemas;
export type Payload<N extends SchemaName> = v.InferOutput<ReturnType<(typeof schemas)[N]>>;

/** Bytes of a message where it is not `MESSAGE_BYTES`: what stands around what was given is not counted against it. */
const MOST_BYTES: Partial<Record<SchemaName, number>> = {
  startRuns: 2 * BATCH_BYTES,
  runSettled: 2 * BATCH_BYTES,
  runMilestones: 2 * BATCH_BYTES,
  runMessage: 2 * BATCH_BYTES,
  startRun: 2 * MESSAGE_BYTES,
  messageRun: 2 * MESSAGE_BYTES,
  answer: 2 * MESSAGE_BYTES,
  requestAnswered: 2 * MESSAGE_BYTES,
};

/** Workflows among themselves wrap what they were given. */
const WRAPPING: ReadonlySet<SchemaName> = new Set<SchemaName>([
  'runSettled',
  'runMilestones',
  'runRequest',
  'runMessage',
  'taskMilestone',
]);

/** Parses the argument of a message or query. */
export function parseMessage<N extends SchemaName>(message: N, payload: unknown): Payload<N> | Refusal {
  const parsed = parse(
    schemas[message]() as unknown as Shape<Payload<N>>,
    payload,
    'the argument',
    MOST_BYTES[message] ?? MESSAGE_BYTES,
    WRAPPING.has(message) ? 2 * MOST_LEVELS : MOST_LEVELS,
  );
  // What is refused may be nested too deep to be measured.
  if (!isRefusal(parsed) && message === 'startRuns' && jsonBytes(payload) > BATCH_BYTES)
    return refuse(
      'InvalidInput',
      `Expected runs to be at most ${BATCH_BYTES} bytes of JSON in all, got ${jsonBytes(payload)}.`,
    );
  return parsed;
}

/** Parses the argument of the `run` workflow. */
export function parseRunInput(payload: unknown): v.InferOutput<ReturnType<typeof runInput>> | Refusal {
  const parsed = parse(runInput(), payload, 'the argument', 2 * MESSAGE_BYTES);
  return isRefusal(parsed)
    ? refuse(
        'InvalidInput',
        `${parsed.message.slice(0, -1)}; a run is started by a session or by another run, with startRun.`,
      )
    : parsed;
}
