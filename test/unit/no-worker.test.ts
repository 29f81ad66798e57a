/** When a call that nobody has answered is told as NoWorker, and when it is not. */
import { ServiceError, type Client } from '@temporalio/client';
import { expect, test } from 'vitest';
import { fromWorker, noWorker } from '../../src/client/no-worker.ts';
import { NoWorker } from '../../src/errors.ts';

const SCHEDULED = 1;
const STARTED = 2;

/** A server that has last seen a poll so long ago, and where the workflow's task stands so. */
function client(pollMsAgo: number, task?: number): Client {
  const raw = { pendingWorkflowTask: task === undefined ? null : { state: task } };
  const lastAccessTime = { seconds: Math.floor((Date.now() - pollMsAgo) / 1000) };
  return {
    options: { namespace: 'default' },
    connection: {},
    withDeadline: async (_deadline: number, work: () => Promise<unknown>) => work(),
    workflow: { getHandle: () => ({ describe: async () => Promise.resolve({ taskQueue: 'q', raw }) }) },
    workflowService: { describeTaskQueue: async () => Promise.resolve({ pollers: [{ lastAccessTime }] }) },
  } as unknown as Client;
}

function refused(code: number, details: string): Error {
  const cause = Object.assign(new Error(details), { code, details, metadata: {} });
  return new ServiceError('Failed', { cause });
}

test('case 24 nobody polls when no poll has come since the question', async () => {
  expect(await noWorker(client(20_000), 'w', Date.now())).toBeInstanceOf(NoWorker);
  expect(await noWorker(client(20_000, SCHEDULED), 'w', Date.now())).toBeInstanceOf(NoWorker);
  expect(await noWorker(client(0), 'w', Date.now() - 1000)).toBeUndefined();
});

test('case 24 a worker that is busy with the workflow is there, however long ago it has polled', async () => {
  expect(await noWorker(client(20_000, STARTED), 'w', Date.now())).toBeUndefined();
});

test('case 24 an update that an end has cut off at once is that, and no missing worker', async () => {
  const error = refused(9, 'workflow update was aborted');
  const asked = fromWorker(client(20_000), 'w', async () => Promise.reject(error), { goesOn: true });
  await expect(asked).rejects.toBe(error);
});
