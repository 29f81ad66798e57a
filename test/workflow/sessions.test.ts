/** The sessions of a task queue, as a list: what it shows, in which order, page by page. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ListedSession, ListSessions } from '../../src/client/index.ts';
import { agentAt, echo } from '../support/app.ts';
import { AesCodec } from '../support/aes-codec.ts';
import { atRest, eventually, harness, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer } from '../support/model-server.ts';
import { allTasks, resetTo } from '../support/reset.ts';

let h: Harness;
let model: ModelServer;

beforeAll(async () => {
  model = await ModelServer.start(() => 'ok');
  h = await harness();
  await h.work({
    agents: [agentAt(model.url), agentAt(model.url, { name: 'other' })],
    tasks: [echo],
  });
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await model.stop();
});

/** Visibility comes a moment later: asked until it shows so many. */
async function listed(count: number, asked: ListSessions, { client } = h): Promise<ListedSession[]> {
  return eventually(`${count} sessions in the list`, async () => {
    const { sessions } = await client.listSessions(asked);
    if (sessions.length !== count) throw new Error(`It has ${sessions.length}.`);
    return sessions;
  });
}

test('a list shows agent, title, epoch and both instants, the newest first, open or closed', async () => {
  const prefix = uniqueId('list');
  const first = await h.client.startSession(`${prefix}-1`, { agent: 'other', title: 'Quarterly numbers' });
  const second = await h.client.startSession(`${prefix}-2`);
  const third = await h.client.startSession(`${prefix}-3`);
  await second.close();
  await h.client.temporal.workflow.getHandle(second.sessionId).result();
  const [started, last] = await Promise.all([first.getSession(), third.getSession()]);
  await listed(1, { idPrefix: prefix, status: 'closed' });
  const [newest, middle, oldest, ...more] = await listed(3, { idPrefix: prefix });
  expect(newest).toEqual({
    sessionId: third.sessionId,
    epoch: last.epoch,
    agent: last.agent,
    status: 'open',
    createdAt: last.createdAt,
  });
  expect(middle).toMatchObject({ sessionId: second.sessionId, status: 'closed' });
  expect(Date.parse(middle?.closedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(middle?.createdAt ?? ''));
  expect(oldest).toEqual({
    sessionId: first.sessionId,
    epoch: started.epoch,
    agent: 'other',
    title: 'Quarterly numbers',
    status: 'open',
    createdAt: started.createdAt,
  });
  expect(more).toEqual([]);
  expect((await h.client.listSessions({ idPrefix: prefix, agent: 'other' })).sessions).toEqual([oldest]);
  expect((await h.client.listSessions({ idPrefix: prefix, status: 'open' })).sessions).toEqual([newest, oldest]);
});

test('a session that has continued as new, and one that was reset, is listed once, as it began', async () => {
  const prefix = uniqueId('list');
  const session = await h.client.startSession(prefix, { title: 'Long', limits: { historyEvents: 20 } });
  const { epoch, createdAt } = await session.getSession();
  const handle = h.temporal.workflow.getHandle(prefix);
  for (let n = 0; (await handle.describe()).runId === epoch; n++) {
    await session.startRun({ agent: 'echo', input: n, detached: { notify: 'silent' } });
    await atRest(session);
  }
  const expected = { sessionId: prefix, epoch, agent: 'helper', title: 'Long', status: 'open', createdAt };
  await eventually('what has continued in the list', async () => {
    expect((await h.client.listSessions({ idPrefix: prefix })).sessions).toEqual([expected]);
    return true;
  });
  const [task] = await allTasks(h.temporal, prefix);
  if (task === undefined) throw new Error('Expected a task to reset to.');
  await resetTo(h.temporal, prefix, task);
  await eventually('both executions in visibility', async () => {
    const runs = h.temporal.workflow.list({
      query: `WorkflowId = '${prefix}' AND ExecutionStatus IN ('Terminated', 'Running')`,
    });
    let count = 0;
    for await (const _ of runs) count++;
    return count === 2;
  });
  expect((await h.client.listSessions({ idPrefix: prefix })).sessions).toEqual([expected]);
});

test('pages follow each other without a gap and without telling anything twice, whatever begins meanwhile', async () => {
  const prefix = uniqueId('list');
  for (let n = 0; n < 7; n++) await h.client.startSession(`${prefix}-${n}`);
  await listed(7, { idPrefix: prefix });
  const seen: string[] = [];
  let after: string | undefined;
  do {
    const page = await h.client.listSessions({ idPrefix: prefix, limit: 3, ...(after === undefined ? {} : { after }) });
    seen.push(...page.sessions.map(({ sessionId }) => sessionId));
    after = page.after;
    if (seen.length === 3) {
      await h.client.startSession(`${prefix}-late`);
      await listed(8, { idPrefix: prefix });
    }
  } while (after !== undefined);
  expect(seen).toEqual([6, 5, 4, 3, 2, 1, 0].map((n) => `${prefix}-${n}`));
});

test('a session whose start was refused is closed, and one that no worker has taken is open; neither has an agent', async () => {
  await using idle = await harness();
  const refused = uniqueId('list');
  await expect(h.client.startSession(refused, { agent: 'nobody' })).rejects.toMatchObject({ type: 'UnknownAgent' });
  const [closed] = await listed(1, { idPrefix: refused, status: 'closed' });
  expect(closed).not.toHaveProperty('agent');
  const waiting = await idle.begin();
  const [open] = await listed(1, {}, idle);
  expect(open).toMatchObject({ sessionId: waiting.sessionId, status: 'open' });
  expect(open).not.toHaveProperty('agent');
  await idle.temporal.workflow.getHandle(waiting.sessionId).terminate();
});

test('S-04 agent and title are encoded in the memo, and whoever has not the codec sees the session without them', async () => {
  await using own = await harness(undefined, { payloadCodecs: [new AesCodec()] });
  await own.work({ agents: [agentAt(model.url)] });
  const { sessionId } = await own.client.startSession(uniqueId('list'), { title: 'Secret' });
  expect((await listed(1, {}, own))[0]).toMatchObject({ agent: 'helper', title: 'Secret' });
  await using strange = await harness(own.taskQueue);
  const [row] = await listed(1, {}, strange);
  expect(row).toMatchObject({ sessionId, status: 'open' });
  expect(row).not.toHaveProperty('title');
});

test.each([
  [{ limit: 0 }, 'Expected limit to be an integer of 1 to 1000, got 0.'],
  [{ status: 'idle' }, 'Expected status to be one of "open", "closed", got "idle".'],
  [{ idPrefix: "x' OR ''='" }, /^Expected idPrefix to be the beginning of a session id, got /u],
  [{ after: 'eyJ2IjoyfQ' }, /^Expected after to be what a page before has answered as after, got /u],
])('a list asked for with %j is refused in one sentence', async (asked, message) => {
  await expect(h.client.listSessions(asked as ListSessions)).rejects.toMatchObject({ type: 'InvalidInput', message });
});
