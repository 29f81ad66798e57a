/** What becomes of a run, whenever it ends and whoever looks: given up, cancelled with all below it, large, full, late. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SessionHandle } from '../../src/client/index.ts';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Json, Row } from '../../src/contract.ts';
import { defineTask } from '../../src/define.ts';
import { RunFailed, RunLimitExceeded } from '../../src/errors.ts';
import { agentAt, echo, gated, type Gated } from '../support/app.ts';
import {
  allEvents,
  atRest,
  eventually,
  Gate,
  harness,
  text,
  types,
  uniqueId,
  type Harness,
} from '../support/harness.ts';
import { ModelServer } from '../support/model-server.ts';

let h: Harness;
let model: ModelServer;
const gates: Record<string, Gated> = Object.fromEntries(
  ['keeps', 'gives', 'waits', 'fills', 'deep'].map((name) => [name, gated(name)]),
);
const reached = new Gate();
/** Lets the check of input through that holds up the messages behind it. */
const checked = new Gate();
const slowToCheck: StandardSchemaV1<unknown, Json> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: async (value) => {
      await checked.opened;
      return { value: value as Json };
    },
  },
};
let long = new Gate();
const late = gated('late', async (input, ctx) => {
  await ctx.milestone('half');
  return input;
});

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start(async ({ messages }) => {
    const who = JSON.stringify(messages[0]?.content);
    const mine = messages.some((message) => message.tool_calls !== undefined);
    if (who.includes('TOP'))
      return mine ? 'top waits' : { tools: [{ name: 'start_run', input: { agent: 'middle', input: 'go' } }] };
    if (who.includes('MIDDLE'))
      return mine ? 'middle waits' : { tools: [{ name: 'start_run', input: { agent: 'deep', input: 1 } }] };
    if (JSON.stringify(messages.at(-1)).includes('take long')) await long.opened;
    return 'ok';
  });
  await h.work({
    agents: [
      agentAt(model.url),
      agentAt(model.url, { name: 'top', instructions: 'TOP', canStart: ['middle'] }),
      agentAt(model.url, { name: 'middle', instructions: 'MIDDLE', canStart: ['deep'] }),
    ],
    tasks: [
      echo,
      ...Object.values(gates).map(({ task }) => task),
      late.task,
      defineTask({ name: 'checked', input: slowToCheck, run: (input) => input }),
      defineTask({ name: 'large', run: (bytes: number) => 'x'.repeat(bytes) }),
      defineTask({
        name: 'marks',
        run: async (names: string[], ctx) => {
          ctx.progress({ fraction: 0.5, message: 'half' });
          for (const name of names) await ctx.milestone(name, { of: name });
          await reached.opened;
          return 'marked';
        },
      }),
    ],
  });
});

afterAll(async () => {
  for (const { gate } of Object.values(gates)) gate.open();
  long.open();
  reached.open();
  checked.open();
  await h[Symbol.asyncDispose]();
  await model.stop();
});

async function row(session: SessionHandle, runId: string): Promise<Row> {
  return (await session.getRun({ runId })) as Row;
}

async function until(session: SessionHandle, runId: string, status: Row['status']): Promise<Row> {
  return eventually(`${runId} to be ${status}`, async () => {
    const one = await row(session, runId);
    return one.status === status ? one : undefined;
  });
}

test('D-07 with onBudget keep a run may finish long after the give-up and is still delivered', async () => {
  const session = await h.client.startSession(uniqueId());
  await session.startRun({ agent: 'keeps', input: 1, runId: 'x', detached: { maxBudgetMs: 300, onBudget: 'keep' } });
  expect(await until(session, 'x', 'interrupted')).toMatchObject({
    reason: 'budget_exceeded',
    childStillRunning: true,
  });
  await eventually(
    'the give-up to be heard',
    async () => (await row(session, 'x')).delivery.gaveUp?.state === 'delivered',
  );
  expect((await allEvents(session)).some((event) => event.type === 'run.cancel_requested')).toBe(false);
  gates['keeps']?.gate.open();
  expect(await until(session, 'x', 'completed')).toMatchObject({ result: 1 });
  await atRest(session);
  expect(
    (await allEvents(session)).filter((event) => event.type === 'run.delivered').map((event) => event['kind']),
  ).toEqual(['gave-up', 'finish']);
});

