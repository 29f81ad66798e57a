/** What is played for the histories that are kept, one session each: every form in which something comes into a history, and in which it ends. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { OutliveClient, SessionHandle, SessionInput } from '../../src/client/index.ts';
import type { Row } from '../../src/contract.ts';
import { HOOKED } from './app.ts';

export interface Behaviour {
  input?: SessionInput;
  taskQueue?: string;
  /** It ends by itself or is ended by what is played, and not by a `close` after it has come to rest. */
  ends?: true;
  play: (session: SessionHandle, temporal: Client) => Promise<void>;
}

export async function until(what: () => Promise<boolean>): Promise<void> {
  while (!(await what())) await pause(50);
}

export async function atRest(session: SessionHandle): Promise<void> {
  await until(async () => {
    const { status, queue, runs } = await session.getSession();
    return status === 'idle' && queue.length === 0 && runs.queued + runs.running + runs.interrupted === 0;
  });
}

async function reaches(session: SessionHandle, runId: string, status: Row['status']): Promise<void> {
  await until(async () => (await session.getRun({ runId }))?.status === status);
}

/** The first question that is open anywhere in the tree. */
async function question(session: SessionHandle): Promise<string> {
  let requestId = '';
  await until(async () => (requestId = (await session.getSession()).requests[0]?.requestId ?? '') !== '');
  return requestId;
}

const FEW_PLACES: SessionInput = { limits: { maxConcurrentRuns: 2 } };

