/** Messages between workflows: what a run says to its starter. Anyone in the namespace can send them, so each is checked. */
import { takeMilestone } from './milestones.ts';
import { seeProgress } from './progress.ts';
import { echo } from '../log/refusals.ts';
import { presentRun } from './admission.ts';
import { settle, type Settled } from './settle.ts';
import { takeRequest } from './requests.ts';
import { messagesRead } from './to-runs.ts';
import { findRun, isSettled, type Cx, type RequestState } from '../state/state.ts';
import { refuse, type Milestone, type Progress, type Refusal } from '../state/types.ts';

/** `read`: the number of the last message that the run has read, as the word of it may still be on its way. */
export interface RunSettledMessage extends Settled {
  runId: string;
  epoch: string;
  read?: number;
}
export interface RunMilestonesMessage {
  runId: string;
  epoch: string;
  milestones: Milestone[];
  progress?: Progress;
}
export interface RunRequestMessage {
  runId: string;
  epoch: string;
  request: RequestState;
}
export interface MessagesReadMessage {
  runId: string;
  epoch: string;
  n: number;
}

/** A message of another epoch is answered to its sender: that its parent is gone. */
function foreign(cx: Cx, message: { runId: string; epoch: string }): Refusal | undefined {
  const { state } = cx;
  if (message.epoch === state.epoch) return undefined;
  cx.effects.push({ do: 'answer-gone', workflowId: `${state.workflowId}/${message.runId}`, epoch: message.epoch });
  return refuse(
    'InvalidInput',
    `Expected epoch to be "${state.epoch}", got "${echo(message.epoch)}": the message is for an earlier session of this id.`,
  );
}

/** A run without a row has been forgotten, if it ever was: what it repeats leaves no event. */
function unknown({ state }: Cx, runId: string): Refusal | undefined {
  return presentRun(state, runId).known
    ? undefined
    : refuse('UnknownRun', `Expected runId to name a run of this ${state.kind}, got "${runId}".`);
}

/** A run's settle. Repeated, it changes nothing and leaves no event. */
export function runSettled(cx: Cx, message: RunSettledMessage): Refusal | undefined {
  const other = foreign(cx, message);
  if (other !== undefined) return other;
  const row = findRun(cx.state, message.runId);
  if (row === undefined) return unknown(cx, message.runId);
  if (message.read !== undefined && !isSettled(row)) messagesRead(row, message.read);
  settle(cx, row, message);
  return undefined;
}

/** Milestones of a run, all since the last that it knows we have. */
export function runMilestones(cx: Cx, message: RunMilestonesMessage): Refusal | undefined {
  const other = foreign(cx, message);
  if (other !== undefined) return other;
  const row = findRun(cx.state, message.runId);
  if (row === undefined) return unknown(cx, message.runId);
  for (const milestone of message.milestones) takeMilestone(cx, row, milestone);
  if (message.progress !== undefined && !isSettled(row)) seeProgress(row, message.progress, cx.now);
  return undefined;
}

/** A run asks, or what it or one below it asked has been answered. */
export function runRequest(cx: Cx, message: RunRequestMessage): Refusal | undefined {
  return (
    foreign(cx, message) ??
    (findRun(cx.state, message.runId) === undefined ? unknown(cx, message.runId) : takeRequest(cx, message))
  );
}

/** A run has read what it was sent up to a number. */
export function runMessagesRead(cx: Cx, message: MessagesReadMessage): Refusal | undefined {
  const other = foreign(cx, message);
  if (other !== undefined) return other;
  const row = findRun(cx.state, message.runId);
  if (row === undefined) return unknown(cx, message.runId);
  messagesRead(row, message.n);
  return undefined;
}
