/** Case 24 and its kind: whatever goes wrong between client and session is one of the failures of the contract, with one sentence that says where. */
import { Client, Connection } from '@temporalio/client';
import type { PayloadCodec } from '@temporalio/common';
import { Worker, NativeConnection } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OutliveClient, type SessionHandle } from '../../src/client/index.ts';
import { OutliveError } from '../../src/errors.ts';
import { agentAt, echo, gated } from '../support/app.ts';
import { eventually, harness, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer } from '../support/model-server.ts';
import { lineTo, saying } from '../support/wire.ts';

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

const SENTENCE = /^Expected [^\n]*, got [^\n]*\.$/u;

async function failureOf(work: Promise<unknown>): Promise<OutliveError> {
  const error: unknown = await work.then(
    (answer) => new Error(`It was answered: ${JSON.stringify(answer)}`),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(OutliveError);
  expect((error as OutliveError).message).toMatch(SENTENCE);
  return error as OutliveError;
}

async function all(stream: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of stream) count++;
  return count;
}

type Calls = Record<string, () => Promise<unknown>>;

/** One call of every kind on a session. */
function callsOn(session: SessionHandle): Calls {
  return {
    getSession: async () => session.getSession(),
    listRuns: async () => session.listRuns(),
    submitTurn: async () => session.submitTurn({ input: 'hello' }),
    startRun: async () => session.startRun({ agent: 'echo', input: 1 }),
    close: async () => session.close(),
    events: async () => all(session.events()),
    eventsWithRuns: async () => all(session.events({ includeRuns: true })),
    streamTurn: async () => all(session.streamTurn('x')),
    inspect: async () => session.run('x').inspect(),
    result: async () => session.run('x').result(),
  };
}

function callsBy(client: OutliveClient): Calls {
  const id = uniqueId();
  return {
    startSession: async () => client.startSession(id),
    listSessions: async () => client.listSessions(),
    ...callsOn(client.session(id)),
  };
}

async function failures(calls: Calls): Promise<Record<string, OutliveError>> {
  const ended = await Promise.all(Object.entries(calls).map(async ([name, call]) => [name, await failureOf(call())]));
  return Object.fromEntries(ended) as Record<string, OutliveError>;
}

function only(calls: Calls, ...names: string[]): Calls {
  return Object.fromEntries(Object.entries(calls).filter(([name]) => names.includes(name)));
}

async function lazily(address: string, namespace = 'default'): Promise<OutliveClient> {
  const connection = Connection.lazy({ address });
  return Promise.resolve(new OutliveClient(new Client({ connection, namespace }), { taskQueue: h.taskQueue }));
}

test('case 24 no server at the address: every call is Unavailable, and names address and namespace', async () => {
  const line = await lineTo(h.address);
  await line.cut();
  const found = await failures(callsBy(await lazily(line.address)));
  for (const [name, { type, message }] of Object.entries(found)) {
    expect(type, `${name}: ${message}`).toBe('Unavailable');
    expect(message, name).toBe(
      `Expected Temporal to answer (namespace "default" at ${line.address}), got no connection: ` +
        `nothing answers at that address ("connect ECONNREFUSED ${line.address}").`,
    );
  }
}, 120_000);

test('case 24 a namespace that is not there: every call is Unavailable, and names both', async () => {
  const found = await failures(callsBy(await lazily(h.address, 'nowhere')));
  for (const [name, { type, message }] of Object.entries(found)) {
    expect(type, `${name}: ${message}`).toBe('Unavailable');
    expect(message, name).toBe(`Expected a namespace that Temporal at ${h.address} has, got "nowhere".`);
  }
}, 120_000);

