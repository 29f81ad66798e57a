/**
 * Guards every activation of a workflow; loaded as an interceptor, by path.
 *
 * A query that a worker takes between an event and the workflow task which that event has caused makes the SDK apply the event at
 * once: with the clock of the task before, and ahead of messages that come until the task starts. A replay sees it otherwise. So such
 * a query fails, which leaves no trace in the history, and the worker forgets the workflow and replays it: docs/design.md, "Queries".
 *
 * The same where the workflow task is one that another worker has: what it brings would be taken ahead of what comes later, and a replay takes
 * both at once. A workflow that was ended from outside answers.
 *
 * No task that begins a workflow or brings news ends without a command, since the SDK joins a task that asked for nothing with what follows it, and
 * then joins it in another way in a replay, or for a worker that did not have the workflow (docs/design.md, "Tasks that ask for nothing").
 *
 * An update takes effect after all else that its workflow task brings (docs/design.md, "Updates").
 */
import type { ActivateInput, WorkflowInterceptors } from '@temporalio/workflow';
import { defaultPayloadConverter } from '@temporalio/common';
import { ASK_AGAIN } from '../src/contract.ts';
import { isHere } from './here.ts';
import { eventsOfEarlier, eventsOfNews, eventsSurelyLeft, isNews, type Command, type Job } from './history-length.ts';

let lastTime = '';
let lastLength = 0;
/** The events that surely come of what was asked for since then. */
let asked = 0;
/**
 * Whether the last news that is no replay came with a task of this worker: `unsure` of the first, unless this worker has begun the workflow, or was
 * asked something before that.
 */
let own: 'none' | 'unsure' | 'sure' = 'none';
/** True while an activation that began the workflow or brought news is not concluded. */
let mustAsk = false;
/** What the last activation but for questions was: news that is no replay, and whether a question by itself came right after it. */
let afterNews: 'no' | 'yes' | 'asked' = 'no';

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

/** Takes note of an activation, or fails it. */
function follow({ jobs, timestamp, isReplaying, historyLength }: ActivateInput['activation']): void {
  const isLive = isReplaying !== true;
  const isAsked = jobs?.some(comesAlone) === true;
  if (own === 'unsure' && isAsked) throw askAgain();
  // Only who has the task is handed an update; a question alone that comes this far is one between two tasks.
  if ((isLive && lastLength === 0) || jobs?.some((job) => job.queryWorkflow ?? (isLive && job.doUpdate)) === true)
    own = 'sure';
  const length = historyLength ?? 0;
  // Cancellations that the SDK answers by itself come within a task: nothing of the history is new then.
  if (length === lastLength) {
    if (isAsked && afterNews === 'yes') afterNews = 'asked';
    return;
  }
  const news = jobs?.some(isNews) === true;
  // The time of an activation is when its workflow task was started: else there is more of the history, and no task that brings it.
  const time = `${timestamp?.seconds?.toString()}.${timestamp?.nanos}`;
  const isOfTask = time !== lastTime;
  // Besides these: one event for the end of the task before, and one each for this one, scheduled and started.
  const besides = length - lastLength - (asked + eventsOfNews(jobs ?? []));
  if (isLive && isOfTask) {
    // What this worker asked for was not taken, or its task ended with none of it, at one event, and two began it anew: it was not this worker's.
    if (afterNews === 'asked' && (besides < 3 || besides === 6)) throw askAgain();
    if (news) own = own === 'none' && besides <= 3 ? 'unsure' : 'sure';
  } else if (isLive && news) {
    // Of a workflow that was ended from outside, there is the end besides, and no task will come.
    if (besides <= 2) throw askAgain();
    own = 'sure';
  }
  lastTime = time;
  lastLength = length;
  asked = 0;
  afterNews = news && isLive ? 'yes' : 'no';
  mustAsk ||= news || jobs?.some((job) => job.initializeWorkflow) === true;
}

export function interceptors(): WorkflowInterceptors {
  return {
    internals: [
      {
        activate(input, next) {
          follow(input.activation);
          const { jobs } = input.activation;
          const updates = jobs?.filter((job) => job.doUpdate) ?? [];
          const others = jobs?.filter((job) => !job.doUpdate) ?? [];
          if (updates.length === 0 || !others.some(isNews)) {
            next(input);
            return;
          }
          const later = { ...input, activation: { ...input.activation, jobs: updates } };
          next({ ...input, activation: { ...input.activation, jobs: others } });
          void afterAllElse(() => next(later));
        },
        concludeActivation(input, next) {
          const { commands } = next(input);
          const left = eventsSurelyLeft(commands);
          const mayBeEmpty = mustAsk && left === 0;
          mustAsk = false;
          asked += (mayBeEmpty ? 1 : left) + eventsOfEarlier(commands);
          return { commands: mayBeEmpty ? [...commands, NOTHING] : commands };
        },
      },
    ],
  };
}
