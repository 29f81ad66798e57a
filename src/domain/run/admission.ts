/**
 * Admission of runs: what a request may be, whether its id is known, and whether there is room. All of it without changing
 * anything, so that an update is refused before it is recorded. Checks come in this order: closed, known key, names, input, caps.
 */
import type { DetachedCall } from '../state/turn.ts';
import { entryKey, payloadHash, recall } from '../log/dedupe.ts';
import { workflowIdOfRun } from '../state/ids.ts';
import { jsonBytes } from '../state/json.ts';
import { closed, full, liveBytes, queuedBytes } from '../log/capacity.ts';
import {
  HOOK_BYTES,
  LIVE_BYTES,
  MESSAGE_BYTES,
  ROW_GROWTH_BYTES,
  START_WAVE,
  WATCHED_BYTES,
  WORKFLOW_ID_CHARS,
} from '../state/sizes.ts';
import type { State } from '../state/state.ts';
import {
  isRefusal,
  refuse,
  type Detached,
  type Json,
  type OnMilestones,
  type Refusal,
  type RunStatus,
} from '../state/types.ts';
import { misfitSentence, UNCHECKED, type Checked } from './fit.ts';

export interface StartRun {
  agent: string;
  input: Json;
  runId?: string;
  label?: string;
  metadata?: Json;
  detached?: Partial<Omit<Detached, 'onMilestones'>> & { onMilestones?: OnMilestones };
}

export interface RunReceipt {
  runId: string;
  workflowId: string;
  status: RunStatus;
  deduplicated: boolean;
}

/** Which turn and tool call a run is started from; empty from outside. */
export interface Origin {
  turnId?: string;
  toolCallId?: string;
  /** It is a call of a tool, by whose name it goes. */
  call?: DetachedCall;
}

/** As long as an id that a session gives a run may be. */
const LONGEST_MINTED = 'r-'.padEnd(24, 'x');

/** Runs that may be started before another start is confirmed. */
export function waveLeft(state: State): number {
  return Math.max(0, START_WAVE - state.runs.unconfirmed.size);
}

/** `detached` with its defaults filled in. */
export function fillDetached(
  state: State,
  { agent, detached }: Partial<Pick<StartRun, 'agent' | 'detached'>> = {},
): Detached {
  const { maxBudgetMs, noProgressBudgetMs } = state.settings.budgets;
  // Of a workflow in another language nobody knows how often it shows a sign of life.
  return {
    notify: 'react',
    maxBudgetMs,
    noProgressBudgetMs: agent?.startsWith('workflow:') === true ? 0 : noProgressBudgetMs,
    onBudget: 'cancel',
    ...detached,
  };
}

export function payloadOf(state: State, request: StartRun): string {
  const { agent, input, label, metadata } = request;
  return payloadHash({ agent, input, label, metadata, detached: fillDetached(state, request) });
}

export function presentRun(state: State, runId: string): { status: RunStatus; known: boolean } {
  const kept = state.runs.peek(runId) ?? state.runs.forgotten(runId);
  if (kept !== undefined) return { status: kept.status, known: true };
  const entry = recall(state.dedupe, entryKey('run', runId));
  return { status: (entry?.status ?? 'completed') as RunStatus, known: entry !== undefined };
}

export function receiptOf(state: State, runId: string, status: RunStatus, deduplicated: boolean): RunReceipt {
  return { runId, workflowId: workflowIdOfRun(state.workflowId, runId), status, deduplicated };
}

export function knownRun(state: State, request: StartRun): RunReceipt | Refusal | undefined {
  if (request.runId === undefined) return undefined;
  const entry = recall(state.dedupe, entryKey('run', request.runId));
  if (entry === undefined) return undefined;
  return entry.payload === payloadOf(state, request)
    ? receiptOf(state, request.runId, presentRun(state, request.runId).status, true)
    : conflict(request.runId);
}

function conflict(runId: string): Refusal {
  return refuse(
    'IdempotencyConflict',
    `Expected runId "${runId}" to come with the same payload as before, got another.`,
  );
}

/** What is never shed of a run once it is accepted, with what it may grow by. */
export function coreBytes(request: StartRun, origin: Origin, hooks = 0): number {
  const names = request.detached?.onMilestones?.names ?? [];
  const watched = names === '*' ? 0 : names.reduce((sum, name) => sum + 2 * name.length + WATCHED_BYTES, 0);
  const calls = hooks + (request.detached?.onFinish === undefined ? 0 : 2 + (names === '*' ? 0 : names.length));
  return jsonBytes({ ...request, input: null }) + jsonBytes(origin) + ROW_GROWTH_BYTES + watched + calls * HOOK_BYTES;
}

export function inputBytes(request: StartRun): number {
  return jsonBytes(request.input);
}

