/** The arguments of the messages and queries of the contract. */
import * as v from 'valibot';
import { jsonBytes, utf8Length } from '../domain/state/json.ts';
import { MESSAGE_BYTES, SMALL_BYTES } from '../domain/state/sizes.ts';
import type { Json, UIMessage } from '../domain/state/types.ts';
import { onBusy } from './settings.ts';
import {
  agentName,
  count,
  flag,
  isObject,
  json,
  key,
  label,
  lazily,
  list,
  ms,
  name,
  newRunId,
  object,
  oneOf,
  optional,
  requestId,
  signature,
  small,
  string,
  words,
} from './shapes.ts';

const metadataOfMessage = lazily(() =>
  v.custom<Record<string, Json>>(
    (value) => isObject(value) && jsonBytes(value) <= SMALL_BYTES,
    `an object of at most ${SMALL_BYTES} bytes`,
  ),
);

/** What is let in here stands in every later prompt: one that no model call can be made of would fail every later turn. */
const userPart = lazily(() =>
  v.custom<{ type: string }>((value) => {
    if (typeof value !== 'object' || value === null) return false;
    const { type, text, mediaType, url } = value as Record<string, unknown>;
    if (type === 'file')
      return (
        typeof mediaType === 'string' && mediaType !== '' && typeof url === 'string' && /^(https?|data):/u.test(url)
      );
    return type === 'text' && typeof text === 'string';
  }, '{ type: "text", text } or { type: "file", mediaType, url } with an http:, https: or data: URL'),
);

function saysSomething({ parts }: UIMessage): boolean {
  return parts.some((part) => part.type !== 'text' || String(part['text']).trim() !== '');
}

const userMessage = lazily(() =>
  v.pipe(
    object({
      id: optional(string('at most 128 characters', (text) => text.length <= 128)),
      role: string('"user"', (text) => text === 'user'),
      content: optional(string('a string')),
      parts: optional(list(userPart(), 'a list of text and file parts')),
      metadata: optional(metadataOfMessage()),
    }),
    v.rawTransform(({ dataset, addIssue }): UIMessage => {
      const message = dataset.value;
      if ((message.content === undefined) === (message.parts === undefined))
        addIssue({
          message: 'a string, or parts a list, one of the two',
          path: [{ type: 'object', origin: 'value', input: message, key: 'content', value: message.content }],
        });
      const parts = message.parts ?? [{ type: 'text', text: message.content ?? '' }];
      const { source: _source, hidden: _hidden, ...metadata } = message.metadata ?? {};
      return {
        id: message.id ?? '',
        role: 'user',
        parts: parts as UIMessage['parts'],
        ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
      };
    }),
  ),
);

const messageId = lazily(() => string('a message id', (text) => text !== '' && text.length <= 256));

const TURN_INPUT = 'a string or a list of user messages';

const turnInput = lazily(() =>
  v.pipe(
    v.custom<string | unknown[]>((value) => typeof value === 'string' || Array.isArray(value), TURN_INPUT),
    v.transform((value): unknown =>
      typeof value === 'string' ? (value.trim() === '' ? [] : [{ role: 'user', content: value }]) : value,
    ),
    v.array(userMessage(), TURN_INPUT),
    v.transform((messages) => messages.filter(saysSomething)),
  ),
);

const NAMES = 'a list of names';

const onMilestones = lazily(() =>
  v.union(
    [
      v.pipe(
        list(name, NAMES),
        v.transform((names) => ({ names: names as string[] | '*', mode: 'narrate' as 'narrate' | 'react' })),
      ),
      v.pipe(
        object({
          names: v.union([list(name, NAMES), v.literal('*', '"*"')], 'a list of names or "*"'),
          mode: optional(oneOf('narrate', 'react')),
        }),
        v.transform(({ names, mode }) => ({ names, mode: mode ?? ('narrate' as const) })),
      ),
    ],
    'a list of names or { names, mode }',
  ),
);

const notify = lazily(() =>
  v.pipe(
    v.union(
      [oneOf('react', 'narrate', 'silent'), v.boolean('true or false')],
      'one of "react", "narrate", "silent", true, false',
    ),
    v.transform((value) => (value === true ? ('react' as const) : value === false ? ('silent' as const) : value)),
  ),
);

