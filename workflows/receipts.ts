/** Receipts that wait for somebody else: for a cancelled run to confirm, for the workflow that has asked to take an answer. */
import { condition } from '@temporalio/workflow';
import { cancelReceipt } from '../src/domain/run/cancel.ts';
import { findRequest, receiptOf, type Answer } from '../src/domain/run/requests.ts';
import { partsOfRequestId } from '../src/domain/state/ids.ts';
import { isSettled } from '../src/domain/state/row.ts';
import { refuse, type Refusal } from '../src/domain/state/types.ts';
import type { TurnCancelled, TurnsReset } from '../src/domain/turn/cancel.ts';
import { answerReceipt } from '../src/schemas/index.ts';
import { atHome } from './here.ts';
import { fitting } from './answered.ts';
import { failureOf, refusal } from './failures.ts';
import { briefly } from './proxies.ts';
import type { Shell } from './shell.ts';

/** Updates in flight are scarce: so many wait at once. */
const MOST_WAITING = 4;
const CANCEL_WAIT = '5s';

let waiting = 0;

/** Waits a little for cancelled runs to confirm, unless the next execution is to take over. */
async function confirmed(shell: Shell, runIds: readonly string[]): Promise<void> {
  const { state } = shell;
  const isOver = (): boolean =>
    runIds.every((runId) => {
      const row = state.runs.peek(runId);
      return row === undefined || isSettled(row);
    });
  if (!isOver() && waiting < MOST_WAITING) {
    waiting += 1;
    try {
      await atHome(async () =>
        shell.scopes.main(async () => condition(() => isOver() || shell.wantsToContinue(), CANCEL_WAIT)),
      );
    } finally {
      waiting -= 1;
    }
  }
}

export async function confirmedCancel(shell: Shell, runId: string): Promise<unknown> {
  await confirmed(shell, [runId]);
  return cancelReceipt(shell.state, runId);
}

/** Which of these runs, with those below them, have confirmed that they are cancelled, and which not yet. */
async function confirmedCancels(
  shell: Shell,
  runIds: readonly string[],
): Promise<{ cancelled: string[]; pending: string[] }> {
  await confirmed(shell, runIds);
  const receipts = runIds.map((runId) => cancelReceipt(shell.state, runId));
  return {
    cancelled: receipts.flatMap(({ cancelled }) => cancelled),
    pending: receipts.flatMap(({ pending }) => pending),
  };
}

export async function cancelledTurn(shell: Shell, { runIds, ...receipt }: TurnCancelled): Promise<unknown> {
  return runIds === undefined ? receipt : { ...receipt, ...(await confirmedCancels(shell, runIds)) };
}

export async function afterReset(shell: Shell, { runIds, ...receipt }: TurnsReset): Promise<unknown> {
  return runIds === undefined ? receipt : { ...receipt, runs: await confirmedCancels(shell, runIds) };
}

/** Brings an answer to the workflow that has asked, which alone decides what becomes of it. */
export async function forwardAnswer({ state, scopes }: Shell, answer: Answer): Promise<unknown> {
  const { requestId } = answer;
  const { workflowId } = partsOfRequestId(requestId);
  const told = await scopes.main(async () => {
    const given: unknown = await briefly(`answer to ${requestId}`)
      .answerRequest({ v: 1, workflowId, answer })
      .catch((error: unknown) => {
        throw refusal(
          refuse('Unavailable', `Expected the run that has asked to be reached, got ${failureOf(error).message}`),
        );
      });
    return fitting(given, answerReceipt);
  });
  if (told?.refusal !== undefined) throw refusal(told.refusal as Refusal);
  if (told?.receipt !== undefined) return told.receipt;
  // A workflow that is gone asks nothing any more.
  const copy = findRequest(state, requestId);
  if (copy === undefined)
    throw refusal(
      refuse(
        'UnknownRequest',
        `Expected requestId to name a request of this ${state.kind}, got "${requestId.slice(0, 200)}".`,
      ),
    );
  return receiptOf({ ...copy, status: copy.status === 'open' ? 'withdrawn' : copy.status }, true);
}
