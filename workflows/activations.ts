/**
 * Guards every activation of a workflow; loaded as an interceptor, by path.
 *
 * A query that a worker takes between an event and the workflow task which that event has caused makes the SDK apply the event at
 * once: with the clock of the task before, and ahead of messages that come until the task starts. A replay sees it otherwise. So such
 * a query fails, which leaves no trace in the history, and the worker forgets the workflow and replays it: docs/design.md, "Queries".
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
          next(input);
        },
      },
    ],
  };
}
