/** The runs that a workflow has started, towards Temporal: started, watched, looked at, cancelled, ended by force. */
import { ParentClosePolicy, startChild, type ChildWorkflowHandle, type Workflow } from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { PARENT_EPOCH, type RunInput } from '../src/contract.ts';
import { runsToldGone } from '../src/domain/closing.ts';
import { notTerminated, terminated } from '../src/domain/deadlines.ts';
import { looked, type Sight } from '../src/domain/run/looks.ts';
import { settle, type Settled } from '../src/domain/run/settle.ts';
import { adoptRun, startConfirmed, startFailed } from '../src/domain/run/start.ts';
import { jsonBytes } from '../src/domain/state/json.ts';
import { limitsOfRun } from '../src/domain/state/settings.ts';
import type { EffectOf, LookedFor } from '../src/domain/state/effects.ts';
import { workflowIdOfRun } from '../src/domain/state/ids.ts';
import { epochOf, isSettled, type RunState } from '../src/domain/state/row.ts';
import { iso, type State } from '../src/domain/state/state.ts';
import { tokensLeft } from '../src/domain/state/tokens.ts';
import type { Usage } from '../src/domain/state/types.ts';
import { runSummary } from '../src/domain/view/details.ts';
import { foundWorkflow, outcome, sights, type FoundWorkflow } from '../src/schemas/index.ts';
import { atHome } from './here.ts';
import { answeredSoon, doneSoon, fitting } from './answered.ts';
import { endOfChild, failureOf } from './failures.ts';
import { aFewTimes, looks } from './proxies.ts';
import { FEW, ONCE, send } from './send.ts';
import type { Stage } from './stage.ts';

function runInput(state: State, runId: string): RunInput | undefined {
  const row = state.runs.peek(runId);
  if (row?.life.stage !== 'starting') return undefined;
  const { asked } = row.life;
  const facts = state.names[row.agent];
  return {
    v: 1,
    rules: state.rules,
    runId,
    parent: { workflowId: state.workflowId, epoch: state.epoch },
    sessionId: state.sessionId,
    depth: row.depth,
    agent: row.agent,
    kind: row.kind,
    input: asked.input,
    ...(facts?.taskQueue === undefined ? {} : { taskQueue: facts.taskQueue }),
    ...(asked.call === undefined ? {} : { call: asked.call }),
    retries: facts?.retries ?? 2,
    onBudget: row.own.detached.onBudget,
    deadlineAt: iso(row.own.deadline),
    limits: limitsOfRun(state.settings, facts?.limits),
    budgets: budgetsOfRun(state),
    ...(state.self === undefined ? {} : { parentRunId: state.self.runId }),
    ...(row.parentToolCallId === undefined ? {} : { parentToolCallId: row.parentToolCallId }),
    ...(row.label === undefined ? {} : { label: row.label }),
    ...(row.metadata === undefined ? {} : { metadata: row.metadata }),
    ...(row.own.tellsFinish === true ? { tellsFinish: true } : {}),
  };
}

/** Those that hold for the whole tree; of tokens what is left of them. */
function budgetsOfRun(state: State): RunInput['budgets'] {
  const { requestTtlMs, onMaxTokens } = state.settings.budgets;
  const left = tokensLeft(state);
  return {
    requestTtlMs,
    ...(left === undefined ? {} : { maxTokens: left }),
    ...(onMaxTokens === undefined ? {} : { onMaxTokens }),
  };
}

export async function start(stage: Stage, { runId }: EffectOf<'start'>): Promise<void> {
  const input = runInput(stage.state, runId);
  if (input === undefined) return;
  const workflowId = workflowIdOfRun(stage.state.workflowId, runId);
  const room = stage.outgoing.admit(jsonBytes(input));
  if (room !== undefined) await room;
  let handle: ChildWorkflowHandle<Workflow>;
  try {
    handle = await atHome(async () =>
      startChild('run', {
        workflowId,
        args: [input],
        parentClosePolicy: ParentClosePolicy.ABANDON,
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        staticSummary: runSummary(input.agent, input.label),
        memo: { [PARENT_EPOCH]: stage.state.epoch },
      }),
    );
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) await adopt(stage, runId, workflowId);
    else stage.dispatch((cx) => startFailed(cx, runId, failureOf(error).message));
    return;
  }
  stage.dispatch((cx) => startConfirmed(cx, runId, handle.firstExecutionRunId));
  void watch(stage, runId, handle);
}

/** After a reset of this workflow a run may have been started already, by itself in an earlier life: then it goes on with that one. */
async function adopt(stage: Stage, runId: string, workflowId: string): Promise<void> {
  const found = await workflowAt(stage, runId, workflowId);
  stage.dispatch((cx) => {
    if (found?.parentEpoch === cx.state.epoch) adoptRun(cx, runId, found.epoch);
    else
      startFailed(
        cx,
        runId,
        found?.parentEpoch === undefined
          ? `The workflow ${workflowId} exists already and is no run of this session; choose another runId.`
          : `The workflow ${workflowId} exists from an earlier session of this id; choose another runId.`,
      );
  });
}

