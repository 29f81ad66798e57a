/** All that a test of an app needs of Temporal: a server, a client, workers in this process and in others. */
import { Client } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { fileURLToPath } from 'node:url';
import { resolve } from 'node:path';
import { OutliveClient, type SessionHandle, type SessionInput } from '../client/index.ts';
import { pathOf } from '../data-converter.ts';
import type { Config } from '../define.ts';
import { echo } from '../schemas/index.ts';
import { connect, connectNative } from '../server/index.ts';
import type { WorkerSetup } from '../worker.ts';
import { startTestServer, type TestServerOptions } from './server.ts';
import { uniqueId } from './unique-id.ts';
import type { WorkerProcessSettings } from './worker-main.ts';
import { WorkerProcess, type ProcessSettings } from './worker-process.ts';

export interface TestEnvironmentOptions extends TestServerOptions {
  /**
   * A server that runs already, without credentials: of `startTestServer`, or the address of your own. Default, also for `undefined`: a dev
   * server that is started for this environment and stopped with it. What the Temporal environment configuration names is never used by
   * itself, so that no test reaches a server that people work with.
   */
  address?: string | undefined;
  /** Default: one that nothing else uses, so that test files may share a server. */
  taskQueue?: string | undefined;
  /** Of the client, and of workers whose configuration names none. */
  dataConverter?: NonNullable<Config['dataConverter']> | undefined;
}

/** A worker in this process. */
export interface TestWorker {
  /**
   * What is running may finish within 10 s; what does not is left, as when a worker is told to stop in production. Resolves when it has stopped.
   *
   * @throws the error that has ended it before.
   */
  stop(): Promise<void>;
}

/** Beside the configuration, for operators and for tests of what they do. */
export type TestWorkerSettings = Pick<WorkerSetup, 'bundle' | 'options'>;

export interface TestProcessSettings extends Omit<ProcessSettings, 'args'> {
  /** A file with a bundle made before by `bundleWorkflows`. Default: the one that the package ships. */
  bundle?: string;
}

export interface TestEnvironment extends AsyncDisposable {
  readonly address: string;
  readonly namespace: string;
  readonly taskQueue: string;
  /** Temporal's client, for what is asked of Temporal itself. */
  readonly temporal: Client;
  readonly client: OutliveClient;
  /** Starts a session under an id that nobody has used; a worker has to run. @throws as `startSession` of the client does. */
  startSession(input?: SessionInput): Promise<SessionHandle>;
  /**
   * Starts a worker in this process, until it is stopped or the environment is closed.
   *
   * @param config as for `defineConfig`; its server, namespace and task queue are those of the environment.
   * @throws InvalidInput when the configuration is not usable, or a worker of this process serves one of its kinds already.
   */
  startWorker(config: Config, settings?: TestWorkerSettings): Promise<TestWorker>;
  /**
   * Starts a worker in a process of its own, until it is killed, stopped or the environment is closed; resolves when it is ready.
   *
   * @param file the configuration, as `outlive worker` takes it: a path from the current folder, or a `file:` URL.
   * @throws Error with one sentence when it does not start.
   */
  startWorkerProcess(file: string | URL, settings?: TestProcessSettings): Promise<WorkerProcess>;
  /** Stops the workers, ends worker processes, closes connections and stops the server if it is the environment's own. */
  close(): Promise<void>;
}

/**
 * Opens what a test needs of Temporal, with a task queue of its own. Log lines of Temporal below ERROR are left out, unless the process has
 * installed a runtime of its own before.
 *
 * @example
 * ```ts
 * await using environment = await startTestEnvironment();
 * await environment.startWorker({ agents: [helper] });
 * const session = await environment.startSession({ agent: 'helper' });
 * ```
 * @throws ServerProblem with one sentence when there is no server to be had or reached.
 */
export async function startTestEnvironment(options: TestEnvironmentOptions = {}): Promise<TestEnvironment> {
  const { namespace = 'default', dataConverter, taskQueue = uniqueId('test') } = options;
  // Loaded late: an app's configuration may take its model from this entry, and needs none of this.
  const { quietRuntime } = await import('./runtime.ts');
  quietRuntime();
  const stops: (() => Promise<unknown>)[] = [];
  try {
    let { address } = options;
    if (address === undefined) {
      const server = await startTestServer(options);
      stops.unshift(async () => server.stop());
      ({ address } = server);
    }
    return await open({ address, namespace, taskQueue, dataConverter }, stops);
  } catch (error) {
    await closeAll(stops).catch(() => undefined);
    throw error;
  }
}

interface Place {
  address: string;
  namespace: string;
  taskQueue: string;
  dataConverter: Config['dataConverter'];
}

/** @param stops what is to be stopped, the last first; it grows with what is opened. */
async function open(place: Place, stops: (() => Promise<unknown>)[]): Promise<TestEnvironment> {
  const { address, namespace, taskQueue, dataConverter } = place;
  const { connection } = await connect({ address, namespace });
  stops.unshift(async () => connection.close());
  const native = await connectNative({ address, namespace });
  const left: Left = { something: false };
  // A worker that has left something holds its connection for as long as this process lives.
  stops.unshift(async () => (left.something ? undefined : native.close()));
  const converter = dataConverter === undefined ? {} : { dataConverter };
  const temporal = new Client({ connection, namespace, ...converter });
  const client = new OutliveClient(temporal, { taskQueue });
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => (closed ??= closeAll(stops));
  return {
    address,
    namespace,
    taskQueue,
    temporal,
    client,
    startSession: async (input) => client.startSession(uniqueId(), input),
    async startWorker(config, settings) {
      const worker = await startWorker({ ...converter, ...config, taskQueue }, { native, namespace, left }, settings);
      stops.unshift(async () => worker.stop());
      return worker;
    },
    async startWorkerProcess(file, { bundle, ...settings } = {}) {
      const config = pathOfFile(file);
      const told: WorkerProcessSettings = { config, address, namespace, taskQueue, ...(bundle && { bundle }) };
      const worker = await WorkerProcess.start(pathOf('./testing/worker-main'), {
        ...settings,
        args: [JSON.stringify(told)],
      });
      stops.unshift(async () => worker.kill());
      return worker;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function pathOfFile(file: unknown): string {
  if (file instanceof URL && file.protocol === 'file:') return fileURLToPath(file);
  if (typeof file === 'string' && file !== '') return resolve(file);
  throw new Error(
    `Expected the file of a configuration to be a path or a file: URL, got ${file === undefined ? 'nothing' : echo(file)}.`,
  );
}

/** Whether a worker was stopped that had not ended all it did. */
interface Left {
  something: boolean;
}

async function startWorker(
  config: Config,
  { native: connection, namespace, left }: { native: NativeConnection; namespace: string; left: Left },
  settings: TestWorkerSettings = {},
): Promise<TestWorker> {
  const { createWorker } = await import('../worker.ts');
  const { isLate } = await import('../cli/run-worker.ts');
  const worker = await createWorker(config, { connection, namespace, ...settings });
  const running = worker.run();
  // Told to whoever stops it.
  running.catch(() => undefined);
  let told = false;
  return {
    async stop() {
      told ||= !worker.isStopping;
      worker.shutdown();
      try {
        await running;
      } catch (error) {
        if (!told || !isLate(error)) throw error;
        left.something = true;
      }
    },
  };
}

/** All of it is stopped, whatever becomes of a part; the first error is thrown. */
async function closeAll(stops: readonly (() => Promise<unknown>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const stop of stops)
    await stop().catch((error: unknown) => {
      failures.push(error);
    });
  if (failures.length > 0) throw failures[0];
}
