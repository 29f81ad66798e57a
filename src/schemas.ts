/**
 * Shapes of everything that comes from outside, and the one sentence that a bad one gets:
 * "Expected <field> to be <what>, got <what came>." Unknown fields are ignored, `null` equals leaving a field out, a missing
 * argument equals `{}`. Each schema's `error` is the phrase after "to be".
 */
import { z } from 'zod';
import { NAME_PATTERN, SESSION_ID_PATTERN } from './contract.ts';
import { RESERVED_RUN_IDS, RESERVED_SESSION_ENDINGS } from './domain/state/ids.ts';
import { jsonBytes, utf8Length } from './domain/state/json.ts';
import { BATCH_BYTES, LABEL_CHARS, MESSAGE_BYTES, MOST_TOKENS, SMALL_BYTES, TEXT_CHARS } from './domain/state/sizes.ts';
import { isRefusal, refuse, type Json, type Refusal, type UIMessage } from './domain/state/types.ts';

// The sandbox of a workflow has no `new Function`.
z.config({ jitless: true });

const PATHS_BYTES = 32 * 1024;
const HUNDRED_YEARS_MS = 100 * 365 * 24 * 3600 * 1000;

function points(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

function string(phrase: string, fits: (text: string) => boolean): z.ZodType<string> {
  return z.custom<string>((value) => typeof value === 'string' && fits(value), { error: phrase });
}

function integer(least: number, most: number, unit = ''): z.ZodType<number> {
  return z.custom<number>(
    (value) => Number.isInteger(value) && (value as number) >= least && (value as number) <= most,
    { error: `an integer of ${least} to ${most}${unit}` },
  );
}

/** An object whose `null` fields count as left out. */
function object<S extends z.ZodRawShape>(shape: S): z.ZodType<z.output<z.ZodObject<S>>> {
  const dropNulls = (value: unknown): unknown =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null && field !== undefined))
      : value;
  return z.preprocess(dropNulls, z.object(shape, { error: 'an object' }));
}

function oneOf<T extends string>(...values: T[]): z.ZodType<T> {
  return z.custom<T>((value) => values.includes(value as T), {
    error: `one of ${values.map((value) => `"${value}"`).join(', ')}`,
  });
}

function json(most: number): z.ZodType<Json> {
  return z.custom<Json>((value) => value !== undefined && jsonBytes(value) <= most, {
    error: `JSON of at most ${most} bytes`,
  });
}

const name = string('1 to 64 letters, digits, ".", "_" or "-", the first a letter or digit', (text) =>
  NAME_PATTERN.test(text),
);
const agentName = string(
  'the name of an agent or task',
  (text) => NAME_PATTERN.test(text) || /^workflow:[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]{1,128}$/u.test(text),
);
const runId = string(
  '1 to 64 letters, digits, ".", "_" or "-", the first a letter or digit, and not "gave-up", "milestone" or "ask"',
  (text) => NAME_PATTERN.test(text) && !RESERVED_RUN_IDS.includes(text),
);
const key = string('1 to 256 printable characters', (text) => /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]{1,256}$/u.test(text));
const label = string(`at most ${LABEL_CHARS} characters`, (text) => points(text) <= LABEL_CHARS);
const words = string(`a text of at most ${TEXT_CHARS} characters`, (text) => points(text) <= TEXT_CHARS);
const small = json(SMALL_BYTES);
const flag = z.boolean({ error: 'true or false' });
const ms = (least = 1): z.ZodType<number> => integer(least, HUNDRED_YEARS_MS, ' milliseconds');
const count = (least = 1, most = 1_000_000_000): z.ZodType<number> => integer(least, most);

const metadataOfMessage = z.custom<Record<string, Json>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value) && jsonBytes(value) <= SMALL_BYTES,
  { error: `an object of at most ${SMALL_BYTES} bytes` },
);
/** What is let in here stands in every later prompt: one that no model call can be made of would fail every later turn. */
const userPart = z.custom<{ type: string }>(
  (value) => {
    if (typeof value !== 'object' || value === null) return false;
    const { type, text, mediaType, url } = value as Record<string, unknown>;
    if (type === 'file')
      return (
        typeof mediaType === 'string' && mediaType !== '' && typeof url === 'string' && /^(https?|data):/u.test(url)
      );
    return type === 'text' && typeof text === 'string';
  },
  { error: '{ type: "text", text } or { type: "file", mediaType, url } with an http:, https: or data: URL' },
);

