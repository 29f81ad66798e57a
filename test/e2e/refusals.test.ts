/** Bad input of every kind, as update, signal, query and start argument: one sentence, nothing changed, and the session answers. */
import { randomUUID } from 'node:crypto';
import { WorkflowFailedError, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SessionHandle } from '../../src/client/index.ts';
import { agentAt, echo } from '../support/app.ts';
import { badArguments, CASES } from '../support/bad-input.ts';
import { atRest, eventually, harness, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer } from '../support/model-server.ts';

let h: Harness;
let model: ModelServer;

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start(() => 'ok');
  await h.work({ agents: [agentAt(model.url)], tasks: [echo] });
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await model.stop();
});

async function fresh(): Promise<SessionHandle> {
  const session = await h.client.startSession(uniqueId());
  await session.startRun({ agent: 'echo', input: 1, runId: 'settled', detached: { notify: 'silent' } });
  await eventually('the settle', async () => (await session.getRun({ runId: 'settled' }))?.status === 'completed');
  return session;
}

/** What must not have changed. */
async function state(session: SessionHandle): Promise<unknown> {
  const { now: _now, ...view } = await session.getSession();
  return {
    session: view,
    runs: await session.listRuns({ limit: 1000 }),
    transcript: await session.getTranscript({ includeHidden: true, limit: 1000 }),
  };
}

async function stillTakesTurns(session: SessionHandle): Promise<void> {
  const { turnId } = await session.submitTurn({ input: 'are you there?' });
  await eventually('the turn', async () => (await session.getTurn({ turnId }))?.status === 'completed');
}

async function refusalOf(update: Promise<unknown>): Promise<ApplicationFailure> {
  try {
    await update;
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) return error.cause;
    throw error;
  }
  throw new Error('It was accepted.');
}

const SENTENCE = /^Expected [^\n]* to [^\n]*, got [^\n]*\.$/u;

for (const one of CASES) {
  test(`X-01 every bad ${one.message} as an update is refused with one sentence that names the field, and leaves no trace`, async () => {
    const session = await fresh();
    const handle = h.temporal.workflow.getHandle(session.sessionId);
    const before = await state(session);
    const events = (await handle.fetchHistory()).events?.filter(
      (event) => event.workflowExecutionUpdateAcceptedEventAttributes,
    ).length;
    for (const { argument, field } of badArguments(one)) {
      const refused = await refusalOf(handle.executeUpdate(one.message, { args: [argument], updateId: randomUUID() }));
      const said = `${one.message} ${JSON.stringify(argument).slice(0, 100)}: ${refused.message}`;
      expect(refused.type, said).toBe('InvalidInput');
      expect(refused.message, said).toMatch(SENTENCE);
      expect(refused.message, said).toContain(field);
      expect(refused.message.length, said).toBeLessThan(400);
    }
    expect(await state(session)).toEqual(before);
    expect(
      (await handle.fetchHistory()).events?.filter((event) => event.workflowExecutionUpdateAcceptedEventAttributes)
        .length,
    ).toBe(events);
    await handle.executeUpdate('startRun', { args: [{ agent: 'echo', input: 1, unknown: { field: true } }] });
    await stillTakesTurns(session);
    await session.close();
  });

  test(`X-01 every bad ${one.message} as a signal leaves one input.refused and nothing else`, async () => {
    const session = await fresh();
    const handle = h.temporal.workflow.getHandle(session.sessionId);
    const {
      session: { lastSeq },
      ...before
    } = (await state(session)) as { session: { lastSeq: number } };
    const bad = badArguments(one).slice(0, 90);
    for (const { argument } of bad) await handle.signal(one.message, argument);
    await eventually('the refusals', async () => (await session.getSession()).lastSeq === lastSeq + bad.length);
    const { events } = await session.getEvents({ after: lastSeq });
    for (const event of events) {
      expect(event).toMatchObject({
        type: 'input.refused',
        name: one.message,
        message: expect.stringMatching(SENTENCE),
      });
    }
    const {
      session: { lastSeq: _after },
      ...after
    } = (await state(session)) as { session: { lastSeq: number } };
    expect(after).toEqual(before);
    await stillTakesTurns(session);
    await session.close();
  });
}

test('X-01 what is just within the limits is taken', async () => {
  const session = await fresh();
  const id = 'a'.repeat(64);
  await session.startRun({
    agent: 'echo',
    input: 'x'.repeat(256 * 1024 - 2),
    runId: id,
    label: '🦉'.repeat(200),
    metadata: { note: 'y'.repeat(8000) },
    detached: { notify: 'silent' },
  });
  await session.submitTurn({
    input: [{ role: 'user', content: 'z' }],
    turnId: `t${'b'.repeat(63)}`,
    idempotencyKey: 'ключ 🔑 '.repeat(32),
    onBusy: { debounceMs: 1 },
  });
  await atRest(session);
  expect(await session.getRun({ runId: id })).toMatchObject({ status: 'completed', label: '🦉'.repeat(200) });
  await session.close();
});

