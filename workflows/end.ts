/**
 * How an execution ends: with everything done, or by the next one that takes over with everything carried. Nothing ends or
 * continues while an effect, a look-up, a handler of a message or the start of a run is under way.
 */
import { allHandlersFinished, condition, workflowInfo } from '@temporalio/workflow';
import { canAbort, isQuiet, mayAbort, startPending, stepInFlight } from '../src/domain/advance.ts';
import { pack, type Carried } from '../src/domain/carry/carry.ts';
import type { Head } from '../src/domain/carry/encode.ts';
import { forgetNames } from '../src/domain/run/start.ts';
import { jsonBytes } from '../src/domain/state/json.ts';
import { archive } from './archive.ts';
import { nextTask } from './outgoing.ts';
import type { Shell } from './shell.ts';

/** What the execution before this one left. Anybody may start a workflow with any arguments: only one that goes on has something. */
export function carriedOf(head: Head | undefined, body: Uint8Array | undefined): Carried | undefined {
  if (workflowInfo().continuedFromExecutionRunId === undefined || head === undefined || body === undefined)
    return undefined;
  return { head, body };
}

/** Resolves when all is done, with nothing, or with what the next execution goes on from. */
export async function live(shell: Shell): Promise<Carried | undefined> {
  for (;;) {
    await condition(() => mayEnd(shell) || mayContinue(shell));
    if (mayEnd(shell)) return undefined;
    if (!mayContinue(shell)) continue;
    shell.isHandingOver = true;
    if (stepInFlight(shell.state)) {
      shell.isAborting = true;
      shell.scopes.abortSteps();
    }
    const carried = await handOver(shell);
    if (carried !== undefined) return carried;
    shell.resume();
  }
}

function mayContinue(shell: Shell): boolean {
  if (!shell.wantsToContinue()) return false;
  const { state, growth } = shell;
  return !stepInFlight(state) || (growth.mustAtOnce() && canAbort(state)) || (growth.must() && mayAbort(state));
}

/** What the next execution goes on from, once nothing is under way; nothing if this one is to end itself after all. */
async function handOver(shell: Shell): Promise<Carried | undefined> {
  const { state } = shell;
  const isSettled = (): boolean => isQuiet(state) && shell.isIdle && allHandlersFinished();
  // A call of a handler that is under way is waited for, since it would be made again; but not for ever.
  const isLate = (): boolean => shell.growth.must() && shell.scopes.hasHandlers;
  for (;;) {
    await condition(() => isSettled() || shell.endsCancelled || isLate());
    if (shell.endsCancelled) return undefined;
    if (isLate()) shell.scopes.abortHandlers();
    // What came later in this activation may have changed that.
    if (!isSettled()) continue;
    if (shell.shorten()) {
      await nextTask();
      continue;
    }
    forgetNames(shell);
    const { carried, leaving } = pack({ state, now: Date.now(), effects: [] });
    if (shell.outgoing.takes(carried.body.length + jsonBytes(leaving))) {
      void archive(leaving);
      return carried;
    }
    await nextTask();
  }
}

/** All is done, and nothing is under way that the end of the execution would cut off. */
function mayEnd(shell: Shell): boolean {
  return shell.hasEnded && shell.mayEnd && !startPending(shell.state) && allHandlersFinished();
}

/**
 * Ends the execution, once it may, in the task that archives the last of the log. Should something have come meanwhile, the server
 * rejects that task as a whole and it is decided anew: until the end is recorded, nothing that comes is lost.
 *
 * @param result of the workflow, or its failure; made in that task too, and may record what is last.
 * @param bytes that the result may have.
 */
export async function end<T>(shell: Shell, bytes: number, result: () => T): Promise<T> {
  const { state } = shell;
  for (;;) {
    if (!mayEnd(shell)) await condition(() => mayEnd(shell));
    else if (shell.shorten()) await nextTask();
    else if (shell.outgoing.takes(jsonBytes(state.log) + bytes)) break;
    else await nextTask();
  }
  try {
    return result();
  } finally {
    void archive(state.log);
  }
}
