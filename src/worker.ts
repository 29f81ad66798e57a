/** From an app's configuration to a running Temporal worker. */
import { hostname } from 'node:os';
import { Client } from '@temporalio/client';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { createActivities } from '../activities/index.ts';
import { checkProviders } from '../activities/providers.ts';
import { Registry } from '../activities/registry.ts';
import { dataConverterOf } from './data-converter.ts';
import {
  DEFAULT_TASK_QUEUE,
  ENCODES_GLOBAL,
  NAMES_GLOBAL,
  SERVED,
  STACKS_GLOBAL,
  taskQueueOf,
  type Activities,
  type Served,
} from './contract.ts';
import type { Config } from './define.ts';
import { checkServable } from './definitions.ts';
import { InvalidInput } from './errors.ts';
import { checkSdk, sameCopy } from './sdk.ts';
import { bundleWorkflows, shippedBundle, sourceBundle } from './workflow-bundle.ts';

export { bundleWorkflows };

export interface WorkerSetup {
  connection: NativeConnection;
  /** Default: the configuration's, else `default`. */
  namespace?: string;
  /** A bundle made before by `bundleWorkflows`. Default: the one that the package ships, else it is made, which takes some seconds. */
  bundle?: { code: string };
  /** Laid over the options of Temporal's worker of each task queue, for operators and tests. */
  options?: Partial<WorkerOptions>;
}

/** A lost worker costs its sessions this long before another one takes their next task. */
const STICKY_TIMEOUT = '2s';
/** What is running when a worker is told to stop may finish within this time. */
const SHUTDOWN_GRACE = '10s';
const SHUTDOWN_FORCE = '15s';
const HEARTBEAT_THROTTLE = '200ms';
/** Of one kind, unless the configuration says otherwise. */
const ACTIVITIES_AT_ONCE = 100;

/** The activities of each task queue. */
const ACTIVITIES: Record<Served, readonly (keyof Activities)[]> = {
  workflows: ['resolveName', 'checkInputs', 'look', 'lookAtWorkflow', 'answerRequest', 'terminateRun', 'archiveLog'],
  models: ['model'],
  tools: ['tool', 'handler'],
  tasks: ['task'],
};

/** What one process serves, each on a task queue with slots of its own, so that none of it holds up another. */
export class OutliveWorker {
  /** Its task queues: which of them this process works on. */
  readonly taskQueues: readonly string[];
  private readonly workers: readonly Worker[];

  constructor(workers: readonly Worker[]) {
    this.workers = workers;
    this.taskQueues = workers.map(({ options }) => options.taskQueue);
  }

  /** Resolves when everything has stopped, after `shutdown()`. When a part of it fails, all of it stops, and that error is thrown. */
  async run(): Promise<void> {
    const running = this.workers.map(async (worker) => worker.run());
    try {
      await Promise.all(running);
    } finally {
      this.shutdown();
      await Promise.allSettled(running);
    }
  }

  /** Runs as long as something is being done, and answers with what comes of it. */
  async runUntil<T>(work: () => Promise<T>): Promise<T> {
    const running = this.run();
    running.catch(() => undefined);
    try {
      return await work();
    } finally {
      this.shutdown();
      await running;
    }
  }

  /** Takes nothing new; what is running may finish within 10 s. */
  shutdown(): void {
    for (const worker of this.workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  }

  /** True from `shutdown()` on. */
  get isStopping(): boolean {
    return this.workers.some((worker) => !['INITIALIZED', 'RUNNING'].includes(worker.getState()));
  }
}

/**
 * A worker for everything that the configuration names. `run()` it; it stops on `shutdown()`.
 *
 * @throws InvalidInput when the configuration is not usable, when the Temporal SDK is not as this version needs it, or is there more than once, and when a package is missing that
 * a model of the configuration needs, or what says where it is; and when this process has a worker of a kind for the task queue already.
 */
export async function createWorker(config: Config, setup: WorkerSetup): Promise<OutliveWorker> {
  checkServable(config);
  const { taskQueue = DEFAULT_TASK_QUEUE, serve = SERVED, concurrency = {} } = config;
  const { connection, namespace = config.namespace ?? 'default', bundle, options } = setup;
  sameCopy(connection, NativeConnection, 'connection', '@temporalio/worker');
  if (serve.includes('models')) await checkProviders(config.agents);
  const registry = new Registry(config);
  const dataConverter = dataConverterOf(config.dataConverter);
  const client = new Client({ connection, namespace, dataConverter });
  let worker: OutliveWorker | undefined;
  const activities = createActivities(registry, client, () => worker?.isStopping === true);
  const common: Omit<WorkerOptions, 'taskQueue'> = {
    connection,
    namespace,
    dataConverter,
    identity: `${process.pid}@${hostname()} ${registry.announced}`,
    shutdownGraceTime: SHUTDOWN_GRACE,
    shutdownForceTime: SHUTDOWN_FORCE,
    maxHeartbeatThrottleInterval: HEARTBEAT_THROTTLE,
    defaultHeartbeatThrottleInterval: HEARTBEAT_THROTTLE,
  };
  const create = async (served: Served): Promise<Worker> => {
    const own =
      served === 'workflows'
        ? await workflowOptions(registry, config, bundle)
        : { maxConcurrentActivityTaskExecutions: concurrency[served] ?? ACTIVITIES_AT_ONCE };
    const made = Worker.create({
      ...common,
      ...own,
      taskQueue: taskQueueOf(taskQueue, served),
      activities: Object.fromEntries(ACTIVITIES[served].map((name) => [name, activities[name]])),
      ...options,
    });
    return only(served, taskQueue, made);
  };
  const workers: Worker[] = [];
  try {
    for (const served of SERVED) if (serve.includes(served)) workers.push(await create(served));
  } catch (error) {
    // Each holds the connection until it has run and was shut down.
    await Promise.allSettled(workers.map(async (one) => one.runUntil(Promise.resolve())));
    throw error;
  }
  worker = new OutliveWorker(workers);
  return worker;
}

/** What the SDK says of a second worker, which is all that there is to tell it by. */
const SECOND = 'Registration of multiple workers';

/** @throws InvalidInput when this process has a worker of the kind for the task queue. */
async function only<T>(served: Served, taskQueue: string, made: Promise<T>): Promise<T> {
  try {
    return await made;
  } catch (error) {
    if (!(error instanceof Error) || !error.message.includes(SECOND)) throw error;
    throw new InvalidInput(
      `Expected this process to have one worker that serves ${served} on the task queue "${taskQueue}", got a second one: stop the first one before.`,
    );
  }
}

async function workflowOptions(
  registry: Registry,
  { dataConverter, concurrency }: Config,
  bundle: WorkerSetup['bundle'],
): Promise<Partial<WorkerOptions>> {
  checkSdk();
  const { code } = bundle ?? (await shippedBundle()) ?? (await sourceBundle());
  // On the bundle's first line, so that its source map stays right.
  const names = `globalThis.${NAMES_GLOBAL} = Object.freeze(${JSON.stringify(registry.names)}); `;
  const stacks = `globalThis.${STACKS_GLOBAL} = ${Number(process.env['OUTLIVE_STACK_TRACES'] ?? 0) || 0}; `;
  const encodes = dataConverter?.payloadCodecs?.length ? `globalThis.${ENCODES_GLOBAL} = true; ` : '';
  const most = concurrency?.workflows;
  return {
    workflowBundle: { code: names + stacks + encodes + code },
    stickyQueueScheduleToStartTimeout: STICKY_TIMEOUT,
    ...(most === undefined ? {} : { maxConcurrentWorkflowTaskExecutions: most }),
  };
}
