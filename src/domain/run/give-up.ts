/**
 * Giving up: the session stops waiting for a run and says so. It is not a settle: the place is held, unless the run is lost, and
 * a later settle is still taken and delivered in its own slot.
 */
import { requestCancel } from './cancel.ts';
import { deliver } from '../delivery/slots.ts';
import { callOnFinish } from './handlers.ts';
import { gaveUpKey } from '../state/ids.ts';
import { emit } from '../log/events.ts';
import { dropRequests } from './requests.ts';
import { settle } from './settle.ts';
import { giveUpOn, isSettled, lose, type GiveUpReason, type RunState } from '../state/row.ts';
import { isOver, type Cx } from '../state/state.ts';

/** The session stops waiting for a run and says so; the run may still settle. */
export function giveUp(cx: Cx, row: RunState, reason: GiveUpReason): void {
  const { state } = cx;
  if (isSettled(row) || isOver(state)) return;
  if (row.life.stage === 'given-up') {
    if (reason === 'lost') loseSight(cx, row);
    return;
  }
  const neverStarted = row.life.stage === 'queued';
  if (!neverStarted) {
    giveUpOn(row);
    row.childStillRunning = true;
  }
  if (reason === 'lost') loseSight(cx, row);
  row.reason = reason;
  row.own.gaveUp = reason;
  row.delivery.gaveUp = { key: gaveUpKey(state.workflowId, row.runId), state: 'pending' };
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
  const cancel = neverStarted || (row.own.detached.onBudget === 'cancel' && reason !== 'lost');
  if (cancel && row.cancelRequestedAt === undefined) {
    requestCancel(cx, row, 'cancelled_by_budget', undefined, true);
    if (neverStarted) settle(cx, row, { status: 'cancelled', reason: 'cancelled_by_budget' });
  }
  deliver(cx, row, { runId: row.runId, kind: 'gave-up' }, row.own.detached.notify);
}

/** Who is nowhere to be found asks nothing any more. */
function loseSight(cx: Cx, row: RunState): void {
  lose(row);
  row.childStillRunning = false;
  dropRequests(cx, row);
}
