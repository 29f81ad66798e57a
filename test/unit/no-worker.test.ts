/** When a call that nobody has answered is told as NoWorker, and when it is not. */
import { ServiceError, type Client } from '@temporalio/client';
import { expect, test, vi } from 'vitest';
import { failureOf } from '../../src/client/failures.ts';
import { fromWorker, noWorker } from '../../src/client/no-worker.ts';
import { NoWorker } from '../../src/errors.ts';

const SCHEDULED = 1;
const STARTED = 2;
const GONE = 'No connection established.';

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

test('case 24 of a server that is not there nothing more is asked, and the first thing that it was found out by is told', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    const there = client(20_000);
    const described = vi.spyOn(there.workflow, 'getHandle');
    const first = refused(14, `${GONE} Last error: Error: connect ECONNREFUSED 127.0.0.1:1. Resolution note: `);
    const later = refused(4, 'Deadline exceeded after 0.000s,waiting for metadata filters');
    let times = 0;
    const asked = fromWorker(
      there,
      'w',
      async () => {
        times += 1;
        vi.setSystemTime(Date.now() + (times === 1 ? 20_000 : 10_000));
        return Promise.reject(times === 1 ? first : later);
      },
      { reads: true },
    );
    await expect(asked).rejects.toBe(first);
    expect(times).toBe(2);
    expect(described).not.toHaveBeenCalled();
  } finally {
    vi.useRealTimers();
  }
});

test('case 24 what gRPC says of a server that is not there is one whole sentence with the cause', async () => {
  for (const [code, details, cause] of [
    [
      14,
      `${GONE} Last error: Error: connect ECONNREFUSED 127.0.0.1:1. Resolution note: `,
      'connect ECONNREFUSED 127.0.0.1:1',
    ],
    [14, 'Name resolution failed for target dns:nowhere:7233', 'Name resolution failed for target dns:nowhere:7233'],
  ] as const) {
    const failure = await failureOf(client(0), 'w', refused(code, details));
    expect(failure).toMatchObject({
      type: 'Unavailable',
      message:
        'Expected Temporal to answer (namespace "default" at the configured address), ' +
        `got no connection: nothing answers at that address ("${cause}").`,
    });
  }
});

test('case 24 a call whose time is over before it is sent says nothing of the server: whether a worker is there is asked', async () => {
  const late = refused(4, 'Deadline exceeded after 0.000s,waiting for metadata filters');
  const asked = fromWorker(client(20_000), 'w', async () => Promise.reject(late));
  await expect(asked).rejects.toBeInstanceOf(NoWorker);
});
