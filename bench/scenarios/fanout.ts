/**
 * Many runs of one task at once: what a run costs, and how many a second come back. Each contender does the same child work, started in waves of 50.
 * The time is from the first call to the last workflow task of the parent, by the server's clock, so that how often the bench looks does not count.
 */
import { randomUUID } from 'node:crypto';
import type { Rig } from '../rig.ts';
import { BASELINE_QUEUE, BASELINE_TASKS, type Cpu } from '../rig.ts';
import { eventsOf, extentOf } from '../histories.ts';
import { spread } from '../stats.ts';

const WAVE = 50;
/** Children whose histories are read. */
const SAMPLE = 5;

export interface Work {
  runs: number;
  /** How long each run's activity takes, milliseconds; 0 returns at once. */
  ms: number;
}

/** CPU time, events, workflow tasks and bytes are those of one run. */
export interface Cost {
  seconds: number;
  runsPerSecond: number;
  serverCpuMs: number | undefined;
  workerCpuMs: number;
  parentEvents: number;
  parentTasks: number;
  parentBytes: number;
  childEvents: number;
  childTasks: number;
  childBytes: number;
}

/** One way of doing the work. */
export type Contender = (rig: Rig, work: Work) => Promise<Cost>;

function waves(runs: number): number[] {
  return Array.from({ length: Math.ceil(runs / WAVE) }, (_, i) => Math.min(WAVE, runs - i * WAVE));
}

async function costOf(
  rig: Rig,
  runs: number,
  cpu: Cpu,
  begunAt: number,
  parentId: string,
  childIds: readonly string[],
): Promise<Cost> {
  const parent = await extentOf(rig.temporal, parentId);
  const seconds = (parent.lastTaskAt - begunAt) / 1000;
  const children = await Promise.all(childIds.map(async (id) => extentOf(rig.temporal, id)));
  const median = (of: (child: (typeof children)[number]) => number): number => spread(children.map(of)).median;
  return {
    seconds,
    runsPerSecond: runs / seconds,
    serverCpuMs: cpu.server === undefined ? undefined : cpu.server / runs,
    workerCpuMs: cpu.worker / runs,
    parentEvents: parent.events / runs,
    parentTasks: parent.workflowTasks / runs,
    parentBytes: parent.bytes / runs,
    childEvents: median(({ events }) => events),
    childTasks: median(({ workflowTasks }) => workflowTasks),
    childBytes: median(({ bytes }) => bytes),
  };
}

/** Evenly over all that were started. */
function sampled(ids: readonly string[]): string[] {
  const every = Math.max(1, Math.floor(ids.length / SAMPLE));
  return ids.filter((_, i) => i % every === 0).slice(0, SAMPLE);
}

export const native: Contender = async (rig, { runs, ms }) => {
  const workflowId = `native-${randomUUID()}`;
  const begunAt = Date.now();
  const cpu = await rig.cpuOf(rig.baseline, async () => {
    const args = [runs, { ms, taskQueue: BASELINE_TASKS }];
    await rig.temporal.workflow.execute('nativeParent', { workflowId, taskQueue: BASELINE_QUEUE, args });
  });
  const events = await eventsOf(rig.temporal, workflowId);
  const ids = events.flatMap(
    ({ childWorkflowExecutionStartedEventAttributes: child }) => child?.workflowExecution?.workflowId ?? [],
  );
  return costOf(rig, runs, cpu, begunAt, workflowId, sampled(ids));
};

export const floor: Contender = async (rig, { runs, ms }) => {
  const workflowId = `floor-${randomUUID()}`;
  const handle = await rig.temporal.workflow.start('floorParent', { workflowId, taskQueue: BASELINE_QUEUE });
  await handle.query('heard');
  const begunAt = Date.now();
  const cpu = await rig.cpuOf(rig.baseline, async () => {
    for (const count of waves(runs))
      await handle.executeUpdate('start', { args: [count, { ms, taskQueue: BASELINE_TASKS }] });
    await rig.quiet('floorChild', async () => (await handle.query<number>('heard')) === runs);
  });
  const ids = Array.from({ length: runs }, (_, i) => `${workflowId}/${i + 1}`);
  const cost = await costOf(rig, runs, cpu, begunAt, workflowId, sampled(ids));
  await handle.terminate();
  return cost;
};

interface Outlive {
  notify: 'react' | 'silent';
  /** `limits.maxConcurrentRuns` of the session; left out: all at once. */
  cap?: number;
  /** What is started: a task of the bench's worker, or its agent. */
  agent?: 'answers';
}

/** With `react` it is over when the last run has been read in a turn of an agent that answers at once. */
export const outlive =
  ({ notify, cap, agent }: Outlive): Contender =>
  async (rig, { runs, ms }) => {
    const session = await rig.session({ agent: 'answers', limits: { maxConcurrentRuns: cap ?? Math.max(WAVE, runs) } });
    const request = {
      agent: agent ?? (ms > 0 ? 'lasts' : 'empty'),
      input: ms > 0 ? { ms } : 'hello',
      detached: { notify },
    };
    const begunAt = Date.now();
    const ids: string[] = [];
    const cpu = await rig.cpuOf(rig.outlive, async () => {
      for (const count of waves(runs)) {
        const receipts = await session.startRuns({ runs: Array.from({ length: count }, () => request) });
        ids.push(...receipts.runs.map(({ workflowId }) => workflowId));
      }
      await rig.quiet('run', async () => {
        const view = await session.getSession();
        return view.runs.completed === runs && view.status === 'idle' && view.queue.length === 0;
      });
    });
    const cost = await costOf(rig, runs, cpu, begunAt, session.sessionId, sampled(ids));
    await session.close();
    return cost;
  };
