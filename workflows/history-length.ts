/**
 * How much longer a history surely gets, by what an activation brings and by what it asks for. Never more than it does; in nearly every case just that.
 */
import type { ActivateInput, ConcludeActivationInput } from '@temporalio/workflow';

export type Job = NonNullable<ActivateInput['activation']['jobs']>[number];
export type Command = ConcludeActivationInput['commands'][number];

/** True for a job that an event of the history has brought, or a cancellation that the SDK has answered by itself within a task. */
export function isNews(job: Job): boolean {
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

/** The events that have brought these jobs. */
export function eventsOfNews(jobs: readonly Job[]): number {
  let events = 0;
  for (const job of jobs) {
    if (!isNews(job)) continue;
    const { resolveActivity, resolveChildWorkflowExecutionStart: start, resolveSignalExternalWorkflow: signal } = job;
    const { completed, failed, cancelled } = resolveActivity?.result ?? {};
    const failure = failed?.failure ?? cancelled?.failure;
    // The start of an activity is written with its end.
    if (completed ?? failure?.activityFailureInfo?.startedEventId?.toNumber()) events += 2;
    // The SDK answers for what it has cancelled itself.
    else if (
      !(cancelled ?? start?.cancelled ?? job.resolveChildWorkflowExecution?.result?.cancelled) &&
      !signal?.failure?.canceledFailureInfo
    )
      events += 1;
  }
  return events;
}

/**
 * The events that the history will surely have of these commands. What is taken back within its task leaves none. The rule stands in every history,
 * as what is added to a task that would have none does: docs/design.md, "Tasks that ask for nothing".
 */
export function eventsSurelyLeft(commands: readonly Command[]): number {
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
  return commands.filter((command) => {
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
  }).length;
}

/** Beside those, the events that answer what an earlier task was about: an activity that is called off, an update that has its answer. */
export function eventsOfEarlier(commands: readonly Command[]): number {
  const scheduled = new Set(commands.map(({ scheduleActivity }) => scheduleActivity?.seq));
  return commands.filter(
    ({ requestCancelActivity: activity, updateResponse: update }) =>
      update?.completed ?? (activity && !scheduled.has(activity.seq)),
  ).length;
}
