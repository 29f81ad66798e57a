/** V-03: what a worker gives back because it does not know a name is taken by another one; what nobody knows ends after two minutes. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { ApplicationFailure } from '@temporalio/common';
import { expect, test } from 'vitest';
import { outgoing } from '../../activities/failure.ts';
import { Registry } from '../../activities/registry.ts';
import { resolveName } from '../../activities/resolve-name.ts';
import { handlerDone, handlerFailed, handlerUnknown } from '../../src/domain/run/handlers.ts';
import { toolFailed } from '../../src/domain/turn/tool-calls.ts';
import { Driver } from '../support/domain.ts';
import { agentAt, echo } from '../support/app.ts';

const UNKNOWN = { type: 'UnknownAgent', message: 'Expected agent to name a registered agent, got "chat".' };

function giveBackModel(d: Driver): void {
  d.stumble({ how: 'unknown', error: UNKNOWN });
}

test('V-03 a step that is given back is taken again by another worker, and uses up no attempt', () => {
  const d = Driver.session();
  d.submit('hello');
  for (let i = 0; i < 20; i++) {
    giveBackModel(d);
    expect(d.asks('model')).toBe(false);
    d.pass(5000);
  }
  expect(d.state.turn?.attempt).toBe(1);
  d.say('hello');
  expect(d.state.past.at(-1)?.status).toBe('completed');
});

test('V-03 a step that nobody knows the agent of fails its turn after two minutes, and no later', () => {
  const d = Driver.session();
  d.submit('hello');
  const began = d.now;
  while (d.asks('model')) {
    giveBackModel(d);
    d.pass(5000);
  }
  expect(d.state.past.at(-1)).toMatchObject({ status: 'failed', error: UNKNOWN });
  expect(d.now - began).toBeLessThanOrEqual(125_000);
  expect(d.now - began).toBeGreaterThanOrEqual(120_000);
});

test('V-03 the two minutes begin anew once a worker has known the agent', () => {
  const d = Driver.session({ budgets: { turnMs: 1e9 } });
  d.submit('hello');
  giveBackModel(d);
  d.pass(1000);
  d.pass(600_000);
  d.stumble({ how: 'lost' });
  d.pass(60_000);
  giveBackModel(d);
  d.pass(1000);
  d.say('hello');
  expect(d.state.past.at(-1)?.status).toBe('completed');
});

test('V-03 a tool too, also one that must not run twice: it has not run', () => {
  const d = Driver.session();
  d.submit('hello');
  d.say([{ id: 'a' }]);
  const giveBack = (): void => {
    const { turnId, step, call } = d.take('tool');
    d.send((cx) =>
      toolFailed(
        cx,
        { turnId, step, toolCallId: call.toolCallId, attempt: call.attempt },
        { how: 'unknown', error: UNKNOWN },
      ),
    );
  };
  giveBack();
  d.pass(5000);
  giveBack();
  d.pass(5000);
  d.answerTool('found');
  d.say([{ id: 'b' }]);
  for (let i = 0; i < 30 && d.asks('tool'); i++) {
    giveBack();
    d.pass(5000);
  }
  expect(d.state.transcript.at(-1)?.message.parts).toMatchObject([
    { state: 'output-error', errorText: UNKNOWN.message },
  ]);
});

test('V-03 a handler too, and none of it counts as one of its ten calls', () => {
  const d = Driver.session();
  d.running('x', { detached: { notify: 'silent', onFinish: 'told' } });
  d.settled('x');
  for (let i = 0; i < 20; i++) {
    const { key, attempt } = d.take('handler');
    expect(attempt).toBe(1);
    d.send((cx) => handlerUnknown(cx, key, UNKNOWN));
    d.pass(5000);
  }
  const { key } = d.take('handler');
  d.send((cx) => handlerDone(cx, key));
  expect(d.state.outbox.isEmpty).toBe(true);
});

test('V-03 a handler that nobody has fails at once, or after two minutes, and is told once', () => {
  for (const isFinal of [true, false]) {
    const d = Driver.session();
    d.running('x', { detached: { notify: 'silent', onFinish: 'told' } });
    d.settled('x');
    while (d.asks('handler')) {
      const { key } = d.take('handler');
      d.send((cx) => (isFinal ? handlerFailed(cx, key, UNKNOWN, true) : handlerUnknown(cx, key, UNKNOWN)));
      d.pass(5000);
    }
    expect(d.log().filter(({ type }) => type === 'handler.failed')).toHaveLength(1);
    expect(d.state.outbox.isEmpty).toBe(true);
  }
});

/** A server that sees the pollers of a queue. */
function clientWith(...identities: string[]): never {
  return {
    options: { namespace: 'default' },
    workflowService: {
      describeTaskQueue: async () => Promise.resolve({ pollers: identities.map((identity) => ({ identity })) }),
    },
  } as never;
}

const unreachable = {
  options: { namespace: 'default' },
  workflowService: { describeTaskQueue: async () => Promise.reject(new Error('no permission')) },
} as never;

test('V-03 a name is given back as long as a worker of the queue announces other names, at most for two minutes', async () => {
  const registry = new Registry({ agents: [agentAt('http://127.0.0.1:9/v1')], tasks: [echo] });
  const same = `1@host ${registry.announced}`;
  const ask = async (name: string, client: never, scheduledTimestampMs = Date.now()): Promise<unknown> =>
    new MockActivityEnvironment({ scheduledTimestampMs }).run(async () =>
      resolveName(registry, client, name).catch((error: unknown) => error),
    );
  const givenBack = { type: 'UnknownHere' };
  expect(await ask('echo', clientWith('stranger'))).toMatchObject({ facts: { kind: 'task' } });
  expect(await ask('nobody', clientWith(same, same))).not.toHaveProperty('facts');
  expect(await ask('nobody', clientWith(same, same))).not.toMatchObject(givenBack);
  expect(await ask('nobody', clientWith(same, '2@host names:0123456789ab'))).toMatchObject(givenBack);
  expect(await ask('nobody', clientWith(same, 'a worker of another kind'))).toMatchObject(givenBack);
  expect(await ask('nobody', clientWith()), 'who is not seen itself cannot know').toMatchObject(givenBack);
  expect(await ask('nobody', unreachable), 'nor who gets no answer').toMatchObject(givenBack);
  expect(await ask('nobody', clientWith('other'), Date.now() - 120_000)).not.toMatchObject(givenBack);
});

test('V-03 an error of the app cannot say that nothing has run', () => {
  const registry = new Registry({ agents: [agentAt('http://127.0.0.1:9/v1')] });
  for (const type of ['UnknownHere', 'WorkerShutdown'])
    expect(outgoing(registry, ApplicationFailure.create({ message: 'mine', type }))).toMatchObject({ type: 'Error' });
});

test('V-03 what a worker announces depends on all names that it knows, and not on their order', () => {
  const agents = [agentAt('http://127.0.0.1:9/v1'), agentAt('http://127.0.0.1:9/v1', { name: 'other' })];
  const { announced } = new Registry({ agents, tasks: [echo] });
  expect(new Registry({ agents: agents.toReversed(), tasks: [echo] }).announced).toBe(announced);
  expect(new Registry({ agents }).announced).not.toBe(announced);
  expect(new Registry({ agents, tasks: [echo], onRunStart: async () => Promise.resolve() }).announced).not.toBe(
    announced,
  );
});