const detached = lazily(() =>
  v.union(
    [
      v.pipe(
        v.literal(true, 'true'),
        v.transform((): undefined => undefined),
      ),
      object({
        notify: v.optional(notify()),
        onFinish: optional(name),
        maxBudgetMs: optional(ms()),
        noProgressBudgetMs: optional(ms(0)),
        onBudget: optional(oneOf('cancel', 'keep')),
        onMilestones: v.optional(onMilestones()),
      }),
    ],
    'true or { notify, onFinish, maxBudgetMs, noProgressBudgetMs, onBudget, onMilestones }',
  ),
);

const startRun = lazily(() =>
  object({
    agent: agentName,
    input: json(MESSAGE_BYTES),
    runId: optional(newRunId),
    label: optional(label),
    metadata: optional(small),
    detached: v.optional(detached()),
  }),
);

/** A note to a run. */
export const note = lazily(() =>
  string(`a text of 1 to ${MESSAGE_BYTES} bytes`, (text) => text !== '' && utf8Length(text) <= MESSAGE_BYTES),
);

export const messages = {
  submitTurn: lazily(() =>
    object({
      input: turnInput(),
      turnId: optional(name),
      idempotencyKey: optional(key),
      metadata: optional(small),
      onBusy: v.optional(onBusy()),
    }),
  ),
  cancelTurn: lazily(() =>
    object({ turnId: optional(name), reason: optional(words), runs: optional(oneOf('keep', 'cancel')) }),
  ),
  startRun,
  startRuns: lazily(() =>
    object({
      runs: v.pipe(
        v.custom<unknown[]>(
          (value) => Array.isArray(value) && value.length >= 1 && value.length <= 200,
          'a list of 1 to 200 runs',
        ),
        v.array(startRun()),
      ),
    }),
  ),
  cancelRun: lazily(() =>
    object({ runId: name, reason: optional(words), cascade: optional(flag), announce: optional(flag) }),
  ),
  detachRun: lazily(() => object({ runId: name })),
  messageRun: lazily(() => object({ runId: name, message: note(), messageId: optional(name) })),
  answer: lazily(() =>
    object({
      requestId,
      decision: optional(oneOf('approve', 'reject')),
      value: optional(json(MESSAGE_BYTES)),
      comment: optional(words),
      by: optional(signature),
    }),
  ),
  rewind: lazily(() =>
    v.pipe(
      object({ messageId: optional(messageId()), turnId: optional(name), reason: optional(words) }),
      v.rawCheck(({ dataset, addIssue }) => {
        if (!dataset.typed || (dataset.value.messageId === undefined) !== (dataset.value.turnId === undefined)) return;
        addIssue({
          message: 'a message id, or turnId the id of a turn, one of the two',
          path: [
            { type: 'object', origin: 'value', input: dataset.value, key: 'messageId', value: dataset.value.messageId },
          ],
        });
      }),
    ),
  ),
  resetTurns: lazily(() => object({ reason: optional(words), runs: optional(oneOf('keep', 'cancel')) })),
  close: lazily(() =>
    object({
      reason: optional(words),
      runs: optional(oneOf('keep', 'cancel')),
      turn: optional(oneOf('cancel', 'finish')),
    }),
  ),
};

const TYPES = 'a list of one or more event types';

export const queries = {
  getSession: lazily(() => object({})),
  listRuns: lazily(() =>
    object({
      status: optional(oneOf('queued', 'running', 'input_required', 'completed', 'failed', 'cancelled', 'interrupted')),
      limit: optional(count()),
      after: optional(name),
    }),
  ),
  getRun: lazily(() => object({ runId: name })),
  getTurn: lazily(() => object({ turnId: name })),
  followTurn: lazily(() => object({ turnId: name, after: optional(count(0)) })),
  getTranscript: lazily(() =>
    object({
      after: optional(messageId()),
      limit: optional(count()),
      includeHidden: optional(flag),
    }),
  ),
  getEvents: lazily(() =>
    object({
      after: optional(count(0, Number.MAX_SAFE_INTEGER)),
      limit: optional(count()),
      types: optional(v.pipe(list(string('a string'), TYPES), v.nonEmpty(TYPES))),
    }),
  ),
};
