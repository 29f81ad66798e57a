/**
 * Registers the messages and queries of the contract. Each message exists as an update (validated, answers with its receipt)
 * and as a signal (refused ones leave an event). Handlers never throw on bad input, except to refuse an update.
 */
import {
  ApplicationFailure,
  CancellationScope,
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  setHandler,
} from '@temporalio/workflow';
import { HandlerUnfinishedPolicy } from '@temporalio/common';
import { getActivator } from '@temporalio/workflow/lib/global-attributes.js';
import { NAMES_GLOBAL } from '../src/contract.ts';
import { recordRefusal } from '../src/domain/log/refusals.ts';
import type { Cx, State } from '../src/domain/state/state.ts';
import { partsOfRequestId } from '../src/domain/state/ids.ts';
import {
  admitAnswer,
  answerOwn,
  findRequest,
  receiptOf,
  type Answer,
  type AnswerReceipt,
} from '../src/domain/run/requests.ts';
import { findRun, isOver, isSettled } from '../src/domain/state/state.ts';
import { admitMessage, messageRun, type MessageRun } from '../src/domain/run/to-runs.ts';
import { detachRun } from '../src/domain/turn/turn.ts';
import { admitCancelRun, cancelReceipt, cancelRun } from '../src/domain/run/cancel.ts';
import { admitRuns, namesOf, presentRun, type StartRun } from '../src/domain/run/admission.ts';
import { startRun, startRuns } from '../src/domain/run/start.ts';
import { closed } from '../src/domain/log/capacity.ts';
import {
  admitCancelTurn,
  admitTurn,
  cancelTurn,
  presentTurn,
  resetTurns,
  submitTurn,
  turnNamed,
  type SubmitTurn,
  type TurnReceipt,
} from '../src/domain/turn/queue.ts';
import { close, type Close } from '../src/domain/closing.ts';
import { isRefusal, refuse, type Refusal } from '../src/domain/state/types.ts';
import {
  getEvents,
  getRun,
  getTranscript,
  getTurn,
  listRuns,
  sessionView,
  type GetEvents,
  type GetTranscript,
  type ListRuns,
} from '../src/domain/view/queries.ts';
import { parseMessage, type Payload, type SchemaName } from '../src/schemas/index.ts';
import type { Conversation } from './conversation.ts';
import { errand } from './effects.ts';
import { showPage } from './page.ts';
import { refusal } from './failures.ts';
import { briefly } from './proxies.ts';

/** One message of the contract: what its names are, whether it would be refused, and what it does. */
interface Message {
  description: string;
  names?: (payload: any) => string[];
  admit: (state: State, payload: any, hold: boolean) => unknown;
  apply: (cx: Cx, payload: any) => unknown;
  /** The receipt, made again once everything that follows at once has happened. */
  receipt?: (conversation: Conversation, answer: any) => unknown;
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

const cancelRunMessage: Message = {
  description:
    'Cancels a run: { runId, reason?, cascade? }. Answers { runId, status, cancelled, pending }, after at most 5 s.',
  admit: (state, { runId }: Payload<'cancelRun'>) => admitCancelRun(state, { runId }),
  apply: (cx, payload) => cancelRun(cx, payload),
  receipt: async (conversation, { runId }: { runId: string }) => confirmed(conversation, runId),
};

/** What a session and a run take alike. */
const commonMessages: Record<string, Message> = {
  cancelRun: cancelRunMessage,
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
    apply: (cx, payload: Answer) =>
      partsOfRequestId(payload.requestId).workflowId === cx.state.workflowId
        ? answerOwn(cx, payload)
        : (admitAnswer(cx.state, payload) ?? { forward: payload }),
    receipt: async (conversation, answer: AnswerReceipt | { forward: Answer }) =>
      'forward' in answer ? forwardAnswer(conversation, answer.forward) : answer,
  },
};

const sessionMessages: Record<string, Message> = {
  ...commonMessages,
  submitTurn: {
    description:
      'Puts input into the turn queue: { input, turnId?, idempotencyKey?, metadata?, onBusy? }. Answers { turnId, status, position, deduplicated }.',
    admit: (state, payload: SubmitTurn) => admitTurn(state, payload),
    apply: (cx, payload: SubmitTurn) => submitTurn(cx, payload),
    receipt: ({ state }, answer: TurnReceipt) => ({ ...answer, ...presentTurn(state, answer.turnId) }),
  },
  cancelTurn: {
    description: 'Cancels the running turn, or the one named: { turnId?, reason? }. Answers { turnId, status }.',
    admit: (state, payload) => admitCancelTurn(state, payload),
    apply: (cx, payload) => cancelTurn(cx, payload),
  },
  startRun: {
    description:
      'Starts a detached run: { agent, input, runId?, label?, metadata?, detached? }. Answers { runId, workflowId, status, deduplicated } at once.',
    names: namesOf,
    admit: (state, payload: StartRun, hold) => admitRuns(state, [payload], registered, {}, hold),
    apply: (cx, payload: StartRun) => startRun(cx, payload),
  },
  startRuns: {
    description: 'Starts up to 200 detached runs, all or none: { runs: [...] }. Answers { runs: [receipt] }.',
    names: ({ runs }: { runs: StartRun[] }) => runs.flatMap(namesOf),
    admit: (state, { runs }: { runs: StartRun[] }, hold) => admitRuns(state, runs, registered, {}, hold),
    apply: (cx, { runs }: { runs: StartRun[] }) => {
      const receipts = startRuns(cx, runs);
      return isRefusal(receipts) ? receipts : { runs: receipts };
    },
  },
  resetTurns: {
    description:
      'Ends the running turn and skips queued user turns; background inputs stay queued: { reason? }. Answers { cancelled?, skipped }.',
    admit: orClosed,
    apply: (cx, payload) => resetTurns(cx, payload),
  },
  close: {
    description:
      'Closes the session: { reason?, runs? = "keep" or "cancel", turn? = "cancel" or "finish" }. Answers { status: "closing" }.',
    admit: () => undefined,
    apply: (cx, payload: Close) => close(cx, payload),
  },
};