test('X-01 the names that the contract gives its refusals', async () => {
  const session = await fresh();
  await expect(session.startRun({ agent: 'nobody', input: 1 })).rejects.toMatchObject({ type: 'UnknownAgent' });
  await expect(session.startRun({ agent: 'workflow:Other', input: 1 })).rejects.toMatchObject({ type: 'UnknownAgent' });
  await expect(
    session.startRuns({
      runs: [
        { agent: 'echo', input: 1 },
        { agent: 'nobody', input: 1 },
      ],
    }),
  ).rejects.toMatchObject({ type: 'UnknownAgent' });
  await expect(session.startRun({ agent: 'echo', input: 1, detached: { onFinish: 'nobody' } })).rejects.toMatchObject({
    type: 'UnknownHandler',
  });
  await expect(session.cancelRun({ runId: 'nobody' })).rejects.toMatchObject({ type: 'UnknownRun' });
  await expect(session.cancelTurn({ turnId: 'nobody' })).rejects.toMatchObject({ type: 'UnknownTurn' });
  await expect(session.getTurn({ turnId: 'not a name' })).rejects.toThrow(/Expected turnId to be/u);
  await session.close();
  await h.temporal.workflow.getHandle(session.sessionId).result();
  await expect(session.submitTurn({ input: 'late' })).rejects.toMatchObject({ type: 'SessionClosed' });
});

test('X-02 names that do not exist, two arguments, no argument, and signals before the first workflow task', async () => {
  await using own = await harness();
  const id = uniqueId();
  const session = own.client.session(id);
  const handle = await own.temporal.workflow.start('session', { workflowId: id, taskQueue: own.taskQueue });
  await handle.signal('nothing', 1, 2);
  await handle.signal('__temporal_nothing', 1);
  await handle.signal('submitTurn', { input: 'early', turnId: 'early' }, { input: 'second argument' });
  await handle.signal('submitTurn');
  await handle.signal('resetTurns');
  await handle.signal('startRun', { agent: 'echo', input: 1, runId: 'early' });
  await handle.signal('cancelRun', { runId: 'early' });
  await own.work({ agents: [agentAt(model.url)], tasks: [echo] });
  await eventually('the run to end', async () =>
    ['cancelled', 'completed'].includes((await session.getRun({ runId: 'early' }))?.status ?? ''),
  );
  // Its end is told in a turn, which the resets below must not meet.
  await atRest(session);
  const { events } = await session.getEvents();
  expect(events.filter((event) => event.type === 'input.refused').map((event) => event['name'])).toEqual([
    'nothing',
    '__temporal_nothing',
    'submitTurn',
  ]);
  expect(events.filter((event) => event.type === 'run.cancel_requested')).toHaveLength(1);
  for (const name of ['nothing', '__temporal_nothing'])
    expect(await refusalOf(handle.executeUpdate(name, { args: [1] }))).toMatchObject({ type: 'InvalidInput' });
  await handle.signal('__temporal_nothing', 1);
  await expect(handle.query('nothing')).rejects.toThrow();
  expect(await handle.executeUpdate('resetTurns', { args: [] })).toEqual({ skipped: [] });
  expect(await handle.executeUpdate('resetTurns', { args: [null] })).toEqual({ skipped: [] });
  await stillTakesTurns(session);
  await session.close();
});

test('X-02 random JSON at every message as a signal: the session answers', async () => {
  const session = await fresh();
  const handle = h.temporal.workflow.getHandle(session.sessionId);
  const names = [
    'submitTurn',
    'startRun',
    'startRuns',
    'cancelRun',
    'cancelTurn',
    'resetTurns',
    'runSettled',
    'runMilestones',
    'parentGone',
    'runCancel',
    'taskMilestone',
    'detachRun',
    'messageRun',
    'answer',
    'runRequest',
    'runMessagesRead',
    'runTokens',
    'runBudget',
    'runMessage',
    'requestAnswered',
    'requestRefused',
    'taskRead',
    '__proto__',
    'constructor',
  ];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...names), fc.jsonValue(), async (name, payload) => {
      await handle.signal(name, payload);
    }),
    { numRuns: 160 },
  );
  const { epoch } = await session.getSession();
  for (const forged of [
    { runId: 'nobody', epoch, status: 'completed', usage: {} },
    { runId: 'settled', epoch, status: 'running' },
    { runId: 'settled', epoch, status: 'failed', usage: { inputTokens: -1 } },
  ])
    await handle.signal('runSettled', forged);
  await stillTakesTurns(session);
  expect(await session.getRun({ runId: 'settled' })).toMatchObject({ status: 'completed' });
  await session.close();
});