test.each([
  [7, 'Forbidden', 'Request unauthorized.'],
  [16, 'Unauthorized', 'No token.'],
  [13, 'Internal', 'A bug.'],
  [12, 'Internal', 'Unknown method.'],
])(
  'case 24 a server that says %i: every call is %s, with what it says',
  async (code, type, said) => {
    await using server = await saying(code, said);
    const found = await failures(callsBy(await lazily(server.address)));
    for (const [name, failure] of Object.entries(found)) {
      expect(failure.type, `${name}: ${failure.message}`).toBe(type);
      expect(failure.message, name).toContain(`namespace "default" at ${server.address}`);
      expect(failure.message, name).toContain(said.slice(0, -1));
    }
  },
  120_000,
);

test('case 24 a server that goes away in mid call: what waits for it is Unavailable', async () => {
  const line = await lineTo(h.address);
  const client = await lazily(line.address);
  const session = await client.startSession(uniqueId());
  const { runId } = await session.startRun({ agent: 'held', input: 1, detached: { notify: 'silent' } });
  await eventually('the run', async () => Promise.resolve(held.started.some((one) => one.runId === runId)));
  const waiting = failureOf(session.run(runId).result());
  await line.cut();
  for (const failure of [await waiting, await failureOf(session.getSession())]) {
    expect(failure).toMatchObject({ type: 'Unavailable' });
    expect(failure.message).toContain(line.address);
  }
}, 120_000);

test('case 24 an id that no session has, or that another workflow has, is UnknownSession for every call', async () => {
  const another = uniqueId('other');
  const taskQueue = uniqueId('q');
  const worker = await Worker.create({
    connection: await NativeConnection.connect({ address: h.address }),
    taskQueue,
    workflowsPath: new URL('../support/native-workflows.ts', import.meta.url).pathname,
  });
  await worker.runUntil(async () => {
    const other = await h.temporal.workflow.start('waits', { workflowId: another, taskQueue });
    for (const [id, why] of [
      [another, 'which is a workflow of type "waits"'],
      [uniqueId(), 'which is none'],
    ] as const) {
      const { inspect: _inspect, ...calls } = callsOn(h.client.session(id));
      for (const [name, { type, message }] of Object.entries(await failures(calls))) {
        expect(type, `${name}: ${message}`).toBe('UnknownSession');
        expect(message, name).toContain(`"${id}" (namespace "default" at ${h.address})`);
        expect(message, name).toContain(why);
      }
    }
    for (const ifExists of ['use', 'fail'] as const) {
      const { type, message } = await failureOf(h.client.startSession(another, {}, { ifExists }));
      expect(type, message).toBe('UnknownSession');
      expect(message).toContain('which is a workflow of type "waits"');
    }
    await other.terminate();
  });
}, 120_000);

test('case 24 a session that is closed or was terminated takes nothing more, says which of both, and tells what it was', async () => {
  for (const [end, why] of [
    [async (one: SessionHandle) => one.close(), 'which is closed.'],
    [async (one: SessionHandle) => h.temporal.workflow.getHandle(one.sessionId).terminate(), 'which was terminated.'],
  ] as const) {
    const session = await h.client.startSession(uniqueId());
    const { epoch } = await session.getSession();
    await end(session);
    await h.temporal.workflow
      .getHandle(session.sessionId)
      .result()
      .catch(() => undefined);
    for (const failure of Object.values(await failures(only(callsOn(session), 'submitTurn', 'startRun', 'close'))))
      expect(failure).toMatchObject({
        type: 'SessionClosed',
        message: `Expected an open session, got "${session.sessionId}" (namespace "default" at ${h.address}), ${why}`,
      });
    expect(await session.getSession()).toMatchObject({ epoch });
    expect(await failureOf(session.run('x').result())).toMatchObject({ type: 'UnknownRun' });
  }
});

