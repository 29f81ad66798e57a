/** V-03: workers of one queue that know different names. Nothing that was accepted fails because the wrong one took it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { defineTask, defineTool } from '../../src/define.ts';
import { agentAt, echo } from '../support/app.ts';
import { allEvents, atRest, eventually, harness, uniqueId, type Harness } from '../support/harness.ts';
import { last, ModelServer } from '../support/model-server.ts';

let model: ModelServer;

beforeAll(async () => {
  model = await ModelServer.start((call) => {
    const { role, text } = last(call);
    if (role === 'user' && text === 'start it')
      return { tools: [{ name: 'start_run', input: { agent: 'right', input: 'go' } }] };
    if (role === 'user' && text === 'use it') return { tools: [{ name: 'look_up', input: {} }] };
    return 'ok';
  });
});

afterAll(async () => model.stop());

const told: string[] = [];
const handler = async ({ key }: { key: string }): Promise<void> => {
  told.push(key);
  return Promise.resolve();
};
const lookUp = defineTool({ name: 'look_up', description: 'Looks up.', input: z.object({}), execute: () => 'found' });

/** One worker knows the agent and its tool, the other what it starts and who is told; each also has what the other has not. */
async function both(h: Harness, other: Harness): Promise<void> {
  await h.work({
    agents: [agentAt(model.url, { tools: [lookUp], canStart: ['right'] })],
    tasks: [defineTask({ name: 'left', run: () => 'left' })],
  });
  await other.work({
    agents: [agentAt(model.url, { name: 'other' })],
    tasks: [defineTask({ name: 'right', run: () => 'right' })],
    handlers: { told: handler },
    onRunFinish: handler,
  });
}

test('V-03 starts, signals, tools, handlers and what a model starts succeed, whichever worker takes what', async () => {
  await using h = await harness();
  await using other = await harness(h.taskQueue);
  await both(h, other);
  const sessions = await Promise.all(
    ['helper', 'other'].map(async (agent) => h.client.startSession(uniqueId(), { agent })),
  );
  for (const session of sessions) {
    const handle = h.temporal.workflow.getHandle(session.sessionId);
    for (const agent of ['left', 'right', 'helper', 'other'])
      await handle.signal('startRun', {
        agent,
        input: 'go',
        runId: agent,
        detached: { notify: 'silent', onFinish: 'told' },
      });
    const text = (await session.getSession()).agent === 'helper' ? ['start it', 'use it'] : ['hello'];
    for (const input of text) await session.submitTurn({ input });
  }
  for (const session of sessions) {
    await eventually('the runs', async () => (await session.getSession()).runs.completed >= 4);
    await atRest(session);
    const events = await allEvents(session);
    expect(
      events.filter(({ type }) => type === 'input.refused' || type === 'turn.failed' || type === 'handler.failed'),
    ).toEqual([]);
    expect((await session.getSession()).runs.failed).toBe(0);
    // What has hooks is what a worker with hooks has said of it.
    const keys = ['left', 'right', 'helper', 'other'].map((agent) => `bg-task:${session.sessionId}:${agent}`);
    for (const key of [...keys, `run-finish:${session.sessionId}/right`])
      await eventually(`the call of the handler for ${key}`, async () => Promise.resolve(told.includes(key)));
  }
  const [first] = sessions;
  const starts = (await allEvents(first as never)).filter(({ type }) => type === 'run.settled');
  expect(starts).toHaveLength(5);
});

test('case 3 V-03 of two workers only the newer knows a task and an agent: all that was accepted completes, also when the older one stops', async () => {
  await using old = await harness();
  await using newer = await harness(old.taskQueue);
  const agents = [agentAt(model.url, { name: 'a' })];
  const before = await old.work({ agents, tasks: [echo] });
  await newer.work({
    agents: [...agents, agentAt(model.url, { name: 'b' })],
    tasks: [echo, defineTask({ name: 't2', run: () => 'two' })],
  });
  const session = await old.client.startSession(uniqueId(), { agent: 'a' });
  const handle = old.temporal.workflow.getHandle(session.sessionId);
  for (let i = 0; i < 20; i++)
    await handle.signal('startRun', { agent: 't2', input: i, runId: `s-${i}`, detached: { notify: 'silent' } });
  // An update may be refused by the worker that takes it.
  const updates = await Promise.allSettled(
    Array.from({ length: 10 }, async (_, i) =>
      session.startRun({ agent: 't2', input: i, runId: `u-${i}`, detached: { notify: 'silent' } }),
    ),
  );
  for (const update of updates)
    if (update.status === 'rejected') expect(update.reason).toMatchObject({ type: 'UnknownAgent' });
  const sessions = await Promise.all(
    Array.from({ length: 5 }, async () => old.client.startSession(uniqueId(), { agent: 'b' })),
  );
  const turns = await Promise.all(sessions.map(async (one) => one.submitTurn({ input: 'hello' })));
  await before.stop();
  const accepted = 20 + updates.filter(({ status }) => status === 'fulfilled').length;
  await eventually('all runs', async () => (await session.getSession()).runs.completed === accepted, 150_000);
  expect((await session.getSession()).runs.failed).toBe(0);
  for (const [i, one] of sessions.entries()) {
    await atRest(one);
    expect((await one.getTurn({ turnId: turns[i]?.turnId ?? '' }))?.status).toBe('completed');
  }
}, 240_000);

test('case 25 V-03 a name that no worker announces fails at once, of a session as of a signal', async () => {
  await using h = await harness();
  await h.work({ agents: [agentAt(model.url)], tasks: [echo] });
  const session = await h.client.startSession(uniqueId());
  await h.temporal.workflow.getHandle(session.sessionId).signal('startRun', { agent: 'nobody', input: 'go' });
  await eventually('the refusal', async () => (await allEvents(session)).some(({ type }) => type === 'input.refused'));
  const id = uniqueId();
  await expect(h.client.startSession(id, { agent: 'nobody' })).rejects.toMatchObject({ type: 'UnknownAgent' });
  expect(await h.temporal.workflow.getHandle(id).query('getSession')).toMatchObject({
    status: 'closed',
    agent: 'nobody',
    turn: null,
  });
  for (const { sessionId } of [session]) {
    const { events } = await h.temporal.workflow.getHandle(sessionId).fetchHistory();
    const attempts = events?.flatMap((event) => event.activityTaskStartedEventAttributes?.attempt ?? []);
    expect(
      attempts?.every((attempt) => attempt === 1),
      'none was given back',
    ).toBe(true);
  }
});

test('X-12 no startRun is refused or lost while its session continues as new again and again, as a signal and as an update', async () => {
  await using h = await harness();
  await h.work({
    agents: [agentAt(model.url)],
    tasks: [defineTask({ name: 'counts', input: z.object({ to: z.number() }), run: ({ to }) => to })],
    handlers: { told: handler },
  });
  const session = await h.client.startSession(uniqueId(), { limits: { historyEvents: 20 } });
  const handle = h.temporal.workflow.getHandle(session.sessionId);
  const detached = { notify: 'silent', onFinish: 'told' } as const;
  for (let i = 0; i < 20; i++) {
    const runId = `run-${i}`;
    const request = { agent: 'counts', input: { to: i }, runId, detached };
    if (i % 2 === 0) await handle.signal('startRun', request);
    else await session.startRun(request);
    await eventually(runId, async () => (await session.getRun({ runId })) !== null);
  }
  await atRest(session);
  expect((await session.getEvents({ types: ['input.refused'] })).events).toEqual([]);
  const { runs } = await session.listRuns();
  expect(runs.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 'completed'));
  await session.close();
});
