/** `npm run worker`: a worker for everything that `temporal.config.ts` registers, until it is told to stop. */
import { parseArgs } from 'node:util';
import config from '../../temporal.config.ts';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { DEFAULT_TASK_QUEUE } from '../contract.ts';
import { runningDevServer, ServerProblem } from '../server/index.ts';
import { openWorker } from './open-worker.ts';
import { serverFile } from './place.ts';
import { runWorker } from './run-worker.ts';
import { READY } from './supervise.ts';
import { OUT } from './scenario.ts';

const HELP = `npm run worker                                  works for everything that temporal.config.ts names; Ctrl-C ends it
npm run worker -- --address 127.0.0.1:7233      on a server without credentials
npm run worker -- --namespace default           in this namespace
npm run worker -- --task-queue outlive          on this task queue and those named after it

Left out: the server and namespace of the Temporal environment (TEMPORAL_ADDRESS and the like); where it names none, the server that
npm start runs on the output folder (OUTLIVE_OUT), else 127.0.0.1:7233. The task queue is that of temporal.config.ts, else outlive.`;

const OPTIONS = {
  address: { type: 'string' },
  namespace: { type: 'string' },
  'task-queue': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

async function run(values: Values): Promise<void> {
  const plain = new DefaultLogger('ERROR');
  // That the worker has failed is said below, in one sentence where there is one.
  const logger = new DefaultLogger('ERROR', ({ level, message, meta }) => {
    if (message !== 'Worker failed') plain.log(level, message, meta);
  });
  Runtime.install({ logger });
  const taskQueue = values['task-queue'] ?? config.taskQueue ?? DEFAULT_TASK_QUEUE;
  const { worker, address, namespace } = await openWorker({ ...config, taskQueue }, values, () =>
    runningDevServer(serverFile(OUT)),
  );
  process.send?.(READY);
  console.log(
    `The worker is ready (pid ${process.pid}): ${worker.taskQueues.join(', ')} at ${address}, namespace ${namespace}. Ctrl-C ends it.`,
  );
  await runWorker(worker);
}

try {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help === true) console.log(HELP);
  else await run(values);
  process.exit(0);
} catch (error) {
  const known =
    error instanceof ServerProblem || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') === true;
  console.error(known ? (error as Error).message : error);
  process.exit(1);
}
