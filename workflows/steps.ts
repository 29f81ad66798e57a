/** What a turn or a run works with: model calls, tools, tasks, and the workflow of a `workflow:` run. */
import {
  ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  executeChild,
  isCancellation,
  ParentClosePolicy,
} from '@temporalio/workflow';
import type { Json, Progress, TaskDone } from '../src/contract.ts';
import { workflowIdOfTarget } from '../src/domain/state/ids.ts';
import { jsonBytes } from '../src/domain/state/json.ts';
import { WHOLE_RESULT_BYTES } from '../src/domain/state/sizes.ts';
import type { EffectOf } from '../src/domain/state/effects.ts';
import { totalOf } from '../src/domain/state/usage.ts';
import { misfitSentence } from '../src/domain/run/fit.ts';
import { taskRead } from '../src/domain/run/to-runs.ts';
import { taskAborted, taskDone, taskFailed } from '../src/domain/self/self.ts';
import { modelAnswered, modelFailed, type ModelAnswer, type ModelCall } from '../src/domain/turn/model-step.ts';
import { stepAborted, toolAnswered, toolFailed } from '../src/domain/turn/tool-calls.ts';
import { runSummary } from '../src/domain/view/details.ts';
import { foundWorkflow, isUnreadable, modelAnswer } from '../src/schemas/index.ts';
import { answeredSoon, fitting } from './answered.ts';
import {
  isAborted,
  isHandedBack,
  isThrown,
  stepFailure,
  taskFailure,
  toolFailure,
  workflowFailure,
} from './failures.ts';
import { checkInputs, lookUpNames } from './names.ts';
import { aFewTimes, model as callModel, task, tool as callTool } from './proxies.ts';
import type { Stage } from './stage.ts';

export async function model(stage: Stage, { turnId, step, attempt }: EffectOf<'model'>): Promise<void> {
  const { state } = stage;
  const at = { turnId, step, attempt };
  const left = (state.turn?.deadline ?? Date.now()) - Date.now();
  const call = callModel(left, `model: ${state.agent}, step ${step}${attempt > 1 ? `, attempt ${attempt}` : ''}`);
  let answer: unknown;
  try {
    answer = await stage.scopes.within('step', async () =>
      call.model({
        v: 1,
        agent: state.agent,
        workflowId: state.workflowId,
        isRun: state.kind === 'run',
        usage: totalOf(state.spent),
        ...at,
      }),
    );
  } catch (error) {
    stage.dispatch((cx) => {
      if (isCancellation(error) || isHandedBack(error)) stepAborted(cx, at);
      else modelFailed(cx, at, stepFailure(error));
    });
    return;
  }
  const fit = fitting(answer, modelAnswer) as ModelAnswer | undefined;
  if (fit !== undefined) await lookUpStarts(stage, fit);
  stage.dispatch((cx) => {
    if (fit === undefined)
      modelFailed(cx, at, {
        how: 'failed',
        error: {
          type: 'InvalidAnswer',
          message: 'Expected the model call to be answered with a message, got something else.',
        },
      });
    else modelAnswered(cx, at, fit);
  });
}

/** What the model wants to start and its worker does not know, others may. */
async function lookUpStarts({ state }: Stage, { calls, canStart }: ModelAnswer): Promise<void> {
  const asked = calls.map((call) => (isStart(call) ? (call.input as { agent?: unknown } | null)?.agent : undefined));
  const unknown = Object.keys(canStart).filter((name) => canStart[name] === null && asked.includes(name));
  if (unknown.length === 0) return;
  await lookUpNames(state, unknown);
  for (const name of unknown) canStart[name] = state.names[name] ?? null;
  // Nor could its worker tell what does not fit.
  const unchecked = calls.flatMap((call, place) => {
    const agent = asked[place];
    if (typeof agent !== 'string' || !unknown.includes(agent) || canStart[agent]?.hasSchema !== true) return [];
    const { input = {} } = call.kind === 'invalid' ? {} : (call.input as { input?: Json });
    return [{ place, agent, input }];
  });
  if (unchecked.length === 0) return;
  const misfits = await checkInputs(unchecked);
  for (const [i, { place }] of unchecked.entries()) {
    const misfit = misfits[i] ?? null;
    const { toolCallId = '', toolName = '' } = calls[place] ?? {};
    if (misfit !== null)
      calls[place] = { kind: 'invalid', toolCallId, toolName, error: `InvalidInput: ${misfitSentence(misfit)}` };
  }
}

function isStart(call: ModelCall): call is Extract<ModelCall, { kind: 'runtime' }> {
  return call.kind === 'runtime' && call.toolName === 'start_run';
}

