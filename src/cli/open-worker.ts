/** A worker on the server that its arguments name, else the environment, else its configuration. */
import type { NativeConnection } from '@temporalio/worker';
import type { Config } from '../define.ts';
import { connectNative } from '../server/index.ts';
import { createWorker, type OutliveWorker } from '../worker.ts';
import { whereOf, type OwnServer, type WhereArguments } from './where.ts';

export interface Opened {
  worker: OutliveWorker;
  connection: NativeConnection;
  address: string;
  namespace: string;
}

/**
 * It is told to stop when whoever has started it as a part of itself is gone.
 *
 * @throws ServerProblem when there is none to be reached.
 */
export async function openWorker(config: Config, given: WhereArguments, ownServer: OwnServer): Promise<Opened> {
  const { to, address, namespace } = await whereOf(config, given, ownServer);
  const connection = await connectNative(to);
  const worker = await createWorker(config, { connection, namespace });
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  return { worker, connection, address, namespace };
}
