/** The messages of the contract, as a table: whether one would be refused, what it does, and what its receipt says. */
import { NAMES_GLOBAL } from '../src/contract.ts';
import { close, type Close } from '../src/domain/closing.ts';
import { closed } from '../src/domain/log/capacity.ts';
import { admitRuns, presentRun, type StartRun } from '../src/domain/run/admission.ts';
import { admitCancelRun, cancelRun } from '../src/domain/run/cancel.ts';
import type { Checked } from '../src/domain/run/fit.ts';
import { admitAnswer, answerOwn, type Answer, type AnswerReceipt } from '../src/domain/run/requests.ts';
import { startRun, startRuns } from '../src/domain/run/start.ts';
import { admitMessage, messageRun, type MessageRun } from '../src/domain/run/to-runs.ts';
import { partsOfRequestId } from '../src/domain/state/ids.ts';
import { leaveLoop } from '../src/domain/state/loop.ts';
import { isOver, type Cx, type State } from '../src/domain/state/state.ts';
import { isRefusal, refuse, type Refusal } from '../src/domain/state/types.ts';
import {
  admitCancelTurn,
  cancelTurn,
  resetTurns,
  type TurnCancelled,
  type TurnsReset,
} from '../src/domain/turn/cancel.ts';
import { presentTurn } from '../src/domain/turn/queue.ts';
import { admitRewind, rewind, type Rewind } from '../src/domain/turn/rewind.ts';
import { admitTurn, submitTurn, type SubmitTurn, type TurnReceipt } from '../src/domain/turn/submit.ts';
import { detachRun } from '../src/domain/turn/tool-calls.ts';
import type { Payload } from '../src/schemas/index.ts';
import type { AskedRun } from './inbox.ts';
import { afterReset, cancelledTurn, confirmedCancel, forwardAnswer } from './receipts.ts';
import type { Shell } from './shell.ts';

/** One message. Each exists as an update, validated by `admit`, and as a signal. */
export interface Message {
  description: string;
  /** The runs that it asks for: their names have to be known, and their input checked, before it is taken. */
  runs?: (payload: any) => AskedRun[];
  /** What would be refused, without changing anything. */
  admit: (state: State, payload: any, hold: boolean) => unknown;
  /** `checked`: of the runs that it asks for. */
  apply: (cx: Cx, payload: any, checked: Checked) => unknown;
  /** The receipt, made again once everything that follows at once has happened. */
  receipt?: (shell: Shell, answer: any) => unknown;
}

/** What the worker registers, as its bundle says it; validators only, since they do not run on replay. */
function registered(name: string): boolean | undefined {
  const names = (globalThis as Record<string, unknown>)[NAMES_GLOBAL] as readonly string[] | undefined;
  if (names === undefined || names.includes(name)) return names === undefined ? undefined : true;
  return name.startsWith('workflow:') && names.includes('workflow:*');
}

function orClosed(state: State): Refusal | undefined {
  return state.closing === undefined ? undefined : closed(state);
}

/** What a session and a run take alike. */
const COMMON: Record<string, Message> = {
  cancelRun: {
    description:
      'Cancels a run: { runId, reason?, cascade?, announce? }. Answers { runId, status, cancelled, pending }, after at most 5 s.',
    admit: (state, { runId }: Payload<'cancelRun'>) => admitCancelRun(state, { runId }),
    apply: (cx, payload) => cancelRun(cx, payload),
    receipt: async (shell, { runId }: { runId: string }) => confirmedCancel(shell, runId),
  },
  detachRun: {
    description:
      'Lets the turn that waits for a run go on; the run is not disturbed: { runId }. Answers { runId, status, deduplicated }.',
    admit: (state, { runId }: Payload<'detachRun'>) =>
      isOver(state)
        ? closed(state)
        : presentRun(state, runId).known
          ? undefined
          : refuse('UnknownRun', `Expected runId to name a run of this ${state.kind}, got "${runId}".`),
    apply: (cx, payload: Payload<'detachRun'>) => detachRun(cx, payload),
  },
  messageRun: {
    description: 'Sends a message to a run: { runId, message, messageId? }. Answers { messageId, deduplicated }.',
    admit: (state, payload: MessageRun) => admitMessage(state, payload),
    apply: (cx, payload: MessageRun) => messageRun(cx, payload),
  },
  answer: {
    description:
      'Answers an open request of this workflow or of one below it: { requestId, decision?, value?, comment?, by? }. Answers { requestId, status, deduplicated, answeredAt, by? }.',
    admit: (state, payload: Answer) => admitAnswer(state, payload),
    apply: (cx, payload: Answer): AnswerReceipt | Refusal | Forwarded =>
      partsOfRequestId(payload.requestId).workflowId === cx.state.workflowId
        ? answerOwn(cx, payload)
        : forwardable(cx, payload),
    receipt: async (shell, answer: AnswerReceipt | Forwarded) =>
      'forward' in answer ? forwardAnswer(shell, answer.forward) : answer,
  },
};