const MOST_WAITING_CANCELS = 4;
const CANCEL_WAIT = '5s';
let waitingCancels = 0;

/** Waits a little for a cancelled run to confirm, unless the next execution is to take over; few at once, since updates in flight are scarce. */
async function confirmed(conversation: Conversation, runId: string): Promise<unknown> {
  const { state } = conversation;
  const over = (): boolean => {
    const row = findRun(state, runId);
    return row === undefined || isSettled(row);
  };
  if (!over() && waitingCancels < MOST_WAITING_CANCELS) {
    waitingCancels += 1;
    try {
      await CancellationScope.nonCancellable(async () =>
        condition(() => over() || conversation.wantsToContinue(), CANCEL_WAIT),
      );
    } finally {
      waitingCancels -= 1;
    }
  }
  return cancelReceipt(state, runId);
}

/** Brings an answer to the workflow that has asked, which alone decides what becomes of it. */
async function forwardAnswer({ state }: Conversation, answer: Answer): Promise<unknown> {
  const { workflowId } = partsOfRequestId(answer.requestId);
  const told = await CancellationScope.nonCancellable(async () =>
    briefly(`answer to ${answer.requestId}`).answerRequest({ workflowId, answer }),
  );
  if (told !== null && 'refused' in told) throw refusal(told);
  const copy = findRequest(state, answer.requestId);
  // A workflow that is gone asks nothing any more.
  if (told === null && copy === undefined)
    throw refusal(
      refuse(
        'UnknownRequest',
        `Expected requestId to name a request of this ${state.kind}, got "${answer.requestId.slice(0, 200)}".`,
      ),
    );
  return (
    told ??
    (copy === undefined
      ? undefined
      : receiptOf({ ...copy, status: copy.status === 'open' ? 'withdrawn' : copy.status }, true))
  );
}

/** Registers everything. Called before the first await, so that nothing is buffered. */
export function register(
  conversation: Conversation,
  extraSignals: Partial<Record<SchemaName, (cx: Cx, payload: any) => Refusal | undefined | void>>,
): void {
  const messages = conversation.state.kind === 'session' ? sessionMessages : commonMessages;
  const internal = Object.entries(extraSignals).map(([name, apply]): [string, Message] => [
    name,
    { description: 'Between workflows; see the documentation.', admit: () => undefined, apply },
  ]);
  const signals = new Map<string, Message>([...Object.entries(messages), ...internal]);
  const activator = getActivator();
  const unfinishedPolicy = HandlerUnfinishedPolicy.ABANDON;
  // First, and for every name: what came before the first task is handed over here in the order in which it came.
  answerEveryName(activator.signalHandlers, (name) => ({
    unfinishedPolicy,
    handler: (payload: unknown) => {
      const message = signals.get(name);
      if (message === undefined) takeUnknownSignal(conversation, name);
      else takeSignal(conversation, name, payload, message);
    },
  }));
  activator.dispatchBufferedSignals();
  for (const [name, message] of signals)
    setHandler(defineSignal<[unknown]>(name), (payload) => takeSignal(conversation, name, payload, message), {
      description: message.description,
    });
  for (const [name, message] of Object.entries(messages)) registerUpdate(conversation, name as SchemaName, message);
  answerEveryName(activator.updateHandlers, (name) => {
    const refuseIt = (): never => {
      throw refusal(
        refuse(
          'InvalidInput',
          `Expected the update to be one that a ${conversation.state.kind} takes (${Object.keys(messages).join(', ')}), got ${quoted(name)}.`,
        ),
      );
    };
    return { unfinishedPolicy, handler: refuseIt, validator: refuseIt };
  });
  activator.dispatchBufferedUpdates();
  registerQueries(conversation);
  showPage(conversation.state);
}

/**
 * Gives a table of handlers an answer for every name. The SDK's own default handlers will not do: they throw on names that begin
 * like Temporal's own, so that one such signal would fail the workflow task for ever, and an unknown update would be recorded
 * before it could be refused.
 */
