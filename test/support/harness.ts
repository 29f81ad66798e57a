/** A session on the real server: client, worker in this process, waits that end at a condition and never at a time. */
import { readFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, type WorkerOptions } from '@temporalio/worker';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { inject } from 'vitest';
import { OutliveClient, type SessionHandle } from '../../src/client/index.ts';
import type { SessionInput } from '../../src/client/inputs.ts';
import type { OutliveEvent, UIMessage } from '../../src/contract.ts';
import type { AgentDefinition, Config } from '../../src/define.ts';
import { createWorker } from '../../src/worker.ts';
import { eventually } from './eventually.ts';

export { eventually };

try {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
} catch {
  // Another test file of this process has done it.
}

/** The real provider package, talking to a local server. */
export function modelAt(url: string): AgentDefinition['model'] {
  return createOpenAICompatible({ name: 'local', baseURL: url, includeUsage: true })('test-model');
}

export function uniqueId(prefix = 's'): string {
  return `${prefix}-${randomUUID().slice(0, 13)}`;
}

export interface Harness extends AsyncDisposable {
  client: OutliveClient;
  temporal: Client;
  taskQueue: string;
  address: string;
  /** Starts a session without waiting for a worker that takes it. */
  begin(input?: SessionInput): Promise<SessionHandle>;
  /** A worker for the configuration, running until the harness is disposed or it is stopped. */
  work(config: Omit<Config, 'taskQueue'>, options?: Partial<WorkerOptions>): Promise<{ stop(): Promise<void> }>;
}

/** @param dataConverter of the client and of the workers. */
export async function harness(
  taskQueue = uniqueId('q'),
  dataConverter?: NonNullable<Config['dataConverter']>,
): Promise<Harness> {
  const address = inject('address');
  const [connection, native, code] = await Promise.all([
    Connection.connect({ address }),
    NativeConnection.connect({ address }),
    readFile(inject('bundlePath'), 'utf8'),
  ]);
  const temporal = new Client({ connection, ...(dataConverter === undefined ? {} : { dataConverter }) });
  const client = new OutliveClient(temporal, { taskQueue });
  const stops: (() => Promise<void>)[] = [];
  return {
    client,
    temporal,
    taskQueue,
    address,
    async begin(input = {}) {
      const workflowId = uniqueId();
      await temporal.workflow.start('session', { workflowId, taskQueue, args: [input] });
      return client.session(workflowId);
    },
    async work(config, options) {
      const worker = await createWorker(
        { ...config, ...(dataConverter === undefined ? {} : { dataConverter }), taskQueue },
        { connection: native, bundle: { code }, ...(options === undefined ? {} : { options }) },
      );
      const running = worker.run();
      let stopped: Promise<void> | undefined;
      const stop = async (): Promise<void> => {
        if (stopped === undefined) {
          worker.shutdown();
          stopped = running;
        }
        await stopped;
      };
      stops.push(stop);
      return { stop };
    },
    async [Symbol.asyncDispose]() {
      for (const stop of stops) await stop();
      await native.close();
      await connection.close();
    },
  };
}

/** Waits until no turn runs or waits and no run is unsettled. */
export async function atRest(session: SessionHandle): Promise<void> {
  await eventually('the session to come to rest', async () => {
    const view = await session.getSession();
    const rests =
      view.status === 'idle' &&
      view.queue.length === 0 &&
      view.runs.queued + view.runs.running + view.runs.interrupted + view.runs.input_required === 0;
    if (!rests) throw new Error(`It is ${JSON.stringify(view)}.`);
    return true;
  });
}

export async function allEvents(session: SessionHandle): Promise<OutliveEvent[]> {
  const events: OutliveEvent[] = [];
  for await (const event of session.events()) events.push(event);
  return events;
}

export function types(events: readonly OutliveEvent[]): string[] {
  return events.map((event) => event.type);
}

export function text(message: UIMessage | undefined): string {
  return (message?.parts ?? [])
    .filter((part) => part.type === 'text')
    .map((part) => String(part['text']))
    .join('');
}

/** A promise that a test opens by hand: what waits for it waits for nothing else. */
export class Gate {
  readonly opened: Promise<void>;
  open: () => void = () => undefined;

  constructor() {
    this.opened = new Promise((resolve) => {
      this.open = resolve;
    });
  }
}

export function byText(a: string | undefined, b: string | undefined): number {
  return (a ?? '').localeCompare(b ?? '');
}
