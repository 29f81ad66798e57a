/** Workflows that know nothing of this project: what a `workflow:` run may execute. */
import { ApplicationFailure, condition } from '@temporalio/workflow';

export async function doubles(input: { n: number }): Promise<{ doubled: number }> {
  return Promise.resolve({ doubled: input.n * 2 });
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
