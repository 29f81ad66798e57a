/** Messages to runs, questions of runs, waiting for runs: on the real server, through the contract alone. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SessionHandle } from '../../src/client/index.ts';
import type { Json, Row } from '../../src/contract.ts';
import { defineTask } from '../../src/define.ts';
import { InvalidInput, RunSettled, UnknownRequest } from '../../src/errors.ts';
import { agentAt, echo, gated } from '../support/app.ts';
import { allEvents, atRest, eventually, harness, types, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer, type ModelCall, type Reply } from '../support/model-server.ts';

let h: Harness;
let model: ModelServer;
const held = gated('held');
const throwOnce = new Set<string>();

/** What the model is told by its instructions to be, what it was last said, and which calls of tools it has made. */
function read({ messages }: ModelCall): { who: string; last: string; calls: number } {
  const words = (content: unknown): string => (typeof content === 'string' ? content : JSON.stringify(content ?? ''));
  return {
    who: words(messages[0]?.content),
    last: words(messages.at(-1)?.content),
    calls: messages.reduce((sum, message) => sum + (message.tool_calls?.length ?? 0), 0),
  };
}

const use = (name: string, input: unknown): Reply => ({ tools: [{ name, input }] });

function answer(call: ModelCall): string | Reply {
  const { who, last, calls } = read(call);
  const all = JSON.stringify(call.messages);
  if (who.includes('CHILD')) {
    if (all.includes('ask your parent') && calls === 0) return use('ask_parent', { question: 'Which year?' });
    if (all.includes('report a milestone') && calls === 0)
      return use('report_milestone', { name: 'half', data: { rows: 5 } });
    return `child heard: ${last}`;
  }
  if (who.includes('MIDDLE'))
    return calls === 0
      ? use('start_run', { agent: 'child', input: 'ask your parent', wait: true })
      : `middle heard: ${last}`;
  if (last.startsWith('wait for ')) return use('start_run', JSON.parse(last.slice('wait for '.length)));
  if (last.includes('Which year?') && all.includes('you know the year')) {
    const runId = /id=\\*"([^"\\]+)/u.exec(last)?.[1] ?? '';
    return use('message_run', { runId, message: 'It is 2024.' });
  }
  return 'noted';
}

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start(answer);
  await h.work({
    agents: [
      agentAt(model.url, { canStart: ['held', 'echo', 'child', 'middle'] }),
      agentAt(model.url, { name: 'child', instructions: 'CHILD' }),
      agentAt(model.url, { name: 'middle', instructions: 'MIDDLE', canStart: ['child'] }),
    ],
    tasks: [
      echo,
      held.task,
      defineTask({
        name: 'two-ears',
        run: async (each: number, ctx): Promise<Json> => {
          const hear = async (): Promise<string[]> => {
            const heard: string[] = [];
            for await (const { message } of ctx.messages) if (heard.push(message) === each) break;
            return heard;
          };
          return (await Promise.all([hear(), hear()])).flat().toSorted();
        },
      }),
      defineTask({
        name: 'one-by-one',
        run: async (count: number, ctx): Promise<Json> => {
          const next = async (): Promise<string> => {
            for await (const { message } of ctx.messages) return message;
            return 'nothing came';
          };
          const heard: string[] = [];
          while (heard.length < count) heard.push(await next());
          return heard;
        },
      }),
      defineTask({
        name: 'listens',
        run: async (count: number, ctx): Promise<Json> => {
          const heard: string[] = [];
          for await (const { message } of ctx.messages) {
            heard.push(`${ctx.attempt}:${message}`);
            if (message === 'throw' && !throwOnce.has(ctx.runId)) {
              throwOnce.add(ctx.runId);
              throw new Error('as I was told');
            }
            if (message === 'stop' || heard.length === count) break;
          }
          return heard;
        },
      }),
    ],
  });
});

afterAll(async () => {
  held.gate.open();
  await h[Symbol.asyncDispose]();
  await model.stop();
});

