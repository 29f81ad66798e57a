/**
 * Signals and updates whose names begin with Temporal's own prefix. The SDK throws on one that nobody registered once there is a
 * default handler, and throwing there fails the workflow task for ever: one stray signal and the session would be dead. So the
 * tables of handlers answer for such names too, with the same refusal as for any other unknown one.
 */
import { getActivator } from '@temporalio/workflow/lib/global-attributes.js';
import { HandlerUnfinishedPolicy } from '@temporalio/common';

const PREFIX = '__temporal_';

interface Table { has(name: string): boolean; get(name: string): unknown }

function answerFor(table: Table, handlerOf: (name: string) => unknown): void {
  const has = table.has.bind(table);
  const get = table.get.bind(table);
  const stray = (name: string): boolean => !has(name) && name.startsWith(PREFIX);
  table.has = (name) => has(name) || stray(name);
  table.get = (name) => (stray(name) ? handlerOf(name) : get(name));
}

/** Called before the default handlers are set, since what came before the first task is dispatched then. */
export function refuseReservedNames(onSignal: (name: string) => void, onUpdate: (name: string) => never): void {
  const { signalHandlers, updateHandlers } = getActivator();
  const unfinishedPolicy = HandlerUnfinishedPolicy.ABANDON;
  answerFor(signalHandlers, (name) => ({ handler: () => onSignal(name), unfinishedPolicy }));
  answerFor(updateHandlers, (name) => ({ handler: () => onUpdate(name), validator: () => onUpdate(name), unfinishedPolicy }));
}
