/** The check of input before runs are accepted: what cannot be told soon counts as fitting. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { checkInputs } from '../../activities/check-inputs.ts';
import { Registry } from '../../activities/registry.ts';
import { defineTask, type TaskDefinition } from '../../src/define.ts';

const task = (name: string, input: z.ZodType): TaskDefinition => defineTask({ name, input, run: () => null });
process.env['CHECK_INPUTS_SECRET'] = 'sesame-open';
const registry = new Registry({
  agents: [],
  tasks: [
    task('number', z.number()),
    task(
      'hangs',
      z.number().refine(async () => new Promise(() => undefined)),
    ),
    task(
      'throws',
      z.number().refine(() => {
        throw new Error('no database');
      }),
    ),
    task('secret', z.object({ 'sesame-open': z.number() })),
  ],
  secrets: ['CHECK_INPUTS_SECRET', 'CHECK_INPUTS_UNSET'],
});

/** A server whose queues have pollers that announce other names. */
const client = {
  options: { namespace: 'default' },
  workflowService: { describeTaskQueue: async () => Promise.resolve({ pollers: [{ identity: 'another' }] }) },
} as never;

async function check(runs: { agent: string; input: unknown }[], scheduledTimestampMs = Date.now()): Promise<unknown> {
  return new MockActivityEnvironment({ scheduledTimestampMs }).run(async () =>
    checkInputs(registry, client, runs as never).catch((error: unknown) => error),
  );
}

test('case 37: each run is told by itself, without a secret', async () => {
  expect(
    await check([
      { agent: 'number', input: 'a' },
      { agent: 'number', input: 1 },
      { agent: 'secret', input: {} },
    ]),
  ).toEqual([
    { field: '', wrong: 'to be a number, got "a"' },
    null,
    { field: '.[secret]', wrong: 'to be a number, got nothing' },
  ]);
});

test('case 37: a schema that throws or takes too long holds nobody up, and hides nothing of the others', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  try {
    const told = check([
      { agent: 'throws', input: 1 },
      { agent: 'hangs', input: 1 },
      { agent: 'number', input: 'a' },
    ]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await told).toEqual([null, null, { field: '', wrong: 'to be a number, got "a"' }]);
  } finally {
    vi.useRealTimers();
  }
});

test('case 37 V-03 a worker without the task gives the question back, and answers it after ten seconds that nobody had it', async () => {
  const runs = [{ agent: 'elsewhere', input: 1 }];
  expect(await check(runs)).toMatchObject({ type: 'UnknownHere' });
  expect(await check(runs, Date.now() - 10_000)).toEqual([null]);
});
