/** Tools whose calls are runs: the lane is free while a person is asked or the work goes on, and the outcome is delivered like that of any run. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { SessionHandle } from '../../src/client/index.ts';
import type { Row } from '../../src/contract.ts';
import { defineTool, type ToolContext } from '../../src/define.ts';
import { InvalidInput, RunFailed } from '../../src/errors.ts';
import { agentAt } from '../support/app.ts';
import { allEvents, atRest, eventually, Gate, harness, text, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer, callsInText } from '../support/model-server.ts';

let h: Harness;
let model: ModelServer;
const made: { to: string; ctx: ToolContext }[] = [];
const gate = new Gate();
const finished: string[] = [];

const input = z.object({ to: z.string() });

/** Asks a person first. */
const mail = defineTool({
  name: 'mail',
  description: 'Sends a mail.',
  input,
  detached: true,
  approval: true,
  execute: ({ to }, ctx) => {
    made.push({ to, ctx });
    return { sent: to };
  },
});
/** Does what its input says. */
const crawl = defineTool({
  name: 'crawl',
  description: 'Crawls a site.',
  input,
  detached: true,
  idempotencyKey: ({ to }, ctx) => `${ctx.turnId} ${to}`,
  execute: async ({ to }, ctx) => {
    made.push({ to, ctx });
    if (to === 'throw') throw Object.assign(new Error('no such site'), { name: 'NoSuchSite' });
    if (to === 'wait')
      await new Promise((_, reject) => {
        ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason as Error));
      });
    return 'x'.repeat(to === 'large' ? 100_000 : 3);
  },
});

/** Answers too late. */
const hang = defineTool({
  name: 'hang',
  description: 'Hangs.',
  input,
  detached: true,
  timeoutMs: 500,
  execute: async () => gate.opened,
});

const using = (name: string, ...to: string[]): string =>
  JSON.stringify(to.map((one) => ({ name, input: { to: one } })));

const config = () => ({
  agents: [agentAt(model.url, { tools: [mail, crawl, hang] })],
  onRunFinish: ({ run }: { run: Row }) => {
    finished.push(run.runId);
  },
});

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start(callsInText);
  await h.work(config());
});

afterAll(async () => {
  gate.open();
  await h[Symbol.asyncDispose]();
  await model.stop();
});

const of = (to: string): number => made.filter((one) => one.to === to).length;

async function only(session: SessionHandle): Promise<Row> {
  const { runs } = await session.listRuns();
  expect(runs).toHaveLength(1);
  return (await session.getRun({ runId: runs[0]?.runId ?? '' })) as Row;
}

/** What the model was last told of a run. */
async function told(session: SessionHandle): Promise<string> {
  const { messages } = await session.getTranscript({ includeHidden: true });
  return (
    messages
      .filter(({ metadata }) => metadata?.['hidden'] === true)
      .map(text)
      .at(-1) ?? ''
  );
}

async function request(session: SessionHandle): Promise<string> {
  return eventually('a request', async () => (await session.getSession()).requests[0]?.requestId);
}

test('T-28 while a person is asked the lane is free; approved after a restart of the worker it runs once, and its outcome is delivered', async () => {
  await using own = await harness();
  const worker = await own.work(config());
  const session = await own.client.startSession(uniqueId());
  const turn = await session.runTurn(using('mail', 'anna'), { turnId: 'one' });
  const row = await eventually('the request', async () => {
    const one = await only(session);
    return one.status === 'input_required' && one;
  });
  expect(turn.messages[1]?.parts).toMatchObject([{ output: { runId: row.runId, status: 'running' } }]);
  expect(row).toMatchObject({ agent: 'mail', kind: 'tool', turnId: 'one', depth: 1 });
  expect(row.parentToolCallId).toBe(turn.messages[1]?.parts[0]?.['toolCallId']);
  expect(await session.runTurn('and now?')).toMatchObject({ status: 'completed' });
  const [asked] = (await session.getSession()).requests;
  expect(asked).toMatchObject({
    kind: 'approval',
    workflowId: row.workflowId,
    runId: row.runId,
    toolName: 'mail',
    toolCallId: row.parentToolCallId,
    input: { to: 'anna' },
  });
  await worker.stop();
  await own.work(config());
  expect(await session.answer({ requestId: asked?.requestId ?? '', decision: 'approve' })).toMatchObject({
    status: 'approved',
  });
  await atRest(session);
  expect(of('anna')).toBe(1);
  const { ctx } = made.find(({ to }) => to === 'anna') ?? {};
  const { sessionId } = session;
  expect(ctx).toMatchObject({ sessionId, workflowId: row.workflowId, runId: row.runId, turnId: 'one' });
  expect(await only(session)).toMatchObject({
    status: 'completed',
    result: { sent: 'anna' },
    delivery: { finish: { state: 'delivered', turnStatus: 'completed' } },
  });
  expect(await told(session)).toContain('{"result":{"sent":"anna"}}');
  expect(finished).toContain(row.runId);
  await session.close();
});

