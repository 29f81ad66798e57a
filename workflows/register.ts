/**
 * Registers the messages of the contract, as updates (validated, answered with a receipt) and as signals (refused ones leave an
 * event), and an answer for every other name. Handlers never throw on bad input, except to refuse an update.
 */
import { ApplicationFailure, defineSignal, defineUpdate, setHandler } from '@temporalio/workflow';
import { HandlerUnfinishedPolicy } from '@temporalio/common';
import { getActivator } from '@temporalio/workflow/lib/global-attributes.js';
import { recordRefusal } from '../src/domain/log/refusals.ts';
import type { Cx } from '../src/domain/state/state.ts';
import { isRefusal, refuse, type Refusal } from '../src/domain/state/types.ts';
import { parseMessage, type SchemaName } from '../src/schemas/index.ts';
import { refusal } from './failures.ts';
import { messagesOf, type Forwarded, type Message } from './messages.ts';
import { showPage } from './page.ts';
import { answerQueries } from './queries.ts';
import { forwardAnswer } from './receipts.ts';
import type { Shell } from './shell.ts';

type FromWorkflows = Partial<Record<SchemaName, (cx: Cx, payload: any) => Refusal | undefined | void>>;

/** Registers everything. Called before the first await, so that nothing is buffered. */
export function register(shell: Shell, fromWorkflows: FromWorkflows): void {
  const messages = messagesOf(shell.state);
  const between = Object.entries(fromWorkflows).map(([name, apply]): [string, Message] => [
    name,
    { description: 'Between workflows; see the documentation.', admit: () => undefined, apply },
  ]);
  const signals = new Map<string, Message>([...Object.entries(messages), ...between]);
  const activator = getActivator();
  const unfinishedPolicy = HandlerUnfinishedPolicy.ABANDON;
  // First, and for every name: what came before the first task is handed over here in the order in which it came.
  answerEveryName(activator.signalHandlers, (name) => ({
    unfinishedPolicy,
    handler: (payload: unknown) => {
      const message = signals.get(name);
      if (message === undefined) takeUnknownSignal(shell, name);
      else takeSignal(shell, name, payload, message);
    },
  }));
  activator.dispatchBufferedSignals();
  for (const [name, message] of signals)
    setHandler(defineSignal<[unknown]>(name), (payload) => takeSignal(shell, name, payload, message), {
      description: message.description,
    });
  for (const [name, message] of Object.entries(messages)) registerUpdate(shell, name as SchemaName, message);
  answerEveryName(activator.updateHandlers, (name) => {
    const refuseIt = (): never => {
      throw refusal(
        refuse(
          'InvalidInput',
          `Expected the update to be one that a ${shell.state.kind} takes (${Object.keys(messages).join(', ')}), got ${quoted(name)}.`,
        ),
      );
    };
    return { unfinishedPolicy, handler: refuseIt, validator: refuseIt };
  });
  activator.dispatchBufferedUpdates();
  answerQueries(shell);
  showPage(shell.state);
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

function takeUnknownSignal(shell: Shell, name: string): void {
  shell.growth.signals += 1;
  shell.inbox.add([], () =>
    shell.dispatch((cx) =>
      recordRefusal(
        cx,
        name,
        `Expected the signal to be a message that a ${shell.state.kind} takes, got ${quoted(name)}.`,
      ),
    ),
  );
}

/** A name from outside, as part of a sentence. */
function quoted(name: string): string {
  return JSON.stringify(name.length > 64 ? `${name.slice(0, 63)}…` : name);
}

function registerUpdate(shell: Shell, name: SchemaName, message: Message): void {
  setHandler(
    defineUpdate<unknown, [unknown]>(name),
    async (payload) => {
      shell.growth.updates += 1;
      const parsed = parseMessage(name, payload);
      if (isRefusal(parsed)) throw refusal(parsed);
      const answer = await new Promise((resolve) => {
        shell.inbox.add(message.runs?.(parsed) ?? [], (misfits) =>
          resolve(shell.dispatch((cx) => message.apply(cx, parsed, { misfits, refuses: true }))),
        );
      });
      if (isRefusal(answer)) throw refusal(answer);
      return message.receipt === undefined ? answer : message.receipt(shell, answer);
    },
    {
      description: message.description,
      validator: (payload: unknown) => {
        const parsed = parseMessage(name, payload);
        if (isRefusal(parsed)) throw refusal(parsed);
        // What came before and waits for a look-up may change the answer: then it is refused when its turn has come.
        const refused = shell.inbox.isEmpty ? message.admit(shell.state, parsed, shell.holds) : undefined;
        if (isRefusal(refused)) throw refusal(refused);
      },
    },
  );
}

function takeSignal(shell: Shell, name: string, payload: unknown, message: Message): void {
  shell.growth.signals += 1;
  const parsed = parseMessage(name as SchemaName, payload);
  shell.inbox.add(isRefusal(parsed) ? [] : (message.runs?.(parsed) ?? []), (misfits) => {
    const answer = shell.dispatch((cx) => {
      const taken = isRefusal(parsed) ? parsed : message.apply(cx, parsed, { misfits, refuses: false });
      if (isRefusal(taken)) recordRefusal(cx, name, taken.message);
      return taken;
    });
    if (isForwarded(answer)) shell.scopes.track('errands', forward(shell, name, answer));
  });
}

function isForwarded(answer: unknown): answer is Forwarded {
  return typeof answer === 'object' && answer !== null && 'forward' in answer;
}

/** Nobody waits for the receipt: what is refused leaves an event. */
async function forward(shell: Shell, name: string, { forward: answer }: Forwarded): Promise<void> {
  try {
    await forwardAnswer(shell, answer);
  } catch (error) {
    if (!(error instanceof ApplicationFailure)) throw error;
    shell.dispatch((cx) => recordRefusal(cx, name, error.message));
  }
}
