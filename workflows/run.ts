/**
 * The workflow type `run`: one detached execution of an agent or a task. It is abandoned by its starter on purpose, so that it
 * outlives it; it tells its starter how it ended, and completes with that result whether anybody heard it or not.
 */
import { CancellationScope, continueAsNew, workflowInfo } from '@temporalio/workflow';
import type { RunInput, RunResult } from '../src/contract.ts';
import { unpack } from '../src/domain/carry/carry.ts';
import type { Head } from '../src/domain/carry/encode.ts';
import { runMessagesRead, runMilestones, runRequest, runSettled, runTokens } from '../src/domain/run/from-runs.ts';
import { ownMilestone } from '../src/domain/run/own-milestones.ts';
import { parentGone } from '../src/domain/run/parent-gone.ts';
import { beginCall, cancelledBelow, cancelSelf, refuseInput } from '../src/domain/self/self.ts';
import { requestRefused } from '../src/domain/run/requests.ts';
import { takeTokens } from '../src/domain/run/tokens.ts';
import { requestAnswered, takeMessages, taskRead } from '../src/domain/run/to-runs.ts';
import { requireRules } from '../src/domain/state/rules.ts';
import { settingsOf } from '../src/domain/state/settings.ts';
import { resultAsTold } from '../src/domain/run/result.ts';
import { jsonBytes } from '../src/domain/state/json.ts';
import { outcomeOf, type RunSelf, type Work } from '../src/domain/state/self.ts';
import { newState, type Cx, type State } from '../src/domain/state/state.ts';
import { totalOf } from '../src/domain/state/usage.ts';
import type { Outcome } from '../src/domain/state/row.ts';
import { submitTurn } from '../src/domain/turn/submit.ts';
import {
  isRefusal,
  refuse,
  type Json,
  type Progress,
  type Refusal,
  type UIMessage,
} from '../src/domain/state/types.ts';
import { parseMessage, parseRunInput, type Payload } from '../src/schemas/index.ts';
import { Shell } from './shell.ts';
import { isParentThere } from './parent.ts';
import { refusal } from './failures.ts';
import { register } from './register.ts';
import { carriedOf, end, live } from './end.ts';
import { callOwnFinish } from './own-finish.ts';
import { ALWAYS, send } from './send.ts';

/**
 * @param input made by the workflow that starts the run; without what it works on in an execution that goes on.
 * @param head with `body` what the execution before this one left; ignored in a first execution.
 */
export async function run(input: RunInput, head?: Head, body?: Uint8Array): Promise<RunResult> {
  const carried = carriedOf(head, body);
  const continued = carried !== undefined;
  const shell = new Shell(carried === undefined ? begin(input) : unpack(carried));
  const { state } = shell;
  register(shell, {
    runSettled,
    runMilestones,
    runRequest,
    runMessagesRead,
    runTokens,
    runBudget: (cx, payload: Payload<'runBudget'>) => takeTokens(cx, payload),
    runMessage: (cx, payload: Payload<'runMessage'>) => takeMessages(cx, payload),
    requestAnswered: (cx, payload: Payload<'requestAnswered'>) => requestAnswered(cx, payload),
    requestRefused: (cx, payload: Payload<'requestRefused'>) => requestRefused(cx, payload),
    taskRead: (cx, { n }: Payload<'taskRead'>) => taskRead(cx, n),
    parentGone: (cx, { epoch }: Payload<'parentGone'>) => parentGone(cx, epoch),
    runCancel: (cx, payload: Payload<'runCancel'>) => runCancel(cx, payload),
    taskMilestone: (cx, { name, data, progress }: Payload<'taskMilestone'>) =>
      milestone(cx, name, data, progress as Progress | undefined),
  });
  const asked = CancellationScope.current().cancelRequested;
  return shell.scopes.main(async () => {
    if (!continued && state.self?.work.kind === 'agent') shell.dispatch((cx) => takeInput(cx, input.input));
    if (!continued && state.self?.work.kind === 'tool') shell.dispatch(beginCall);
    shell.open();
    asked.catch(() => shell.dispatch((cx) => cancelSelf(cx, 'cancelled_by_user', undefined, true)));
    const next = await live(shell);
    if (next !== undefined) return continueAsNew<typeof run>({ ...input, input: null }, next.head, next.body);
    const delivered = await tell(shell);
    if (!delivered && input.tellsFinish === true) {
      const { self, outcome } = ended(state);
      await callOwnFinish(shell, self, outcome);
    }
    return end(shell, jsonBytes(ended(state).outcome.result ?? null), () => resultOf(state, delivered));
  });
}

/** The run's own input is its first turn. */
function takeInput(cx: Cx, input: Json): void {
  const receipt = submitTurn(cx, { input: messagesOf(input) });
  if (isRefusal(receipt)) refuseInput(cx, receipt);
}

