/** D-35: `run.result()` ends in every case that can be known; and what is told when no worker answers. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OutliveClient, type SessionHandle } from '../../src/client/index.ts';
import type { Row } from '../../src/contract.ts';
import { NoWorker, ResultGone, RunFailed, UnknownRun } from '../../src/errors.ts';
import { agentAt, echo, gated } from '../support/app.ts';
import { atRest, eventually, harness, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer } from '../support/model-server.ts';

let h: Harness;
let model: ModelServer;
const held = gated('held');

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start(() => 'ok');
  await h.work({ agents: [agentAt(model.url)], tasks: [echo, held.task] });
});

afterAll(async () => {
  held.gate.open();
  await h[Symbol.asyncDispose]();
  await model.stop();
});

async function remove(workflowId: string): Promise<void> {
  await h.temporal.workflowService.deleteWorkflowExecution({ namespace: 'default', workflowExecution: { workflowId } });
  const handle = h.temporal.workflow.getHandle(workflowId);
  await eventually('it to be gone', async () =>
    handle.describe().then(
      () => false,
      () => true,
    ),
  );
}

async function running(session: SessionHandle): Promise<{ runId: string; workflowId: string }> {
  const { runId, workflowId } = await session.startRun({ agent: 'held', input: 1, detached: { notify: 'silent' } });
  await eventually('it to run', async () => Promise.resolve(held.started.some((one) => one.runId === runId)));
  return { runId, workflowId };
}

const lost = { status: 'failed', reason: 'lost' };
const terminated = { ...lost, error: { type: 'Terminated', message: 'by an operator' } };

test.each(['closes', 'is terminated'])(
  'case 23 D-35 a run that is terminated after its session %s has failed, for whoever waited and for whoever asks',
  async (how) => {
    const session = await h.client.startSession(uniqueId());
    const { runId, workflowId } = await running(session);
    const waited = session.run(runId).result();
    waited.catch(() => undefined);
    const handle = h.temporal.workflow.getHandle(session.sessionId);
    if (how === 'closes') {
      await session.close({ runs: 'keep' });
      await handle.result();
    } else await handle.terminate();
    await h.temporal.workflow.getHandle(workflowId).terminate('by an operator');
    await expect(waited).rejects.toMatchObject(terminated);
    await expect(session.run(runId).result()).rejects.toThrow(RunFailed);
  },
);

/** Answers the first workflow task of a workflow whose queue has no worker. */
async function decide(taskQueue: string, command: object): Promise<void> {
  const { workflowService } = h.temporal;
  const namespace = 'default';
  const { taskToken } = await h.temporal.withDeadline(Date.now() + 60_000, async () =>
    workflowService.pollWorkflowTaskQueue({ namespace, taskQueue: { name: taskQueue } }),
  );
  await workflowService.respondWorkflowTaskCompleted({ namespace, taskToken, commands: [command] });
}

/** `temporal.api.enums.v1.CommandType` */
const FAIL = 5;
const CANCEL = 7;
const cancellation = { message: 'Nobody has asked.', canceledFailureInfo: {} };

test.each([
  [
    'that Temporal calls Canceled is cancelled',
    { commandType: CANCEL, cancelWorkflowExecutionCommandAttributes: {} },
    { status: 'cancelled', reason: 'cancelled_by_user', error: undefined },
  ],
  [
    'that fails by a cancellation of its own making has failed',
    { commandType: FAIL, failWorkflowExecutionCommandAttributes: { failure: cancellation } },
    { ...lost, error: { type: 'CancelledFailure', message: cancellation.message } },
  ],
])('D-10 D-32 D-35 a run whose session is gone %s', async (_, command, expected) => {
  const session = h.client.session(uniqueId());
  const taskQueue = uniqueId('empty');
  await h.temporal.workflow.start('run', { workflowId: `${session.sessionId}/x`, taskQueue });
  await decide(taskQueue, command);
  await expect(session.run('x').result()).rejects.toMatchObject(expected);
  expect(await session.run('x').inspect()).toMatchObject({ status: expected.status });
});

