/**
 * Performs what the domain asks for. Each effect is under way on its own; what becomes of it goes back as a domain input. All
 * of them run in a non-cancellable scope, because cancelling the workflow is a domain input too; only steps have a scope of
 * their own, which ends with the turn.
 */
import {
  CancellationScope, getExternalWorkflowHandle, isCancellation, ParentClosePolicy, sleep, startChild, type ChildWorkflowHandle, type Workflow,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { RunInput, RunResult } from '../src/contract.ts';
import { terminated } from '../src/domain/deadlines.ts';
import { runSummary } from '../src/domain/details.ts';
import { settle, startConfirmed, startFailed } from '../src/domain/runs.ts';
import { cancelSelf, milestonesTold, parentGone, taskAborted, taskDone, taskFailed } from '../src/domain/self.ts';
import { findRun, isSettled, type Effect, type State } from '../src/domain/state.ts';
import { modelAnswered, modelFailed, stepAborted, toolAnswered, toolFailed } from '../src/domain/turn.ts';
import type { Json } from '../src/contract.ts';
import type { Conversation } from './conversation.ts';
import { endOfChild, failureOf, isGone, isHandedBack, stepFailure, taskFailure, toolFailure } from './failures.ts';
import { local, step, sure, task } from './proxies.ts';

type Of<D extends Effect['do']> = Extract<Effect, { do: D }>;

/** Starts an effect. It never throws: what fails becomes a domain input. */
export function perform(conversation: Conversation, effect: Effect): void {
  switch (effect.do) {
    case 'abort-step': conversation.abortSteps(); return;
    case 'cancel-task': conversation.abortSteps(); return;
    case 'settle': case 'closed': conversation.ended = true; return;
    case 'model': track(conversation, 'stepsInFlight', async () => model(conversation, effect)); return;
    case 'tool': track(conversation, 'stepsInFlight', async () => tool(conversation, effect)); return;
    case 'task': track(conversation, 'stepsInFlight', async () => runTask(conversation)); return;
    case 'start': track(conversation, 'errands', async () => start(conversation, effect.runId)); return;
    case 'cancel-run': track(conversation, 'errands', async () => cancelChild(conversation, effect)); return;
    case 'terminate': track(conversation, 'errands', async () => terminate(conversation, effect)); return;
    case 'answer-gone': track(conversation, 'errands', async () => { await send(effect.workflowId, 'parentGone', { epoch: effect.epoch }, ONCE); }); return;
    case 'tell-milestones': track(conversation, 'errands', async () => tellMilestones(conversation, effect)); return;
    case 'check-parent': track(conversation, 'errands', async () => checkParent(conversation)); return;
    default: effect satisfies never;
  }
}

function track(conversation: Conversation, counter: 'stepsInFlight' | 'errands', work: () => Promise<void>): void {
  conversation[counter] += 1;
  void CancellationScope.nonCancellable(async () => {
    try {
      await work();
    } finally {
      conversation[counter] -= 1;
    }
  });
}

async function model(conversation: Conversation, { turnId, step: number, attempt }: Of<'model'>): Promise<void> {
  const { state } = conversation;
  const left = (state.turn?.deadline ?? Date.now()) - Date.now();
  const at = { turnId, step: number, attempt };
  try {
    const call = step(left, `model: ${state.agent}, step ${number}${attempt > 1 ? `, attempt ${attempt}` : ''}`);
    const answer = await conversation.step(async () => call.model({ agent: state.agent, workflowId: state.workflowId, isRun: state.kind === 'run', ...at }));
    conversation.dispatch((cx) => modelAnswered(cx, at, answer));
  } catch (error) {
    conversation.dispatch((cx) => (isCancellation(error) || isHandedBack(error) ? stepAborted(cx, at) : modelFailed(cx, at, stepFailure(error))));
  }
}

async function tool(conversation: Conversation, { turnId, step: number, call }: Of<'tool'>): Promise<void> {
  const { state } = conversation;
  const { toolCallId, toolName, input, policy, attempt } = call;
  const at = { turnId, step: number, toolCallId, attempt };
  try {
    const invoke = step(policy.timeoutMs, `tool: ${toolName}${attempt > 1 ? `, attempt ${attempt}` : ''}`);
    const output = await conversation.step(async () => invoke.tool({
      agent: state.agent, workflowId: state.workflowId, sessionId: state.sessionId, turnId, toolCallId, toolName, input, attempt,
    }));
    conversation.dispatch((cx) => toolAnswered(cx, at, output));
  } catch (error) {
    conversation.dispatch((cx) => (isCancellation(error) ? stepAborted(cx, at) : toolFailed(cx, at, toolFailure(error))));
  }
}

async function runTask(conversation: Conversation): Promise<void> {
  const { self, sessionId, workflowId, agent } = conversation.state;
  if (self === undefined) return;
  try {
    const { result, progress } = await conversation.step(async () => task(`task: ${agent}`).task({
      task: agent, input: self.input, runId: self.runId, workflowId, sessionId, retries: self.retries, n: self.progress?.n ?? 0,
      ...(self.checkpoint === undefined ? {} : { checkpoint: self.checkpoint }),
    }));
    conversation.dispatch((cx) => taskDone(cx, result, progress));
  } catch (error) {
    const { failure, progress, checkpoint } = taskFailure(error);
    conversation.dispatch((cx) => {
      if (conversation.aborting && isCancellation(error)) taskAborted(cx, progress, checkpoint as Json | undefined);
      else taskFailed(cx, failure, progress);
    });
  }
}

function runInput(state: State, runId: string): RunInput | undefined {
  const row = findRun(state, runId);
  if (row?.request === undefined || row.kind === 'workflow') return undefined;
  const { request } = row;
  const { maxDepth, cancelGraceMs, historyEvents } = state.settings.limits;
  const facts = state.names[row.agent];
  return {
    v: 1, runId, parent: { workflowId: state.workflowId, epoch: state.epoch }, sessionId: state.sessionId, depth: row.depth, agent: row.agent, kind: row.kind,
    input: request.input, retries: facts?.retries ?? 2, maxBudgetMs: row.detached.maxBudgetMs, onBudget: row.detached.onBudget, deadlineAt: row.deadlineAt,
    limits: { maxDepth, cancelGraceMs, ...(historyEvents === undefined ? {} : { historyEvents }), ...facts?.limits },
    ...(state.self === undefined ? {} : { parentRunId: state.self.runId }),
    ...(row.parentToolCallId === undefined ? {} : { parentToolCallId: row.parentToolCallId }),
    ...(request.label === undefined ? {} : { label: request.label }), ...(request.metadata === undefined ? {} : { metadata: request.metadata }),
  };
}

async function start(conversation: Conversation, runId: string): Promise<void> {
  const input = runInput(conversation.state, runId);
  if (input === undefined) return;
  const { workflowId } = findRun(conversation.state, runId) ?? {};
  if (workflowId === undefined) return;
  let handle: ChildWorkflowHandle<Workflow>;
  try {
    handle = await startChild('run', {
      workflowId, args: [input], parentClosePolicy: ParentClosePolicy.ABANDON, workflowIdReusePolicy: 'REJECT_DUPLICATE', staticSummary: runSummary(input.agent, input.label),
    });
  } catch (error) {
    const message = error instanceof WorkflowExecutionAlreadyStartedError
      ? `The workflow ${workflowId} exists from an earlier session of this id; choose another runId.` : failureOf(error).message;
    conversation.dispatch((cx) => startFailed(cx, runId, message));
    return;
  }
  conversation.dispatch((cx) => startConfirmed(cx, runId, handle.firstExecutionRunId));
  void CancellationScope.nonCancellable(async () => watch(conversation, runId, handle));
}

/** While this execution lasts, Temporal tells how the child ended; usually its own settle has come before. */
async function watch(conversation: Conversation, runId: string, handle: ChildWorkflowHandle<Workflow>): Promise<void> {
  let end: Parameters<typeof settle>[2];
  try {
    const { delivered: _delivered, ...result } = (await handle.result()) as RunResult;
    end = result;
  } catch (error) {
    end = endOfChild(error);
  }
  const row = findRun(conversation.state, runId);
  if (row !== undefined && !isSettled(row)) conversation.dispatch((cx) => settle(cx, row, end));
}

async function cancelChild(conversation: Conversation, { runId, reason, comment, cascade }: Of<'cancel-run'>): Promise<void> {
  const row = findRun(conversation.state, runId);
  if (row === undefined) return;
  // One that is gone has settled, and its settle is on its way.
  await send(row.workflowId, 'runCancel', { epoch: row.epoch ?? '', reason, cascade, ...(comment === undefined ? {} : { comment }) }, FEW);
}

async function terminate(conversation: Conversation, { runId, reason }: Of<'terminate'>): Promise<void> {
  const row = findRun(conversation.state, runId);
  if (row === undefined || isSettled(row)) return;
  await sure.terminateRun({ workflowId: row.workflowId, epoch: row.epoch ?? '', reason });
  conversation.dispatch((cx) => terminated(cx, runId));
}

async function tellMilestones(conversation: Conversation, { milestones }: Of<'tell-milestones'>): Promise<void> {
  const { self } = conversation.state;
  if (self === undefined) return;
  const sent = await send(self.parent.workflowId, 'runMilestones', { runId: self.runId, epoch: self.parent.epoch, milestones }, ALWAYS);
  conversation.dispatch((cx) => {
    if (sent === 'gone') parentGone(cx, self.parent.epoch);
    else milestonesTold(cx, milestones.at(-1)?.n ?? 0);
  });
}

/** At its own ceiling a run looks whether its parent is there to give up on it; if not, it keeps the ceiling itself. */
async function checkParent(conversation: Conversation): Promise<void> {
  if (await parentIsThere(conversation.state)) return;
  const { self } = conversation.state;
  if (self === undefined) return;
  conversation.dispatch((cx) => {
    parentGone(cx, self.parent.epoch);
    if (self.onBudget === 'cancel') cancelSelf(cx, 'cancelled_by_budget', undefined, true);
  });
}

export async function parentIsThere({ self }: State): Promise<boolean> {
  if (self === undefined || self.parentGone === true) return false;
  const parent = await local.lookAtParent({ workflowId: self.parent.workflowId });
  return parent !== null && parent.open && parent.epoch === self.parent.epoch;
}

const ONCE = 1;
const FEW = 5;
export const ALWAYS = Number.POSITIVE_INFINITY;
const SEND_BACKOFF_MS = 1000;
const SEND_BACKOFF_MOST_MS = 60_000;

/** Signals another workflow, the newest execution of its id; backs off when the server refuses it. */
export async function send(workflowId: string, name: string, argument: unknown, attempts: number): Promise<'sent' | 'gone' | 'refused'> {
  for (let attempt = 1; ; attempt++) {
    try {
      await getExternalWorkflowHandle(workflowId).signal(name, argument);
      return 'sent';
    } catch (error) {
      if (isGone(error)) return 'gone';
      if (attempt >= attempts) return 'refused';
      await sleep(Math.min(SEND_BACKOFF_MS * 2 ** (attempt - 1), SEND_BACKOFF_MOST_MS));
    }
  }
}
