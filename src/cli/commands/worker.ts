/** `outlive worker`: a worker for everything that the configuration names, until it is told to stop. */
import type { Logger } from 'pino';
import { configFile, loadConfig } from '../load-config.ts';
import { createLog, takeSdkLines } from '../log.ts';
import { READY } from '../supervise.ts';
import { askForServer, orRefusal, tellImports } from '../under-dev.ts';
import { devServerFile, type OwnServer } from '../where.ts';
import { openWorker, type Opened } from '../open-worker.ts';
import { runningDevServer } from '../../server/index.ts';
import { runWorker } from '../run-worker.ts';

export interface WorkerArguments {
  /** Started by `outlive dev`. */
  underDev?: true;
  config?: string;
  address?: string;
  namespace?: string;
  taskQueue?: string;
}

/** @param ownServer Default: the one that `outlive dev` runs for this configuration. */
export async function worker(given: WorkerArguments, ownServer?: OwnServer): Promise<void> {
  const log = createLog();
  takeSdkLines(log);
  const { worker: opened, connection } = await (given.underDev === true
    ? orRefusal(async () => open(given, askForServer, log))
    : open(given, ownServer, log));
  process.send?.(READY);
  await runWorker(opened);
  log.info('The worker has stopped.');
  await connection.close();
}

async function open(
  { underDev, taskQueue, ...given }: WorkerArguments,
  ownServer: OwnServer | undefined,
  log: Logger,
): Promise<Opened> {
  if (underDev === true) tellImports();
  const file = configFile(given.config);
  const config = await loadConfig(file);
  const opened = await openWorker(
    taskQueue === undefined ? config : { ...config, taskQueue },
    given,
    ownServer ?? (() => runningDevServer(devServerFile(file))),
  );
  log.info(
    {
      address: opened.address,
      namespace: opened.namespace,
      taskQueues: opened.worker.taskQueues,
      agents: config.agents.map(({ name }) => name),
      tasks: (config.tasks ?? []).map(({ name }) => name),
    },
    'The worker is ready.',
  );
  return opened;
}
