/** `outlive worker`: a worker for everything that the configuration names, until it is told to stop. */
import { configFile, loadConfig } from '../load-config.ts';
import { createLog, takeSdkLines } from '../log.ts';
import { openWorker } from '../open-worker.ts';
import { runWorker } from '../run-worker.ts';

export interface WorkerArguments {
  config?: string;
  address?: string;
  namespace?: string;
}

export async function worker(given: WorkerArguments): Promise<void> {
  const log = createLog();
  takeSdkLines(log);
  const config = await loadConfig(configFile(given.config));
  const { worker: opened, connection, address, namespace } = await openWorker(config, given);
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
  process.send?.('ready');
  await runWorker(opened);
  log.info('The worker has stopped.');
  await connection.close();
}
