/** One call of an app's handler. What it throws counts as a call that failed. */
import type { Client } from '@temporalio/client';
import type { HandlerArg } from '../src/contract.ts';
import type { HandlerContext } from '../src/define.ts';
import { nameOfHandler } from '../src/domain/state/outbox.ts';
import { handedBack, isShutdown, outgoing } from './failure.ts';
import { withHeartbeat } from './heartbeat.ts';
import type { Registry } from './registry.ts';
import { ownSignal } from './signal.ts';
import { unknownName } from './unknown-name.ts';

export async function callHandler(registry: Registry, client: Client, arg: HandlerArg): Promise<void> {
  const signal = ownSignal();
  const call = callOf(registry, arg, { signal });
  if (call === undefined)
    throw await unknownName(
      registry,
      client,
      'UnknownHandler',
      `Expected handler to name a registered handler, got "${nameOfHandler(arg)}".`,
    );
  try {
    await withHeartbeat(() => undefined, call);
  } catch (error) {
    if (isShutdown(signal)) throw handedBack();
    // A handler is called until it has succeeded, whatever it says of that.
    throw outgoing(registry, error, { nonRetryable: false });
  }
}

/** The call, if this worker has the handler. */
function callOf(
  { runHooks, handlers }: Registry,
  { handler, key, kind, run, result }: HandlerArg,
  context: HandlerContext,
): (() => Promise<void>) | undefined {
  const { onRunStart, onRunFinish } = runHooks;
  const about = { key, run: run as never, ...(result === undefined ? {} : { result }) };
  if (handler === 'onRunStart') return onRunStart && (async () => onRunStart({ key, run: run as never }, context));
  if (handler === 'onRunFinish') return onRunFinish && (async () => onRunFinish(about, context));
  const named = handlers[nameOfHandler({ handler })];
  return named && (async () => named({ ...about, kind: kind as 'finish' }, context));
}