test('X-01 JSON that is nested ten thousand deep is refused, as update and as signal, and the session lives', async () => {
  const session = await fresh();
  const { namespace } = h.temporal.options;
  const deep = {
    metadata: { encoding: Buffer.from('json/plain') },
    data: Buffer.from(`{"agent":"echo","input":${'['.repeat(10_000)}${']'.repeat(10_000)}}`),
  };
  await h.temporal.workflowService.signalWorkflowExecution({
    namespace,
    workflowExecution: { workflowId: session.sessionId },
    signalName: 'startRun',
    input: { payloads: [deep] },
    requestId: randomUUID(),
  });
  const refused = await eventually(
    'the refusal',
    async () => (await session.getEvents({ types: ['input.refused'] })).events[0],
  );
  expect(refused['message']).toMatch(/nested at most/u);
  await stillTakesTurns(session);
  await session.close();
});

const RUBBISH = {
  'no JSON': { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('{"input": ') },
  'unknown encoding': { metadata: { encoding: Buffer.from('binary/encrypted') }, data: Buffer.from([1, 2, 3]) },
  'no metadata': { data: Buffer.from('x') },
};

test.each(Object.entries(RUBBISH))(
  'X-09 a payload with %s, as signal, update, query and start argument, is refused and the session lives',
  async (_what, payload) => {
    const session = await fresh();
    const { namespace } = h.temporal.options;
    const workflowExecution = { workflowId: session.sessionId };
    const input = { payloads: [payload] };
    await h.temporal.workflowService.signalWorkflowExecution({
      namespace,
      workflowExecution,
      signalName: 'submitTurn',
      input,
      requestId: randomUUID(),
    });
    await eventually(
      'the refusal',
      async () => (await session.getEvents({ types: ['input.refused'] })).events.length === 1,
    );
    const updated = await h.temporal.workflowService
      .updateWorkflowExecution({
        namespace,
        workflowExecution,
        request: { meta: { updateId: randomUUID() }, input: { name: 'submitTurn', args: input } },
        waitPolicy: { lifecycleStage: 3 },
      })
      .catch((error: unknown) => error);
    expect(JSON.stringify(updated)).not.toContain('"success"');
    const query = h.temporal.workflowService.queryWorkflow({
      namespace,
      execution: workflowExecution,
      query: { queryType: 'getRun', queryArgs: input },
    });
    await expect(query).rejects.toThrow();
    await stillTakesTurns(session);
    await session.close();

    const workflowId = uniqueId();
    await h.temporal.workflowService.startWorkflowExecution({
      namespace,
      workflowId,
      workflowType: { name: 'session' },
      taskQueue: { name: h.taskQueue },
      input,
      requestId: randomUUID(),
    });
    const failure = await h.temporal.workflow
      .getHandle(workflowId)
      .result()
      .then(
        () => undefined,
        (error: unknown) => error,
      );
    expect(failure).toBeInstanceOf(WorkflowFailedError);
    expect((failure as WorkflowFailedError).cause).toMatchObject({ type: 'InvalidInput' });
  },
);

test('an ill-formed start argument, an unknown agent and a run started by hand fail in their first task; no argument at all works', async () => {
  const start = async (type: string, args: unknown[]): Promise<unknown> =>
    h.temporal.workflow
      .execute(type, { workflowId: uniqueId(), taskQueue: h.taskQueue, args })
      .catch((error: WorkflowFailedError) => error.cause);
  expect(await start('session', [{ limits: { maxConcurrentRuns: 0 } }])).toMatchObject({
    type: 'InvalidInput',
    message: expect.stringMatching(/^Expected limits\.maxConcurrentRuns to be an integer of 1 to/u),
  });
  expect(await start('session', [{ agent: 'nobody' }])).toMatchObject({
    type: 'UnknownAgent',
    message: 'Expected agent to be one of "helper", got "nobody".',
  });
  expect(await start('run', [{ anything: true }])).toMatchObject({ type: 'InvalidInput' });
  expect(await start('run', [])).toMatchObject({ type: 'InvalidInput' });
  const workflowId = uniqueId();
  await h.temporal.workflow.start('session', { workflowId, taskQueue: h.taskQueue });
  await stillTakesTurns(h.client.session(workflowId));
  await h.client.session(workflowId).close();
});
