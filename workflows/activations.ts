/**
 * Guards every activation of a workflow; loaded as an interceptor, by path.
 *
 * A query that a worker takes between an event and the workflow task which that event has caused makes the SDK apply the event at
 * once: with the clock of the task before, and ahead of messages that come until the task starts. A replay sees it otherwise. So such
 * a query fails, which leaves no trace in the history, and the worker forgets the workflow and replays it: docs/design.md, "Queries".
 *
 * The same where the workflow task is one that another worker has: what it brings would be taken ahead of what comes later, and a replay takes
 * both at once.
 *
 * No task that begins a workflow or brings news ends without a command, since the SDK joins a task that asked for nothing with what follows it, and
 * then joins it in another way in a replay, or for a worker that did not have the workflow (docs/design.md, "Tasks that ask for nothing").
 *
 * An update takes effect after all else that its workflow task brings (docs/design.md, "Updates").
 */
import type { ActivateInput, ConcludeActivationInput, WorkflowInterceptors } from '@temporalio/workflow';
import { defaultPayloadConverter } from '@temporalio/common';
import { ASK_AGAIN } from '../src/contract.ts';
import { isHere } from './here.ts';

type Job = NonNullable<ActivateInput['activation']['jobs']>[number];

type Command = ConcludeActivationInput['commands'][number];

let lastTime = '';
let lastLength = 0;
/**
 * Whether the last news that is no replay came with a task of this worker: `unsure` of the first, unless this worker has begun the workflow, or was
 * asked something before that.
 */
let own: 'none' | 'unsure' | 'sure' = 'none';
/** True while an activation that began the workflow or brought news is not concluded. */
let mustAsk = false;

/** True for a job that an event of the history has brought, or a cancellation that the SDK has answered by itself within a task. */
function isNews(job: Job): boolean {
  return Boolean(
    job.signalWorkflow ??
    job.cancelWorkflow ??
    job.fireTimer ??
    job.resolveActivity ??
    job.resolveChildWorkflowExecutionStart ??
    job.resolveChildWorkflowExecution ??
    job.resolveSignalExternalWorkflow ??
    job.resolveRequestCancelExternalWorkflow,
  );
}

/** A question that has come by itself, and not with a task. */
function comesAlone(job: Job): boolean {
  return job.queryWorkflow?.queryId === 'legacy_query';
}

/** Without a stack, which the worker would print. */
function askAgain(): Error {
  const error = new Error(ASK_AGAIN);
  error.stack = error.message;
  return error;
}

/** Longer than anything takes that goes on at once from what an event brings; each is a step of the queue of promises. */
const STEPS = 200;

/** What an event brings has been taken when this goes on, still within the same task. */
async function afterAllElse(act: () => void): Promise<void> {
  for (let i = 0; i < STEPS; i++) await Promise.resolve();
  if (isHere()) act();
}

/** The smallest command that leaves things as they are: it takes a key out of the memo that is not there. */
const NOTHING: Command = {
  modifyWorkflowProperties: {
    upsertedMemo: { fields: { 'outlive.nothing': defaultPayloadConverter.toPayload(undefined) } },
  },
};

/** True when the history will surely have an event of one of these commands. What is taken back within its task leaves none. */
function leavesEvent(commands: readonly Command[]): boolean {
  const started = new Set(commands.map(({ startTimer }) => startTimer?.seq));
  const takenBack = new Set(
    commands.flatMap(
      ({ cancelTimer: timer, requestCancelActivity: activity, cancelSignalWorkflow: signal, ...command }) => [
        timer && `timer ${timer.seq}`,
        activity && `activity ${activity.seq}`,
        signal && `signal ${signal.seq}`,
        command.cancelChildWorkflowExecution && `child ${command.cancelChildWorkflowExecution.childWorkflowSeq}`,
      ],
    ),
  );
  return commands.some((command) => {
    const { startTimer: timer, scheduleActivity: activity, signalExternalWorkflowExecution: signal } = command;
    const child = command.startChildWorkflowExecution;
    if (timer) return !takenBack.has(`timer ${timer.seq}`);
    if (activity) return !takenBack.has(`activity ${activity.seq}`);
    if (signal) return !takenBack.has(`signal ${signal.seq}`);
    if (child) return !takenBack.has(`child ${child.seq}`);
    if (command.cancelTimer) return !started.has(command.cancelTimer.seq);
    return Boolean(
      command.modifyWorkflowProperties ??
      command.completeWorkflowExecution ??
      command.failWorkflowExecution ??
      command.cancelWorkflowExecution ??
      command.continueAsNewWorkflowExecution ??
      command.updateResponse?.accepted,
    );
  });
}

export function interceptors(): WorkflowInterceptors {
  return {
    internals: [
      {
        activate(input, next) {
          const { jobs, timestamp, isReplaying, historyLength } = input.activation;
          const isLive = isReplaying !== true;
          if (own === 'unsure' && jobs?.some(comesAlone) === true) throw askAgain();
          // Only who has the task is handed an update; a question alone that comes this far is one between two tasks.
          if (
            (isLive && lastLength === 0) ||
            jobs?.some((job) => job.queryWorkflow ?? (isLive && job.doUpdate)) === true
          )
            own = 'sure';
          const news = jobs?.some(isNews) === true;
          // Cancellations that the SDK answers by itself come within a task: nothing of the history is new then.
          const isNew = historyLength !== lastLength;
          // The time of an activation is when its workflow task was started: there is more of the history, and no task that brings it.
          const time = `${timestamp?.seconds?.toString()}.${timestamp?.nanos}`;
          if (news && isNew && isLive) {
            if (time === lastTime) throw askAgain();
            own = own === 'none' ? 'unsure' : 'sure';
          }
          lastTime = time;
          lastLength = historyLength ?? 0;
          mustAsk ||= isNew && (news || jobs?.some((job) => job.initializeWorkflow) === true);
          const updates = jobs?.filter((job) => job.doUpdate) ?? [];
          const others = jobs?.filter((job) => !job.doUpdate) ?? [];
          if (updates.length === 0 || !news) {
            next(input);
            return;
          }
          const later = { ...input, activation: { ...input.activation, jobs: updates } };
          next({ ...input, activation: { ...input.activation, jobs: others } });
          void afterAllElse(() => next(later));
        },
        concludeActivation(input, next) {
          const { commands } = next(input);
          const mayBeEmpty = mustAsk && !leavesEvent(commands);
          mustAsk = false;
          return { commands: mayBeEmpty ? [...commands, NOTHING] : commands };
        },
      },
    ],
  };
}