test('D-29 run.gave_up precedes its cancel request, and both its delivery', async () => {
  const session = await h.client.startSession(uniqueId());
  await session.startRun({ agent: 'gives', input: 1, runId: 'x', detached: { maxBudgetMs: 300 } });
  await until(session, 'x', 'cancelled');
  await atRest(session);
  const order = types(await allEvents(session));
  expect(order.indexOf('run.gave_up')).toBeLessThan(order.indexOf('run.cancel_requested'));
  expect(order.indexOf('run.cancel_requested')).toBeLessThan(order.indexOf('run.delivered'));
  expect(order.filter((type) => type === 'run.delivered')).toHaveLength(1);
});

test('D-11 a delivery waits behind a turn of any length, also one that is reset, and still comes once', async () => {
  const session = await h.client.startSession(uniqueId());
  await session.submitTurn({ input: 'take long' });
  await eventually('the model call', async () => (await session.getSession()).turn !== null);
  await session.submitTurn({ input: 'queued' });
  await session.startRun({ agent: 'echo', input: 1, runId: 'x' });
  expect(await until(session, 'x', 'completed')).toMatchObject({ delivery: { finish: { state: 'queued' } } });
  expect((await session.resetTurns()).skipped).toHaveLength(1);
  long.open();
  await atRest(session);
  long = new Gate();
  expect(await row(session, 'x')).toMatchObject({ delivery: { finish: { state: 'delivered' } } });
  const events = await allEvents(session);
  expect(events.filter((event) => event.type === 'run.delivered')).toHaveLength(1);
  expect(events.filter((event) => event.type === 'turn.completed')).toHaveLength(1);
});

test('D-15 maxQueuedRuns 0 refuses at once and leaves nothing behind; the place is free after a settle, and held after a give-up', async () => {
  const session = await h.client.startSession(uniqueId(), { limits: { maxConcurrentRuns: 1, maxQueuedRuns: 0 } });
  await session.startRun({ agent: 'fills', input: 1, runId: 'a', detached: { maxBudgetMs: 500, onBudget: 'keep' } });
  await expect(session.startRun({ agent: 'echo', input: 1, runId: 'b' })).rejects.toThrow(RunLimitExceeded);
  expect((await session.listRuns()).runs).toHaveLength(1);
  await until(session, 'a', 'interrupted');
  await expect(session.startRun({ agent: 'echo', input: 1, runId: 'b' })).rejects.toThrow(RunLimitExceeded);
  gates['fills']?.gate.open();
  await until(session, 'a', 'completed');
  expect(await session.startRun({ agent: 'echo', input: 1, runId: 'b' })).toMatchObject({
    status: 'running',
    deduplicated: false,
  });
});

test('D-17 cancelling a run cancels the runs below it to the last generation, and the receipt names every one', async () => {
  const session = await h.client.startSession(uniqueId());
  await session.startRun({ agent: 'top', input: 'go', runId: 'top' });
  await eventually('the last generation', async () => Promise.resolve(gates['deep']?.started.length === 1));
  const receipt = await session.cancelRun({ runId: 'top', reason: 'enough' });
  const settled = await until(session, 'top', 'cancelled');
  expect(settled).toMatchObject({ reason: 'cancelled_by_user', comment: 'enough' });
  const event = (await allEvents(session)).find((one) => one.type === 'run.settled');
  const named = new Set([...receipt.cancelled, ...((event?.['cancelled'] as string[] | undefined) ?? [])]);
  expect([...named].map((path) => path.split('/').length).toSorted((a, b) => a - b)).toEqual([1, 2, 3]);
  expect(gates['deep']?.aborted).toHaveLength(1);
});