function begin(input: unknown): State {
  const parsed = parseRunInput(input);
  if (isRefusal(parsed)) throw refusal(parsed);
  const made = parsed as RunInput;
  requireRules(made.rules);
  const { workflowId, firstExecutionRunId } = workflowInfo();
  const self: RunSelf = {
    runId: made.runId,
    parent: made.parent,
    input: made.input,
    work: workOf(made),
    end: { is: 'working' },
    onBudget: made.onBudget,
    deadline: Date.parse(made.deadlineAt),
    milestones: [],
    told: 0,
    movedAt: Date.now(),
    notes: { heard: 0, read: 0, readTold: 0 },
    ...(made.parentToolCallId === undefined ? {} : { parentToolCallId: made.parentToolCallId }),
    ...(made.parentRunId === undefined ? {} : { parentRunId: made.parentRunId }),
    ...(made.label === undefined ? {} : { label: made.label }),
  };
  return newState(
    {
      kind: 'run',
      rules: made.rules,
      workflowId,
      sessionId: made.sessionId,
      epoch: firstExecutionRunId,
      depth: made.depth,
      agent: made.agent,
      settings: settingsOf('run', { limits: made.limits, budgets: made.budgets }),
      self,
      ...(made.metadata === undefined ? {} : { metadata: made.metadata }),
    },
    Date.now(),
  );
}

function workOf({ kind, retries, taskQueue, call }: RunInput): Work {
  switch (kind) {
    case 'agent':
      return { kind };
    case 'task':
      return { kind, retries, activity: 'ready', inbox: [] };
    case 'workflow':
      return { kind, activity: 'ready', ...(taskQueue === undefined ? {} : { taskQueue }) };
    case 'tool':
      if (call === undefined)
        throw refusal(refuse('InvalidInput', 'Expected call to be the call of a tool, got nothing.'));
      return { kind, ...call };
    default:
      return kind satisfies never;
  }
}

/** An agent that is given neither a string nor messages reads its input as JSON text; messages that say nothing are empty input. */
function messagesOf(input: Json): UIMessage[] {
  if (typeof input === 'string' || Array.isArray(input)) {
    const parsed = parseMessage('submitTurn', { input });
    if (!isRefusal(parsed)) return parsed.input;
  }
  return [
    {
      id: '',
      role: 'user',
      parts: [{ type: 'text', text: typeof input === 'string' ? input : JSON.stringify(input) }],
    },
  ];
}

function milestone(cx: Cx, name: string, data: Json | undefined, progress: Progress | undefined): Refusal | undefined {
  const taken = ownMilestone(cx, name, data, progress);
  return isRefusal(taken) ? taken : undefined;
}

function runCancel(cx: Cx, { epoch, reason, comment, cascade }: Payload<'runCancel'>): Refusal | undefined {
  if (epoch !== cx.state.epoch)
    return refuse('InvalidInput', `Expected epoch to be "${cx.state.epoch}", got "${epoch}".`);
  cancelSelf(cx, reason, comment, cascade ?? true);
  return undefined;
}

/** A run that is younger than this tells its starter without looking first whether that is still there. */
const YOUNG_MS = 60_000;

/** Tells the starter, as long as it is there to hear it; true when Temporal has recorded that with it. */
async function tell(shell: Shell): Promise<boolean> {
  const { state } = shell;
  const { self, outcome } = ended(state);
  const { status, reason, comment, result, error, finishReason } = outcome;
  const message = {
    runId: self.runId,
    epoch: self.parent.epoch,
    status,
    reason,
    comment,
    error,
    finishReason,
    usage: totalOf(state.spent),
    progress: self.progress,
    milestones: self.milestones.filter((one) => one.n > self.told),
    cancelled: cancelledBelow({ state }),
    ...(self.notes.read === 0 ? {} : { read: self.notes.read }),
    ...(result === undefined ? {} : resultAsTold(result, state.workflowId)),
  };
  const isYoung = Date.now() - Date.parse(state.createdAt) < YOUNG_MS;
  if (self.parentGone === true || (!isYoung && !(await isParentThere(state)))) return false;
  const told = await send(shell, self.parent.workflowId, 'runSettled', message, ALWAYS);
  return told === 'sent';
}

function resultOf(state: State, delivered: boolean): RunResult {
  const { status, reason, result, error, finishReason } = ended(state).outcome;
  return {
    status,
    ...(reason === undefined ? {} : { reason }),
    ...(result === undefined ? {} : { result }),
    ...(error === undefined ? {} : { error }),
    ...(finishReason === undefined ? {} : { finishReason }),
    usage: totalOf(state.spent),
    delivered,
  };
}

function ended({ self }: State): { self: RunSelf; outcome: Outcome } {
  const outcome = self === undefined ? undefined : outcomeOf(self);
  if (self === undefined || outcome === undefined)
    throw refusal(refuse('InvalidInput', 'Expected a run that has an outcome.'));
  return { self, outcome };
}
