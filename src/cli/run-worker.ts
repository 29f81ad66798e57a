/** Runs a worker until it is told to stop: the first signal lets it finish what it is doing, a second one ends it at once. */
import type { OutliveWorker } from '../worker.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Resolves when the worker has stopped; Temporal's runtime itself shuts it down on the first signal. */
export async function runWorker(worker: OutliveWorker): Promise<void> {
  let told = 0;
  const again = (): void => {
    told += 1;
    if (told > 1) process.exit(0);
  };
  for (const signal of SIGNALS) process.on(signal, again);
  try {
    await worker.run();
  } finally {
    for (const signal of SIGNALS) process.off(signal, again);
  }
}
