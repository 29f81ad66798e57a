/**
 * The life of a conversation inside one execution: until it has ended, or until the next execution takes over with everything
 * carried. Nothing closes or continues while an effect, a look-up, a handler or the start of a run is under way.
 */
import { allHandlersFinished, condition, sleep } from '@temporalio/workflow';
import { isQuiet, mayAbort, startPending, stepInFlight } from '../src/domain/advance.ts';
import { pack, type Carried } from '../src/domain/carry.ts';
import { jsonBytes } from '../src/domain/json.ts';
import { forgetNames } from '../src/domain/runs.ts';
import { MIB } from '../src/domain/sizes.ts';
import type { OutliveEvent } from '../src/contract.ts';
import type { Conversation } from './conversation.ts';
import { local } from './proxies.ts';

/** A timer this short only starts the next workflow task; updates that keep coming hold the end up this often at most. */
const NEXT_TASK_MS = 1;
const MOST_TASKS = 5;

/** Resolves when the conversation has ended, with nothing, or with what the next execution goes on from. */
export async function live(conversation: Conversation): Promise<Carried | undefined> {
  const { state } = conversation;
  const settled = (): boolean => isQuiet(state) && conversation.idle && allHandlersFinished();
  const mayContinue = (): boolean => conversation.wantsToContinue() && (!stepInFlight(state) || (conversation.mustContinue() && mayAbort(state)));
  await condition(() => conversation.ended || mayContinue());
  if (!conversation.ended) {
    conversation.holding = true;
    conversation.abortHooks();
    forgetNames(conversation);
    if (stepInFlight(state)) {
      conversation.aborting = true;
      conversation.abortSteps();
    }
    let again = MOST_TASKS;
    for (;;) {
      await condition(settled);
      // Not on the answer of a local activity: it comes before the signals of the same task, which would be dropped. A timer comes after.
      await sleep(NEXT_TASK_MS);
      if (!settled()) continue;
      const { carried, leaving } = pack({ state, now: Date.now(), effects: [] });
      if (leaving.length === 0) {
        if (!conversation.updatedInThisTask || again-- === 0) return carried;
        continue;
      }
      await archive(leaving);
      const last = leaving.at(-1)?.seq ?? 0;
      state.log = state.log.filter((event) => event.seq > last);
    }
  }
  await condition(() => conversation.mayEnd && !startPending(state) && allHandlersFinished());
  return undefined;
}

/** The last part of the log goes into the archive too, so that it can be read when no worker runs any more. */
export async function archiveAll(conversation: Conversation): Promise<void> {
  await archive(conversation.state.log.slice());
}

/**
 * Resolves when the execution may end: nothing is under way, no update has come in this task, and what came last is no local
 * activity's answer.
 * @param passed that the caller has just waited for something that the server answers in a task of its own.
 */
export async function untilIdle(conversation: Conversation, passed: boolean): Promise<void> {
  const mayEnd = (): boolean => conversation.mayEnd && !startPending(conversation.state) && allHandlersFinished();
  let again = MOST_TASKS;
  let next = passed;
  while (!next || !mayEnd() || (conversation.updatedInThisTask && again-- > 0)) {
    await condition(mayEnd);
    await sleep(NEXT_TASK_MS);
    next = true;
  }
}

async function archive(events: readonly OutliveEvent[]): Promise<void> {
  let chunk: OutliveEvent[] = [];
  let bytes = 0;
  for (const event of events) {
    const size = jsonBytes(event);
    if (chunk.length > 0 && bytes + size > MIB) {
      await local.archiveLog({ v: 1, events: chunk });
      chunk = [];
      bytes = 0;
    }
    chunk.push(event);
    bytes += size;
  }
  if (chunk.length > 0) await local.archiveLog({ v: 1, events: chunk });
}
