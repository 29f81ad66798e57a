/** What activities answer, and runs return: made by workers of ours, and checked all the same, as an operator may complete any of them. */
import * as v from 'valibot';
import { PAYLOAD_BYTES } from '../domain/state/sizes.ts';
import type { Json, MessagePart } from '../domain/state/types.ts';
import { progress, settledFields, toolPolicy, usage } from './between.ts';
import { limits } from './settings.ts';
import {
  agentName,
  count,
  flag,
  instant,
  isObject,
  json,
  lazily,
  list,
  name,
  object,
  oneOf,
  optional,
  requestId,
  requestStatus,
  shortText,
  signature,
  string,
  words,
  workflowId,
} from './shapes.ts';

const version = lazily(() => v.literal(1, '1'));

const facts = lazily(() =>
  object({
    kind: oneOf('agent', 'task', 'workflow', 'handler'),
    retries: optional(count(0)),
    hasSchema: optional(flag),
    limits: v.optional(limits()),
    taskQueue: optional(workflowId),
    hooks: optional(list(oneOf('onRunStart', 'onRunFinish'), 'a list of hooks')),
  }),
);

/** Of an activity that only has to be done. */
export const anything = lazily(() => object({}));

export const resolved = lazily(() =>
  object({
    v: version(),
    rules: count(),
    name: string('a name'),
    facts: v.optional(facts()),
    known: list(string('a name'), 'a list of names'),
  }),
);
export type Resolved = v.InferOutput<ReturnType<typeof resolved>>;

/** One for each run that was asked about, `null` where its input fits. */
export const checkedInputs = lazily(() =>
  object({
    v: version(),
    misfits: list(v.nullable(object({ field: words, wrong: words })), 'a list of what does not fit'),
  }),
);

export const foundWorkflow = lazily(() =>
  object({
    v: version(),
    found: optional(
      object({
        epoch: string('a run id'),
        open: flag,
        status: optional(string('what Temporal calls it')),
        parentEpoch: optional(string('a run id')),
      }),
    ),
  }),
);

export type FoundWorkflow = v.InferOutput<ReturnType<typeof foundWorkflow>>;

const sight = lazily(() =>
  v.union([
    object({
      runId: name,
      found: oneOf('open'),
      // Of a heartbeat that an operator has made, the rest is seen all the same.
      progress: v.fallback(v.optional(progress()), undefined),
      attempt: optional(count()),
      movedAt: optional(count(0, Number.MAX_SAFE_INTEGER)),
      events: optional(count(0)),
      usage: v.fallback(v.optional(usage()), undefined),
    }),
    object({ runId: name, found: oneOf('closed'), outcome: outcome() }),
    object({ runId: name, found: oneOf('nothing') }),
  ]),
);

export const sights = lazily(() => object({ v: version(), sights: list(sight(), 'a list of sights') }));

/** How a run ended, as it says itself or as Temporal tells it. */
export const outcome = lazily(() => {
  const { usage: _usage, ...fields } = settledFields();
  return object({
    ...fields,
    result: optional(json(PAYLOAD_BYTES)),
    usage: v.optional(usage()),
    delivered: optional(flag),
  });
});

export const answerReceipt = lazily(() =>
  object({
    v: version(),
    receipt: optional(
      object({
        requestId,
        status: requestStatus,
        deduplicated: flag,
        answeredAt: optional(instant),
        by: optional(signature),
      }),
    ),
    refusal: optional(object({ refused: string('a type'), message: words })),
  }),
);

const anyJson = lazily(() => v.custom<Json>((value) => value !== undefined, 'JSON'));
const callId = lazily(() => string('a text', (text) => text.length <= 1000));

const modelCall = lazily(() =>
  v.union([
    object({
      kind: oneOf('tool'),
      toolCallId: callId(),
      toolName: callId(),
      input: anyJson(),
      policy: toolPolicy(),
    }),
    object({ kind: oneOf('runtime'), toolCallId: callId(), toolName: callId(), input: anyJson() }),
    object({ kind: oneOf('invalid'), toolCallId: callId(), toolName: callId(), error: string('a text') }),
  ]),
);

export const modelAnswer = lazily(() =>
  object({
    v: version(),
    parts: list(
      v.custom<MessagePart>((part) => isObject(part) && typeof part['type'] === 'string', 'a part of a message'),
      'a list of parts',
    ),
    calls: list(modelCall(), 'a list of calls'),
    usage: usage(),
    cut: optional(count()),
    finishReason: optional(shortText(64)),
    wantsResult: optional(flag),
    canStart: v.record(agentName as v.GenericSchema<string>, v.nullable(facts())),
  }),
);
