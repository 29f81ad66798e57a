/** A worker on the server that its arguments name, else the environment, else its configuration. */
import type { NativeConnection } from '@temporalio/worker';
import type { Config } from '../define.ts';
import { connectNative, resolveEnvironment } from '../server/index.ts';
import { createWorker, type OutliveWorker } from '../worker.ts';

export interface Opened {
  worker: OutliveWorker;
  connection: NativeConnection;
  address: string;
  namespace: string;
}

/**
 * It is told to stop when whoever has started it as a part of itself is gone.
 *
 * @param ownServer where a server runs that is used when nothing names one.
 * @throws ServerProblem when there is none to be reached.
 */
export async function openWorker(
  config: Config,
  given: { address?: string | undefined; namespace?: string | undefined },
  ownServer: () => string | undefined = () => undefined,
): Promise<Opened> {
  const environment = resolveEnvironment();
  const address =
    given.address ??
    (environment.configured ? undefined : (config.connection?.address ?? ownServer() ?? environment.address));
  const namespace = given.namespace ?? config.namespace ?? environment.namespace;
  const connection = await connectNative({ namespace, ...(address === undefined ? {} : { address }) });
  const worker = await createWorker(config, { connection, namespace });
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  return { worker, connection, address: address ?? environment.address, namespace };
}