test('D-24 a large result arrives as preview and resultRef and is read whole; one that Temporal cannot carry fails its run alone', async () => {
  const session = await h.client.startSession(uniqueId());
  await session.startRuns({
    runs: [
      { agent: 'large', input: 1_048_576, runId: 'mib' },
      { agent: 'large', input: 5 * 1_048_576, runId: 'five' },
    ],
  });
  const mib = await until(session, 'mib', 'completed');
  expect(mib.resultRef).toBe(mib.workflowId);
  expect(mib.result).toBeUndefined();
  expect(await session.run('mib').result()).toHaveLength(1_048_576);
  expect(await until(session, 'five', 'failed')).toMatchObject({ error: { type: 'ResultTooLarge' } });
  await expect(session.run('five').result()).rejects.toThrow(RunFailed);
  await atRest(session);
  const { messages } = await session.getTranscript({ includeHidden: true });
  const framed = messages.find((message) => message.metadata?.['runId'] === 'mib');
  expect(text(framed)).toContain('"preview"');
  expect(text(framed).length).toBeLessThan(4096);
});

test('P-04 P-06 milestones are told once per occurrence and delivered once per name; whoever comes later sees them and the latest progress', async () => {
  const session = await h.client.startSession(uniqueId());
  await session.startRun({
    agent: 'marks',
    input: ['one', 'two', 'one'],
    runId: 'x',
    detached: { onMilestones: { names: ['one'], mode: 'react' } },
  });
  await eventually('three milestones', async () => (await row(session, 'x')).milestones.length === 3);
  const late = h.client.session(session.sessionId);
  expect(await late.run('x').inspect()).toMatchObject({
    status: 'running',
    progress: { fraction: 0.5, message: 'half' },
  });
  expect(await row(late, 'x')).toMatchObject({
    progress: { fraction: 0.5 },
    milestones: [
      { n: 1, name: 'one' },
      { n: 2, name: 'two' },
      { n: 3, name: 'one' },
    ],
  });
  reached.open();
  await until(session, 'x', 'completed');
  await atRest(session);
  expect(await row(late, 'x')).toMatchObject({
    progress: { fraction: 0.5, message: 'half' },
    delivery: { milestones: { one: { state: 'delivered' } } },
  });
  const events = await allEvents(session);
  expect(events.filter((event) => event.type === 'run.milestone').map((event) => event['name'])).toEqual([
    'one',
    'two',
    'one',
  ]);
  expect(events.filter((event) => event.type === 'run.delivered').map((event) => event['kind'])).toEqual([
    'milestone',
    'finish',
  ]);
  const own = [];
  for await (const event of session.events({ includeRuns: true })) own.push(event);
  expect(own.filter((event) => event.type === 'run.milestone')).toHaveLength(3);
});

test('P-05 narrate adds a line without a model call', async () => {
  const session = await h.client.startSession(uniqueId());
  const before = model.calls.length;
  await session.startRun({
    agent: 'marks',
    input: ['half'],
    runId: 'x',
    detached: { notify: 'narrate', onMilestones: ['half'] },
  });
  await until(session, 'x', 'completed');
  await atRest(session);
  const { messages } = await session.getTranscript();
  expect(messages.map((message) => message.role)).toEqual(['assistant', 'assistant']);
  expect(messages.map(text)).toEqual([expect.stringContaining('half'), expect.stringContaining('completed')]);
  expect(model.calls.length).toBe(before);
});

test('P-04 what a run has said while an earlier message waits to be taken is not overtaken by what Temporal says of its end', async () => {
  const session = await h.client.startSession(uniqueId());
  const handle = h.temporal.workflow.getHandle(session.sessionId);
  await session.startRun({ agent: 'late', input: 1, runId: 'late' });
  await eventually('its task', async () => Promise.resolve(late.started.length > 0));
  await handle.signal('startRun', { agent: 'checked', input: 1 });
  const history = async () => (await handle.fetchHistory()).events ?? [];
  await eventually('the check', async () =>
    (await history()).some((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'checkInputs'),
  );
  late.gate.open();
  await eventually('its end', async () =>
    (await history()).some((event) => event.childWorkflowExecutionCompletedEventAttributes),
  );
  checked.open();
  await atRest(session);
  expect(await row(session, 'late')).toMatchObject({ status: 'completed', milestones: [{ n: 1, name: 'half' }] });
  expect(types((await allEvents(session)).filter(({ runId }) => runId === 'late'))).toEqual([
    'run.queued',
    'run.started',
    'run.milestone',
    'run.settled',
    'run.delivered',
  ]);
  await session.close();
});
