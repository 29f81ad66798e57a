/** D-33: an operator's buttons. What is paused or reset goes on and its result counts; who is reset is followed. */
import { setTimeout as pause } from 'node:timers/promises';
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createActivities } from '../../activities/index.ts';
import { Registry } from '../../activities/registry.ts';
import type { Json, ToolArg } from '../../src/contract.ts';
import { defineTask, defineTool } from '../../src/define.ts';
import { agentAt } from '../support/app.ts';
import { allEvents, atRest, eventually, Gate, harness, uniqueId, type Harness } from '../support/harness.ts';
import { last, ModelServer } from '../support/model-server.ts';
import { Operator } from '../support/operator.ts';

let h: Harness;
let model: ModelServer;
/** What is at work, by the workflow that it is of. */
const begun: { workflowId: string; context: Context; gate: Gate; signal: AbortSignal }[] = [];

async function work(signal: AbortSignal): Promise<string> {
  const context = Context.current();
  const gate = new Gate();
  begun.push({ workflowId: context.info.workflowExecution?.workflowId ?? '', context, gate, signal });
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });
  await Promise.race([gate.opened, aborted]);
  return 'its real result';
}

const once = defineTool({
  name: 'once',
  description: 'Does it once.',
  input: z.object({}),
  idempotent: false,
  execute: async (_input, { signal }) => work(signal),
});
const long = defineTask({ name: 'long', retries: 0, run: async (_input, { signal }) => work(signal) });
/** Throws what looks like a cancellation and is none. */
const givesUp = defineTask({
  name: 'gives-up',
  retries: 0,
  run: async (how: string) => {
    if (how === 'throws') throw new CancelledFailure('enough');
    await pause(60_000, undefined, { signal: AbortSignal.timeout(1) });
  },
});
let say = new Gate();

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start(async (call) => {
    const { role, text } = last(call);
    if (role === 'tool') return `read: ${text}`;
    if (text === 'slowly') await say.opened;
    return text === 'use it' ? { tools: [{ name: 'once', input: {} }] } : 'ok';
  });
  await h.work({ agents: [agentAt(model.url, { tools: [once] })], tasks: [long, givesUp] });
});

afterAll(async () => {
  for (const { gate } of begun) gate.open();
  await h[Symbol.asyncDispose]();
  await model.stop();
});

const of = (workflowId: string): typeof begun => begun.filter((one) => one.workflowId === workflowId);

/** The worker has been told of what the operator has done. */
async function told(workflowId: string, what: 'paused' | 'reset'): Promise<void> {
  await eventually(`the worker to be told of ${what}`, async () =>
    Promise.resolve(of(workflowId)[0]?.context.cancellationDetails?.[what]),
  );
}

describe.each(['pause', 'reset'] as const)('case 4 case 5 D-33 %s', (button) => {
  const what = button === 'pause' ? 'paused' : 'reset';

  test.each(button === 'pause' ? ['while it is paused', 'after it is unpaused'] : ['after it is reset'])(
    'of a running tool that must not run twice: it goes on, ends %s, and its real result is read',
    async (when) => {
      const session = await h.client.startSession(uniqueId());
      const operator = new Operator(h.temporal, session.sessionId);
      await session.submitTurn({ input: 'use it' });
      await eventually('the tool', async () => Promise.resolve(of(session.sessionId).length === 1));
      await operator[button]('tool');
      await told(session.sessionId, what);
      if (when.includes('unpaused')) await operator.unpause('tool');
      of(session.sessionId)[0]?.gate.open();
      await atRest(session);
      expect(of(session.sessionId)).toHaveLength(1);
      const { messages } = await session.getTranscript({});
      expect(messages.flatMap(({ parts }) => parts).find(({ type }) => type === 'tool-once')).toMatchObject({
        state: 'output-available',
        output: 'its real result',
      });
    },
  );

  test('of a running task: it goes on, and its result is the outcome', async () => {
    const session = await h.client.startSession(uniqueId());
    const { runId, workflowId } = await session.startRun({ agent: 'long', input: 1, detached: { notify: 'silent' } });
    await eventually('the task', async () => Promise.resolve(of(workflowId).length === 1));
    await new Operator(h.temporal, workflowId)[button]('task');
    await told(workflowId, what);
    of(workflowId)[0]?.gate.open();
    expect(await session.run(runId).result()).toBe('its real result');
    expect(of(workflowId)).toHaveLength(1);
  });

  test('of a task that is cancelled then: it hears of the cancellation', async () => {
    const session = await h.client.startSession(uniqueId(), { limits: { cancelGraceMs: 600_000 } });
    const { runId, workflowId } = await session.startRun({ agent: 'long', input: 1, detached: { notify: 'silent' } });
    await eventually('the task', async () => Promise.resolve(of(workflowId).length === 1));
    await new Operator(h.temporal, workflowId)[button]('task');
    await told(workflowId, what);
    expect(of(workflowId)[0]?.signal.aborted).toBe(false);
    await session.cancelRun({ runId });
    await eventually('the settle', async () => (await session.getRun({ runId }))?.status === 'cancelled');
    expect(of(workflowId)[0]?.signal.aborted).toBe(true);
  });
});

