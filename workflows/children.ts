/** The runs that a conversation has started, towards Temporal: started, watched, looked at, cancelled, ended by force. */
import {
  CancellationScope,
  ParentClosePolicy,
  startChild,
  type ChildWorkflowHandle,
  type Workflow,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { PARENT_EPOCH, type RunInput, type RunResult } from '../src/contract.ts';
import { terminated } from '../src/domain/deadlines.ts';
import { runSummary } from '../src/domain/view/details.ts';
import { jsonBytes } from '../src/domain/state/json.ts';
import { looked, type Sight } from '../src/domain/run/looks.ts';
import { adoptRun, startConfirmed, startFailed } from '../src/domain/run/start.ts';
import { settle } from '../src/domain/run/settle.ts';
import { findRun, isSettled, type Effect, type State } from '../src/domain/state/state.ts';
import type { Conversation } from './conversation.ts';
import { endOfChild, failureOf } from './failures.ts';
import { looks, untilDone } from './proxies.ts';
import { FEW, send } from './send.ts';

type Of<D extends Effect['do']> = Extract<Effect, { do: D }>;

function runInput(state: State, runId: string): RunInput | undefined {
  const row = findRun(state, runId);
  if (row?.request === undefined) return undefined;
  const { request } = row;
  const { maxDepth, cancelGraceMs, historyEvents } = state.settings.limits;
  const facts = state.names[row.agent];
  return {
    v: 1,
    runId,
    parent: { workflowId: state.workflowId, epoch: state.epoch },
    sessionId: state.sessionId,
    depth: row.depth,
    agent: row.agent,
    kind: row.kind,
    input: request.input,
    ...(facts?.taskQueue === undefined ? {} : { taskQueue: facts.taskQueue }),
    retries: facts?.retries ?? 2,
    onBudget: row.detached.onBudget,
    deadlineAt: row.deadlineAt,
    limits: { maxDepth, cancelGraceMs, ...(historyEvents === undefined ? {} : { historyEvents }), ...facts?.limits },
    ...(state.self === undefined ? {} : { parentRunId: state.self.runId }),
    ...(row.parentToolCallId === undefined ? {} : { parentToolCallId: row.parentToolCallId }),
    ...(request.label === undefined ? {} : { label: request.label }),
    ...(request.metadata === undefined ? {} : { metadata: request.metadata }),
  };
}

export async function start(conversation: Conversation, runId: string): Promise<void> {
  const input = runInput(conversation.state, runId);
  if (input === undefined) return;
  const { workflowId } = findRun(conversation.state, runId) ?? {};
  if (workflowId === undefined) return;
  await conversation.room(jsonBytes(input));
  let handle: ChildWorkflowHandle<Workflow>;
  try {
    handle = await startChild('run', {
      workflowId,
      args: [input],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      staticSummary: runSummary(input.agent, input.label),
      memo: { [PARENT_EPOCH]: conversation.state.epoch },
    });
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) await adopt(conversation, runId, workflowId);
    else conversation.dispatch((cx) => startFailed(cx, runId, failureOf(error).message));
    return;
  }
  conversation.dispatch((cx) => startConfirmed(cx, runId, handle.firstExecutionRunId));
  void CancellationScope.nonCancellable(async () => watch(conversation, runId, handle));
}

/** After a reset of this workflow a run may have been started already, by itself in an earlier life: then it goes on with that one. */
async function adopt(conversation: Conversation, runId: string, workflowId: string): Promise<void> {
  const there = await untilDone(`is ${runId} there`).lookAtWorkflow({ workflowId });
  conversation.dispatch((cx) => {
    if (there?.parentEpoch === cx.state.epoch) adoptRun(cx, runId, there.epoch);
    else
      startFailed(
        cx,
        runId,
        `The workflow ${workflowId} exists from an earlier session of this id; choose another runId.`,
      );
  });
}

/** While this execution lasts, Temporal tells how the child ended; usually its own settle has come before. */
async function watch(conversation: Conversation, runId: string, handle: ChildWorkflowHandle<Workflow>): Promise<void> {
  let end: Parameters<typeof settle>[2];
  try {
    end = (await handle.result()) as RunResult;
  } catch (error) {
    end = endOfChild(error);
  }
  const row = findRun(conversation.state, runId);
  if (row !== undefined && !isSettled(row)) conversation.dispatch((cx) => settle(cx, row, end));
}

export async function cancelChild(
  conversation: Conversation,
  { runId, reason, comment, cascade }: Of<'cancel-run'>,
): Promise<void> {
  const row = findRun(conversation.state, runId);
  if (row === undefined) return;
  // One that is gone has settled, and its settle is on its way.
  await send(
    conversation,
    row.workflowId,
    'runCancel',
    { epoch: row.epoch ?? '', reason, cascade, ...(comment === undefined ? {} : { comment }) },
    FEW,
  );
}

export async function terminate(conversation: Conversation, { runId, reason }: Of<'terminate'>): Promise<void> {
  const row = findRun(conversation.state, runId);
  if (row === undefined || isSettled(row)) return;
  await untilDone(`end ${row.runId}`).terminateRun({ workflowId: row.workflowId, epoch: row.epoch ?? '', reason });
  conversation.dispatch((cx) => terminated(cx, runId));
}

export async function look(conversation: Conversation, { runs }: Of<'look'>): Promise<void> {
  let sights: Sight[] | undefined;
  try {
    sights = await looks(`look at ${runs.length} ${runs.length === 1 ? 'run' : 'runs'}`).look({ runs });
  } finally {
    conversation.dispatch((cx) =>
      looked(
        cx,
        runs.map((run) => run.runId),
        sights,
      ),
    );
  }
}
