/**
 * The life of a conversation inside one execution: until it has ended, or until the next execution takes over with everything
 * carried. Nothing closes or continues while an effect, a look-up, a handler or the start of a run is under way.
 */
import { allHandlersFinished, condition, sleep } from '@temporalio/workflow';
import { isQuiet, mayAbort, startPending, stepInFlight } from '../src/domain/advance.ts';
import { pack, type Carried } from '../src/domain/carry/carry.ts';
import { jsonBytes } from '../src/domain/state/json.ts';
import { forgetNames } from '../src/domain/run/start.ts';
import { archive } from './archive.ts';
import type { Conversation } from './conversation.ts';

/** Resolves when the conversation has ended, with nothing, or with what the next execution goes on from. */
export async function live(conversation: Conversation): Promise<Carried | undefined> {
  const { state } = conversation;
  const mayContinue = (): boolean =>
    !conversation.ended &&
    conversation.wantsToContinue() &&
    (!stepInFlight(state) || (conversation.mustContinue() && mayAbort(state)));
  for (;;) {
    await condition(() => mayEnd(conversation) || mayContinue());
    if (mayEnd(conversation)) return undefined;
    if (!mayContinue()) continue;
    conversation.holding = true;
    conversation.abortHooks();
    forgetNames(conversation);
    if (stepInFlight(state)) {
      conversation.aborting = true;
      conversation.abortSteps();
    }
    const carried = await handOver(conversation);
    if (carried !== undefined) return carried;
    conversation.goOn();
  }
}

/** What the next execution goes on from, once nothing is under way; nothing if this one is to end itself after all. */
async function handOver(conversation: Conversation): Promise<Carried | undefined> {
  const { state } = conversation;
  const settled = (): boolean => isQuiet(state) && conversation.idle && allHandlersFinished();
  for (;;) {
    await condition(() => settled() || conversation.endsCancelled);
    if (conversation.endsCancelled) return undefined;
    // What came later in this activation may have changed that.
    if (!settled()) continue;
    const { carried, leaving } = pack({ state, now: Date.now(), effects: [] });
    if (conversation.takes(jsonBytes(carried) + jsonBytes(leaving))) {
      archive(leaving);
      return carried;
    }
    await nextTask();
  }
}

/** A timer this short only starts the next workflow task, which has room for what this one cannot carry any more. */
async function nextTask(): Promise<void> {
  await sleep(1, { summary: 'room in the next task' });
}

/** The conversation has ended and nothing is under way that the end of its execution would cut off. */
function mayEnd(conversation: Conversation): boolean {
  return conversation.ended && conversation.mayEnd && !startPending(conversation.state) && allHandlersFinished();
}

/**
 * Ends the execution, once it may, in the task that archives the last of the log. Should something have come meanwhile, the server
 * rejects that task as a whole and it is decided anew: until the end is recorded, nothing that comes is lost.
 *
 * @param result of the workflow, or its failure; made in that task too, and may record what is last.
 * @param bytes that the result may have.
 */
export async function end<T>(conversation: Conversation, bytes: number, result: () => T): Promise<T> {
  const { state } = conversation;
  for (;;) {
    await condition(() => mayEnd(conversation));
    if (!mayEnd(conversation)) continue;
    if (conversation.takes(jsonBytes(state.log) + bytes)) break;
    await nextTask();
  }
  try {
    return result();
  } finally {
    archive(state.log);
  }
}