describe('case 14 D-35 of a run that retention has taken', () => {
  test('a result that its session has is answered, one that only the run had is ResultGone, a failure is RunFailed', async () => {
    const session = await h.client.startSession(uniqueId());
    const input = 'x'.repeat(100_000);
    const { runs } = await session.startRuns({
      runs: [1, null, input].map((one) => ({ agent: 'echo', input: one ?? 0, detached: { notify: 'silent' } })),
    });
    await eventually('their ends', async () => (await session.getSession()).runs.completed === 3);
    const [small, , large] = runs;
    expect(((await session.getRun({ runId: large?.runId ?? '' })) as Row).resultRef).toBe(large?.workflowId);
    expect(await session.run(large?.runId ?? '').result()).toBe(input);
    for (const { workflowId } of runs) await remove(workflowId);
    expect(await session.run(small?.runId ?? '').result()).toBe(1);
    await expect(session.run(large?.runId ?? '').result()).rejects.toThrow(ResultGone);
    const { runId, workflowId } = await running(session);
    await h.temporal.workflow.getHandle(workflowId).terminate();
    await eventually('its settle', async () => (await session.getRun({ runId }))?.status === 'failed');
    await remove(workflowId);
    await expect(session.run(runId).result()).rejects.toMatchObject(lost);
  });

  test('a forgotten row has no result: ResultGone too', async () => {
    const session = await h.client.startSession(uniqueId(), { limits: { maxConcurrentRuns: 50 } });
    const request = { agent: 'echo', input: 1, detached: { notify: 'silent' as const } };
    const [first] = (await session.startRuns({ runs: Array.from({ length: 101 }, () => request) })).runs;
    await session.startRuns({ runs: Array.from({ length: 101 }, () => request) });
    await eventually('all ends', async () => (await session.getSession()).runs.completed === 202, 200_000);
    const runId = first?.runId ?? '';
    await eventually('it to be forgotten', async () => {
      await session.startRun(request);
      return 'forgotten' in ((await session.getRun({ runId })) ?? {});
    });
    expect(await session.run(runId).result()).toBe(1);
    await remove(first?.workflowId ?? '');
    await expect(session.run(runId).result()).rejects.toThrow(ResultGone);
  }, 240_000);
});

test('D-35 a run of an earlier session of the id is not one of this session', async () => {
  const id = uniqueId();
  const first = await h.client.startSession(id);
  await first.startRun({ agent: 'echo', input: 'earlier', runId: 'x', detached: { notify: 'silent' } });
  expect(await first.run('x').result()).toBe('earlier');
  await first.close();
  await h.temporal.workflow.getHandle(id).result();
  expect(await first.run('x').result()).toBe('earlier');
  const second = await h.client.startSession(id);
  await expect(second.run('x').result()).rejects.toThrow(UnknownRun);
});

test('case 26 getSession of a session that has not been taken yet is running, never idle', async () => {
  const handle = await h.temporal.workflow.start('session', { workflowId: uniqueId(), taskQueue: h.taskQueue });
  const seen: { status: string; agent: string }[] = [];
  await eventually('the session to be taken', async () => {
    const view = await handle.query<{ status: string; agent: string }>('getSession');
    seen.push(view);
    return view.agent !== '';
  });
  for (const view of seen) expect(view.status).toBe(view.agent === '' ? 'running' : 'idle');
});

test('case 25 startSession refuses an ill-formed start argument with the sentence that failed it', async () => {
  await expect(h.client.startSession(uniqueId(), { limits: { maxConcurrentRuns: 0 } })).rejects.toMatchObject({
    type: 'InvalidInput',
    message: expect.stringContaining('limits.maxConcurrentRuns'),
  });
});

test('case 32 an update waits its turn behind a signal whose name is looked up', async () => {
  for (let i = 0; i < 5; i++) {
    const session = await h.client.startSession(uniqueId());
    const handle = h.temporal.workflow.getHandle(session.sessionId);
    const runId = `of-${i}`;
    await handle.signal('startRun', { agent: 'held', input: 1, runId, detached: { notify: 'silent' } });
    expect(await session.cancelRun({ runId })).toMatchObject({
      runId,
      status: expect.stringMatching(/cancelled|running/u),
    });
    await handle.signal('startRun', { agent: 'workflow:nothing', input: 1, runId: 'never' });
    await expect(session.messageRun({ runId: 'never', message: 'hello' })).rejects.toMatchObject({
      type: 'UnknownRun',
    });
    await handle.signal('startRun', { agent: 'echo', input: 1, runId: 'again', detached: { notify: 'silent' } });
    expect(await session.detachRun({ runId: 'again' })).toMatchObject({ deduplicated: true });
    await atRest(session);
    await session.close();
  }
});

test('case 24 without a worker every call is NoWorker within its time, and names queue and address', async () => {
  const queue = uniqueId('empty');
  const client = new OutliveClient(h.temporal, { taskQueue: queue });
  const id = uniqueId();
  const expected = { type: 'NoWorker', message: expect.stringMatching(new RegExp(`"${queue}".*${h.address}`, 'u')) };
  await expect(client.startSession(id)).rejects.toMatchObject({ ...expected, started: true });
  const session = client.session(id);
  const calls = [session.getSession(), session.submitTurn({ input: 'hello' }), session.run('nobody').result()];
  for (const outcome of await Promise.allSettled(calls)) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { ...expected, started: false } });
    expect((outcome as PromiseRejectedResult).reason).toBeInstanceOf(NoWorker);
  }
}, 150_000);
