/** What operators and our own mistakes do to a workflow: an operator's hand is an input, and a rule that throws loses nothing. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { ApplicationFailure } from '@temporalio/common';
import { createActivities } from '../../activities/index.ts';
import { Registry } from '../../activities/registry.ts';
import type { Activities } from '../../src/contract.ts';
import { defineTask, defineTool, type Config } from '../../src/define.ts';
import { z } from 'zod';
import { agentAt, echo, gated } from '../support/app.ts';
import { executionsOf } from '../support/histories.ts';
import {
  allEvents,
  atRest,
  byText,
  eventually,
  harness,
  text,
  types,
  uniqueId,
  type Harness,
} from '../support/harness.ts';
import { ModelServer } from '../support/model-server.ts';
import { replayAll } from '../support/replay.ts';

let model: ModelServer;

beforeAll(async () => {
  model = await ModelServer.start(({ messages }) => {
    const last = JSON.stringify(messages.at(-1));
    if (last.includes('look at') && messages.at(-1)?.role === 'user')
      return { tools: [{ name: 'inspect_run', input: { runId: 'looked' } }] };
    if (last.includes('use the tool') && messages.at(-1)?.role === 'user')
      return { tools: [{ name: 'add', input: { a: 1 } }] };
    return 'ok';
  });
});

afterAll(async () => {
  await model.stop();
});

/** What an operator makes of the first calls of an activity: failed for good, or completed with anything. */
type Hand = 'fails' | { completes: unknown };

function byHand(
  h: Harness,
  config: Omit<Config, 'taskQueue'>,
  hands: Partial<Record<keyof Activities, Hand[]>>,
): object {
  const real = createActivities(new Registry({ ...config, taskQueue: h.taskQueue }), h.temporal, () => false);
  return Object.fromEntries(
    Object.entries(real).map(([name, call]) => [
      name,
      async (arg: never) => {
        const hand = hands[name as keyof Activities]?.shift();
        if (hand === 'fails') throw ApplicationFailure.nonRetryable('by hand', 'ByHand');
        return hand === undefined ? (call as (arg: never) => Promise<unknown>)(arg) : hand.completes;
      },
    ]),
  );
}

async function failedTasks(h: Harness, workflowId: string): Promise<number> {
  const events = (await executionsOf(h.temporal, workflowId)).flat();
  return events.filter((event) => event.workflowTaskFailedEventAttributes).length;
}

test('C-06 whatever an operator makes of an activity of ours is an input: nothing of it fails a workflow task', async () => {
  await using h = await harness();
  const held = gated('held');
  const told: string[] = [];
  const config = {
    agents: [
      agentAt(model.url, {
        canStart: ['held', 'echo'],
        tools: [
          defineTool({
            name: 'add',
            description: 'Adds.',
            input: z.object({ a: z.number() }),
            execute: ({ a }) => a + 1,
          }),
        ],
      }),
    ],
    tasks: [echo, held.task, defineTask({ name: 'checked', input: z.number(), run: (input) => input })],
    handlers: {
      notes: ({ key }: { key: string }) => {
        told.push(key);
      },
    },
  };
  const rubbish: Hand[] = [{ completes: null }, { completes: 'rubbish' }, { completes: { v: 1, name: 7 } }];
  const hands = {
    resolveName: ['fails', ...rubbish] as Hand[],
    // Whoever starts the run waits for it, 30 s at most.
    checkInputs: ['fails', { completes: null }, { completes: { v: 1, misfits: [7] } }] as Hand[],
    model: [...rubbish] as Hand[],
    tool: [{ completes: 'three' }] as Hand[],
    look: [
      'fails',
      ...rubbish,
      { completes: { v: 1, sights: [{ runId: 'looked', found: 'closed', outcome: {} }] } },
    ] as Hand[],
    lookAtWorkflow: ['fails', ...rubbish] as Hand[],
    handler: ['fails', { completes: 'done' }] as Hand[],
    task: [{ completes: { any: 'thing' } }] as Hand[],
  };
  await h.work(config, { activities: byHand(h, config, hands) });
  const session = await h.client.startSession(uniqueId());
  await session.startRun({
    agent: 'echo',
    input: 1,
    runId: 'byhand',
    detached: { notify: 'silent', onFinish: 'notes' },
  });
  await session.startRun({ agent: 'held', input: 1, runId: 'looked', detached: { notify: 'silent' } });
  await h.temporal.workflow.start('session', {
    workflowId: `${session.sessionId}/taken`,
    taskQueue: h.taskQueue,
    args: [{ agent: 'helper' }],
  });
  await session.startRun({ agent: 'echo', input: 1, runId: 'taken', detached: { notify: 'silent' } });
  await session.startRun({ agent: 'checked', input: 1, runId: 'checked', detached: { notify: 'silent' } });
  await session.submitTurn({ input: 'look at it' });
  await session.submitTurn({ input: 'use the tool' });
  await eventually('both turns to end', async () => {
    const view = await session.getSession();
    return view.turn === null && view.queue.length === 0;
  });
  await eventually('every hand to have been laid on', async () =>
    Promise.resolve(Object.values(hands).flat().length === 0),
  );
  held.gate.open();
  await atRest(session);

  expect(await session.getRun({ runId: 'byhand' })).toMatchObject({ status: 'completed', result: { any: 'thing' } });
  expect(await session.getRun({ runId: 'looked' })).toMatchObject({ status: 'completed', result: 1 });
  expect(await session.getRun({ runId: 'taken' })).toMatchObject({ status: 'failed', reason: 'start_failed' });
  const { messages } = await session.getTranscript({});
  expect(JSON.stringify(messages)).toContain('"output":"three"');
  expect(text(messages.at(-1))).toBe('ok');
  // The second call of the handler was completed by hand: nobody has been told.
  expect(told).toEqual([]);
  expect(await failedTasks(h, session.sessionId)).toBe(0);
  expect(await failedTasks(h, `${session.sessionId}/byhand`)).toBe(0);
  await replayAll(h.temporal, session.sessionId);
});

