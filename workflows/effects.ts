/**
 * Performs what the domain asks for. Each effect is under way on its own; what becomes of it goes back as a domain input. All
 * of them run in a non-cancellable scope, because cancelling the workflow is a domain input too; only steps have a scope of
 * their own, which ends with the turn.
 */
import {
  CancellationScope,
  ChildWorkflowCancellationType,
  executeChild,
  isCancellation,
  ParentClosePolicy,
} from '@temporalio/workflow';
import type { Json, Progress, TaskDone } from '../src/contract.ts';
import { runsToldGone } from '../src/domain/closing.ts';
import { runSummary } from '../src/domain/view/details.ts';
import { hookAborted, hookDone, hookFailed, keyOfHook } from '../src/domain/run/handlers.ts';
import { nativeId } from '../src/domain/state/ids.ts';
import { jsonBytes } from '../src/domain/state/json.ts';
import { milestonesTold } from '../src/domain/run/own-milestones.ts';
import { readTold, runTold } from '../src/domain/run/to-runs.ts';
import { requestTold } from '../src/domain/run/requests.ts';
import { cancelSelf, parentGone, taskAborted, taskDone, taskFailed } from '../src/domain/self/self.ts';
import { WHOLE_RESULT_BYTES } from '../src/domain/state/sizes.ts';
import { findRun, type Cx, type Effect, type State } from '../src/domain/state/state.ts';
import { rowView } from '../src/domain/view/queries.ts';
import { UNREADABLE } from '../src/schemas/index.ts';
import { modelAnswered, modelFailed, stepAborted, toolAnswered, toolFailed } from '../src/domain/turn/turn.ts';
import { cancelChild, look, start, terminate } from './children.ts';
import type { Conversation } from './conversation.ts';
import {
  failureOf,
  isAborted,
  isHandedBack,
  nativeFailure,
  stepFailure,
  taskFailure,
  toolFailure,
} from './failures.ts';
import { handler, model as callModel, untilDone, task, tool as callTool } from './proxies.ts';
import { ALWAYS, FEW, ONCE, send } from './send.ts';

type Of<D extends Effect['do']> = Extract<Effect, { do: D }>;

/** Starts an effect. It never throws: what fails becomes a domain input. */
export function perform(conversation: Conversation, effect: Effect): void {
  switch (effect.do) {
    case 'abort-step':
      conversation.abortSteps();
      return;
    case 'cancel-task':
      conversation.abortSteps();
      return;
    case 'model':
      track(conversation, 'stepsInFlight', async () => model(conversation, effect));
      return;
    case 'tool':
      track(conversation, 'stepsInFlight', async () => tool(conversation, effect));
      return;
    case 'task':
      track(conversation, 'stepsInFlight', async () => runTask(conversation));
      return;
    case 'start':
      track(conversation, 'errands', async () => start(conversation, effect.runId));
      return;
    case 'cancel-run':
      track(conversation, 'errands', async () => cancelChild(conversation, effect));
      return;
    case 'terminate':
      track(conversation, 'errands', async () => terminate(conversation, effect));
      return;
    case 'answer-gone':
      track(conversation, 'errands', async () => {
        await send(conversation, effect.workflowId, 'parentGone', { epoch: effect.epoch }, ONCE);
      });
      return;
    case 'tell-gone':
      void CancellationScope.nonCancellable(async () => tellGone(conversation, effect));
      return;
    case 'tell-milestones':
      track(conversation, 'errands', async () => tellMilestones(conversation, effect));
      return;
    case 'look':
      track(conversation, 'errands', async () => look(conversation, effect));
      return;
    case 'tell-run':
      track(conversation, 'errands', async () => tellRun(conversation, effect));
      return;
    case 'tell-read':
      track(conversation, 'errands', async () => tellRead(conversation, effect));
      return;
    case 'tell-request':
      track(conversation, 'errands', async () => tellRequest(conversation, effect));
      return;
    case 'refuse-request':
      track(conversation, 'errands', async () => {
        await send(conversation, effect.workflowId, 'requestRefused', { requestId: effect.requestId }, FEW);
      });
      return;
    case 'answer-request':
      track(conversation, 'errands', async () => {
        await send(conversation, effect.workflowId, 'requestAnswered', effect.answer, ALWAYS);
      });
      return;
    case 'hook':
      track(conversation, 'errands', async () => hook(conversation, effect));
      return;
    case 'native':
      track(conversation, 'stepsInFlight', async () => runNative(conversation));
      return;
    case 'terminate-native':
      track(conversation, 'errands', async () => {
        await untilDone('end the workflow').terminateRun({
          workflowId: nativeId(conversation.state.workflowId),
          epoch: '',
          reason: 'The run was cancelled.',
        });
      });
      return;
    case 'check-parent':
      track(conversation, 'errands', async () => checkParent(conversation, effect));
      return;
    default:
      effect satisfies never;
  }
}