/** The receipts of known requests, `undefined` for new ones, or the refusal of them all. With `hold` none starts, and all are carried. */
export function admitRuns(
  state: State,
  requests: readonly StartRun[],
  kindOf: (name: string) => boolean | undefined,
  origin: Origin = {},
  hold = false,
  checked: Checked = UNCHECKED,
): (RunReceipt | undefined)[] | Refusal {
  if (state.closing !== undefined) return closed(state);
  const fresh: StartRun[] = [];
  const payloads = new Map<string, string>();
  const answers: (RunReceipt | undefined)[] = [];
  for (const request of requests) {
    const before = knownRun(state, request);
    if (isRefusal(before)) return before;
    answers.push(before);
    if (before !== undefined) continue;
    const { runId } = request;
    const twice = runId === undefined ? undefined : payloads.get(runId);
    if (runId !== undefined && twice !== undefined && twice !== payloadOf(state, request)) return conflict(runId);
    if (runId !== undefined) payloads.set(runId, payloadOf(state, request));
    if (twice === undefined) fresh.push(request);
  }
  return (
    (origin.call === undefined ? unknownName(fresh, kindOf) : undefined) ??
    unknownHandler(fresh, kindOf) ??
    unfit(fresh, checked) ??
    noRoom(state, fresh, origin, hold) ??
    answers
  );
}

function unknownName(
  requests: readonly StartRun[],
  kindOf: (name: string) => boolean | undefined,
): Refusal | undefined {
  const stranger = requests.find((request) => kindOf(request.agent) === false);
  return stranger === undefined
    ? undefined
    : refuse('UnknownAgent', `Expected agent to name a registered agent or task, got "${stranger.agent}".`);
}

function unknownHandler(
  requests: readonly StartRun[],
  kindOf: (name: string) => boolean | undefined,
): Refusal | undefined {
  const stranger = requests.find(
    ({ detached }) => detached?.onFinish !== undefined && kindOf(`handler:${detached.onFinish}`) === false,
  )?.detached?.onFinish;
  return stranger === undefined
    ? undefined
    : refuse('UnknownHandler', `Expected onFinish to name a registered handler, got "${stranger}".`);
}

function unfit(requests: readonly StartRun[], { misfits, refuses }: Checked): Refusal | undefined {
  const [misfit] = refuses ? requests.flatMap((request) => misfits.get(request) ?? []) : [];
  return misfit === undefined ? undefined : refuse('InvalidInput', misfitSentence(misfit, `${misfit.at}input`));
}

/** The names that a request needs to be known. */
export function namesOf({ agent, detached }: StartRun): string[] {
  return detached?.onFinish === undefined ? [agent] : [agent, `handler:${detached.onFinish}`];
}

function noRoom(state: State, requests: readonly StartRun[], origin: Origin, hold: boolean): Refusal | undefined {
  const { maxConcurrentRuns, maxDepth, maxQueuedBytes, maxQueuedRuns } = state.settings.limits;
  if (requests.length > 0 && state.depth + 1 > maxDepth) {
    return refuse(
      'DepthExceeded',
      `Expected runs to be nested at most ${maxDepth} deep (limits.maxDepth), got ${state.depth + 1}.`,
    );
  }
  const longest = Math.max(
    0,
    ...requests.map(({ runId = LONGEST_MINTED }) => workflowIdOfRun(state.workflowId, runId).length),
  );
  if (longest > WORKFLOW_ID_CHARS)
    return refuse(
      'DepthExceeded',
      `Expected the workflow id of the run, which names all above it, to have at most ${WORKFLOW_ID_CHARS} characters, got ${longest}.`,
    );
  const free = Math.max(0, maxConcurrentRuns - state.runs.placesTaken);
  const wave = hold ? 0 : waveLeft(state);
  let waiting = state.runs.queued;
  let queued = queuedBytes(state);
  let live = liveBytes(state);
  for (const request of requests) {
    if (jsonBytes(request.input) > MESSAGE_BYTES)
      return refuse(
        'InvalidInput',
        `Expected input to be at most ${MESSAGE_BYTES} bytes of JSON, got ${jsonBytes(request.input)}.`,
      );
    waiting++;
    live += coreBytes(request, origin, state.names[request.agent]?.hooks?.length);
    if (waiting > Math.min(free, wave)) live += inputBytes(request);
    if (waiting > free) {
      if (waiting - free > maxQueuedRuns) {
        return refuse(
          'RunLimitExceeded',
          `Expected at most ${maxConcurrentRuns} runs at once and ${maxQueuedRuns} queued (limits.maxConcurrentRuns, limits.maxQueuedRuns), got one more.`,
        );
      }
      queued += inputBytes(request);
      if (queued > maxQueuedBytes) {
        return refuse(
          'QueueFull',
          `Expected the inputs of queued turns and runs to hold at most ${maxQueuedBytes} bytes (limits.maxQueuedBytes), got ${queued}.`,
        );
      }
    }
    if (live > LIVE_BYTES) return full(live);
  }
  return undefined;
}
