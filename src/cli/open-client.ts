/** The client of a command: on the server and the task queue of the configuration, where there is one. */
import { Client } from '@temporalio/client';
import { OutliveClient } from '../client/index.ts';
import type { Config } from '../define.ts';
import { connect, runningDevServer } from '../server/index.ts';
import { findConfig, loadConfig } from './load-config.ts';
import { devServerFile, whereOf, type WhereArguments } from './where.ts';

export interface ClientArguments extends WhereArguments {
  config?: string;
  taskQueue?: string;
}

interface Opened {
  client: OutliveClient;
  address: string;
  namespace: string;
}

/** @throws Problem when the configuration cannot be loaded, ServerProblem when the server cannot be reached. */
export async function openClient(given: ClientArguments): Promise<Opened> {
  const file = findConfig(given.config);
  const config: Partial<Config> = file === undefined ? {} : await loadConfig(file);
  const ownServer = (): string | undefined => (file === undefined ? undefined : runningDevServer(devServerFile(file)));
  const { to, address, namespace } = await whereOf(config, given, ownServer);
  const { connection } = await connect(to);
  const taskQueue = given.taskQueue ?? config.taskQueue;
  const { dataConverter } = config;
  const client = new OutliveClient(
    new Client({ connection, namespace, ...(dataConverter === undefined ? {} : { dataConverter }) }),
    taskQueue === undefined ? {} : { taskQueue },
  );
  return { client, address, namespace };
}