function forwardable(cx: Cx, answer: Answer): Refusal | Forwarded {
  const refused = admitAnswer(cx.state, answer);
  if (refused !== undefined) return refused;
  leaveLoop(cx.state);
  return { forward: answer };
}

/** An answer that is for another workflow to take. */
export interface Forwarded {
  forward: Answer;
}

const OF_SESSIONS: Record<string, Message> = {
  ...COMMON,
  submitTurn: {
    description:
      'Puts input into the turn queue: { input, turnId?, idempotencyKey?, metadata?, onBusy? }. Answers { turnId, status, position, deduplicated, ownTurnId? }.',
    admit: (state, payload: SubmitTurn) => admitTurn(state, payload),
    apply: (cx, payload: SubmitTurn) => submitTurn(cx, payload),
    receipt: ({ state }, answer: TurnReceipt) => ({ ...answer, ...presentTurn(state, answer.turnId) }),
  },
  cancelTurn: {
    description:
      'Cancels the running turn, or the one named, and with runs: "cancel" what it has started: { turnId?, reason?, runs? }. Answers { turnId, status, cancelled?, pending? }.',
    admit: (state, payload) => admitCancelTurn(state, payload),
    apply: (cx, payload) => cancelTurn(cx, payload),
    receipt: async (shell, answer: TurnCancelled) => cancelledTurn(shell, answer),
  },
  startRun: {
    description:
      'Starts a detached run: { agent, input, runId?, label?, metadata?, detached? }. Answers { runId, workflowId, status, deduplicated } at once.',
    runs: (request: StartRun) => [{ at: '', request }],
    admit: (state, payload: StartRun, hold) => admitRuns(state, [payload], registered, {}, hold),
    apply: (cx, payload: StartRun, checked) => startRun(cx, payload, {}, checked),
  },
  startRuns: {
    description: 'Starts up to 200 detached runs, all or none: { runs: [...] }. Answers { runs: [receipt] }.',
    runs: ({ runs }: { runs: StartRun[] }) => runs.map((request, i) => ({ at: `runs[${i}].`, request })),
    admit: (state, { runs }: { runs: StartRun[] }, hold) => admitRuns(state, runs, registered, {}, hold),
    apply: (cx, { runs }: { runs: StartRun[] }, checked) => {
      const receipts = startRuns(cx, runs, {}, checked);
      return isRefusal(receipts) ? receipts : { runs: receipts };
    },
  },
  resetTurns: {
    description:
      'Ends the running turn, with runs: "cancel" also what it has started, and skips queued user turns; background inputs stay queued: { reason?, runs? }. Answers { cancelled?, skipped, runs? }.',
    admit: orClosed,
    apply: (cx, payload) => resetTurns(cx, payload),
    receipt: async (shell, answer: TurnsReset) => afterReset(shell, answer),
  },
  rewind: {
    description:
      'The transcript forgets a message, or the user messages of a turn, and all after: { messageId? or turnId?, reason? }. Answers { removed, deduplicated }.',
    admit: (state, payload: Rewind) => admitRewind(state, payload),
    apply: (cx, payload: Rewind) => rewind(cx, payload),
  },
  close: {
    description:
      'Closes the session: { reason?, runs? = "keep" or "cancel", turn? = "cancel" or "finish" }. Answers { status: "closing" }.',
    admit: () => undefined,
    apply: (cx, payload: Close) => close(cx, payload),
  },
};

/** What a session takes, or a run. */
export function messagesOf({ kind }: State): Record<string, Message> {
  return kind === 'session' ? OF_SESSIONS : COMMON;
}
