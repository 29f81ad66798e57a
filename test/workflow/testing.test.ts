/** `outlive/testing` as a person uses it, on a real server: scripted models, tasks driven by hand, workers that die when told. */
import { beforeAll, expect, inject, test } from 'vitest';
import { readFile } from 'node:fs/promises';
import { defineAgent, defineTask, type AgentDefinition } from '../../src/define.ts';
import {
  allEvents,
  atRest,
  demoModel,
  eventually,
  manualTask,
  scriptedModel,
  startTestEnvironment,
  startTestServer,
  textOf,
  type ModelScript,
  type ScriptedModel,
  type TestEnvironment,
} from '../../src/testing/index.ts';

const CONFIG = new URL('../support/testing-config.ts', import.meta.url);

let bundle: { code: string };

beforeAll(async () => {
  bundle = { code: await readFile(inject('bundlePath'), 'utf8') };
});

async function environment(): Promise<TestEnvironment> {
  return startTestEnvironment({ address: inject('address') });
}

function helper(script: ModelScript, given: Partial<AgentDefinition> = {}): AgentDefinition & { model: ScriptedModel } {
  const model = scriptedModel(script);
  return { ...defineAgent({ name: 'helper', instructions: 'Help.', ...given, model }), model };
}

test('a session with a scripted model starts a task that the test drives by hand, and answers when it reports back', async () => {
  await using app = await environment();
  const load = manualTask<{ file: string }>('load_data', { description: 'Loads a file.' });
  const agent = helper(
    [
      { toolCalls: [{ toolName: 'start_run', input: { agent: 'load_data', input: { file: 'orders.csv' } } }] },
      'It is being loaded.',
      'Loaded 3 rows.',
    ],
    { canStart: ['load_data'] },
  );
  await app.startWorker({ agents: [agent], tasks: [load] }, { bundle });
  const session = await app.startSession();
  await session.submitTurn({ input: 'Load orders.csv.' });

  const run = await load.started();
  expect(run).toMatchObject({ attempt: 1, input: { file: 'orders.csv' }, sessionId: session.sessionId });
  await run.progress({ fraction: 0.5, phase: 'ingest' });
  await eventually('the progress to be seen', async () => {
    const row = await session.run(run.runId).inspect();
    return 'progress' in row && row.progress?.fraction === 0.5;
  });
  await run.milestone('schema', { columns: 4 });
  await session.messageRun({ runId: run.runId, message: 'faster' });
  expect(await run.nextMessage()).toBe('faster');
  await expect(run.progress({ fraction: 2 })).rejects.toMatchObject({ name: 'InvalidInput' });
  await run.finish({ rows: 3 });
  await atRest(session);

  expect(await session.run(run.runId).result()).toEqual({ rows: 3 });
  const { messages } = await session.getTranscript();
  expect(textOf(messages.at(-1))).toBe('Loaded 3 rows.');
  expect(agent.model.calls).toHaveLength(3);
  expect(agent.model.calls[0]?.tools).toContain('start_run');
  expect(agent.model.calls[2]?.newest).toContain('"rows":3');
  const types = (await allEvents(session)).map(({ type }) => type);
  expect(types.filter((type) => type === 'run.milestone' || type === 'run.delivered')).toEqual([
    'run.milestone',
    'run.delivered',
  ]);
  await expect(run.finish()).rejects.toThrow('has ended: nothing more can be done in it.');
});

test('a run that the test lets fail is failed with that error, and one that is cancelled ends its attempt', async () => {
  await using app = await environment();
  const [load, twice] = [manualTask('load'), manualTask('twice', { retries: 1 })];
  await app.startWorker({ agents: [helper(() => 'ok')], tasks: [load, twice] }, { bundle });
  const session = await app.startSession();
  for (const runId of ['fails', 'is-cancelled'])
    await session.startRun({ agent: 'load', input: {}, runId, detached: { notify: 'silent' } });
  const cancelled = await load.started({ runId: 'is-cancelled' });
  await (await load.started()).fail('The file is gone.');
  await session.cancelRun({ runId: 'is-cancelled' });
  await atRest(session);
  expect(await session.getRun({ runId: 'fails' })).toMatchObject({
    status: 'failed',
    error: { message: 'The file is gone.' },
  });
  expect(await session.getRun({ runId: 'is-cancelled' })).toMatchObject({ status: 'cancelled' });
  expect(cancelled.signal.aborted).toBe(true);
  await expect(cancelled.finish()).rejects.toThrow('has ended');

  await session.startRun({ agent: 'twice', input: {}, runId: 'again', detached: { notify: 'silent' } });
  await (await twice.started()).fail(new RangeError('once'));
  const second = await twice.started();
  expect(second.attempt).toBe(2);
  await second.finish('done');
  await atRest(session);
  expect(await session.run('again').result()).toBe('done');
});

