/** `outlive worker`: a worker for everything that the configuration names, until it is told to stop. */
import { configFile, loadConfig } from '../load-config.ts';
import { createLog, takeSdkLines } from '../log.ts';
import { READY } from '../supervise.ts';
import { askForServer, tellImports } from '../under-dev.ts';
import { devServerFile, type OwnServer } from '../where.ts';
import { openWorker } from '../open-worker.ts';
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
export async function worker({ underDev, taskQueue, ...given }: WorkerArguments, ownServer?: OwnServer): Promise<void> {
  const log = createLog();
  takeSdkLines(log);
  if (underDev === true) tellImports();
  const file = configFile(given.config);
  const config = await loadConfig(file);
  const opened = await openWorker(
    taskQueue === undefined ? config : { ...config, taskQueue },
    given,
    underDev === true ? askForServer : (ownServer ?? (() => runningDevServer(devServerFile(file)))),
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
  process.send?.(READY);
  await runWorker(opened.worker);
  log.info('The worker has stopped.');
  await opened.connection.close();
}
