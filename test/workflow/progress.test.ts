/** Live progress: costs no history, the last value is never lost, the retry goes on from the checkpoint. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defineTask } from '../../src/define.ts';
import type { Json } from '../../src/contract.ts';
import { agentAt } from '../support/app.ts';
import { allEvents, atRest, eventually, Gate, harness, types, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer } from '../support/model-server.ts';

let h: Harness;
let model: ModelServer;
const burst = new Gate();
const answered: string[] = [];
const seen: { attempt: number; checkpoint: Json | undefined }[] = [];

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start(() => 'ok');
  await h.work({
    agents: [agentAt(model.url)],
    tasks: [
      defineTask({
        name: 'reports',
        run: async (count: number, ctx) => {
          for (let i = 1; i <= count; i++)
            ctx.progress({ fraction: i / count, phase: 'working', message: `step ${i}`, data: { i } });
          await burst.opened;
          return 'done';
        },
      }),
      defineTask({
        name: 'throws',
        retries: 3,
        run: (times: number, ctx) => {
          seen.push({ attempt: ctx.attempt, checkpoint: ctx.checkpoint });
          const done = ((ctx.checkpoint as { done: number } | undefined)?.done ?? 0) + 1;
          ctx.progress({ fraction: done / 10, checkpoint: { done } });
          if (done <= times) throw new Error(`no ${done}`);
          return done;
        },
      }),
      defineTask({
        name: 'restarts',
        retries: 2,
        run: async (_input, ctx) => {
          for (let i = 1; i <= 30; i++) {
            ctx.progress({ message: `attempt ${ctx.attempt}, ${i}` });
            if (i % 10 === 0) await ctx.milestone(`${ctx.attempt}-${i}`);
            await new Promise((resolve) => {
              setTimeout(resolve, 10);
            });
          }
          if (ctx.attempt < 3) throw new Error('again');
          return 'done';
        },
      }),
      defineTask({
        name: 'answers',
        run: (what: string) => {
          answered.push(what);
          const cycle: Record<string, unknown> = {};
          cycle['self'] = cycle;
          return what === 'a BigInt' ? 1n : what === 'a cycle' ? cycle : () => 1;
        },
      }),
      defineTask({
        name: 'deep',
        run: async (levels: number, ctx) => {
          await ctx.milestone('deep', JSON.parse('['.repeat(levels) + ']'.repeat(levels)) as Json);
        },
      }),
      defineTask({
        name: 'bad',
        retries: 0,
        run: async (which: string, ctx) => {
          const circular: Record<string, unknown> = {};
          circular['self'] = circular;
          if (which === 'fraction') ctx.progress({ fraction: 1.5 });
          if (which === 'nan') ctx.progress({ fraction: Number.NaN });
          if (which === 'large') ctx.progress({ data: 'x'.repeat(9 * 1024) });
          if (which === 'circular') ctx.progress({ data: circular as Json });
          if (which === 'bigint') ctx.progress({ fraction: 1n as never });
          if (which === 'nothing') ctx.progress(undefined as never);
          if (which === 'word') ctx.progress('half' as never);
          if (which === 'list') ctx.progress([0.5] as never);
          if (which === 'name') await ctx.milestone(1n as never);
          if (which === 'text') ctx.progress({ fraction: '0.5' as unknown as number });
          if (which === 'checkpoint') ctx.progress({ fraction: 0.5, checkpoint: 'x'.repeat(9 * 1024) });
          if (which === 'milestone') await ctx.milestone('large', 'x'.repeat(9 * 1024));
          return 'accepted';
        },
      }),
    ],
  });
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await model.stop();
});

test('P-01 P-02 a thousand reports in a burst add no history, and the last one is what everybody reads', async () => {
  const session = await h.client.startSession(uniqueId());
  const { runId, workflowId } = await session.startRun({ agent: 'reports', input: 1000 });
  const run = session.run(runId);
  const live = await eventually('the last report', async () => {
    const row = await run.inspect();
    return 'progress' in row && row.progress?.n === 1000 ? row : undefined;
  });
  expect(live).toMatchObject({
    status: 'running',
    progress: { fraction: 1, phase: 'working', message: 'step 1000', data: { i: 1000 } },
  });
  const history = (await h.temporal.workflow.getHandle(workflowId).fetchHistory()).events ?? [];
  expect(history.length).toBeLessThanOrEqual(8);
  burst.open();
  expect(await run.result()).toBe('done');
  const row = await eventually('the settle', async () => {
    const one = await session.getRun({ runId });
    return one?.status === 'completed' ? one : undefined;
  });
  expect(row).toMatchObject({ progress: { n: 1000, message: 'step 1000' } });
  await session.close();
});

test('P-02 the progress of a run that ends right after its last report is in its row', async () => {
  const session = await h.client.startSession(uniqueId());
  const { runId } = await session.startRun({ agent: 'reports', input: 3 });
  await session.run(runId).result();
  await eventually('the settle', async () => (await session.getRun({ runId }))?.status === 'completed');
  expect(await session.getRun({ runId })).toMatchObject({ progress: { n: 3, fraction: 1, message: 'step 3' } });
  await session.close();
});

test('P-03 a retry is given the last checkpoint, and a task that throws more often than its retries fails as agent_error', async () => {
  const session = await h.client.startSession(uniqueId());
  seen.length = 0;
  const { runId } = await session.startRun({ agent: 'throws', input: 2 });
  expect(await session.run(runId).result()).toBe(3);
  expect(seen).toEqual([
    { attempt: 1, checkpoint: undefined },
    { attempt: 2, checkpoint: { done: 1 } },
    { attempt: 3, checkpoint: { done: 2 } },
  ]);
  const failing = await session.startRun({ agent: 'throws', input: 9 });
  await expect(session.run(failing.runId).result()).rejects.toMatchObject({
    status: 'failed',
    reason: 'agent_error',
    error: { type: 'Error', message: 'no 4' },
  });
  await session.close();
});

const NO_REPORT = 'Expected progress to be an object with fraction, phase, message, data or checkpoint';

test.each([
  ['fraction', 'Expected fraction to be a number of 0 to 1, got 1.5.'],
  ['nan', 'Expected fraction to be a number of 0 to 1, got NaN.'],
  ['text', 'Expected fraction to be a number of 0 to 1, got "0.5".'],
  ['bigint', 'Expected fraction to be a number of 0 to 1, got bigint.'],
  ['large', 'Expected data to be at most 8192 bytes of JSON, got 9218.'],
  ['circular', 'Expected data to be JSON, got what is none (Converting circular structure to JSON).'],
  ['checkpoint', 'Expected checkpoint to be at most 8192 bytes of JSON, got 9218.'],
  ['milestone', 'Expected the data of a milestone to be at most 8192 bytes of JSON, got 9218.'],
  ['name', expect.stringMatching(/^Expected the name of a milestone to match .+, got bigint\.$/u) as string],
  ['nothing', `${NO_REPORT}, got nothing.`],
  ['word', `${NO_REPORT}, got "half".`],
  ['list', `${NO_REPORT}, got [0.5].`],
])('P-07 a report that cannot be is refused in the task: %s', async (which, message) => {
  const session = await h.client.startSession(uniqueId());
  const { runId } = await session.startRun({ agent: 'bad', input: which });
  await expect(session.run(runId).result()).rejects.toMatchObject({
    reason: 'agent_error',
    error: { type: 'InvalidInput', message },
  });
  expect(await session.getRun({ runId })).not.toHaveProperty('progress');
  expect(await session.getRun({ runId })).toMatchObject({ milestones: [] });
  await session.close();
});

test.each([
  [
    'a BigInt',
    'Expected the result of task answers to be JSON, got what is none (Do not know how to serialize a BigInt).',
  ],
  ['a function', 'Expected the result of task answers to be JSON, got function.'],
  [
    'a cycle',
    'Expected the result of task answers to be JSON, got what is none (Converting circular structure to JSON).',
  ],
])('a task whose result is %s is not run again, and one sentence says why', async (what, message) => {
  const session = await h.client.startSession(uniqueId());
  answered.length = 0;
  const { runId } = await session.startRun({ agent: 'answers', input: what });
  await expect(session.run(runId).result()).rejects.toMatchObject({
    reason: 'agent_error',
    error: { type: 'InvalidInput', message },
  });
  expect(answered).toEqual([what]);
  await session.close();
});

test('P-04 the data of a milestone may be nested as deep as any JSON', async () => {
  const session = await h.client.startSession(uniqueId());
  const { runId } = await session.startRun({ agent: 'deep', input: 499, detached: { onMilestones: ['deep'] } });
  await session.run(runId).result();
  await atRest(session);
  expect(await session.getRun({ runId })).toMatchObject({ status: 'completed', milestones: [{ name: 'deep' }] });
  expect(types(await allEvents(session))).not.toContain('input.refused');
  await session.close();
});

test('P-08 whoever reads, however often and across retries, never sees an older snapshot after a newer one', async () => {
  const session = await h.client.startSession(uniqueId());
  const { runId } = await session.startRun({ agent: 'restarts', input: 1 });
  const live: number[] = [];
  const kept: number[] = [];
  await eventually('the end', async () => {
    const one = await session.run(runId).inspect();
    if ('progress' in one && one.progress !== undefined) live.push(one.progress.n);
    const row = await session.getRun({ runId });
    if (row !== null && 'progress' in row && row.progress !== undefined) kept.push(row.progress.n);
    return row?.status === 'completed';
  });
  const last = await session.run(runId).inspect();
  if ('progress' in last && last.progress !== undefined) live.push(last.progress.n);
  for (const numbers of [live, kept]) {
    expect(new Set(numbers).size).toBeGreaterThan(3);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect(numbers.at(-1)).toBe(90);
  }
  await session.close();
});