test('a model that stalls, and one whose provider is busy, are asked again; one that is refused fails its turn', async () => {
  await using app = await environment();
  const agent = helper(
    [{ stall: true }, { error: 'busy', statusCode: 529 }, 'At last.', { error: 'Your account is closed.' }],
    { stallTimeoutMs: 300 },
  );
  await app.startWorker({ agents: [agent] }, { bundle });
  const session = await app.startSession();
  const first = await session.submitTurn({ input: 'Hello.' });
  const second = await session.submitTurn({ input: 'Still there?' });
  await atRest(session);
  expect(await session.getTurn({ turnId: first.turnId })).toMatchObject({ status: 'completed' });
  expect(textOf((await session.getTranscript()).messages[1])).toBe('At last.');
  expect(await session.getTurn({ turnId: second.turnId })).toMatchObject({
    status: 'failed',
    error: { message: expect.stringContaining('Your account is closed.') },
  });
  expect(agent.model.calls.map(({ newest }) => newest)).toEqual(['Hello.', 'Hello.', 'Hello.', 'Still there?']);
});

test('a worker process is killed in the middle of a task, and another one goes on from its checkpoint', async () => {
  await using app = await environment();
  const settings = { bundle: inject('bundlePath'), env: { GREETING: 'heard' } };
  const first = await app.startWorkerProcess(CONFIG, settings);
  const session = await app.startSession();
  await session.submitTurn({ input: 'Hello.' });
  await atRest(session);
  expect(textOf((await session.getTranscript()).messages.at(-1))).toBe('heard 1: Hello.');

  const { runId } = await session.startRun({ agent: 'load', input: { file: 'a' }, detached: { notify: 'silent' } });
  const run = await first.started('load');
  expect(run).toMatchObject({ runId, attempt: 1, input: { file: 'a' }, checkpoint: undefined });
  await run.progress({ fraction: 0.4, checkpoint: { row: 40 } });
  await expect(run.progress({ fraction: 2 })).rejects.toMatchObject({ name: 'InvalidInput' });
  await eventually('the progress to be safe', async () => {
    const row = await session.run(runId).inspect();
    return 'progress' in row && row.progress?.fraction === 0.4;
  });
  await first.kill();
  expect(await first.exited).toEqual({ code: null, signal: 'SIGKILL' });
  expect(run.signal.aborted).toBe(true);
  await expect(run.finish()).rejects.toThrow('The worker process of this attempt has ended');

  const second = await app.startWorkerProcess(CONFIG, settings);
  expect(second.pid).not.toBe(first.pid);
  const again = await second.started('load', { runId });
  expect(again).toMatchObject({ attempt: 2, checkpoint: { row: 40 } });
  await again.milestone('half');
  await session.messageRun({ runId, message: 'faster' });
  expect(await again.nextMessage()).toBe('faster');
  await again.finish({ rows: 100 });
  expect(await session.run(runId).result()).toEqual({ rows: 100 });
  await atRest(session);
  const settled = (await allEvents(session)).filter(({ type }) => type === 'run.settled');
  expect(settled).toHaveLength(1);
  await second.stop();
  expect(await second.exited).toEqual({ code: 0, signal: null });
});

test('a run in a worker process that is cancelled or let fail says so to the test and to the session', async () => {
  await using app = await environment();
  const worker = await app.startWorkerProcess(CONFIG, { bundle: inject('bundlePath') });
  const session = await app.startSession();
  for (const runId of ['x', 'y'])
    await session.startRun({ agent: 'load', input: {}, runId, detached: { notify: 'silent' } });
  const [x, y] = [await worker.started('load', { runId: 'x' }), await worker.started('load', { runId: 'y' })];
  await x.fail(new RangeError('too far'));
  await session.cancelRun({ runId: 'y' });
  await atRest(session);
  expect(await session.getRun({ runId: 'x' })).toMatchObject({
    status: 'failed',
    error: { type: 'RangeError', message: 'too far' },
  });
  expect(y.signal.aborted).toBe(true);
  await expect(y.finish()).rejects.toThrow('has ended');
});

