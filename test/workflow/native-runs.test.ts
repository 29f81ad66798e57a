/** Any workflow type as a run: on its own task queue, served by a worker that knows nothing of this project, in any language. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SessionHandle } from '../../src/client/index.ts';
import type { Row } from '../../src/contract.ts';
import { InvalidInput, UnknownAgent } from '../../src/errors.ts';
import { agentAt } from '../support/app.ts';
import { allEvents, atRest, eventually, harness, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer } from '../support/model-server.ts';
import { lastTask, resetTo } from '../support/reset.ts';

let h: Harness;
let model: ModelServer;
const elsewhere = uniqueId('elsewhere');
const python = uniqueId('python');
let connection: NativeConnection;
let worker: Worker;
let running: Promise<void>;

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start(({ messages }) => {
    const all = JSON.stringify(messages);
    if (all.includes('run the doubling') && !all.includes('tool_calls'))
      return { tools: [{ name: 'start_run', input: { agent: 'workflow:doubles', input: { n: 4 } } }] };
    if (all.includes('run something else') && !all.includes('tool_calls'))
      return { tools: [{ name: 'start_run', input: { agent: 'workflow:throws', input: {} } }] };
    return 'ok';
  });
  const types = Object.fromEntries(
    ['doubles', 'bytes', 'throws', 'waits', 'large', 'cancels', 'runsOut', 'leans', 'answers'].map((type) => [
      type,
      { taskQueue: elsewhere },
    ]),
  );
  await h.work({
    agents: [
      agentAt(model.url, { canStart: ['workflow:doubles', 'starter'] }),
      agentAt(model.url, { name: 'starter', canStart: ['workflow:doubles'] }),
    ],
    workflows: { ...types, py_sum: { taskQueue: python }, py_wait: { taskQueue: python } },
  });
  connection = await NativeConnection.connect({ address: h.address });
  worker = await Worker.create({
    connection,
    taskQueue: elsewhere,
    workflowsPath: fileURLToPath(new URL('../support/native-workflows.ts', import.meta.url)),
  });
  running = worker.run();
});

afterAll(async () => {
  worker.shutdown();
  await running;
  await connection.close();
  await h[Symbol.asyncDispose]();
  await model.stop();
});

async function until(session: SessionHandle, runId: string, status: Row['status']): Promise<Row> {
  return eventually(`${runId} to be ${status}`, async () => {
    const one = (await session.getRun({ runId })) as Row;
    return one.status === status ? one : undefined;
  });
}

test('D-26 a workflow that returns bytes, which are no JSON, fails its run with a sentence that says so', async () => {
  const session = await h.client.startSession(uniqueId());
  const { runId } = await session.startRun({ agent: 'workflow:bytes', input: {} });
  expect(await until(session, runId, 'failed')).toMatchObject({
    reason: 'agent_error',
    error: { type: 'InvalidResult', message: 'Expected the result to be JSON.' },
  });
  await session.close();
});

test('D-24 D-26 a workflow whose result fits into a payload, but not with what stands around it, fails its run as ResultTooLarge', async () => {
  const session = await h.client.startSession(uniqueId());
  const { runId } = await session.startRun({ agent: 'workflow:large', input: { bytes: 2 * 1024 * 1024 - 100 } });
  expect(await until(session, runId, 'failed')).toMatchObject({
    reason: 'agent_error',
    error: { type: 'ResultTooLarge' },
  });
  const fits = await session.startRun({ agent: 'workflow:large', input: { bytes: 2_000_000 } });
  expect(await until(session, fits.runId, 'completed')).toMatchObject({ resultRef: fits.workflowId });
  expect(await session.run(fits.runId).result()).toHaveLength(2_000_000);
});

test('D-26 what a workflow returns or throws is the outcome of its run, delivered like any other', async () => {
  const session = await h.client.startSession(uniqueId());
  await session.startRuns({
    runs: [
      { agent: 'workflow:doubles', input: { n: 21 }, runId: 'good' },
      { agent: 'workflow:throws', input: {}, runId: 'bad' },
    ],
  });
  expect(await until(session, 'good', 'completed')).toMatchObject({
    kind: 'workflow',
    agent: 'workflow:doubles',
    result: { doubled: 42 },
  });
  expect(await until(session, 'bad', 'failed')).toMatchObject({
    reason: 'agent_error',
    error: { type: 'NoTable', message: 'no such table' },
  });
  await atRest(session);
  expect((await allEvents(session)).filter((event) => event.type === 'run.delivered')).toHaveLength(2);
  await expect(session.startRun({ agent: 'workflow:unheard', input: 1 })).rejects.toThrow(UnknownAgent);
});

test('D-26 it can be cancelled, found lost, and takes no messages', async () => {
  const session = await h.client.startSession(uniqueId());
  await session.startRuns({
    runs: [
      { agent: 'workflow:waits', input: 1, runId: 'cancelled' },
      { agent: 'workflow:waits', input: 1, runId: 'lost' },
    ],
  });
  const native = (runId: string) => h.temporal.workflow.getHandle(`${session.sessionId}/${runId}/workflow`);
  await eventually(
    'the workflows',
    async () =>
      (await native('cancelled').describe()).status.name === 'RUNNING' &&
      (await native('lost').describe()).status.name === 'RUNNING',
  );
  await expect(session.messageRun({ runId: 'lost', message: 'hello' })).rejects.toThrow(InvalidInput);
  expect(await session.cancelRun({ runId: 'cancelled' })).toMatchObject({ status: 'cancelled' });
  expect((await native('cancelled').describe()).status.name).toBe('CANCELLED');
  await native('lost').terminate('by an operator');
  expect(await until(session, 'lost', 'failed')).toMatchObject({ reason: 'lost' });
});

test.each([
  ['cancels', 'CancelledFailure', 'I have had enough'],
  ['runsOut', 'CancelledFailure', expect.any(String)],
  ['leans', expect.any(String), expect.any(String)],
])(
  'case 6 D-32 a workflow that fails by what it has brought upon itself (%s) fails its run as agent_error',
  async (workflowType, type, message) => {
    const session = await h.client.startSession(uniqueId());
    const { runId } = await session.startRun({ agent: `workflow:${workflowType}`, input: 1 });
    expect(await until(session, runId, 'failed')).toMatchObject({ reason: 'agent_error', error: { type, message } });
    await expect(session.run(runId).result()).rejects.toMatchObject({ status: 'failed', reason: 'agent_error' });
    await atRest(session);
  },
);

test('D-32 a workflow that Temporal itself was asked to cancel is cancelled, and one that it has timed out is timed_out', async () => {
  const session = await h.client.startSession(uniqueId());
  const { runId, workflowId } = await session.startRun({ agent: 'workflow:waits', input: 1 });
  const native = h.temporal.workflow.getHandle(`${workflowId}/workflow`);
  await eventually('the workflow', async () => (await native.describe()).status.name === 'RUNNING');
  await native.cancel();
  expect(await until(session, runId, 'cancelled')).toMatchObject({ reason: 'cancelled_by_user' });
});

test.each(['', '/workflow'])(
  'D-33 a reset of %j of a run is followed: what the new execution comes to is its outcome',
  async (which) => {
    const session = await h.client.startSession(uniqueId());
    const { runId, workflowId } = await session.startRun({ agent: 'workflow:answers', input: 1 });
    const native = h.temporal.workflow.getHandle(`${workflowId}/workflow`);
    await eventually('the workflow', async () => (await lastTask(h.temporal, native.workflowId)).runId !== '');
    await resetTo(h.temporal, `${workflowId}${which}`, await lastTask(h.temporal, `${workflowId}${which}`));
    await native.signal('say', 'after the reset');
    expect(await until(session, runId, 'completed')).toMatchObject({ result: 'after the reset' });
    await atRest(session);
    expect((await allEvents(session)).filter((event) => event.type === 'run.settled')).toHaveLength(1);
  },
);

test('S-02 D-26 a model starts a workflow that canStart names, also from a run, and no other', async () => {
  const session = await h.client.startSession(uniqueId());
  await session.submitTurn({ input: 'run the doubling' });
  const other = await h.client.startSession(uniqueId());
  await other.submitTurn({ input: 'run something else' });
  await session.startRun({ agent: 'starter', input: 'run the doubling', runId: 'nested' });
  await until(session, 'nested', 'completed');
  await atRest(session);
  const { runs } = await session.listRuns();
  expect(runs.filter((row) => (row as Row).agent.startsWith('workflow:'))).toMatchObject([
    { agent: 'workflow:doubles', status: 'completed' },
  ]);
  await atRest(other);
  expect((await other.listRuns()).runs).toEqual([]);
  const { messages } = await other.getTranscript({ includeHidden: true });
  expect(JSON.stringify(messages)).toContain('"state":"output-error"');
});

/** Python with the SDK, if this machine has Python and reaches a registry. */
function pythonWith(folder: string): boolean {
  try {
    execFileSync(
      'python3',
      [
        '-m',
        'pip',
        'install',
        '--quiet',
        '--no-input',
        '--disable-pip-version-check',
        '--target',
        folder,
        'temporalio==1.35.0',
      ],
      { stdio: 'ignore', timeout: 120_000 },
    );
    return true;
  } catch {
    return false;
  }
}

