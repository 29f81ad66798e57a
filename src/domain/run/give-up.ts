/**
 * Giving up: the session stops waiting for a run and says so. It is not a settle: the place is held, unless the run is lost, and
 * a later settle is still taken and delivered in its own slot.
 */
import { requestCancel } from './cancel.ts';
import { deliver } from '../delivery/slots.ts';
import { callOnFinish } from './handlers.ts';
import { gaveUpKey } from '../state/ids.ts';
import { emit } from '../log/events.ts';
import { settle } from './settle.ts';
import { isOver, isSettled, type Cx, type RunState } from '../state/state.ts';

export type GiveUpReason = 'budget_exceeded' | 'no_progress' | 'lost';

/** The session stops waiting for a run and says so; the run may still settle. */
export function giveUp(cx: Cx, row: RunState, reason: GiveUpReason): void {
  const { state } = cx;
  if (isSettled(row) || isOver(state)) return;
  if (reason === 'lost') loseSight(row);
  if (row.status === 'interrupted') return;
  const neverStarted = row.status === 'queued';
  row.status = 'interrupted';
  row.reason = reason;
  row.gaveUpReason = reason;
  row.delivery.gaveUp = { key: gaveUpKey(state.workflowId, row.runId), state: 'pending' };
  row.childStillRunning = !neverStarted && reason !== 'lost';
  callOnFinish(cx, row, { runId: row.runId, kind: 'gave-up' });
  emit(cx, 'run.gave_up', {
    runId: row.runId,
    agent: row.agent,
    label: row.label,
    status: 'interrupted',
    reason,
    usage: { ...row.usage },
    parentToolCallId: row.parentToolCallId,
  });
  const cancel = neverStarted || (row.detached.onBudget === 'cancel' && reason !== 'lost');
  if (cancel && row.cancelRequestedAt === undefined) {
    requestCancel(cx, row, 'cancelled_by_budget', undefined, true);
    if (neverStarted) settle(cx, row, { status: 'cancelled', reason: 'cancelled_by_budget' });
  }
  deliver(cx, row, { runId: row.runId, kind: 'gave-up' }, row.detached.notify);
}

/** Nowhere to be found: its place is free, and nobody is left to be asked or ended by force. */
function loseSight(row: RunState): void {
  row.childStillRunning = false;
  delete row.graceAt;
}