function saysSomething({ parts }: UIMessage): boolean {
  return parts.some((part) => part.type !== 'text' || part['text'] !== '');
}

const userMessage = object({
  id: string('at most 128 characters', (text) => text.length <= 128).optional(),
  role: z.literal('user', { error: '"user"' }),
  content: z.string({ error: 'a string' }).optional(),
  parts: z.array(userPart, { error: 'a list of text and file parts' }).optional(),
  metadata: metadataOfMessage.optional(),
}).transform((message, context): UIMessage => {
  if ((message.content === undefined) === (message.parts === undefined))
    context.addIssue({ code: 'custom', path: ['content'], message: 'a string, or parts a list, one of the two' });
  const parts = message.parts ?? [{ type: 'text', text: message.content ?? '' }];
  const { source: _source, hidden: _hidden, ...metadata } = message.metadata ?? {};
  return {
    id: message.id ?? '',
    role: 'user',
    parts: parts as UIMessage['parts'],
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
  };
});

const turnInput = z
  .custom<unknown>((value) => typeof value === 'string' || Array.isArray(value), {
    error: 'a string or a list of user messages',
  })
  .transform((value) => (typeof value === 'string' ? (value === '' ? [] : [{ role: 'user', content: value }]) : value))
  .pipe(z.array(userMessage, { error: 'a string or a list of user messages' }))
  .transform((messages) => messages.filter(saysSomething));

const onBusy = z.union([oneOf('queue', 'latest', 'merge', 'drop', 'interrupt'), object({ debounceMs: ms() })], {
  error: 'one of "queue", "latest", "merge", "drop", "interrupt" or { debounceMs }',
});

const limits = object({
  maxConcurrentRuns: count(1, 1000).optional(),
  maxQueuedRuns: count(0).optional(),
  maxRunsPerTurn: count().optional(),
  maxDepth: count(1, 100).optional(),
  maxQueuedTurns: count().optional(),
  maxQueuedBytes: count().optional(),
  maxSteps: count().optional(),
  cancelGraceMs: ms().optional(),
  historyEvents: count(20).optional(),
});

const budgets = object({
  maxBudgetMs: ms().optional(),
  noProgressBudgetMs: ms(0).optional(),
  turnMs: ms().optional(),
  requestTtlMs: ms().optional(),
  maxTokens: count(1, Number.MAX_SAFE_INTEGER).optional(),
});

export const sessionInput = object({
  agent: name.optional(),
  title: label.optional(),
  metadata: small.optional(),
  limits: limits.optional(),
  budgets: budgets.optional(),
  turns: object({ onBusy: onBusy.optional(), batchBackground: flag.optional() }).optional(),
  notices: z.custom<undefined>(() => false, { error: 'left out, as notices are not supported yet' }).optional(),
});

export const sessionId = string(
  '1 to 128 letters, digits, ".", "_", ":" or "-", the first a letter or digit, not ending in ":milestone" or ":ask"',
  (text) => SESSION_ID_PATTERN.test(text) && !RESERVED_SESSION_ENDINGS.some((ending) => text.endsWith(ending)),
);

const milestoneNames = z.union([z.array(name, { error: 'a list of names' }), z.literal('*', { error: '"*"' })], {
  error: 'a list of names or "*"',
});
const onMilestones = z.union(
  [
    z
      .array(name, { error: 'a list of names' })
      .transform((names) => ({ names: names as string[] | '*', mode: 'narrate' as const })),
    object({ names: milestoneNames, mode: oneOf('narrate', 'react').optional() }).transform((given) => ({
      names: given.names,
      mode: given.mode ?? ('narrate' as const),
    })),
  ],
  { error: 'a list of names or { names, mode }' },
);

const notify = z
  .union([oneOf('react', 'narrate', 'silent'), z.boolean()], {
    error: 'one of "react", "narrate", "silent", true, false',
  })
  .transform((value) => (value === true ? ('react' as const) : value === false ? ('silent' as const) : value));

