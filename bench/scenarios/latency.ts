/** How long one thing takes from its cause to its effect, milliseconds: each is done many times, in turns with its baseline. */
import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import type { SessionHandle } from '../../src/client/index.ts';
import { finishKey } from '../../src/domain/state/ids.ts';
import { eventsOf, timeOf } from '../histories.ts';
import { BASELINE_MODELS, BASELINE_QUEUE, BASELINE_TASKS, until, type Rig } from '../rig.ts';

/** Of the same moments, so that they can be compared one by one. */
export interface Latencies {
  outlive: number[];
  baseline: number[];
}

async function startFloor(rig: Rig): Promise<WorkflowHandle> {
  const handle = await rig.temporal.workflow.start('floorParent', {
    workflowId: `floor-${randomUUID()}`,
    taskQueue: BASELINE_QUEUE,
  });
  await handle.query('heard');
  return handle;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begunAt = performance.now();
  await work();
  return performance.now() - begunAt;
}

const settled = async (session: SessionHandle): Promise<number> => (await session.getSession()).runs.completed;

/** `startRun` until its receipt, with so many settled runs behind it, beside a bare update that starts the same child without waiting. */
export async function ack(rig: Rig, behind: readonly number[], samples: number): Promise<Map<number, Latencies>> {
  const session = await rig.session({ agent: 'answers', limits: { maxConcurrentRuns: 100 } });
  const bare = await startFloor(rig);
  const found = new Map<number, Latencies>();
  let runs = 0;
  const request = { agent: 'empty', input: 'hello', detached: { notify: 'silent' as const } };
  for (const least of behind) {
    while (runs < least) {
      const wave = Math.min(50, least - runs);
      await session.startRuns({ runs: Array.from({ length: wave }, () => request) });
      runs += wave;
    }
    await rig.quiet('run', async () => (await settled(session)) === runs);
    const latencies: Latencies = { outlive: [], baseline: [] };
    for (let i = 0; i < samples; i++) {
      latencies.outlive.push(await timed(async () => session.startRun(request)));
      runs += 1;
      await rig.quiet('run', async () => (await settled(session)) === runs);
      latencies.baseline.push(
        await timed(async () => bare.executeUpdate('start', { args: [1, { ms: 0, taskQueue: BASELINE_TASKS }] })),
      );
      await rig.quiet('floorChild', async () => true);
    }
    found.set(least, latencies);
  }
  await bare.terminate();
  await session.close();
  return found;
}

/** From the end of a run's activity to the start of the turn that reads it, or to the parent's workflow task that has the signal. */
export async function handover(rig: Rig, samples: number): Promise<Latencies> {
  const session = await rig.session({ agent: 'answers' });
  const bare = await startFloor(rig);
  const runIds: string[] = [];
  for (let i = 0; i < samples; i++) {
    const { runId } = await session.startRun({ agent: 'empty', input: 'hello' });
    runIds.push(runId);
    await rig.quiet(
      'run',
      async () => (await session.getSession()).status === 'idle' && (await settled(session)) === i + 1,
    );
    await bare.executeUpdate('start', { args: [1, { ms: 0, taskQueue: BASELINE_TASKS }] });
    await rig.quiet('floorChild', async () => (await bare.query<number>('heard')) === i + 1);
  }
  const latencies: Latencies = { outlive: [], baseline: [] };
  const startedAt = new Map<string, number>();
  for await (const event of session.events()) {
    if (event.type !== 'turn.started') continue;
    for (const { key } of event['inputs'] as { key?: string }[])
      if (key !== undefined) startedAt.set(key, Date.parse(event.at));
  }
  for (const runId of runIds) {
    const turn = startedAt.get(finishKey(session.sessionId, runId));
    latencies.outlive.push((turn ?? Number.NaN) - (await endOfActivity(rig, `${session.sessionId}/${runId}`)));
  }
  const parent = await eventsOf(rig.temporal, bare.workflowId);
  const signals = parent.flatMap((event, i) => (event.workflowExecutionSignaledEventAttributes ? [i] : []));
  for (const [i, at] of signals.entries()) {
    const task = parent.find((event, j) => j > at && event.workflowTaskStartedEventAttributes);
    latencies.baseline.push(
      (task === undefined ? Number.NaN : timeOf(task)) - (await endOfActivity(rig, `${bare.workflowId}/${i + 1}`)),
    );
  }
  await bare.terminate();
  await session.close();
  return latencies;
}

async function endOfActivity(rig: Rig, workflowId: string): Promise<number> {
  const ended = (await eventsOf(rig.temporal, workflowId)).find((event) => event.activityTaskCompletedEventAttributes);
  return ended === undefined ? Number.NaN : timeOf(ended);
}

/** From the start of a turn to the call of its model, and from the end of a model's answer to the call of the next step. */
export async function step(rig: Rig, samples: number): Promise<{ first: Latencies; next: Latencies }> {
  const session = await rig.session({ agent: 'calls' });
  const bare = await rig.temporal.workflow.start('floorTurn', {
    workflowId: `turn-${randomUUID()}`,
    taskQueue: BASELINE_QUEUE,
    args: [BASELINE_MODELS],
  });
  const first: Latencies = { outlive: [], baseline: [] };
  const next: Latencies = { outlive: [], baseline: [] };
  const { stamps } = rig.outlive;
  for (let i = 0; i < samples; i++) {
    stamps.length = 0;
    const { turnId } = await session.submitTurn({ input: 'Go on.' });
    await until(async () => (await session.getTurn({ turnId }))?.status === 'completed');
    const turn = await session.getTurn({ turnId });
    const [one, two] = stamps;
    first.outlive.push((one?.calledAt ?? Number.NaN) - Date.parse(turn?.startedAt ?? ''));
    next.outlive.push((two?.calledAt ?? Number.NaN) - (one?.endedAt ?? Number.NaN));
    const { startedAt, steps } = await bare.executeUpdate<
      { startedAt: number; steps: { calledAt: number; endedAt: number }[] },
      []
    >('turn');
    first.baseline.push((steps[0]?.calledAt ?? Number.NaN) - startedAt);
    next.baseline.push((steps[1]?.calledAt ?? Number.NaN) - (steps[0]?.endedAt ?? Number.NaN));
  }
  await bare.terminate();
  await session.close();
  return { first, next };
}
