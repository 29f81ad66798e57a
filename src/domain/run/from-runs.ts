/** Messages between workflows: what a run says to its starter. Anyone in the namespace can send them, so each is checked. */
import {
  isRefusal,
  refuse,
  type Milestone,
  type Progress,
  type Refusal,
  type RequestState,
  type Usage,
} from '../state/types.ts';
import { takeMilestone } from './milestones.ts';
import { seeProgress, seeUsage } from './progress.ts';
import { echo } from '../log/refusals.ts';
import { presentRun } from './admission.ts';
import { settle, type Settled } from './settle.ts';
import { takeRequest } from './requests.ts';
import { notesRead } from './to-runs.ts';
import { takeWaiting, type WaitingForTokens } from './tokens.ts';
import { isSettled, type RunState } from '../state/row.ts';
import type { Cx } from '../state/state.ts';

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
  /** Of the run and all below it, so far. */
  usage?: Usage;
}
export interface RunRequestMessage {
  runId: string;
  epoch: string;
  request: RequestState;
  usage?: Usage;
}
export interface MessagesReadMessage {
  runId: string;
  epoch: string;
  n: number;
}

export interface RunTokensMessage extends WaitingForTokens {
  runId: string;
  epoch: string;
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

/** Who says it. Else what becomes of the message: refused, or nothing where the run has been forgotten. */
function senderOf(cx: Cx, message: { runId: string; epoch: string }): RunState | Refusal | undefined {
  return foreign(cx, message) ?? cx.state.runs.get(message.runId) ?? unknown(cx, message.runId);
}

/** Of a lost run that had to be forgotten nobody is left to hear how it ended after all; but the log says so. */
function forgottenAsLost({ state }: Cx, runId: string): Refusal | undefined {
  return presentRun(state, runId).status === 'interrupted'
    ? refuse(
        'UnknownRun',
        `Expected runId to name a run that is still kept, got "${runId}", which was lost and forgotten.`,
      )
    : undefined;
}

/** A run's settle. Repeated, it changes nothing and leaves no event. */
export function runSettled(cx: Cx, message: RunSettledMessage): Refusal | undefined {
  const row = senderOf(cx, message);
  if (row === undefined) return forgottenAsLost(cx, message.runId);
  if (isRefusal(row)) return row;
  if (message.read !== undefined && !isSettled(row)) notesRead(row, message.read);
  settle(cx, row, message);
  return undefined;
}

/** Milestones of a run, all since the last that it knows we have. */
export function runMilestones(cx: Cx, message: RunMilestonesMessage): Refusal | undefined {
  const row = senderOf(cx, message);
  if (row === undefined || isRefusal(row)) return row;
  for (const milestone of message.milestones) takeMilestone(cx, row, milestone);
  if (isSettled(row)) return undefined;
  if (message.progress !== undefined) seeProgress(row, message.progress, cx.now);
  if (message.usage !== undefined) seeUsage(cx, row, message.usage);
  return undefined;
}

/** A run asks, or what it or one below it asked has been answered. */
export function runRequest(cx: Cx, message: RunRequestMessage): Refusal | undefined {
  const row = senderOf(cx, message);
  if (row === undefined || isRefusal(row)) return row;
  if (message.usage !== undefined && !isSettled(row)) seeUsage(cx, row, message.usage);
  return takeRequest(cx, row, message.request);
}

/** A run waits for tokens, or some below it do, or they do no more. */
export function runTokens(cx: Cx, message: RunTokensMessage): Refusal | undefined {
  const row = senderOf(cx, message);
  if (row === undefined || isRefusal(row)) return row;
  takeWaiting(cx, row, message);
  return undefined;
}

/** A run has read what it was sent up to a number. */
export function runMessagesRead(cx: Cx, message: MessagesReadMessage): Refusal | undefined {
  const row = senderOf(cx, message);
  if (row === undefined || isRefusal(row)) return row;
  notesRead(row, message.n);
  return undefined;
}
