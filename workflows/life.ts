/**
 * The life of a conversation inside one execution: until it has ended, or until the next execution takes over with everything
 * carried. Nothing closes or continues while an effect, a look-up, a handler or the start of a run is under way.
 */
import { allHandlersFinished, condition, sleep } from '@temporalio/workflow';
import { isQuiet, mayAbort, startPending, stepInFlight } from '../src/domain/advance.ts';
import { pack, type Carried } from '../src/domain/carry/carry.ts';
import { jsonBytes } from '../src/domain/state/json.ts';
import { forgetNames } from '../src/domain/run/start.ts';
import { MIB } from '../src/domain/state/sizes.ts';
import type { OutliveEvent } from '../src/contract.ts';
import type { Conversation } from './conversation.ts';
import { local } from './proxies.ts';

/** A timer this short only starts the next workflow task; updates that keep coming hold the end up this often at most. */
const NEXT_TASK_MS = 1;
const MOST_TASKS = 5;
/** gRPC carries 4 MiB, and a task may bring other things too. */
const PART_BYTES = 1.5 * MIB;
/** So many workflow tasks after a local activity its answer has come, in a replay too. */
export const AFTER_LOCAL = 2;

/** Resolves when the conversation has ended, with nothing, or with what the next execution goes on from. */
export async function live(conversation: Conversation): Promise<Carried | undefined> {
  const { state } = conversation;
  const mayContinue = (): boolean =>
    conversation.wantsToContinue() && (!stepInFlight(state) || (conversation.mustContinue() && mayAbort(state)));
  for (;;) {
    await condition(() => conversation.ended || mayContinue());
    if (conversation.ended) break;
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
  await condition(() => mayEnd(conversation));
  return undefined;
}

/** What the next execution goes on from, once nothing is under way; nothing if this one is to end itself after all. */
async function handOver(conversation: Conversation): Promise<Carried | undefined> {
  const { state } = conversation;
  const settled = (): boolean => isQuiet(state) && conversation.idle && allHandlersFinished();
  let again = MOST_TASKS;
  for (let archived = false; ;) {
    await condition(() => settled() || conversation.endsCancelled);
    if (conversation.endsCancelled) return undefined;
    // What came later in this activation may have changed that.
    if (!settled()) continue;
    const { carried, leaving } = pack({ state, now: Date.now(), effects: [] }, archived);
    if (leaving.length > 0) {
      await archive(leaving)(AFTER_LOCAL);
      const last = leaving.at(-1)?.seq ?? 0;
      state.log = state.log.filter((event) => event.seq > last);
      archived = true;
    } else if (conversation.updatedInThisActivation && again-- > 0) {
      await nextTask();
    } else return carried;
  }
}

async function nextTask(): Promise<void> {
  await sleep(NEXT_TASK_MS, { summary: 'the next task' });
}

/** Nothing is under way that the end would cut off. */
function mayEnd(conversation: Conversation): boolean {
  return conversation.mayEnd && !startPending(conversation.state) && allHandlersFinished();
}

/** Resolves when the execution may end: nothing is under way, and no update has come in this activation. */
export async function untilIdle(conversation: Conversation): Promise<void> {
  let again = MOST_TASKS;
  for (;;) {
    await condition(() => mayEnd(conversation));
    if (!mayEnd(conversation)) continue;
    if (!conversation.updatedInThisActivation || again-- === 0) return;
    await nextTask();
  }
}

/**
 * Puts events into the archive, in parts that one workflow task can carry. What it returns waits until they are there, after so many
 * further workflow tasks: the answer of a local activity comes in an activation of its own or with the next task's events, and in a
 * replay not as it came at first, so that nothing may follow from it before two tasks have passed.
 */
export function archive(events: readonly OutliveEvent[]): (tasks: number) => Promise<void> {
  const [first, ...others] = chunks(events);
  if (first === undefined) return async () => Promise.resolve();
  let open = 1 + others.length;
  const keep = async (chunk: OutliveEvent[]): Promise<void> => {
    await local.archiveLog({ v: 1, events: chunk });
    open -= 1;
  };
  const isKept = (): boolean => open === 0;
  void keep(first);
  return async (tasks) => {
    for (const part of others) {
      await nextTask();
      void keep(part);
    }
    const least = others.length > 0 ? AFTER_LOCAL : tasks;
    for (let passed = 0; passed < least || !isKept(); passed++) await nextTask();
  };
}

function* chunks(events: readonly OutliveEvent[]): Generator<OutliveEvent[]> {
  let chunk: OutliveEvent[] = [];
  let bytes = 0;
  for (const event of events) {
    const size = jsonBytes(event);
    if (chunk.length > 0 && bytes + size > PART_BYTES) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(event);
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}