test('what the server does not let anybody end by force holds up neither its run nor the end of the session', async () => {
  await using h = await harness();
  const config = {
    agents: [agentAt(model.url)],
    tasks: [echo],
    workflows: { nobody: { taskQueue: uniqueId('empty') } },
  };
  const hands = { terminateRun: Array.from({ length: 1000 }, (): Hand => 'fails') };
  await h.work(config, { activities: byHand(h, config, hands) });
  const session = await h.client.startSession(uniqueId(), { limits: { cancelGraceMs: 1 } });
  const { workflowId } = await session.startRun({ agent: 'workflow:nobody', input: 1 });
  const handleOf = (id: string) => h.temporal.workflow.getHandle(id);
  const target = handleOf(`${workflowId}/workflow`);
  await eventually('the workflow to be there', async () => target.describe());
  await session.close({ runs: 'cancel' });
  for (const id of [workflowId, session.sessionId])
    await eventually(`${id} to end`, async () => (await handleOf(id).describe()).status.name === 'COMPLETED', 80_000);
  expect(await handleOf(workflowId).result()).toMatchObject({ status: 'cancelled', reason: 'session_closed' });
  expect((await target.describe()).status.name).toBe('RUNNING');
  await target.terminate();
}, 200_000);

test('C-07 a rule that throws fails its workflow task, changes nothing, and goes on after a deploy that mends it', async () => {
  await using h = await harness();
  const config = { agents: [agentAt(model.url)], tasks: [echo] };
  const good = await readFile(inject('bundlePath'), 'utf8');
  const rule = /function submitTurn\(cx, submit\) \{/u;
  expect(good).toMatch(rule);
  const code = good.replace(
    rule,
    (whole) => `${whole} if (submit.turnId === 'boom') throw new TypeError('a mistake of ours');`,
  );
  const bad = await h.work(config, { workflowBundle: { code } });
  const session = await h.client.startSession(uniqueId());
  await session.submitTurn({ input: 'before', turnId: 'before' });
  await atRest(session);
  const handle = h.temporal.workflow.getHandle(session.sessionId);
  // With others in the same task, and one that comes while it fails.
  await Promise.all(
    ['one', 'boom', 'two'].map(async (turnId) => handle.signal('submitTurn', { input: turnId, turnId })),
  );
  await eventually('the task to fail', async () => (await failedTasks(h, session.sessionId)) > 0);
  await handle.signal('submitTurn', { input: 'three', turnId: 'three' });
  const update = session.submitTurn({ input: 'four', turnId: 'four' });
  await bad.stop();
  await h.work(config);
  expect(await update).toMatchObject({ turnId: 'four', deduplicated: false });
  await atRest(session);
  const events = await allEvents(session);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
  const queued = events.filter(({ type }) => type === 'turn.queued').map(({ turnId }) => turnId);
  expect(queued.toSorted(byText)).toEqual(['before', 'boom', 'four', 'one', 'three', 'two']);
  expect(types(events).filter((type) => type === 'turn.completed').length).toBe(6);
  expect(types(events)).not.toContain('input.refused');
  await replayAll(h.temporal, session.sessionId);
});