/** Who has a workflow id; nothing when nobody has, or when it cannot be found out and somebody wants to close. */
async function workflowAt({ state }: Stage, runId: string, workflowId: string): Promise<FoundWorkflow['found']> {
  const look = aFewTimes(`is ${runId} there`);
  for (;;) {
    const seen = await answeredSoon(async () => look.lookAtWorkflow({ v: 1, workflowId }), foundWorkflow);
    if (seen !== undefined || state.closing !== undefined) return seen?.found;
  }
}

/** While this execution lasts, Temporal tells how the child ended; usually its own settle has come before. */
async function watch(stage: Stage, runId: string, handle: ChildWorkflowHandle<Workflow>): Promise<void> {
  let ended: Settled;
  try {
    ended = returned(await handle.result());
  } catch (error) {
    ended = endOfChild(error);
  }
  stage.afterMessages(() => stage.scopes.track('errands', settleEnded(stage, runId, ended)));
}

/** Who has ended without a word says nothing of what it has used: that is looked for first. */
async function settleEnded(stage: Stage, runId: string, ended: Settled): Promise<void> {
  const row = stage.state.runs.peek(runId);
  if (row === undefined || isSettled(row)) return;
  const usage = ended.usage ?? (await usageOf(row));
  stage.dispatch((cx) => {
    const present = cx.state.runs.get(runId);
    if (present !== undefined) settle(cx, present, usage === undefined ? ended : { ...ended, usage });
  });
}

/** What an agent's run has used that has ended without a word. */
async function usageOf(row: Readonly<RunState>): Promise<Usage | undefined> {
  const { runId, workflowId, kind } = row;
  if (kind !== 'agent') return undefined;
  const seen = await lookAt(`usage of ${runId}`, [{ runId, workflowId, kind, epoch: epochOf(row), closely: false }]);
  const [sight] = seen ?? [];
  return sight?.found === 'closed' ? sight.outcome.usage : undefined;
}

function returned(result: unknown): Settled {
  const error = {
    type: 'InvalidResult',
    message: 'Expected the workflow of the run to return an outcome, got something else.',
  };
  return (fitting(result, outcome) as Settled | undefined) ?? { status: 'failed', reason: 'lost', error };
}

export async function cancelChild(
  stage: Stage,
  { runId, reason, comment, cascade }: EffectOf<'cancel-run'>,
): Promise<void> {
  const row = stage.state.runs.peek(runId);
  if (row === undefined) return;
  // One that is gone has settled, and its settle is on its way.
  await send(
    stage,
    row.workflowId,
    'runCancel',
    { epoch: epochOf(row), reason, cascade, ...(comment === undefined ? {} : { comment }) },
    FEW,
  );
}

export async function terminate(stage: Stage, { runId, reason }: EffectOf<'terminate'>): Promise<void> {
  const row = stage.state.runs.peek(runId);
  if (row === undefined || isSettled(row)) return;
  const { workflowId } = row;
  const end = aFewTimes(`end ${row.runId}`);
  if (!(await doneSoon(async () => end.terminateRun({ v: 1, workflowId, epoch: epochOf(row), reason })))) {
    stage.dispatch((cx) => notTerminated(cx, runId));
    return;
  }
  const usage = await usageOf(row);
  stage.dispatch((cx) => terminated(cx, runId, usage));
}

export async function look(stage: Stage, { runs }: EffectOf<'look'>): Promise<void> {
  const seen = await lookAt(`look at ${runs.length} ${runs.length === 1 ? 'run' : 'runs'}`, runs);
  const asked = runs.map(({ runId }) => runId);
  stage.afterMessages(() => stage.dispatch((cx) => looked(cx, asked, seen)));
}

async function lookAt(summary: string, runs: LookedFor[]): Promise<Sight[] | undefined> {
  const answer: unknown = await looks(summary)
    .look({ v: 1, runs })
    .catch(() => undefined);
  return answer === undefined ? undefined : (fitting(answer, sights)?.sights as Sight[] | undefined);
}

/** Tells runs that nobody hears them any more. The end waits for them, but not for one that cannot be reached. */
export async function tellGone(stage: Stage, { runs }: EffectOf<'tell-gone'>): Promise<void> {
  const { epoch } = stage.state;
  const rows = runs.map((runId) => stage.state.runs.peek(runId)).filter((row) => row !== undefined);
  await Promise.all(rows.map(async ({ workflowId }) => send(stage, workflowId, 'parentGone', { epoch }, ONCE)));
  stage.dispatch(runsToldGone);
}