test.each(['pause', 'reset'] as const)(
  'D-33 %s of a running model call: it goes on, and no attempt is used',
  async (button) => {
    const session = await h.client.startSession(uniqueId());
    const before = model.calls.length;
    say = new Gate();
    await session.submitTurn({ input: 'slowly' });
    await eventually('the call', async () => Promise.resolve(model.calls.length > before));
    const operator = new Operator(h.temporal, session.sessionId);
    await operator[button]('model');
    // The heartbeat that tells the worker is answered before the next but one is sent.
    const heartbeat = async (): Promise<unknown> => (await operator.pending('model'))?.lastHeartbeatTime?.seconds;
    for (const seen of [await heartbeat(), await heartbeat()])
      await eventually('a heartbeat', async () => String(await heartbeat()) !== String(seen));
    say.open();
    await atRest(session);
    expect(model.calls).toHaveLength(before + 1);
    expect((await allEvents(session)).map(({ type }) => type)).toContain('turn.completed');
  },
);

test('D-33 a tool that is paused before it has begun begins when it is unpaused', async () => {
  await using own = await harness();
  const config = { agents: [agentAt(model.url, { tools: [once] })], tasks: [long] };
  await own.work({ ...config, serve: ['workflows', 'models'] });
  const session = await own.client.startSession(uniqueId());
  const operator = new Operator(own.temporal, session.sessionId);
  await session.submitTurn({ input: 'use it' });
  await eventually('the call', async () => operator.pending('tool'));
  await operator.pause('tool');
  await own.work({ ...config, serve: ['tools', 'tasks'] });
  const other = await own.client.startSession(uniqueId());
  await other.submitTurn({ input: 'use it' });
  await eventually('the tool of another session', async () => Promise.resolve(of(other.sessionId).length === 1));
  of(other.sessionId)[0]?.gate.open();
  await atRest(other);
  expect(of(session.sessionId)).toHaveLength(0);
  await operator.unpause('tool');
  await eventually('the tool', async () => Promise.resolve(of(session.sessionId).length === 1));
  of(session.sessionId)[0]?.gate.open();
  await atRest(session);
  expect(JSON.stringify(await session.getTranscript({}))).toContain('read: its real result');
});

test('case 4 D-33 a second attempt of a call that must not run twice is answered without running', async () => {
  await using own = await harness();
  const config = { agents: [agentAt(model.url, { tools: [once] })], tasks: [long], taskQueue: own.taskQueue };
  const activities = createActivities(new Registry(config), own.temporal, () => false);
  const attempts: number[] = [];
  // A worker that passes a pause on: the server begins the call again.
  const tool = async (arg: ToolArg): Promise<{ v: 1; output: Json }> => {
    const { info, cancelled } = Context.current();
    attempts.push(info.attempt);
    if (info.attempt > 1) return activities.tool(arg);
    const beat = setInterval(() => Context.current().heartbeat({ begun: true }), 200);
    await cancelled.catch(() => undefined);
    clearInterval(beat);
    throw ApplicationFailure.retryable('Activity paused', 'ActivityPause');
  };
  await own.work(config, { activities: { ...activities, tool } });
  const session = await own.client.startSession(uniqueId());
  const operator = new Operator(own.temporal, session.sessionId);
  await session.submitTurn({ input: 'use it' });
  await eventually('the tool', async () => Promise.resolve(attempts.length === 1));
  await operator.pause('tool');
  await eventually('its end', async () => (await operator.pending('tool'))?.attempt === 2);
  await operator.unpause('tool');
  await atRest(session);
  expect(attempts).toEqual([1, 2]);
  expect(of(session.sessionId)).toEqual([]);
  expect(JSON.stringify(await session.getTranscript({}))).toContain(
    'The outcome of this call is unknown: it was begun before',
  );
});

test.each(['throws', 'runs out'])(
  'case 6 D-32 a task that %s by itself has failed, and was cancelled by nobody',
  async (how) => {
    const session = await h.client.startSession(uniqueId());
    const { runId } = await session.startRun({ agent: 'gives-up', input: how, detached: { notify: 'silent' } });
    await expect(session.run(runId).result()).rejects.toMatchObject({ status: 'failed', reason: 'agent_error' });
  },
);

test('C-06 what an operator fails has a type: in the row of a run, in a turn and in their events', async () => {
  const session = await h.client.startSession(uniqueId());
  const { runId, workflowId } = await session.startRun({ agent: 'long', input: 1, detached: { notify: 'silent' } });
  await eventually('the task', async () => Promise.resolve(of(workflowId).length === 1));
  await new Operator(h.temporal, workflowId).fail('task', 'enough');
  const error = { type: 'Error', message: 'enough' };
  await eventually('the settle', async () => (await session.getRun({ runId }))?.status === 'failed');
  expect(await session.getRun({ runId })).toMatchObject({ error });

  say = new Gate();
  const before = model.calls.length;
  const { turnId } = await session.submitTurn({ input: 'slowly' });
  await eventually('the call', async () => Promise.resolve(model.calls.length > before));
  await new Operator(h.temporal, session.sessionId).fail('model', 'enough');
  await eventually('the end of the turn', async () => (await session.getTurn({ turnId }))?.status === 'failed');
  expect(await session.getTurn({ turnId })).toMatchObject({ error });
  say.open();
  const events = await allEvents(session);
  for (const type of ['run.settled', 'turn.failed'])
    expect(events.find((event) => event.type === type)).toMatchObject({ error });
});