describe('a worker in Python', () => {
  const folder = mkdtempSync(join(tmpdir(), 'outlive-python-'));
  let child: ChildProcess | undefined;

  afterAll(() => {
    child?.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  test('D-26 serves runs: what it returns and throws is the outcome, and it can be cancelled', async (context) => {
    if (!pythonWith(folder)) context.skip('python3 with pip, or a registry, is missing');
    const script = fileURLToPath(new URL('../support/native_worker.py', import.meta.url));
    child = spawn('python3', [script, h.address, python], {
      env: { ...process.env, PYTHONPATH: folder },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const session = await h.client.startSession(uniqueId());
    await session.startRuns({
      runs: [
        { agent: 'workflow:py_sum', input: { numbers: [1, 2, 39] }, runId: 'sum' },
        { agent: 'workflow:py_sum', input: {}, runId: 'bad' },
        { agent: 'workflow:py_wait', input: {}, runId: 'wait' },
      ],
    });
    expect(await until(session, 'sum', 'completed')).toMatchObject({ result: { sum: 42, by: 'python' } });
    expect(await until(session, 'bad', 'failed')).toMatchObject({
      reason: 'agent_error',
      error: { type: 'NoNumbers' },
    });
    await session.cancelRun({ runId: 'wait', reason: 'enough' });
    expect(await until(session, 'wait', 'cancelled')).toMatchObject({ reason: 'cancelled_by_user', comment: 'enough' });
  });
});