export async function tool(stage: Stage, { turnId, step, call }: EffectOf<'tool'>): Promise<void> {
  const { agent: own, self, workflowId, sessionId } = stage.state;
  const agent = self?.work.kind === 'tool' ? self.work.owner : own;
  const { toolCallId, toolName, input, policy, attempt } = call;
  const at = { turnId, step, toolCallId, attempt };
  const invoke = callTool(policy.timeoutMs, `tool: ${toolName}${attempt > 1 ? `, attempt ${attempt}` : ''}`);
  let answer: unknown;
  try {
    answer = await stage.scopes.within('step', async () =>
      invoke.tool({ v: 1, agent, workflowId, sessionId, turnId, toolCallId, toolName, input, attempt }),
    );
  } catch (error) {
    stage.dispatch((cx) => {
      if (isCancellation(error)) stepAborted(cx, at);
      else toolFailed(cx, at, toolFailure(error));
    });
    return;
  }
  stage.dispatch((cx) => {
    if (isUnreadable(answer)) toolFailed(cx, at, { how: 'threw', error: NOT_JSON, isFinal: true });
    else toolAnswered(cx, at, isOurs(answer, 'output') ? answer.output : ((answer ?? null) as Json));
  });
}

export async function runTask(stage: Stage): Promise<void> {
  const { self, sessionId, workflowId, agent, settings } = stage.state;
  if (self?.work.kind !== 'task') return;
  const { retries, checkpoint } = self.work;
  let done: unknown;
  try {
    done = await stage.scopes.within('step', async () =>
      task(`task: ${agent}`).task({
        v: 1,
        task: agent,
        input: self.input,
        runId: self.runId,
        workflowId,
        sessionId,
        retries,
        maxLosses: settings.limits.maxLosses,
        n: self.progress?.n ?? 0,
        ...(checkpoint === undefined ? {} : { checkpoint }),
      }),
    );
  } catch (error) {
    const { failure, progress, checkpoint } = taskFailure(error);
    stage.dispatch((cx) => {
      if (stage.isAborting && isAborted(error)) taskAborted(cx, progress, checkpoint as Json | undefined);
      else taskFailed(cx, failure, progress);
    });
    return;
  }
  if (isOurs(done, 'result')) {
    const { result, progress, read } = done as unknown as TaskDone;
    completed(stage, result, progress, read);
  } else completed(stage, (done ?? null) as Json, undefined);
}

/** The workflow of a `workflow:` run is asked to cancel when this one is ended by force. */
export async function runWorkflow(stage: Stage): Promise<void> {
  const { self, agent, workflowId } = stage.state;
  if (self?.work.kind !== 'workflow') return;
  const { taskQueue } = self.work;
  let result: unknown;
  try {
    result = await stage.scopes.within('step', async () =>
      executeChild(agent.slice('workflow:'.length), {
        workflowId: workflowIdOfTarget(workflowId),
        args: [self.input],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
        staticSummary: runSummary(agent, self.label),
        ...(taskQueue === undefined ? {} : { taskQueue }),
      }),
    );
  } catch (error) {
    const isItsOwn = isThrown(error) || (await hasFailed(error, workflowIdOfTarget(workflowId)));
    stage.dispatch((cx) => taskFailed(cx, workflowFailure(error, isItsOwn), undefined));
    return;
  }
  completed(stage, (result ?? null) as Json, undefined);
}

/** Of a workflow that did not complete only Temporal can tell whether it has failed, or was cancelled, ended or timed out. */
async function hasFailed(error: unknown, workflowId: string): Promise<boolean> {
  if (!(error instanceof ChildWorkflowFailure)) return false;
  const look = aFewTimes('how the workflow has ended');
  const seen = await answeredSoon(async () => look.lookAtWorkflow({ v: 1, workflowId }), foundWorkflow);
  return seen?.found?.status === 'FAILED';
}

/** A workflow in any language may return bytes. */
function isBytes(result: unknown): boolean {
  return result instanceof Uint8Array;
}

const NOT_JSON = { type: 'InvalidResult', message: 'Expected the result to be JSON.' };

/** What came back as the result, from a worker of ours, an operator, or a workflow that knows nothing of this project. */
function completed(stage: Stage, result: Json, progress: Progress | undefined, read?: number): void {
  const bytes = jsonBytes(result);
  stage.dispatch((cx) => {
    if (read !== undefined) taskRead(cx, read);
    if (isUnreadable(result) || isBytes(result)) taskFailed(cx, NOT_JSON, progress);
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

/** What an activity of ours answers; anything else is what an operator has completed it with: the result itself. */
function isOurs<F extends string>(answer: unknown, field: F): answer is { v: 1 } & Record<F, Json> {
  return typeof answer === 'object' && answer !== null && 'v' in answer && answer.v === 1 && field in answer;
}