export const behaviours: Record<string, Behaviour> = {
  'turn-with-tools': {
    play: async (session) => {
      await session.submitTurn({ input: 'use it', idempotencyKey: 'k' });
    },
  },
  'model-retry': {
    play: async (session) => {
      await session.submitTurn({ input: 'retry' });
      await session.submitTurn({ input: 'refuse' });
    },
  },
  'run-from-turn': {
    play: async (session) => {
      await session.submitTurn({ input: 'start it' });
    },
  },
  'nested-runs': {
    play: async (session) => {
      await session.submitTurn({ input: 'start nested' });
      await until(async () => (await session.getSession()).runs.completed === 1);
    },
  },
  'waited-runs': {
    play: async (session) => {
      await session.submitTurn({ input: 'start and wait' });
      await atRest(session);
      await session.submitTurn({ input: 'start and let go' });
      let runId = '';
      await until(async () => (runId = (await session.listRuns({ status: 'running' })).runs[0]?.runId ?? '') !== '');
      await session.detachRun({ runId });
      await session.messageRun({ runId, message: 'go on' });
    },
  },
  questions: {
    play: async (session) => {
      await session.startRun({ agent: 'helper', input: 'ask', runId: 'answered' });
      await session.answer({ requestId: await question(session), value: 2024, by: 'somebody' });
      await reaches(session, 'answered', 'completed');
      await session.startRun({ agent: 'helper', input: 'ask', runId: 'withdrawn' });
      await question(session);
      await session.cancelRun({ runId: 'withdrawn' });
      await reaches(session, 'withdrawn', 'cancelled');
      await session.submitTurn({ input: 'start a question' });
      await session.answer({ requestId: await question(session), value: 2025 });
    },
  },
  messages: {
    play: async (session) => {
      await session.startRun({ agent: 'hears', input: 1, runId: 'task' });
      await session.messageRun({ runId: 'task', message: 'first' });
      await session.startRun({ agent: 'helper', input: 'ask', runId: 'agent' });
      const requestId = await question(session);
      await session.messageRun({ runId: 'agent', message: 'meanwhile' });
      await session.answer({ requestId, value: 1 });
    },
  },
  handlers: {
    play: async (session) => {
      const onMilestones = ['half'];
      await session.startRun({ agent: 'work', input: 1, detached: { onFinish: 'told', onMilestones } });
      await session.startRun({ agent: 'work', input: 1, detached: { onFinish: 'toldAgain' } });
    },
  },
  hooks: {
    taskQueue: HOOKED,
    play: async (session) => {
      await session.startRun({ agent: 'work', input: 1 });
      await atRest(session);
      await session.startRun({ agent: 'hears', input: 1, runId: 'kept' });
    },
    ends: true,
  },
  'any-workflow': {
    play: async (session) => {
      await session.startRun({ agent: 'workflow:doubles', input: { n: 2 } });
    },
  },
  'checked-input': {
    play: async (session, temporal) => {
      await session.startRun({ agent: 'counts', input: { to: 3 } });
      await session.startRun({ agent: 'counts', input: 3 }).catch(() => undefined);
      await temporal.workflow
        .getHandle(session.sessionId)
        .signal('startRun', { agent: 'counts', input: 3, runId: 'unfit' });
      await reaches(session, 'unfit', 'failed');
    },
  },
  approvals: {
    play: async (session) => {
      for (const decision of ['reject', 'approve', undefined] as const) {
        await session.submitTurn({ input: 'pay' });
        if (decision !== undefined)
          await session.answer({ requestId: await question(session), decision, comment: 'said' });
        await atRest(session);
      }
    },
  },
  'detached-tools': {
    play: async (session) => {
      await session.submitTurn({ input: 'mail' });
      await session.answer({ requestId: await question(session), decision: 'approve' });
      await atRest(session);
      await session.submitTurn({ input: 'mail' });
      const requestId = await question(session);
      await session.answer({ requestId, decision: 'reject' });
    },
  },
  'report-result': {
    play: async (session) => {
      await session.startRun({ agent: 'helper', input: 'report' });
      await session.startRun({ agent: 'clerk', input: 'hello' });
    },
  },
  'token-budget': {
    input: { budgets: { maxTokens: 20, onMaxTokens: 'ask' } },
    play: async (session) => {
      await session.submitTurn({ input: 'start nested' });
      await session.answer({ requestId: await question(session), decision: 'approve', value: 15 });
      await session.answer({ requestId: await question(session), decision: 'reject' });
      // What has failed is told in a turn of its own.
      await session.answer({ requestId: await question(session), decision: 'approve', value: 100_000 });
    },
  },
  'run-failed': {
    play: async (session) => {
      await session.startRun({ agent: 'fails', input: 1 });
      await session.startRun({ agent: 'flaky', input: 1 });
    },
  },
  'give-up': {
    play: async (session) => {
      await session.startRun({ agent: 'stuck', input: 1, detached: { maxBudgetMs: 300 } });
    },
  },
  'give-up-and-keep': {
    play: async (session) => {
      const detached = { noProgressBudgetMs: 300, onBudget: 'keep' as const };
      await session.startRun({ agent: 'hears', input: 1, runId: 'late', detached });
      await reaches(session, 'late', 'interrupted');
      await session.messageRun({ runId: 'late', message: 'at last' });
    },
  },
  'cancel-run': {
    play: async (session) => {
      const { runId } = await session.startRun({ agent: 'stuck', input: 1 });
      await session.cancelRun({ runId });
    },
  },
  'end-by-force': {
    input: { limits: { cancelGraceMs: 300 } },
    play: async (session) => {
      const { runId } = await session.startRun({ agent: 'deaf', input: 1 });
      await session.cancelRun({ runId, announce: false });
    },
  },
  'run-cancelled-in-temporal': {
    play: async (session, temporal) => {
      const { workflowId } = await session.startRun({ agent: 'stuck', input: 1 });
      await temporal.workflow.getHandle(workflowId).cancel();
    },
  },
  'run-terminated': {
    play: async (session, temporal) => {
      const { workflowId } = await session.startRun({ agent: 'helper', input: 'hang' });
      await until(async () => (await session.getSession()).runs.running === 1);
      await temporal.workflow.getHandle(workflowId).terminate();
    },
  },
  'narrate-and-silent': {
    play: async (session) => {
      const onMilestones = { names: '*' as const, mode: 'react' as const };
      await session.startRun({ agent: 'work', input: 1, detached: { notify: 'narrate', onMilestones } });
      await session.startRun({ agent: 'work', input: 2, detached: { notify: 'silent' } });
    },
  },
  'queue-and-busy': {
    play: async (session) => {
      await session.submitTurn({ input: 'hang' });
      for (const onBusy of ['queue', 'merge', 'latest', 'drop', 'steer', 'interrupt', { debounceMs: 200 }] as const)
        await session.submitTurn({ input: `busy ${JSON.stringify(onBusy)}`, onBusy });
      await session.submitTurn({ input: 'hang' });
      await session.resetTurns({ reason: 'enough' });
    },
  },
  rewind: {
    play: async (session) => {
      await session.submitTurn({ input: 'one', turnId: 'one', idempotencyKey: 'k' });
      await atRest(session);
      await session.rewind({ turnId: 'one', reason: 'edited' });
      await session.submitTurn({ input: 'one, better', turnId: 'one', idempotencyKey: 'k' });
      await session.rewind({ messageId: 'nobody' }).catch(() => undefined);
    },
  },
  'continue-as-new': {
    input: { limits: { historyEvents: 40 } },
    play: async (session) => {
      for (let i = 0; i < 6; i++) {
        await session.startRun({ agent: 'work', input: i, runId: `run-${i}` });
        await session.submitTurn({ input: 'use it' });
        await atRest(session);
      }
    },
  },
  'carried-in-flight': {
    input: { limits: { historyEvents: 30, maxConcurrentRuns: 1 } },
    play: async (session) => {
      await session.startRun({ agent: 'hears', input: 1, runId: 'first' });
      await session.startRun({ agent: 'hears', input: 1, runId: 'queued', metadata: { n: 1 } });
      for (let i = 0; i < 8; i++)
        await Promise.all([
          session.submitTurn({ input: `turn ${i}` }),
          session.submitTurn({ input: `again ${i}`, onBusy: 'steer' }),
        ]);
      await atRestBut(session, 2);
      await session.messageRun({ runId: 'first', message: 'go on' });
      await reaches(session, 'first', 'completed');
      await session.messageRun({ runId: 'queued', message: 'go on' });
    },
  },
  archive: {
    play: async (session) => {
      for (let i = 0; i < 4; i++) await session.startRun({ agent: 'large', input: 35_000 });
      await session.startRun({ agent: 'large', input: 66_000 });
    },
  },
  'refused-signals': {
    play: async (session, temporal) => {
      const handle = temporal.workflow.getHandle(session.sessionId);
      await handle.signal('submitTurn', { input: 5 });
      await handle.signal('startRun', { agent: 'nobody', input: 5 });
      await handle.signal('nothing', 1, 2, 3);
      await handle.signal('runSettled', { runId: 'x', epoch: 'another', status: 'completed', usage: {} });
      await until(async () => (await session.getEvents({ types: ['input.refused'] })).events.length === 4);
    },
  },
  'close-cancelling-runs': {
    ends: true,
    input: FEW_PLACES,
    play: async (session) => {
      await session.startRuns({ runs: [1, 2, 3].map((input) => ({ agent: 'stuck', input })) });
      await session.submitTurn({ input: 'hang' });
      await session.submitTurn({ input: 'queued' });
      await session.close({ runs: 'cancel', reason: 'done' });
    },
  },
  'close-keeping-runs': {
    ends: true,
    play: async (session) => {
      await session.startRun({ agent: 'hears', input: 1, runId: 'kept' });
      await session.startRun({ agent: 'helper', input: 'ask', runId: 'asks' });
      await question(session);
      await session.submitTurn({ input: 'start it' });
      await session.close({ turn: 'finish' });
    },
  },
  'cancelled-in-temporal': {
    ends: true,
    play: async (session, temporal) => {
      await session.startRun({ agent: 'hears', input: 1, runId: 'kept' });
      await session.submitTurn({ input: 'hang' });
      await until(async () => (await session.getSession()).turn !== null);
      await temporal.workflow.getHandle(session.sessionId).cancel();
    },
  },
};

/** Nothing is left to do but these runs. */
async function atRestBut(session: SessionHandle, runs: number): Promise<void> {
  await until(async () => {
    const { status, queue, runs: counts } = await session.getSession();
    return status === 'idle' && queue.length === 0 && counts.queued + counts.running === runs;
  });
}

/** One whose start is refused, which is the one input that a workflow fails for. */
export async function refusedStart(client: OutliveClient): Promise<void> {
  await client.startSession('refused-start', { agent: 'nobody' }).catch(() => undefined);
}
