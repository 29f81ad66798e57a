/** When a query is asked again. */
import {
  QueryNotRegisteredError,
  ServiceError,
  type Client,
  WorkflowUpdateFailedError,
  type WorkflowHandle,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { expect, test } from 'vitest';
import { ask } from '../../src/client/ask.ts';
import { cutOff, failureOf } from '../../src/client/failures.ts';
import { ASK_AGAIN } from '../../src/contract.ts';

/** A handle whose queries fail with these errors, one after the other, and are answered then. */
function failing(...errors: Error[]): Pick<WorkflowHandle, 'query'> & { asked: number } {
  const handle = {
    asked: 0,
    query: async (): Promise<never> => {
      handle.asked += 1;
      const error = errors.shift();
      if (error !== undefined) throw error;
      return Promise.resolve('answer' as never);
    },
  };
  return handle;
}

function cancelled(details: string): Error {
  const cause = Object.assign(new Error(`1 CANCELLED: ${details}`), { code: 1, details, metadata: {} });
  return new ServiceError('Failed to query Workflow', { cause });
}

test('a query is asked again when it came at a bad moment or its worker was lost with it', async () => {
  const handle = failing(new QueryNotRegisteredError(ASK_AGAIN, 3), cancelled('context canceled'));
  expect(await ask(handle, 'getSession')).toBe('answer');
  expect(handle.asked).toBe(3);
});

test('a query is asked again for as long as a slow worker takes to come back to the workflow', async () => {
  const handle = failing(...Array.from({ length: 8 }, () => new QueryNotRegisteredError(ASK_AGAIN, 3)));
  expect(await ask(handle, 'getEvents')).toBe('answer');
  expect(handle.asked).toBe(9);
});

test('a query that came at a bad moment to the last is unavailable, and no bad input', async () => {
  const client = { options: { namespace: 'default' }, connection: {} } as unknown as Client;
  const told = async (message: string): Promise<unknown> =>
    failureOf(client, undefined, new QueryNotRegisteredError(message, 3));
  expect(await told(ASK_AGAIN)).toMatchObject({ type: 'Unavailable' });
  expect(await told('Expected runId to be an id.')).toMatchObject({ type: 'InvalidInput' });
});

test('an update that no worker has taken with its task is sent again, one that is refused is not', () => {
  const failed = (type: string): Error =>
    new WorkflowUpdateFailedError('Workflow Update failed', ApplicationFailure.create({ type, message: 'no' }));
  expect(cutOff(failed('UnprocessedUpdate'))).toBe(true);
  expect(cutOff(failed('QueueFull'))).toBe(false);
});

test('a query that its asker has cancelled, or that is refused, is not', async () => {
  for (const error of [
    cancelled('Cancelled on client'),
    new QueryNotRegisteredError('Expected runId to be an id.', 3),
  ]) {
    const handle = failing(error);
    await expect(ask(handle, 'getSession')).rejects.toBe(error);
    expect(handle.asked).toBe(1);
  }
});

test('a query is not asked for ever', async () => {
  const handle = failing(...Array.from({ length: 9 }, () => cancelled('context canceled')));
  await expect(ask(handle, 'getSession')).rejects.toThrow('Failed to query');
  expect(handle.asked).toBe(5);
});
