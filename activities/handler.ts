/** One call of an app's handler. What it throws counts as a call that failed. */
import { Context } from '@temporalio/activity';
import type { HandlerArg } from '../src/contract.ts';
import { handedBack, isShutdown, outgoing } from './failure.ts';
import { withHeartbeat } from './heartbeat.ts';
import type { Registry } from './registry.ts';

export async function callHandler(registry: Registry, { handler, key, kind, run, result }: HandlerArg): Promise<void> {
  const { cancellationSignal: signal } = Context.current();
  try {
    await withHeartbeat(
      () => undefined,
      async () => {
        const about = { key, run: run as never, ...(result === undefined ? {} : { result }) };
        if (handler === 'onRunStart') await registry.runHooks.onRunStart?.({ key, run: run as never });
        else if (handler === 'onRunFinish') await registry.runHooks.onRunFinish?.(about);
        else {
          const named = registry.handlers[handler.slice('handler:'.length)];
          if (named === undefined)
            throw Object.assign(
              new Error(`The handler "${handler.slice('handler:'.length)}" is not registered with this worker.`),
              { name: 'UnknownHandler' },
            );
          await named({ ...about, kind: kind as 'finish' });
        }
      },
    );
  } catch (error) {
    if (isShutdown(signal)) throw handedBack();
    throw outgoing(registry, error);
  }
}
