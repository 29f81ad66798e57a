/** `outlive worker`: a worker for everything that the configuration names, until it is told to stop. */
import { configFile, loadConfig } from '../load-config.ts';
import { createLog, takeSdkLines } from '../log.ts';
import { READY } from '../supervise.ts';
import { askForServer, tellImports } from '../under-dev.ts';
import { devServerFile } from '../where.ts';
import { openWorker } from '../open-worker.ts';
import { runningDevServer } from '../../server/index.ts';
import { runWorker } from '../run-worker.ts';

export interface WorkerArguments {
  /** Started by `outlive dev`. */
  underDev?: true;
  config?: string;
  address?: string;
  namespace?: string;
}

export async function worker(given: WorkerArguments): Promise<void> {
  const log = createLog();
  takeSdkLines(log);
  if (given.underDev === true) tellImports();
  const file = configFile(given.config);
  const config = await loadConfig(file);
  const {
    worker: opened,
    connection,
    address,
    namespace,
  } = await openWorker(
    config,
    given,
    given.underDev === true ? askForServer : () => runningDevServer(devServerFile(file)),
  );
  log.info(
    {
      address,
      namespace,
      taskQueues: opened.taskQueues,
      agents: config.agents.map(({ name }) => name),
      tasks: (config.tasks ?? []).map(({ name }) => name),
    },
    'The worker is ready.',
  );
  process.send?.(READY);
  await runWorker(opened);
  log.info('The worker has stopped.');
  await connection.close();
}
