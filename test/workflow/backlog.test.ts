/** C-03: what has come by the thousand while no worker was there is taken in one task, and no task fails for it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SessionHandle } from '../../src/client/index.ts';
import { agentAt, echo } from '../support/app.ts';
import { eventually, harness, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer } from '../support/model-server.ts';

let model: ModelServer;

beforeAll(async () => {
  model = await ModelServer.start(() => 'ok');
});

afterAll(async () => model.stop());

/** A session with live runs whose tasks nobody serves, and then no worker at all. */
async function live(h: Harness, runs: number): Promise<{ session: SessionHandle; runIds: string[] }> {
  const worker = await h.work({ agents: [agentAt(model.url)], tasks: [echo], serve: ['workflows', 'models'] });
  // A worker that comes reads the history first: what made the runs is not what is tried here.
  const limits = { maxConcurrentRuns: runs, historyEvents: 2000 };
  const session = await h.client.startSession(uniqueId(), { limits });
  const runIds = Array.from({ length: runs }, (_, i) => `r${i}`);
  for (let i = 0; i < runs; i += 200)
    await session.startRuns({
      runs: runIds
        .slice(i, i + 200)
        .map((runId) => ({ agent: 'echo', input: 'go', runId, detached: { notify: 'silent' } })),
    });
  await eventually('all to be started', async () => {
    const { events } = await session.getEvents({ types: ['run.started'], limit: 10_000 });
    return events.length === runs || (await session.getSession()).runs.running === runs;
  });
  await worker.stop();
  return { session, runIds };
}

async function signal(h: Harness, id: string, name: string, arguments_: object[], atOnce = 100): Promise<void> {
  const handle = h.temporal.workflow.getHandle(id);
  for (let i = 0; i < arguments_.length; i += atOnce)
    await Promise.all(arguments_.slice(i, i + atOnce).map(async (one) => handle.signal(name, one)));
}

/** Workflow tasks that failed or timed out, over all executions of an id, but for the one that was on its way to the worker that stopped. */
async function lostTasks(h: Harness, workflowId: string, maximumPageSize = 500): Promise<string[]> {
  const lost: string[] = [];
  for await (const { runId } of h.temporal.workflow.list({ query: `WorkflowId = "${workflowId}"` })) {
    let nextPageToken: Uint8Array | undefined;
    do {
      const page = await h.temporal.workflowService.getWorkflowExecutionHistory({
        namespace: 'default',
        execution: { workflowId, runId },
        maximumPageSize,
        ...(nextPageToken === undefined ? {} : { nextPageToken }),
      });
      for (const event of page.history?.events ?? []) {
        const { workflowTaskFailedEventAttributes: failed, workflowTaskTimedOutEventAttributes: timedOut } = event;
        // A task that would end or hand over the execution is rejected as a whole when something comes meanwhile, and decided anew.
        if (failed && failed.failure?.message !== 'UnhandledCommand')
          lost.push(`${String(event.eventId)} ${failed.failure?.message}`);
        if (timedOut && Number(timedOut.timeoutType) !== 2) lost.push(`${String(event.eventId)} timed out`);
      }
      nextPageToken = page.nextPageToken?.length ? page.nextPageToken : undefined;
    } while (nextPageToken !== undefined);
  }
  return lost;
}

test('C-03 8,000 signals to a session with 1,000 live runs: each counts, and no workflow task fails or times out', async () => {
  await using h = await harness();
  const { session, runIds } = await live(h, 1000);
  const { epoch } = await h.temporal.workflow
    .getHandle(session.sessionId)
    .describe()
    .then(({ raw }) => ({
      epoch: raw.workflowExecutionInfo?.firstRunId ?? '',
    }));
  const at = new Date().toISOString();
  for (let n = 1; n <= 8; n++)
    await signal(
      h,
      session.sessionId,
      'runMilestones',
      runIds.map((runId) => ({ v: 1, runId, epoch, milestones: [{ n, name: `at-${n}`, at }] })),
    );
  await h.work({ agents: [agentAt(model.url)], tasks: [echo], serve: ['workflows', 'models'] });
  await eventually('all of it to be taken', async () => {
    const row = await session.getRun({ runId: 'r999' });
    return row !== null && 'milestones' in row && row.milestones.length === 8;
  });
  let milestones = 0;
  for await (const event of session.events()) if (event.type === 'run.milestone') milestones += 1;
  expect(milestones).toBe(8000);
  expect(await lostTasks(h, session.sessionId)).toEqual([]);
}, 300_000);

test('C-03 a backlog whose log is more than one task may bring to the server goes into the archive in parts', async () => {
  await using h = await harness();
  const { session } = await live(h, 1);
  const row = await h.temporal.workflow.getHandle(session.sessionId).describe();
  const epoch = row.raw.workflowExecutionInfo?.firstRunId ?? '';
  const at = new Date().toISOString();
  await signal(
    h,
    session.sessionId,
    'runMilestones',
    Array.from({ length: 900 }, (_, i) => ({
      v: 1,
      runId: 'r0',
      epoch,
      milestones: [{ n: i + 1, name: 'page', at, data: `${i}`.padEnd(8000, 'x') }],
    })),
    1,
  );
  await h.work({ agents: [agentAt(model.url)], tasks: [echo], serve: ['workflows', 'models'] });
  await eventually('all of it to be taken', async () => (await session.getSession()).lastSeq >= 902);
  await session.close({ runs: 'keep' });
  await eventually('the end', async () => (await session.getSession()).status === 'closed');
  const seen: number[] = [];
  for await (const event of session.events()) if (event.type === 'run.milestone') seen.push(Number(event['n']));
  expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 900 }, (_, i) => i + 1));
  // One task may bring 2 MiB, and gRPC carries 4.
  expect(await lostTasks(h, session.sessionId, 5)).toEqual([]);
});
