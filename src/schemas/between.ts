/** The arguments of messages between workflows, and of the `run` workflow: made by workflows of ours, and checked all the same, as anybody may send them. */
import * as v from 'valibot';
import { jsonBytes } from '../domain/state/json.ts';
import { BATCH_BYTES, MESSAGE_BYTES, MOST_TOKENS } from '../domain/state/sizes.ts';
import { note } from './messages.ts';
import { limits } from './settings.ts';
import {
  agentName,
  count,
  flag,
  instant,
  json,
  key,
  label,
  lazily,
  list,
  ms,
  name,
  object,
  oneOf,
  optional,
  requestId,
  requestStatus,
  shortText,
  signature,
  small,
  string,
  words,
  workflowId,
} from './shapes.ts';

const PATHS_BYTES = 32 * 1024;

export const usage = lazily(() => {
  const tokens = count(0, MOST_TOKENS);
  return object({
    inputTokens: tokens,
    outputTokens: tokens,
    totalTokens: tokens,
    modelCalls: tokens,
    costUsd: v.optional(
      v.custom<number>(
        (value) => typeof value === 'number' && value >= 0 && value <= 1e9,
        'a number of 0 to 1000000000',
      ),
    ),
  });
});

const milestones = lazily(() =>
  list(object({ n: count(1), name, at: instant, data: optional(small) }), 'a list of milestones'),
);

const failure = lazily(() => object({ type: shortText(256), message: words, statusCode: optional(count()) }));

export const progress = lazily(() =>
  object({
    fraction: v.optional(v.custom<number>((value) => typeof value === 'number' && Number.isFinite(value), 'a number')),
    phase: optional(words),
    message: optional(words),
    data: optional(small),
    n: count(0),
    at: instant,
  }),
);

const path = string('a path of run ids', (text) => text.length <= 1024);

/** As many paths as an event may hold: a run that took more with it settles all the same. */
const paths = lazily(() =>
  v.pipe(
    v.array(path, 'a list of paths'),
    v.transform((all) => {
      let bytes = 0;
      const beyond = all.findIndex((one) => (bytes += jsonBytes(one) + 1) > PATHS_BYTES);
      return beyond < 0 ? all : all.slice(0, beyond);
    }),
  ),
);

const request = lazily(() =>
  object({
    requestId,
    kind: oneOf('approval', 'ask_parent'),
    workflowId,
    runId: optional(name),
    turnId: optional(name),
    toolCallId: optional(string('a string')),
    toolName: optional(shortText(64)),
    input: optional(small),
    inputPreview: optional(string('a text')),
    question: optional(words),
    status: requestStatus,
    openedAt: instant,
    expiresAt: instant,
    answeredAt: optional(instant),
    by: optional(signature),
    comment: optional(words),
  }),
);

/** How a call of a custom tool is to be treated. */
export const toolPolicy = lazily(() =>
  object({
    idempotent: flag,
    timeoutMs: count(0, MOST_TOKENS),
    retries: count(0),
    repairs: optional(flag),
    approval: optional(flag),
    actionKey: optional(key),
    detached: optional(flag),
    hooks: optional(list(oneOf('onRunStart', 'onRunFinish'), 'a list of hooks')),
  }),
);

export const runInput = lazily(() =>
  object({
    v: v.literal(1, '1'),
    rules: count(),
    runId: name,
    parent: object({ workflowId, epoch: key }),
    sessionId: workflowId,
    parentRunId: optional(name),
    parentToolCallId: optional(string('a string')),
    depth: count(),
    // A tool's name may begin with what no other name does.
    agent: v.union([agentName, shortText(64)]),
    kind: oneOf('agent', 'task', 'workflow', 'tool'),
    taskQueue: optional(workflowId),
    call: optional(object({ owner: agentName, policy: toolPolicy(), turnId: name, toolCallId: string('a string') })),
    input: json(MESSAGE_BYTES),
    label: optional(label),
    metadata: optional(small),
    limits: limits(),
    budgets: object({
      requestTtlMs: ms(),
      maxTokens: optional(count(0, MOST_TOKENS)),
      onMaxTokens: optional(oneOf('fail', 'ask')),
    }),
    retries: count(0),
    onBudget: oneOf('cancel', 'keep'),
    deadlineAt: instant,
    tellsFinish: optional(flag),
  }),
);

/** What is said of a run that has settled. */
export const settledFields = lazily(() => ({
  status: oneOf('completed', 'failed', 'cancelled'),
  reason: optional(name),
  comment: optional(words),
  result: optional(json(BATCH_BYTES)),
  resultRef: optional(path),
  preview: optional(shortText(4096)),
  finishReason: optional(shortText(64)),
  error: v.optional(failure()),
  usage: usage(),
  progress: v.optional(progress()),
  milestones: v.optional(milestones()),
  cancelled: v.optional(paths()),
}));

export const between = {
  runSettled: lazily(() => object({ runId: name, epoch: key, ...settledFields(), read: optional(count(0)) })),
  runMilestones: lazily(() =>
    object({
      runId: name,
      epoch: key,
      milestones: milestones(),
      progress: v.optional(progress()),
      usage: v.optional(usage()),
    }),
  ),
  runRequest: lazily(() => object({ runId: name, epoch: key, request: request(), usage: v.optional(usage()) })),
  runMessagesRead: lazily(() => object({ runId: name, epoch: key, n: count(0) })),
  runTokens: lazily(() => object({ runId: name, epoch: key, usage: usage(), waits: flag, below: flag })),
  runBudget: lazily(() => object({ epoch: key, left: count(0, MOST_TOKENS), final: optional(flag) })),
  runMessage: lazily(() =>
    object({
      epoch: key,
      messages: list(object({ n: count(0), messageId: name, message: note() }), 'a list of messages'),
    }),
  ),
  requestRefused: lazily(() => object({ requestId })),
  requestAnswered: lazily(() => object({ requestId, value: note(), messageId: name })),
  parentGone: lazily(() => object({ epoch: key })),
  runCancel: lazily(() => object({ epoch: key, reason: name, comment: optional(words), cascade: optional(flag) })),
  taskMilestone: lazily(() => object({ name, data: optional(small), progress: v.optional(progress()) })),
  taskRead: lazily(() => object({ n: count(0) })),
  getMessages: lazily(() => object({ after: optional(count(0)) })),
};
