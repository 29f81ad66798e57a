/** From an app's configuration to a running Temporal worker. */
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { bundleWorkflowCode, Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';
import { createActivities } from '../activities/index.ts';
import { Registry } from '../activities/registry.ts';
import { DEFAULT_TASK_QUEUE, NAMES_GLOBAL } from './contract.ts';
import type { Config } from './define.ts';
import { InvalidInput } from './errors.ts';

export interface WorkerSetup {
  connection: NativeConnection;
  /** Default: the configuration's, else `default`. */
  namespace?: string;
  /** A bundle made before by `bundleWorkflows`, to save its 2 s. */
  bundle?: { code: string };
  /** Laid over the worker's options, for operators and tests. */
  options?: Partial<WorkerOptions>;
}

/** A lost worker costs its sessions this long before another one takes their next task. */
const STICKY_TIMEOUT = '2s';
/** What is running when a worker is told to stop may finish within this time. */
const SHUTDOWN_GRACE = '10s';
const SHUTDOWN_FORCE = '15s';
const HEARTBEAT_THROTTLE = '200ms';

const converterPath = fileURLToPath(new URL('./payload-converter.ts', import.meta.url));

/** Bundles the workflow code; the bundle fits every configuration. */
export async function bundleWorkflows(): Promise<{ code: string }> {
  return bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
    workflowInterceptorModules: [fileURLToPath(new URL('../workflows/activations.ts', import.meta.url))],
    payloadConverterPath: converterPath,
    logger: { log() {}, trace() {}, debug() {}, info() {}, warn: console.warn, error: console.error },
  });
}

/**
 * A worker for everything that the configuration names. `run()` it; it stops on `shutdown()`.
 *
 * @throws InvalidInput when `options` turn the cache of workflows off.
 */
export async function createWorker(
  config: Config,
  { connection, namespace, bundle, options }: WorkerSetup,
): Promise<Worker> {
  if (options?.maxCachedWorkflows === 0)
    throw new InvalidInput(
      'Expected maxCachedWorkflows to be at least 1, got 0: without a cache the archive of a log takes minutes.',
    );
  const registry = new Registry(config);
  const space = namespace ?? config.namespace ?? 'default';
  const client = new Client({ connection, namespace: space, dataConverter: { payloadConverterPath: converterPath } });
  const { code } = bundle ?? (await bundleWorkflows());
  const names = `globalThis.${NAMES_GLOBAL} = Object.freeze(${JSON.stringify(registry.names)});\n`;
  let worker: Worker | undefined;
  const isStopping = (): boolean =>
    worker !== undefined && worker.getState() !== 'RUNNING' && worker.getState() !== 'INITIALIZED';
  worker = await Worker.create({
    connection,
    namespace: space,
    taskQueue: config.taskQueue ?? DEFAULT_TASK_QUEUE,
    workflowBundle: { code: names + code },
    activities: createActivities(registry, client, isStopping),
    dataConverter: { payloadConverterPath: converterPath },
    stickyQueueScheduleToStartTimeout: STICKY_TIMEOUT,
    shutdownGraceTime: SHUTDOWN_GRACE,
    shutdownForceTime: SHUTDOWN_FORCE,
    maxHeartbeatThrottleInterval: HEARTBEAT_THROTTLE,
    defaultHeartbeatThrottleInterval: HEARTBEAT_THROTTLE,
    ...options,
  });
  return worker;
}
