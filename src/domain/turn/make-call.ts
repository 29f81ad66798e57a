/** A call of a custom tool begins: it is made at once, waits for a person, has been made before, or becomes a run of its own. */
import { askApproval } from '../run/requests.ts';
import type { Cx } from '../state/state.ts';
import type { ActiveTurn, ToolCall, ToolPolicy } from '../state/turn.ts';
import { isRefusal, refuse, type Json, type Refusal } from '../state/types.ts';
import { actionAnswered, actionEntry, knownAction } from './actions.ts';
import { startToolRun } from './start-tool.ts';
import { output, showCall } from './turn.ts';
import type { CallAnswer } from './waits.ts';

export interface NewCall {
  toolCallId: string;
  place: string;
  toolName: string;
  input: Json;
  policy: ToolPolicy;
}

export function makeCall(cx: Cx, turn: ActiveTurn, call: NewCall): void {
  const { state } = cx;
  const { toolCallId, place, toolName, input, policy } = call;
  const made: ToolCall = { toolCallId, place, toolName, input, policy, attempt: 1, losses: 0, state: 'ready' };
  const answer = (outcome: CallAnswer): void => {
    output(turn, toolCallId, outcome);
    actionAnswered(state, made, outcome);
  };
  const { actionKey } = policy;
  const known = actionKey === undefined ? undefined : knownAction(state, turn, call, actionKey);
  if (known !== undefined) {
    if ('sameAs' in known)
      turn.calls.push({ ...made, state: 'waiting', wait: { for: 'action', toolCallId: known.sameAs } });
    else output(turn, toolCallId, known);
    return;
  }
  if (actionKey !== undefined) made.action = actionEntry(call, actionKey);
  if (policy.detached === true) {
    answer(startToolRun(cx, turn, call));
    return;
  }
  if (policy.approval !== true) {
    turn.calls.push(made);
    return;
  }
  const request = approvalOf(cx, turn, call);
  if (isRefusal(request)) {
    answer({ errorText: `${request.refused}: ${request.message}` });
    return;
  }
  const { requestId } = request;
  showCall(turn, toolCallId, { state: 'approval-requested', approval: { id: requestId } });
  turn.calls.push({ ...made, state: 'waiting', wait: { for: 'approval', requestId } });
}

/** A session that closes waits for nobody any more. */
function approvalOf(cx: Cx, { turnId }: ActiveTurn, call: NewCall): { requestId: string } | Refusal {
  const { toolCallId, toolName, input } = call;
  return cx.state.closing === undefined
    ? askApproval(cx, { turnId, toolCallId, toolName, input })
    : refuse(
        'ApprovalWithdrawn',
        'This session is closing, and nobody is asked any more: the call was not made, its request is withdrawn.',
      );
}