const detached = z.union(
  [
    z.literal(true).transform(() => undefined),
    object({
      notify: notify.optional(),
      onFinish: name.optional(),
      maxBudgetMs: ms().optional(),
      noProgressBudgetMs: ms(0).optional(),
      onBudget: oneOf('cancel', 'keep').optional(),
      onMilestones: onMilestones.optional(),
    }),
  ],
  { error: 'true or { notify, onFinish, maxBudgetMs, noProgressBudgetMs, onBudget, onMilestones }' },
);

const startRun = object({
  agent: agentName,
  input: json(MESSAGE_BYTES),
  runId: runId.optional(),
  label: label.optional(),
  metadata: small.optional(),
  detached: detached.optional(),
});
const tokens = count(0, MOST_TOKENS);
const usage = object({
  inputTokens: tokens,
  outputTokens: tokens,
  totalTokens: tokens,
  modelCalls: tokens,
  costUsd: z
    .custom<number>((value) => typeof value === 'number' && value >= 0 && value <= 1e9, {
      error: 'a number of 0 to 1000000000',
    })
    .optional(),
});
const instant = string('an ISO-8601 instant', (text) => !Number.isNaN(Date.parse(text)));
const milestone = object({ n: count(1), name, at: instant, data: small.optional() });
const milestones = z.array(milestone, { error: 'a list of milestones' });
const failure = object({
  type: string('a text of at most 256 characters', (text) => text.length <= 256),
  message: words,
});
const progress = object({
  fraction: z.number({ error: 'a number' }).optional(),
  phase: words.optional(),
  message: words.optional(),
  data: small.optional(),
  n: count(0),
  at: instant,
});
const path = string('a path of run ids', (text) => text.length <= 1024);
/** As many paths as an event may hold: a run that took more with it settles all the same. */
const paths = z.array(path, { error: 'a list of paths' }).transform((all) => {
  let bytes = 0;
  const beyond = all.findIndex((one) => (bytes += jsonBytes(one) + 1) > PATHS_BYTES);
  return beyond < 0 ? all : all.slice(0, beyond);
});