async function row(session: SessionHandle, runId: string): Promise<Row> {
  return (await session.getRun({ runId })) as Row;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

async function until(session: SessionHandle, runId: string, status: Row['status']): Promise<Row> {
  return eventually(`${runId} to be ${status}`, async () => {
    const one = await row(session, runId);
    return one?.status === status ? one : undefined;
  });
}

test('D-18 a task reads its messages through its context, in order; those that it has read stay read when it is retried', async () => {
  const session = await h.client.startSession(uniqueId());
  const { runId } = await session.startRun({ agent: 'listens', input: 10 });
  expect(await session.messageRun({ runId, message: 'one', messageId: 'm1' })).toEqual({
    messageId: 'm1',
    deduplicated: false,
  });
  expect(await session.messageRun({ runId, message: 'one', messageId: 'm1' })).toEqual({
    messageId: 'm1',
    deduplicated: true,
  });
  await session.run(runId).message('two');
  await session.run(runId).message('throw');
  await session.run(runId).message('stop');
  const settled = await until(session, runId, 'completed');
  expect(settled.result).toEqual(['2:throw', '2:stop']);
  await expect(session.messageRun({ runId, message: 'late' })).rejects.toThrow(RunSettled);
  await expect(session.messageRun({ runId, message: 'late' })).rejects.toThrow(/completed/u);
  const sent = (await allEvents(session)).filter((event) => event.type === 'message.sent');
  expect(sent).toHaveLength(4);
});

test('D-18 a task may take its messages one at a time; what it has when it is done is read; one that waits when it is cancelled is cancelled', async () => {
  const session = await h.client.startSession(uniqueId());
  const { runId } = await session.startRun({ agent: 'one-by-one', input: 2 });
  await session.messageRun({ runId, message: 'first' });
  await session.messageRun({ runId, message: 'second' });
  expect((await until(session, runId, 'completed')).result).toEqual(['first', 'second']);
  expect((await allEvents(session)).find((event) => event.type === 'run.settled')?.['unread']).toBeUndefined();
  const both = await session.startRun({ agent: 'two-ears', input: 2 });
  for (const message of ['a', 'b', 'c', 'd']) await session.messageRun({ runId: both.runId, message });
  expect((await until(session, both.runId, 'completed')).result).toEqual(['a', 'b', 'c', 'd']);
  const waiting = await session.startRun({ agent: 'one-by-one', input: 2 });
  await session.messageRun({ runId: waiting.runId, message: 'only' });
  expect(await session.cancelRun({ runId: waiting.runId })).toMatchObject({
    status: 'cancelled',
    cancelled: [waiting.runId],
  });
});

test('D-18 a running agent reads a message as its next input, framed, and both logs tell it', async () => {
  const session = await h.client.startSession(uniqueId());
  const { runId } = await session.startRun({ agent: 'child', input: 'ask your parent' });
  await until(session, runId, 'input_required');
  await session.messageRun({ runId, message: 'a word before' });
  const { requests } = await session.getSession();
  expect(requests).toMatchObject([{ kind: 'ask_parent', question: 'Which year?', status: 'open', runId }]);
  expect(await session.answer({ requestId: requests[0]?.requestId ?? '', value: 2024, by: 'ann' })).toMatchObject({
    status: 'answered',
    deduplicated: false,
    by: 'ann',
  });
  const settled = await until(session, runId, 'completed');
  expect(text(settled.result)).toContain('a word before');
  await atRest(session);
  const merged = [];
  for await (const event of session.events({ includeRuns: true })) merged.push(event);
  const own = merged.filter((event) => event.workflowId !== session.sessionId).map((event) => event.type);
  expect(own.indexOf('message.received')).toBeGreaterThan(0);
  expect(own).toContain('request.answered');
  expect(types(merged)).toContain('message.sent');
});

test('D-16 a run that waits for an answer is input_required and can be cancelled; its request is withdrawn', async () => {
  const session = await h.client.startSession(uniqueId());
  const { runId } = await session.startRun({ agent: 'child', input: 'ask your parent' });
  await until(session, runId, 'input_required');
  const { requests } = await session.getSession();
  const requestId = requests[0]?.requestId ?? '';
  expect(await session.cancelRun({ runId })).toMatchObject({ status: 'cancelled', cancelled: [runId], pending: [] });
  await atRest(session);
  expect((await session.getSession()).requests).toEqual([]);
  expect(await session.answer({ requestId, value: 1 })).toMatchObject({ status: 'withdrawn', deduplicated: true });
  await expect(session.answer({ requestId: 'elsewhere#1', value: 1 })).rejects.toThrow(UnknownRequest);
  await expect(session.answer({ requestId: `${session.sessionId}/nobody/x#1`, value: 1 })).rejects.toThrow(
    UnknownRequest,
  );
  await h.temporal.workflow
    .getHandle(session.sessionId)
    .signal('answer', { requestId: `${session.sessionId}/nobody/x#1`, value: 1 });
  await eventually('the refusal', async () => types(await allEvents(session)).includes('input.refused'));
  await expect(session.listRuns({ after: 'nobody' })).rejects.toThrow(InvalidInput);
  await expect(session.getTurn({ turnId: '' })).rejects.toThrow(InvalidInput);
});

test('a question becomes a turn input of the parent, whose first word is the answer', async () => {
  const session = await h.client.startSession(uniqueId());
  await session.submitTurn({ input: 'you know the year' });
  await atRest(session);
  const { runId } = await session.startRun({ agent: 'child', input: 'ask your parent' });
  const settled = await until(session, runId, 'completed');
  expect(text(settled.result)).toContain('It is 2024.');
  await atRest(session);
  const story = types((await allEvents(session)).filter((event) => event.runId === runId));
  expect(story.indexOf('run.input_required')).toBeLessThan(story.indexOf('run.resumed'));
  expect(story.indexOf('run.resumed')).toBeLessThan(story.indexOf('run.settled'));
});

test('a request two levels down is shown by the session and answered through it, by update and by signal', async () => {
  const session = await h.client.startSession(uniqueId());
  const { runId } = await session.startRun({ agent: 'middle', input: 'go' });
  const request = await eventually('the request', async () => (await session.getSession()).requests[0]);
  expect(request.workflowId.split('/')).toHaveLength(3);
  await h.temporal.workflow
    .getHandle(session.sessionId)
    .signal('answer', { requestId: request.requestId, value: 'from afar', by: 'bob' });
  const settled = await until(session, runId, 'completed');
  expect(text(settled.result)).toContain('middle heard');
  expect(await session.answer({ requestId: request.requestId, value: 'again' })).toMatchObject({
    status: 'answered',
    deduplicated: true,
  });
});

test('a question whose session is closed is answered parent_closed, and the run goes on', async () => {
  const session = await h.client.startSession(uniqueId());
  const { runId, workflowId } = await session.startRun({ agent: 'child', input: 'ask your parent' });
  await until(session, runId, 'input_required');
  await session.close({ runs: 'keep' });
  const result = (await h.temporal.workflow.getHandle(workflowId).result()) as {
    status: string;
    result: string;
    delivered: boolean;
  };
  expect(result).toMatchObject({ status: 'completed', delivered: false });
  expect(result.result).toContain('parent_closed');
});

test('report_milestone of an agent is an event of the run and of its session, watched ones are delivered', async () => {
  const session = await h.client.startSession(uniqueId());
  const { runId } = await session.startRun({
    agent: 'child',
    input: 'report a milestone',
    detached: { onMilestones: ['half'] },
  });
  const settled = await until(session, runId, 'completed');
  expect(settled.milestones).toMatchObject([{ n: 1, name: 'half', data: { rows: 5 } }]);
  expect(settled.delivery.milestones).toMatchObject({ half: { state: 'delivered' } });
});

test('D-27 a waiting start_run returns the outcome to the model; nothing else is delivered', async () => {
  const session = await h.client.startSession(uniqueId());
  await session.submitTurn({ input: `wait for ${JSON.stringify({ agent: 'echo', input: { a: 1 }, wait: true })}` });
  await atRest(session);
  const { messages } = await session.getTranscript();
  expect(messages.flatMap((message) => message.parts).find((part) => part.type === 'tool-start_run')).toMatchObject({
    output: { status: 'completed', result: { a: 1 } },
  });
  const events = await allEvents(session);
  expect(events.filter((event) => event.type === 'turn.queued')).toHaveLength(1);
  const order = types(events);
  expect(order.slice(order.indexOf('run.settled'), order.indexOf('run.settled') + 3)).toEqual([
    'run.settled',
    'message.added',
    'run.delivered',
  ]);
});

test('T-17 a reader sees how a started run stands now; what the model saw is unchanged', async () => {
  const own = gated('held');
  await using mine = await harness();
  await mine.work({ agents: [agentAt(model.url, { canStart: ['held'] })], tasks: [own.task] });
  const session = await mine.client.startSession(uniqueId());
  await session.submitTurn({ input: `wait for ${JSON.stringify({ agent: 'held', input: 7 })}` });
  const part = async (includeHidden: boolean): Promise<unknown> =>
    (await session.getTranscript({ includeHidden })).messages
      .flatMap((message) => message.parts)
      .find((one) => one.type === 'tool-start_run');
  expect(await eventually('the call', async () => part(false))).toMatchObject({ output: { status: 'running' } });
  own.gate.open();
  await atRest(session);
  expect(await part(false)).toMatchObject({ output: { status: 'completed' } });
  expect(await part(true)).toMatchObject({ output: { status: 'running' } });
});

test.each(['timeout', 'requested', 'turn_ended'] as const)(
  'D-27 a wait that ends by %s leaves the same run alone; its outcome comes later, once',
  async (reason) => {
    const own = gated('held');
    await using mine = await harness();
    await mine.work({ agents: [agentAt(model.url, { canStart: ['held'] })], tasks: [own.task] });
    const session = await mine.client.startSession(uniqueId());
    await session.submitTurn({
      input: `wait for ${JSON.stringify({ agent: 'held', input: 7, wait: true, ...(reason === 'timeout' ? { detachAfterMs: 500 } : {}) })}`,
    });
    await eventually('the start', async () => Promise.resolve(own.started.length === 1));
    const runId = own.started[0]?.runId ?? '';
    if (reason === 'requested')
      expect(await session.detachRun({ runId })).toEqual({ runId, status: 'running', deduplicated: false });
    if (reason === 'turn_ended') await session.cancelTurn();
    await eventually('the turn to end', async () => (await session.getSession()).turn === null);
    expect(await session.detachRun({ runId })).toEqual({ runId, status: 'running', deduplicated: true });
    own.gate.open();
    await until(session, runId, 'completed');
    await atRest(session);
    expect(own.started).toHaveLength(1);
    const events = await allEvents(session);
    expect(events.find((event) => event.type === 'run.detached')).toMatchObject({ runId, reason });
    expect(events.filter((event) => event.type === 'run.delivered')).toHaveLength(1);
  },
);

test('D-09 a queued run and one that waits for an answer spend no silence budget; a running one of the same age is given up', async () => {
  const own = gated('held');
  await using mine = await harness();
  await mine.work({
    agents: [agentAt(model.url), agentAt(model.url, { name: 'child', instructions: 'CHILD' })],
    tasks: [echo, own.task],
  });
  const session = await mine.client.startSession(uniqueId(), {
    budgets: { noProgressBudgetMs: 2000 },
    limits: { maxConcurrentRuns: 2 },
  });
  await session.startRun({ agent: 'child', input: 'ask your parent', runId: 'asks' });
  await until(session, 'asks', 'input_required');
  await session.startRuns({
    runs: [
      { agent: 'held', input: 1, runId: 'silent', detached: { onBudget: 'keep' } },
      { agent: 'held', input: 1, runId: 'loud', detached: { noProgressBudgetMs: 0 } },
      { agent: 'echo', input: 1, runId: 'waits' },
    ],
  });
  await until(session, 'silent', 'interrupted');
  expect((await row(session, 'asks')).status).toBe('input_required');
  expect((await row(session, 'waits')).status).toBe('queued');
  const { requests } = await session.getSession();
  await session.answer({ requestId: requests[0]?.requestId ?? '', value: 2024 });
  own.gate.open();
  await until(session, 'asks', 'completed');
  await until(session, 'waits', 'completed');
  const given = (await allEvents(session)).filter((event) => event.type === 'run.gave_up').map((event) => event.runId);
  expect(given).toEqual(['silent']);
  // The id of a workflow that is there already cannot be started: told at once, not after the ceiling.
  await mine.temporal.workflow.start('run', {
    workflowId: `${session.sessionId}/taken`,
    taskQueue: 'nobody-polls-it',
    args: [],
  });
  await session.startRun({ agent: 'echo', input: 1, runId: 'taken' });
  expect(await until(session, 'taken', 'failed')).toMatchObject({ reason: 'start_failed' });
  await mine.temporal.workflow.getHandle(`${session.sessionId}/taken`).terminate();
});

test('case 28 requestTtlMs of the session holds for questions of runs at every depth', async () => {
  const session = await h.client.startSession(uniqueId(), { budgets: { requestTtlMs: 1500 } });
  await session.startRuns({
    runs: ['child', 'middle'].map((agent) => ({ agent, input: 'ask your parent', detached: { notify: 'silent' } })),
  });
  await eventually('both runs', async () => (await session.getSession()).runs.completed === 2);
  const answered: unknown[] = [];
  for await (const event of session.events({ includeRuns: true }))
    if (event.type === 'request.answered') answered.push(event['status']);
  expect(answered).toEqual(['expired', 'expired']);
  await session.close();
});

test('case 20 T-26 a step that waits shows what it has so far in getTurn and in the log, also after the session is terminated', async () => {
  const session = await h.client.startSession(uniqueId());
  const { turnId } = await session.submitTurn({
    input: `wait for ${JSON.stringify({ agent: 'held', input: 1, wait: true })}`,
  });
  const shown = async (): Promise<boolean> => {
    const last = (await session.getTurn({ turnId }))?.messages.at(-1);
    return last?.metadata?.['partial'] === true && last.parts.some((part) => part.type === 'tool-start_run');
  };
  await eventually('the step', shown);
  await h.temporal.workflow.getHandle(session.sessionId).terminate();
  expect(await shown()).toBe(true);
  expect(types(await allEvents(session)).slice(-3)).toEqual(['run.queued', 'run.started', 'step.waiting']);
});

test('D-38 cancelTurn with runs: "cancel" takes what its turn has started to the last generation, nothing else, and wakes nobody', async () => {
  const session = await h.client.startSession(uniqueId());
  const { runId: other } = await session.startRun({ agent: 'held', input: 1, detached: { notify: 'silent' } });
  const { turnId } = await session.runTurn('wait for {"agent":"middle","input":"go"}');
  const [middle = '', child = ''] = await eventually('the question of the grandchild', async () => {
    const [request] = (await session.getSession()).requests;
    return request?.workflowId.split('/').slice(1);
  });
  // The run that is asked may be about to read the question.
  const own = (): number => model.calls.filter((call) => read(call).who === 'Help.').length;
  const before = own();
  const receipt = await session.cancelTurn({ turnId, runs: 'cancel', reason: 'enough' });
  expect(receipt).toMatchObject({ turnId, status: 'completed' });
  // It waits for 5 s at most.
  expect([...(receipt.cancelled ?? []), ...(receipt.pending ?? [])]).toContain(middle);
  const settled = await eventually('the end of both', async () =>
    (await allEvents(session)).find(({ type, runId }) => type === 'run.settled' && runId === middle),
  );
  expect(settled['cancelled']).toEqual([`${middle}/${child}`]);
  expect(await session.getRun({ runId: middle })).toMatchObject({
    status: 'cancelled',
    reason: 'cancelled_by_user',
    comment: 'enough',
    delivery: { finish: { state: 'not_required' } },
  });
  expect((await session.getRun({ runId: other }))?.status).toBe('running');
  expect(await session.resetTurns({ runs: 'cancel' })).toEqual({ skipped: [], runs: { cancelled: [], pending: [] } });
  const { runs } = await session.startRuns({ runs: [{ agent: 'held', input: 2 }] });
  await session.cancelRun({ runId: runs[0]?.runId ?? '', announce: false });
  held.gate.open();
  await atRest(session);
  expect(own()).toBe(before);
  expect((await allEvents(session)).filter(({ type }) => type === 'run.delivered')).toEqual([]);
  await session.close();
});
