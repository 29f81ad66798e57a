/** Runs a worker until it is told to stop: the first signal lets it finish what it is doing, a second one ends it at once. */
import { GracefulShutdownPeriodExpiredError, IllegalStateError } from '@temporalio/worker';
import type { OutliveWorker } from '../worker.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** True when a worker that was told to stop has left something that did not end within its time: another one takes it up. */
export function isLate(error: unknown): boolean {
  // The second is what the SDK comes to when it takes apart a worker that still runs something.
  return error instanceof GracefulShutdownPeriodExpiredError || error instanceof IllegalStateError;
}

/** Resolves when the worker has stopped. */
export async function runWorker(worker: OutliveWorker): Promise<void> {
  let told = 0;
  const stop = (signal: NodeJS.Signals): void => {
    told += 1;
    if (told === 1) worker.shutdown();
    // Of a terminal that is closed it may come more than once.
    else if (signal !== 'SIGHUP') process.exit(0);
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  try {
    await worker.run();
  } catch (error) {
    if (told === 0 || !isLate(error)) throw error;
    console.error('Something that was running did not end within its time and was left: another worker takes it up.');
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop);
  }
}
