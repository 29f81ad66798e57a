/** Workflows that know nothing of this project: what a `workflow:` run may execute. */
import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  defineSignal,
  proxyActivities,
  setHandler,
} from '@temporalio/workflow';

export async function doubles(input: { n: number }): Promise<{ doubled: number }> {
  return Promise.resolve({ doubled: input.n * 2 });
}

/** No JSON. */
export async function bytes(): Promise<Uint8Array> {
  return Promise.resolve(Uint8Array.of(0, 1));
}

export async function throws(): Promise<never> {
  return Promise.reject(ApplicationFailure.nonRetryable('no such table', 'NoTable'));
}

export async function large(input: { bytes: number }): Promise<string> {
  return Promise.resolve('x'.repeat(input.bytes));
}

export async function waits(): Promise<void> {
  await condition(() => false);
}

/** Nobody has asked for this cancellation. */
export async function cancels(): Promise<never> {
  return Promise.reject(new CancelledFailure('I have had enough'));
}

export async function runsOut(): Promise<void> {
  await CancellationScope.withTimeout(1, async () => condition(() => false));
}

/** What fails inside it is its own failure, and nothing that has happened to it. */
export async function leans(): Promise<void> {
  const { nobody } = proxyActivities<{ nobody(): Promise<void> }>({ scheduleToCloseTimeout: 100 });
  await nobody();
}

export async function answers(): Promise<string> {
  let said: string | undefined;
  setHandler(defineSignal<[string]>('say'), (word) => {
    said = word;
  });
  await condition(() => said !== undefined);
  return said ?? '';
}
