/** `outlive worker`: a worker for everything that the configuration names, until it is told to stop. */
import { connectNative, resolveEnvironment } from '../../server/index.ts';
import { createWorker } from '../../worker.ts';
import { configFile, loadConfig } from '../load-config.ts';
import { createLog, takeSdkLines } from '../log.ts';
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
  const environment = resolveEnvironment();
  const address =
    given.address ?? (environment.configured ? undefined : (config.connection?.address ?? environment.address));
  const namespace = given.namespace ?? config.namespace ?? environment.namespace;
  const connection = await connectNative({ namespace, ...(address === undefined ? {} : { address }) });
  const made = await createWorker(config, { connection, namespace });
  // Whoever has started it as a part of itself is gone.
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  log.info(
    {
      address: address ?? environment.address,
      namespace,
      taskQueues: made.taskQueues,
      agents: config.agents.map(({ name }) => name),
      tasks: (config.tasks ?? []).map(({ name }) => name),
    },
    'The worker is ready.',
  );
  process.send?.('ready');
  await runWorker(made);
  log.info('The worker has stopped.');
  await connection.close();
}
