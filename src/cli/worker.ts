/**
 * `npm run worker`: a worker for everything that `temporal.config.ts` registers, until it is told to stop. `-- --address HOST:PORT`
 * names a server without credentials; left out, it is the one of the environment. `--namespace` goes before those of configuration and environment.
 */
import { parseArgs } from 'node:util';
import config from '../../temporal.config.ts';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { connectNative, resolveEnvironment, ServerProblem } from '../server/index.ts';
import { createWorker } from '../worker.ts';
import { runWorker } from './run-worker.ts';

const plain = new DefaultLogger('ERROR');
// That the worker has failed is said below, in one sentence where there is one.
const logger = new DefaultLogger('ERROR', ({ level, message, meta }) => {
  if (message !== 'Worker failed') plain.log(level, message, meta);
});
Runtime.install({ logger });
try {
  const { values } = parseArgs({ options: { address: { type: 'string' }, namespace: { type: 'string' } } });
  const environment = resolveEnvironment();
  const address =
    values.address ?? (environment.configured ? undefined : (config.connection?.address ?? environment.address));
  const namespace = values.namespace ?? config.namespace ?? environment.namespace;
  const connection = await connectNative({ namespace, ...(address === undefined ? {} : { address }) });
  const worker = await createWorker(config, { connection, namespace });
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  process.send?.('ready');
  await runWorker(worker);
  process.exit(0);
} catch (error) {
  console.error(error instanceof ServerProblem ? error.message : error);
  process.exit(1);
}