/** Work under way on its own; nothing ends or continues meanwhile. What goes wrong with it concerns nobody else. */
export function errand(conversation: Conversation, work: () => Promise<unknown>): void {
  track(conversation, 'errands', async () => {
    await work().catch(() => undefined);
  });
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
    const call = callModel(left, `model: ${state.agent}, step ${number}${attempt > 1 ? `, attempt ${attempt}` : ''}`);
    const answer = await conversation.step(async () =>
      call.model({ agent: state.agent, workflowId: state.workflowId, isRun: state.kind === 'run', ...at }),
    );
    conversation.dispatch((cx) => modelAnswered(cx, at, answer));
  } catch (error) {
    conversation.dispatch((cx) =>
      isCancellation(error) || isHandedBack(error) ? stepAborted(cx, at) : modelFailed(cx, at, stepFailure(error)),
    );
  }
}

async function tool(conversation: Conversation, { turnId, step: number, call }: Of<'tool'>): Promise<void> {
  const { state } = conversation;
  const { toolCallId, toolName, input, policy, attempt } = call;
  const at = { turnId, step: number, toolCallId, attempt };
  try {
    const invoke = callTool(policy.timeoutMs, `tool: ${toolName}${attempt > 1 ? `, attempt ${attempt}` : ''}`);
    const output = await conversation.step(async () =>
      invoke.tool({
        agent: state.agent,
        workflowId: state.workflowId,
        sessionId: state.sessionId,
        turnId,
        toolCallId,
        toolName,
        input,
        attempt,
      }),
    );
    conversation.dispatch((cx) => toolAnswered(cx, at, output));
  } catch (error) {
    conversation.dispatch((cx) =>
      isCancellation(error) ? stepAborted(cx, at) : toolFailed(cx, at, toolFailure(error)),
    );
  }
}

async function runTask(conversation: Conversation): Promise<void> {
  const { self, sessionId, workflowId, agent } = conversation.state;
  if (self === undefined) return;
  try {
    const done: unknown = await conversation.step(async () =>
      task(`task: ${agent}`).task({
        task: agent,
        input: self.input,
        runId: self.runId,
        workflowId,
        sessionId,
        retries: self.retries,
        n: self.progress?.n ?? 0,
        ...(self.checkpoint === undefined ? {} : { checkpoint: self.checkpoint }),
      }),
    );
    const { result, progress } = isTaskDone(done) ? done : { result: (done ?? null) as Json, progress: undefined };
    completed(conversation, result, progress);
  } catch (error) {
    const { failure, progress, checkpoint } = taskFailure(error);
    conversation.dispatch((cx) => {
      if (conversation.aborting && isAborted(error)) taskAborted(cx, progress, checkpoint as Json | undefined);
      else taskFailed(cx, failure, progress);
    });
  }
}

/** What came back as the result, from a worker of ours, an operator, or a workflow that knows nothing of this project. */
function completed(conversation: Conversation, result: Json, progress: Progress | undefined): void {
  const bytes = jsonBytes(result);
  conversation.dispatch((cx) => {
    if (typeof result === 'object' && result !== null && UNREADABLE in result)
      taskFailed(cx, { type: 'InvalidResult', message: 'Expected the result to be JSON.' }, progress);
    else if (bytes > WHOLE_RESULT_BYTES)
      taskFailed(
        cx,
        {
          type: 'ResultTooLarge',
          message: `Expected the result to be at most ${WHOLE_RESULT_BYTES} bytes of JSON, got ${bytes}.`,
        },
        progress,
      );
    else taskDone(cx, result, progress);
  });
}

/** Anything else is what an operator has completed the activity with: the result itself. */
function isTaskDone(done: unknown): done is TaskDone {
  return typeof done === 'object' && done !== null && 'v' in done && done.v === 1 && 'result' in done;
}

async function tellMilestones(
  conversation: Conversation,
  { milestones, progress }: Of<'tell-milestones'>,
): Promise<void> {
  await tellParent(
    conversation,
    'runMilestones',
    { milestones, ...(progress === undefined ? {} : { progress }) },
    (cx) => milestonesTold(cx, milestones.at(-1)?.n ?? 0),
  );
}