test('T-28 rejected, expired and withdrawn read differently, and nothing is done', async () => {
  const patient = await h.client.startSession(uniqueId());
  const hasty = await h.client.startSession(uniqueId(), { budgets: { requestTtlMs: 1000 } });
  const requestId = async (): Promise<string> => request(patient);
  const ends: [string, SessionHandle, () => Promise<unknown>, object, RegExp][] = [
    [
      'rejected',
      patient,
      async () => patient.answer({ requestId: await requestId(), decision: 'reject', by: 'ben', comment: 'not her' }),
      { status: 'failed', reason: 'agent_error', error: { type: 'ApprovalRejected' } },
      /ApprovalRejected.*rejected by ben.*not her/u,
    ],
    [
      'expired',
      hasty,
      async () => Promise.resolve(),
      { status: 'failed', error: { type: 'ApprovalExpired' } },
      /ApprovalExpired.*expired/u,
    ],
    [
      'withdrawn',
      patient,
      async () => {
        await requestId();
        const { runs } = await patient.listRuns({ status: 'input_required' });
        return patient.cancelRun({ runId: runs[0]?.runId ?? '' });
      },
      { status: 'cancelled', reason: 'cancelled_by_user' },
      /\{"reason":"cancelled_by_user"\}/u,
    ],
  ];
  for (const [to, session, end, row, words] of ends) {
    const turn = await session.runTurn(using('mail', to));
    const [part] = turn.messages[1]?.parts ?? [];
    const runId = String((part?.['output'] as { runId?: string } | undefined)?.runId);
    await end();
    await atRest(session);
    expect(await session.getRun({ runId })).toMatchObject(row);
    expect(of(to)).toBe(0);
    expect(await told(session)).toMatch(words);
  }
  await patient.close();
  await hasty.close();
});

test('D-40 its result, its error, and an outcome that nobody knows are those of its run', async () => {
  const session = await h.client.startSession(uniqueId());
  const calls = JSON.parse(using('crawl', 'site', 'throw', 'late', 'large')) as { name: string }[];
  await session.runTurn(JSON.stringify(calls.with(2, { ...calls[2], name: 'hang' })));
  await atRest(session);
  const rows = (await session.listRuns()).runs as Row[];
  expect(rows.map(({ status, error, resultRef }) => [status, error?.type, error?.message, resultRef])).toEqual([
    ['completed', undefined, undefined, undefined],
    ['failed', 'NoSuchSite', 'no such site', undefined],
    ['failed', 'OutcomeUnknown', expect.stringContaining('unknown'), undefined],
    ['completed', undefined, undefined, rows[3]?.workflowId],
  ]);
  expect(await session.run(rows[0]?.runId ?? '').result()).toBe('xxx');
  await expect(session.run(rows[1]?.runId ?? '').result()).rejects.toThrow(RunFailed);
  expect(await session.run(rows[3]?.runId ?? '').result()).toBe('x'.repeat(100_000));
  const own = await allEvents(session, { includeRuns: true });
  expect(
    own
      .filter(({ type }) => type.startsWith('turn.') || type === 'message.added')
      .every(({ parentRunId, runId }) => parentRunId === undefined && runId === undefined),
  ).toBe(true);
  await session.close();
});

test('D-40 it is cancelled like any run, gets no messages, counts against maxRunsPerTurn, and one action is one run', async () => {
  const session = await h.client.startSession(uniqueId(), { limits: { maxRunsPerTurn: 1 } });
  const turn = await session.runTurn(using('crawl', 'wait', 'wait', 'site'));
  const [first, same, refused] = turn.messages[1]?.parts ?? [];
  expect(same?.['output']).toEqual(first?.['output']);
  expect(refused?.['errorText']).toMatch(/^RunLimitExceeded: /u);
  const { runId } = await only(session);
  await eventually('the call', async () => Promise.resolve(of('wait') === 1));
  await expect(session.messageRun({ runId, message: 'hello' })).rejects.toThrow(InvalidInput);
  expect(await session.cancelRun({ runId })).toMatchObject({ cancelled: [runId] });
  await atRest(session);
  expect(await only(session)).toMatchObject({ status: 'cancelled', reason: 'cancelled_by_user' });
  await session.close();
});

test('D-40 what takes longer than its budget is given up and cancelled', async () => {
  const session = await h.client.startSession(uniqueId(), { budgets: { maxBudgetMs: 700 } });
  await session.runTurn(using('crawl', 'wait'));
  await atRest(session);
  expect(await only(session)).toMatchObject({
    status: 'cancelled',
    reason: 'cancelled_by_budget',
    delivery: { gaveUp: { state: 'delivered' } },
  });
  await session.close();
});