test('a worker process that cannot start says why in one sentence', async () => {
  await using app = await environment();
  await expect(app.startWorkerProcess('no-such.config.ts')).rejects.toThrow(
    /^The worker process did not start: .*no-such.config.ts/u,
  );
});

test('a second worker of a kind for a task queue is one sentence, and what was made of it before is shut down', async () => {
  const app = await environment();
  const tasks = [manualTask('load')];
  await app.startWorker({ agents: [], serve: ['tasks'], tasks }, { bundle });
  await expect(app.startWorker({ agents: [helper(() => 'ok')], tasks }, { bundle })).rejects.toMatchObject({
    type: 'InvalidInput',
    message: `Expected this process to have one worker that serves tasks on the task queue "${app.taskQueue}", got a second one: stop the first one before.`,
  });
  await app.close();
});

test('what is no configuration, and no file of one, is one sentence', async () => {
  await using app = await environment();
  await expect(app.startWorker(undefined as never)).rejects.toThrow(
    /^Expected agents to be a list of agents, got nothing\.$/u,
  );
  for (const file of [undefined, '', new URL('http://127.0.0.1/a.ts')])
    await expect(app.startWorkerProcess(file as never)).rejects.toThrow(
      /^Expected the file of a configuration to be a path or a file: URL, got .+\.$/u,
    );
});

test('a worker process that Node cannot start, or that has ended, is told at once', async () => {
  await using app = await environment();
  const worker = await app.startWorkerProcess(CONFIG, { bundle: inject('bundlePath') });
  const waited = expect(worker.started('load')).rejects.toThrow('its worker process has ended.');
  await worker.kill();
  await waited;
  for (const task of ['load', 'another'])
    await expect(worker.started(task)).rejects.toThrow('was waited for, and its worker process has ended.');

  const { execPath } = process;
  process.execPath = '/no-such-node';
  try {
    await expect(app.startWorkerProcess(CONFIG)).rejects.toThrow(/^The worker process did not start: .*ENOENT\.$/u);
  } finally {
    process.execPath = execPath;
  }
});

test('a worker stops though a task of it does not end, and so does its environment', async () => {
  const app = await environment();
  const begun = Promise.withResolvers<void>();
  const end = Promise.withResolvers<string>();
  const stuck = defineTask({
    name: 'stuck',
    run: async () => {
      begun.resolve();
      return end.promise;
    },
  });
  const options = { shutdownGraceTime: 100, shutdownForceTime: 500 };
  const worker = await app.startWorker({ agents: [helper(() => 'ok')], tasks: [stuck] }, { bundle, options });
  const session = await app.startSession();
  await session.startRun({ agent: 'stuck', input: {}, detached: { notify: 'silent' } });
  await begun.promise;
  await worker.stop();
  await worker.stop();
  await app.close();
  end.resolve('at last');
});

test('an agent with the demo model starts its task and tells what came of it', async () => {
  await using app = await environment();
  const count = manualTask('count');
  const agent = defineAgent({ name: 'helper', instructions: 'Help.', model: demoModel(), canStart: ['count'] });
  await app.startWorker({ agents: [agent], tasks: [count] }, { bundle });
  const session = await app.startSession();
  await session.submitTurn({ input: 'Count to 3.' });
  const run = await count.started();
  await run.finish({ counted: 3 });
  await atRest(session);
  expect(textOf((await session.getTranscript()).messages.at(-1))).toBe(
    `count (${run.runId}) is completed: {"counted":3}`,
  );
});

test('an environment without an address has a server of its own, which ends with it; one that is given stays', async () => {
  const server = await startTestServer();
  const given = await startTestEnvironment({ address: server.address });
  await given.close();
  await given.close();
  const again = await startTestEnvironment({ address: server.address });
  expect(again.address).toBe(server.address);
  await again.close();
  const own = await startTestEnvironment({ namespace: 'tests' });
  expect(own).toMatchObject({ namespace: 'tests' });
  expect(own.address).not.toBe(server.address);
  await own.startWorker({ agents: [helper(() => 'Hi.')] }, { bundle });
  const session = await own.startSession();
  await session.submitTurn({ input: 'Hello.' });
  await atRest(session);
  await own.close();
  await expect(startTestEnvironment({ address: own.address, namespace: 'tests' })).rejects.toMatchObject({
    name: 'ServerProblem',
  });
  await server.stop();
});
