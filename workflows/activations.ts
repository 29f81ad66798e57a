/**
 * Guards every activation of a workflow; loaded as an interceptor, by path.
 *
 * A query that a worker takes between an event and the workflow task which that event has caused makes the SDK apply the event at
 * once: with the clock of the task before, and ahead of messages that come until the task starts. A replay sees it otherwise. So such
 * a query fails, which leaves no trace in the history, and the worker forgets the workflow and replays it: docs/design.md, "Queries".
 *
 * An update takes effect after all else that its workflow task brings. The SDK gives a worker that does not have the workflow an update
 * together with what came before it, if that had asked for nothing, and handles the update first; in a replay it comes last
 * (docs/design.md, "Updates").
 */
import type { ActivateInput, WorkflowInterceptors } from '@temporalio/workflow';
import { ASK_AGAIN } from '../src/contract.ts';

type Job = NonNullable<ActivateInput['activation']['jobs']>[number];

let lastTime = '';

/** True for a job that only an event of the history brings. Cancellations that the SDK answers by itself come within a task, too. */
function isEvent(job: Job): boolean {
  if (job.fireTimer ?? job.signalWorkflow ?? job.cancelWorkflow) return true;
  const {
    resolveActivity: activity,
    resolveChildWorkflowExecutionStart: start,
    resolveChildWorkflowExecution: child,
    resolveSignalExternalWorkflow: sent,
  } = job;
  if (activity) return Boolean(activity.result?.completed ?? activity.result?.failed);
  return Boolean(
    start?.succeeded ??
    start?.failed ??
    child?.result?.completed ??
    child?.result?.failed ??
    (sent && !sent.failure?.canceledFailureInfo),
  );
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
  act();
}

export function interceptors(): WorkflowInterceptors {
  return {
    internals: [
      {
        activate(input, next) {
          const { jobs, timestamp, isReplaying } = input.activation;
          // The time of an activation is when its workflow task was started, so that a new task has a new one.
          const time = `${timestamp?.seconds?.toString()}.${timestamp?.nanos}`;
          if (isReplaying !== true && time === lastTime && jobs?.some(isEvent) === true) throw askAgain();
          lastTime = time;
          const updates = jobs?.filter((job) => job.doUpdate) ?? [];
          const others = jobs?.filter((job) => !job.doUpdate) ?? [];
          if (updates.length === 0 || !others.some(isEvent)) {
            next(input);
            return;
          }
          const later = { ...input, activation: { ...input.activation, jobs: updates } };
          next({ ...input, activation: { ...input.activation, jobs: others } });
          void afterAllElse(() => next(later));
        },
      },
    ],
  };
}