const message = string(
  `a text of 1 to ${MESSAGE_BYTES} bytes`,
  (text) => text !== '' && utf8Length(text) <= MESSAGE_BYTES,
);
const messages = z.array(object({ n: count(0), messageId: name, message }), { error: 'a list of messages' });
const requestId = string('a request id, "<workflow id>#<n>"', (text) => /^\P{Cc}{1,1000}#\d{1,15}$/u.test(text));

const workflowId = string('a workflow id', (text) => /^\P{Cc}{1,1000}$/u.test(text));

const request = object({
  requestId,
  kind: oneOf('approval', 'ask_parent'),
  workflowId,
  runId: name.optional(),
  turnId: name.optional(),
  toolCallId: z.string({ error: 'a string' }).optional(),
  toolName: name.optional(),
  input: small.optional(),
  question: words.optional(),
  status: oneOf('open', 'approved', 'rejected', 'answered', 'expired', 'withdrawn', 'parent_closed'),
  openedAt: instant,
  expiresAt: instant,
  answeredAt: instant.optional(),
  by: string('a text of at most 200 characters', (text) => points(text) <= LABEL_CHARS).optional(),
});

/** The argument of the `run` workflow: made by the workflow that starts it, and checked all the same, since anybody may start one. */
const runInput = object({
  v: z.literal(1, { error: '1' }),
  runId: name,
  parent: object({ workflowId, epoch: key }),
  sessionId: workflowId,
  parentRunId: name.optional(),
  parentToolCallId: z.string({ error: 'a string' }).optional(),
  depth: count(),
  agent: agentName,
  kind: oneOf('agent', 'task', 'workflow'),
  taskQueue: workflowId.optional(),
  input: json(MESSAGE_BYTES),
  label: label.optional(),
  metadata: small.optional(),
  limits,
  retries: count(0),
  onBudget: oneOf('cancel', 'keep'),
  deadlineAt: instant,
});

/** The argument of each message and query, by name. */
export const schemas = {
  submitTurn: object({
    input: turnInput,
    turnId: name.optional(),
    idempotencyKey: key.optional(),
    metadata: small.optional(),
    onBusy: onBusy.optional(),
  }),
  cancelTurn: object({ turnId: name.optional(), reason: words.optional() }),
  startRun,
  startRuns: object({
    runs: z
      .custom<unknown[]>((value) => Array.isArray(value) && value.length >= 1 && value.length <= 200, {
        error: 'a list of 1 to 200 runs',
      })
      .pipe(z.array(startRun)),
  }),
  cancelRun: object({ runId: name, reason: words.optional(), cascade: flag.optional() }),
  detachRun: object({ runId: name }),
  messageRun: object({ runId: name, message, messageId: name.optional() }),
  answer: object({
    requestId,
    decision: oneOf('approve', 'reject').optional(),
    value: json(MESSAGE_BYTES).optional(),
    comment: words.optional(),
    by: string('a text of at most 200 characters', (text) => points(text) <= LABEL_CHARS).optional(),
  }),
  resetTurns: object({ reason: words.optional() }),
  close: object({
    reason: words.optional(),
    runs: oneOf('keep', 'cancel').optional(),
    turn: oneOf('cancel', 'finish').optional(),
  }),
  getSession: object({}),
  listRuns: object({
    status: oneOf('queued', 'running', 'input_required', 'completed', 'failed', 'cancelled', 'interrupted').optional(),
    limit: count().optional(),
    after: name.optional(),
  }),
  getRun: object({ runId: name }),
  getTurn: object({ turnId: name }),
  getTranscript: object({
    after: string('a message id', (text) => text.length <= 256).optional(),
    limit: count().optional(),
    includeHidden: flag.optional(),
  }),
  getEvents: object({
    after: count(0, Number.MAX_SAFE_INTEGER).optional(),
    limit: count().optional(),
    types: z.array(z.string({ error: 'a string' }), { error: 'a list of event types' }).optional(),
  }),
  runSettled: object({
    runId: name,
    epoch: key,
    status: oneOf('completed', 'failed', 'cancelled'),
    reason: name.optional(),
    comment: words.optional(),
    result: json(BATCH_BYTES).optional(),
    resultRef: path.optional(),
    preview: string('a text of at most 4096 characters', (text) => text.length <= 4096).optional(),
    error: failure.optional(),
    usage,
    progress: progress.optional(),
    milestones: milestones.optional(),
    cancelled: paths.optional(),
    read: count(0).optional(),
  }),
  runMilestones: object({ runId: name, epoch: key, milestones, progress: progress.optional() }),
  runRequest: object({ runId: name, epoch: key, request }),
  runMessagesRead: object({ runId: name, epoch: key, n: count(0) }),
  runMessage: object({ epoch: key, messages }),
  requestRefused: object({ requestId }),
  requestAnswered: object({ requestId, value: message, messageId: name }),
  parentGone: object({ epoch: key }),
  runCancel: object({ epoch: key, reason: name, comment: words.optional(), cascade: flag.optional() }),
  taskMilestone: object({ name, data: small.optional(), progress: progress.optional() }),
  taskRead: object({ n: count(0) }),
  getMessages: object({ after: count(0).optional() }),
};

export type SchemaName = keyof typeof schemas;
export type Payload<N extends SchemaName> = z.output<(typeof schemas)[N]>;

/** What a payload becomes that could not be read; see `payload-converter.ts`. */
export const UNREADABLE = 'outlive.unreadable';

/** Levels of arrays and objects in what comes from outside. What is nested by the ten thousand overflows the stack of whatever walks it. */
export const MOST_LEVELS = 500;

/** Whether arrays and objects are nested deeper than this. Not by recursion, as it guards what recurs. */
export function isDeeper(value: unknown, most: number): boolean {
  const containers = (values: readonly unknown[]): object[] =>
    values.filter((one) => typeof one === 'object' && one !== null);
  let level = containers([value]);
  for (let depth = 0; depth < most && level.length > 0; depth++)
    level = containers(level.flatMap((one) => Object.values(one)));
  return level.length > 0;
}

/** The payload in its parsed form, or the sentence that says what is wrong with it. */
export function parse<T>(
  schema: z.ZodType<T>,
  payload: unknown,
  root = 'the argument',
  most = MESSAGE_BYTES,
  levels = MOST_LEVELS,
): T | Refusal {
  const given = payload ?? {};
  if (ArrayBuffer.isView(given))
    return refuse('InvalidInput', `Expected ${root} to be JSON, got ${given.byteLength} bytes of binary data.`);
  if (typeof given === 'object' && UNREADABLE in given)
    return refuse(
      'InvalidInput',
      `Expected ${root} to be JSON, got a payload that cannot be read (${cutEcho(given[UNREADABLE])}).`,
    );
  if (isDeeper(given, levels))
    return refuse('InvalidInput', `Expected ${root} to be nested at most ${levels} levels deep, got more.`);
  const parsed = schema.safeParse(given);
  if (!parsed.success) return refuse('InvalidInput', sentence(parsed.error, given, root));
  if (jsonBytes(given) > most)
    return refuse('InvalidInput', `Expected ${root} to be at most ${most} bytes of JSON, got ${jsonBytes(given)}.`);
  return parsed.data;
}

const BETWEEN_WORKFLOWS = new Set<SchemaName>([
  'runSettled',
  'runMilestones',
  'runRequest',
  'runMessage',
  'taskMilestone',
]);

/** Parses the argument of a message or query. */
export function parseMessage<N extends SchemaName>(message: N, payload: unknown): Payload<N> | Refusal {
  const most =
    message === 'startRuns' || message === 'runSettled' || message === 'runMilestones' || message === 'runMessage'
      ? 2 * BATCH_BYTES
      : ['startRun', 'messageRun', 'answer', 'requestAnswered'].includes(message)
        ? 2 * MESSAGE_BYTES
        : MESSAGE_BYTES;
  // Workflows among themselves wrap what they were given.
  const levels = BETWEEN_WORKFLOWS.has(message) ? 2 * MOST_LEVELS : MOST_LEVELS;
  const parsed = parse(schemas[message] as unknown as z.ZodType<Payload<N>>, payload, 'the argument', most, levels);
  if (message === 'startRuns' && jsonBytes(payload) > BATCH_BYTES)
    return refuse(
      'InvalidInput',
      `Expected runs to be at most ${BATCH_BYTES} bytes of JSON in all, got ${jsonBytes(payload)}.`,
    );
  return parsed;
}

/** Parses the argument of the `run` workflow. */
export function parseRunInput(payload: unknown): z.output<typeof runInput> | Refusal {
  const parsed = parse(runInput, payload, 'the argument', 2 * MESSAGE_BYTES);
  return isRefusal(parsed)
    ? refuse(
        'InvalidInput',
        `${parsed.message.slice(0, -1)}; a run is started by a session or by another run, with startRun.`,
      )
    : parsed;
}

function sentence(error: z.ZodError, given: unknown, root: string): string {
  const [issue] = error.issues;
  if (issue === undefined) return `Expected ${root} to be well-formed.`;
  const deepest = deepen(issue, []);
  const value = deepest.path.reduce<unknown>(
    (at, step) => (typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[step] : undefined),
    given,
  );
  const field =
    deepest.path.length === 0
      ? root
      : deepest.path
          .map((step) => (typeof step === 'number' ? `[${step}]` : String(step)))
          .join('.')
          .replaceAll('.[', '[');
  return `Expected ${field} to be ${deepest.message}, got ${value === undefined || value === null ? 'nothing' : cutEcho(value)}.`;
}

/** In a union, the branch that got furthest says best what is wrong. */
function deepen(issue: z.core.$ZodIssue, before: PropertyKey[]): { path: PropertyKey[]; message: string } {
  const path = [...before, ...issue.path];
  if (issue.code === 'invalid_union') {
    for (const branch of issue.errors) {
      const inner = branch.find((one) => one.path.length > 0);
      if (inner !== undefined) return deepen(inner, path);
    }
  }
  return { path, message: issue.message };
}

function cutEcho(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 79).toWellFormed()}…` : text;
}