test('case 24 what the codec of a client cannot write or read is Internal, with what the codec says', async () => {
  const session = await h.client.startSession(uniqueId());
  const fails = async (): Promise<never> => Promise.reject(new Error('The key service is away.'));
  const same: PayloadCodec['encode'] = async (payloads) => Promise.resolve(payloads);
  for (const codec of [
    { encode: fails, decode: same },
    { encode: same, decode: fails },
  ]) {
    const temporal = new Client({ connection: h.temporal.connection, dataConverter: { payloadCodecs: [codec] } });
    const other = new OutliveClient(temporal, { taskQueue: h.taskQueue }).session(session.sessionId);
    for (const failure of Object.values(await failures(only(callsOn(other), 'getSession', 'submitTurn', 'startRun')))) {
      expect(failure, failure.message).toMatchObject({ type: 'Internal' });
      expect(failure.message).toContain('The key service is away.');
      expect(failure.message).toContain(h.address);
    }
  }
  await session.close();
});

test('case 24 arguments that no session takes are InvalidInput, also of runs', async () => {
  const session = await h.client.startSession(uniqueId());
  const calls: Calls = {
    getTurn: async () => session.getTurn({ turnId: 'not a name' }),
    result: async () => session.run('not a name').result(),
    inspect: async () => session.run('not a name').inspect(),
    getSession: async () => h.client.session('').getSession(),
    listSessions: async () => h.client.listSessions({ limit: 0 }),
  };
  for (const [name, { type }] of Object.entries(await failures(calls))) expect(type, name).toBe('InvalidInput');
  await session.close();
});

test.each([
  ['UnknownAgent', { agent: 'nobody' }, 'Expected agent to be one of "helper", got "nobody".'],
  [
    'InvalidInput',
    { limits: { maxConcurrentRuns: 0 } },
    'Expected limits.maxConcurrentRuns to be an integer of 1 to 1000, got 0.',
  ],
])(
  'case 25 case 26 a start that is refused as %s is told by startSession and, as long as it is kept, by getSession, and is never idle',
  async (type, input, message) => {
    const id = uniqueId();
    const seen: string[] = [];
    const session = h.client.session(id);
    const start = { isOver: false };
    const started = failureOf(h.client.startSession(id, input));
    const looks = (async () => {
      while (!start.isOver)
        await session.getSession().then(
          ({ status }) => seen.push(status),
          (error: OutliveError) => seen.push(error.type),
        );
    })();
    expect(await started).toMatchObject({ type, message });
    start.isOver = true;
    await looks;
    expect(seen.filter((one) => !['running', 'UnknownSession', type].includes(one))).toEqual([]);
    expect(await failureOf(session.getSession())).toMatchObject({ type, message });
    const submitted = await failureOf(session.submitTurn({ input: 'hello' }));
    expect(submitted).toMatchObject({ type: 'SessionClosed' });
    expect(submitted.message).toContain(`which failed at its start: ${message}`);
    // Its id is free: who would use it begins it anew.
    const anew = await h.client.startSession(id, { title: 'anew' }, { ifExists: 'use' });
    expect(await anew.getSession()).toMatchObject({ status: 'idle', title: 'anew' });
    await anew.close();
  },
);

test('case 25 long after, and without any worker, getSession still says why a session was refused', async () => {
  await using own = await harness();
  const config = { agents: [agentAt(model.url)] };
  const worker = await own.work(config);
  const refused = { agent: 'nobody' };
  const ill = { budgets: { turnMs: -1 } };
  const ids = [uniqueId(), uniqueId()];
  const types = ['UnknownAgent', 'InvalidInput'];
  for (const [i, input] of [refused, ill].entries())
    expect(await failureOf(own.client.startSession(ids[i] ?? '', input))).toMatchObject({ type: types[i] });
  await worker.stop();
  const again = await own.work(config);
  for (const [i, id] of ids.entries())
    expect(await failureOf(own.client.session(id).getSession())).toMatchObject({ type: types[i] });
  await again.stop();
  await Promise.all(
    ids.map(async (id, i) =>
      expect(await failureOf(own.client.session(id).getSession())).toMatchObject({ type: types[i] }),
    ),
  );
}, 120_000);