function answerEveryName<H>(table: Map<string, H>, stranger: (name: string) => H): void {
  const registeredHandler = table.get.bind(table);
  table.has = () => true;
  table.get = (name) => registeredHandler(name) ?? stranger(name);
}

function takeUnknownSignal(conversation: Conversation, name: string): void {
  conversation.signals += 1;
  void conversation.inOrder([], (cx) =>
    note(cx, name, `Expected the signal to be a message of the contract, got ${quoted(name)}.`),
  );
}

/** A name from outside, as part of a sentence. */
function quoted(name: string): string {
  return JSON.stringify(name.length > 64 ? `${name.slice(0, 63)}…` : name);
}

function note(cx: Cx, name: string, message: string): void {
  if (cx.state.closing?.done !== true) recordRefusal(cx, name, message);
}

function registerUpdate(conversation: Conversation, name: SchemaName, message: Message): void {
  const { state } = conversation;
  setHandler(
    defineUpdate<unknown, [unknown]>(name),
    async (payload) => {
      conversation.countUpdate();
      const parsed = parseMessage(name, payload);
      if (isRefusal(parsed)) throw refusal(parsed);
      const answer = await conversation.inOrder(message.names?.(parsed) ?? [], (cx) => message.apply(cx, parsed));
      if (isRefusal(answer)) throw refusal(answer);
      return message.receipt === undefined ? answer : message.receipt(conversation, answer);
    },
    {
      description: message.description,
      validator: (payload: unknown) => {
        const parsed = parseMessage(name, payload);
        if (isRefusal(parsed)) throw refusal(parsed);
        const refused = message.admit(state, parsed, conversation.holds);
        if (isRefusal(refused)) throw refusal(refused);
      },
    },
  );
}

function takeSignal(conversation: Conversation, name: string, payload: unknown, message: Message): void {
  conversation.signals += 1;
  const parsed = parseMessage(name as SchemaName, payload);
  const names = isRefusal(parsed) ? [] : (message.names?.(parsed) ?? []);
  conversation
    .inOrder(names, (cx) => {
      const answer = isRefusal(parsed) ? parsed : message.apply(cx, parsed);
      if (isRefusal(answer)) note(cx, name, answer.message);
      else if (name === 'answer' && typeof answer === 'object' && answer !== null && 'forward' in answer)
        errand(conversation, async () =>
          forwardAnswer(conversation, answer.forward as Answer).catch((error: unknown) => {
            const said =
              error instanceof ApplicationFailure
                ? error.message
                : 'Expected the run that has asked to be reached, got no answer from it.';
            conversation.dispatch((again) => note(again, name, said));
          }),
        );
    })
    .catch((error: unknown) => {
      // A rule that throws is a bug of ours; the session goes on.
      conversation.dispatch((cx) =>
        note(
          cx,
          name,
          `Expected the signal to be taken, got ${error instanceof Error ? error.message.slice(0, 200) : 'an error'}.`,
        ),
      );
    });
}

function registerQueries(conversation: Conversation): void {
  const { state } = conversation;
  const queries: { [N in SchemaName]?: [description: string, answer: (payload: any) => unknown] } = {
    getSession: [
      'The session: status, turn, queue, counts of runs, usage.',
      () => sessionView(state, conversation.undecided),
    ],
    listRuns: [
      'The runs in the order they were started: { status?, limit?, after? }.',
      (payload: ListRuns) => {
        // From the start again, a reader whose last row is forgotten would read everything twice.
        if (payload.after !== undefined && getRun(state, payload.after) === null)
          throw refusal(
            refuse('InvalidInput', `Expected after to name a run of this ${state.kind}, got "${payload.after}".`),
          );
        return listRuns(state, payload);
      },
    ],
    getRun: ['One run, or null: { runId }.', ({ runId }: { runId: string }) => getRun(state, runId)],
    getTurn: [
      'One turn with its messages, or null: { turnId }.',
      ({ turnId }: { turnId: string }) => getTurn(state, turnNamed(state, turnId)),
    ],
    getTranscript: [
      'The messages: { after?, limit?, includeHidden? }.',
      (payload: GetTranscript) => {
        const { after } = payload;
        if (after !== undefined && !state.transcript.some(({ message }) => message.id === after))
          throw refusal(
            refuse('InvalidInput', `Expected after to name a message of this ${state.kind}, got "${after}".`),
          );
        return getTranscript(state, payload);
      },
    ],
    ...(state.kind === 'run'
      ? {
          getMessages: [
            'Between a run and its task; see the documentation.',
            ({ after = 0 }: { after?: number }) => (state.self?.inbox ?? []).filter((one) => one.n > after),
          ] as [string, (payload: any) => unknown],
        }
      : {}),
    getEvents: [
      'The events after a number: { after?, limit?, types? }.',
      (payload: GetEvents) => getEvents(state, payload),
    ],
  };
  for (const [name, [description, answer]] of Object.entries(queries)) {
    setHandler(
      defineQuery<unknown, [unknown]>(name),
      (payload) => {
        const parsed = parseMessage(name as SchemaName, payload);
        if (isRefusal(parsed)) throw refusal(parsed);
        return answer(parsed);
      },
      { description },
    );
  }
}
