/** The worker process of a test: serves a configuration from its file, and hands its manual tasks to the test. */
import { readFile } from 'node:fs/promises';
import { loadConfig } from '../cli/load-config.ts';
import { runWorker } from '../cli/run-worker.ts';
import { connectNative } from '../server/index.ts';
import { createWorker } from '../worker.ts';
import { ManualReceiver } from './manual-line.ts';
import { watchManual } from './manual-task.ts';
import { quietRuntime } from './runtime.ts';

/** What the test tells it, as its one argument. */
export interface WorkerProcessSettings {
  config: string;
  address: string;
  namespace: string;
  taskQueue: string;
  /** A file. */
  bundle?: string;
}

let isReady = false;

async function main(): Promise<void> {
  const { config: file, bundle, ...given } = JSON.parse(process.argv[2] ?? '{}') as WorkerProcessSettings;
  quietRuntime();
  const config = await loadConfig(file);
  const receiver = new ManualReceiver();
  for (const task of config.tasks ?? []) watchManual(task, (run) => receiver.begun(task.name, run));
  const worker = await createWorker(
    { ...config, taskQueue: given.taskQueue },
    {
      connection: await connectNative(given),
      namespace: given.namespace,
      ...(bundle === undefined ? {} : { bundle: { code: await readFile(bundle, 'utf8') } }),
    },
  );
  // Of no use to anybody when the test is gone.
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  const running = runWorker(worker);
  isReady = true;
  process.send?.('ready');
  await running;
}

try {
  await main();
  process.exit(0);
} catch (error) {
  // Before that it is told to the test.
  if (isReady || process.send === undefined) console.error(error);
  const failed = `The worker process did not start: ${error instanceof Error ? error.message : String(error)}`;
  if (process.send === undefined) process.exit(1);
  process.send({ failed }, () => process.exit(1));
}