async function hook(conversation: Conversation, { hook: call }: Of<'hook'>): Promise<void> {
  const { state } = conversation;
  const row = findRun(state, call.runId);
  const { result, ...shown } = row === undefined ? { result: undefined } : rowView(row, true);
  const about = { run: shown, ...(call.kind === 'finish' && result !== undefined ? { result } : {}) };
  await conversation.room(jsonBytes(about));
  if (conversation.holding) {
    conversation.dispatch((cx) => hookAborted(cx, call));
    return;
  }
  const invoke = handler(
    `handler: ${call.handler.replace(/^handler:/u, '')}${call.attempt > 1 ? `, attempt ${call.attempt}` : ''}`,
  );
  try {
    await conversation.hook(async () =>
      invoke.handler({
        handler: call.handler,
        key: keyOfHook(state, call),
        kind: call.kind,
        ...about,
      }),
    );
    conversation.dispatch((cx) => hookDone(cx, call));
  } catch (error) {
    conversation.dispatch((cx) =>
      isCancellation(error) || isHandedBack(error) ? hookAborted(cx, call) : hookFailed(cx, call, failureOf(error)),
    );
  }
}

/** The workflow of a `workflow:` run is asked to cancel when this one is ended by force. */
async function runNative(conversation: Conversation): Promise<void> {
  const { self, agent, workflowId } = conversation.state;
  if (self === undefined) return;
  try {
    const result: unknown = await conversation.step(async () =>
      executeChild(agent.slice('workflow:'.length), {
        workflowId: nativeId(workflowId),
        args: [self.input],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
        staticSummary: runSummary(agent, self.label),
        ...(self.taskQueue === undefined ? {} : { taskQueue: self.taskQueue }),
      }),
    );
    completed(conversation, (result ?? null) as Json, undefined);
  } catch (error) {
    conversation.dispatch((cx) => taskFailed(cx, nativeFailure(error), undefined));
  }
}

async function tellRun(conversation: Conversation, { runId, messages }: Of<'tell-run'>): Promise<void> {
  const row = findRun(conversation.state, runId);
  if (row === undefined) return;
  await send(conversation, row.workflowId, 'runMessage', { epoch: row.epoch ?? '', messages }, ALWAYS);
  conversation.dispatch((cx) => runTold(cx, runId, messages.at(-1)?.n ?? 0));
}

async function tellRead(conversation: Conversation, { n }: Of<'tell-read'>): Promise<void> {
  await tellParent(conversation, 'runMessagesRead', { n }, (cx) => readTold(cx, n));
}

async function tellRequest(conversation: Conversation, { request }: Of<'tell-request'>): Promise<void> {
  await tellParent(conversation, 'runRequest', { request }, requestTold);
}

async function tellParent(
  conversation: Conversation,
  name: string,
  about: object,
  told: (cx: Cx) => void,
): Promise<void> {
  const { self } = conversation.state;
  if (self === undefined) return;
  const sent = await send(
    conversation,
    self.parent.workflowId,
    name,
    { runId: self.runId, epoch: self.parent.epoch, ...about },
    ALWAYS,
  );
  conversation.dispatch((cx) => {
    if (sent === 'gone') parentGone(cx, self.parent.epoch);
    else told(cx);
  });
}

/** At its own ceiling a run looks whether its parent is there to give up on it; if not, it keeps the ceiling itself. */
async function checkParent(conversation: Conversation, { why }: Of<'check-parent'>): Promise<void> {
  if (await parentIsThere(conversation.state)) return;
  const { self } = conversation.state;
  if (self === undefined) return;
  conversation.dispatch((cx) => {
    parentGone(cx, self.parent.epoch);
    if (why === 'ceiling' && self.onBudget === 'cancel') cancelSelf(cx, 'cancelled_by_budget', undefined, true);
  });
}

/** True when the workflow that started this run is still there to hear it. */
export async function parentIsThere({ self }: State): Promise<boolean> {
  if (self === undefined || self.parentGone === true) return false;
  const parent = await untilDone('is the parent there').lookAtWorkflow({ workflowId: self.parent.workflowId });
  return parent !== null && parent.open && parent.epoch === self.parent.epoch;
}

/** Tells runs that nobody hears them any more. The end waits for them, but not for one that cannot be reached. */
async function tellGone(conversation: Conversation, { runs }: Of<'tell-gone'>): Promise<void> {
  const { state } = conversation;
  const { epoch } = state;
  const rows = runs.map((runId) => findRun(state, runId)).filter((row) => row !== undefined);
  await Promise.all(rows.map(async ({ workflowId }) => send(conversation, workflowId, 'parentGone', { epoch }, ONCE)));
  conversation.dispatch(runsToldGone);
}
