/** What every scenario is given: one server in memory, one worker for outlive, one for the baseline, and clocks for their CPU time. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { OutliveClient, type SessionHandle, type SessionInput } from '../src/client/index.ts';
import { taskQueueOf } from '../src/contract.ts';
import { findCli, startDevServer, type DevServer } from '../src/server/index.ts';
import { WorkerProcess } from './process.ts';

/** CPU time, milliseconds; of the server only where `/proc` tells it. */
export interface Cpu {
  server: number | undefined;
  worker: number;
}

const TICKS_PER_SECOND = 100;
const POLL_MS = 250;

export const OUTLIVE_QUEUE = 'bench-outlive';
export const BASELINE_QUEUE = 'bench-baseline';
export const BASELINE_MODELS = taskQueueOf(BASELINE_QUEUE, 'models');
export const BASELINE_TASKS = taskQueueOf(BASELINE_QUEUE, 'tasks');

/** Asks now and then, so that asking costs little of what is measured. */
export async function until(what: () => Promise<boolean>): Promise<void> {
  while (!(await what())) await pause(POLL_MS);
}

export class Rig implements AsyncDisposable {
  readonly client: OutliveClient;
  readonly temporal: Client;
  readonly outlive: WorkerProcess;
  readonly baseline: WorkerProcess;
  private readonly server: DevServer;

  private constructor(temporal: Client, server: DevServer, outlive: WorkerProcess, baseline: WorkerProcess) {
    this.temporal = temporal;
    this.client = new OutliveClient(temporal, { taskQueue: OUTLIVE_QUEUE });
    this.server = server;
    this.outlive = outlive;
    this.baseline = baseline;
  }

  /** @param profileDir where the CPU profile of outlive's worker is written when the bench ends. */
  static async open(say: (line: string) => void, profileDir?: string): Promise<Rig> {
    const server = await startDevServer({ cli: await findCli({ say }), say });
    const { address } = server;
    const profile = profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`];
    const [outlive, baseline] = await Promise.all([
      WorkerProcess.start(new URL('worker.ts', import.meta.url), { address, taskQueue: OUTLIVE_QUEUE }, profile),
      WorkerProcess.start(new URL('baseline/worker.ts', import.meta.url), { address, taskQueue: BASELINE_QUEUE }),
    ]);
    return new Rig(new Client({ connection: await Connection.connect({ address }) }), server, outlive, baseline);
  }

  async session(input: SessionInput): Promise<SessionHandle> {
    const session = await this.client.startSession(`bench-${randomUUID()}`, input);
    await session.getSession();
    return session;
  }

  /** CPU time that `work` takes, of the server and of this worker. */
  async cpuOf(worker: WorkerProcess, work: () => Promise<void>): Promise<Cpu> {
    const [server, own] = [this.serverCpuMs(), await worker.cpuMs()];
    await work();
    const [serverAfter, ownAfter] = [this.serverCpuMs(), await worker.cpuMs()];
    return {
      server: server === undefined || serverAfter === undefined ? undefined : serverAfter - server,
      worker: ownAfter - own,
    };
  }

  /** Resolves when `rests` says so and no workflow of this type is open any more. */
  async quiet(workflowType: string, rests: () => Promise<boolean>): Promise<void> {
    await until(rests);
    const open = `WorkflowType = '${workflowType}' AND ExecutionStatus = 'Running'`;
    await until(async () => (await this.temporal.workflow.count(open)).count === 0);
  }

  private serverCpuMs(): number | undefined {
    try {
      const stat = readFileSync(`/proc/${this.server.pid}/stat`, 'utf8');
      // Behind the name, which may hold anything, the 12th and 13th are the ticks in user and in kernel mode.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
    } catch {
      return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.outlive[Symbol.asyncDispose]();
    await this.baseline[Symbol.asyncDispose]();
    await this.temporal.connection.close();
    await this.server.stop();
  }
}
