/** A session on the server of the test run: `outlive/testing` with this run's workflow bundle, and what only these tests need. */
import { readFile } from 'node:fs/promises';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import type { WorkerOptions } from '@temporalio/worker';
import { inject } from 'vitest';
import type { SessionHandle } from '../../src/client/index.ts';
import type { SessionInput } from '../../src/client/inputs.ts';
import type { OutliveEvent } from '../../src/contract.ts';
import type { AgentDefinition, Config } from '../../src/define.ts';
import {
  allEvents,
  atRest,
  eventually,
  startTestEnvironment,
  textOf,
  type TestEnvironment,
  type TestWorker,
} from '../../src/testing/index.ts';
import { quietRuntime } from '../../src/testing/runtime.ts';
import { uniqueId } from '../../src/testing/unique-id.ts';

export { allEvents, atRest, eventually, textOf as text };
export { uniqueId };

quietRuntime();

/** The real provider package, talking to a local server. */
export function modelAt(url: string): AgentDefinition['model'] {
  return createOpenAICompatible({ name: 'local', baseURL: url, includeUsage: true })('test-model');
}

export interface Harness extends Omit<TestEnvironment, 'startWorker' | 'startSession'> {
  /** Starts a session without waiting for a worker that takes it. */
  begin(input?: SessionInput): Promise<SessionHandle>;
  /** A worker for the configuration, running until the harness is disposed or it is stopped. */
  work(config: Omit<Config, 'taskQueue'>, options?: Partial<WorkerOptions>): Promise<TestWorker>;
}

/** @param dataConverter of the client and of the workers. */
export async function harness(
  taskQueue = uniqueId('q'),
  dataConverter?: NonNullable<Config['dataConverter']>,
): Promise<Harness> {
  const environment = await startTestEnvironment({ address: inject('address'), taskQueue, dataConverter });
  const bundle = { code: await readFile(inject('bundlePath'), 'utf8') };
  const { client, temporal } = environment;
  return {
    ...environment,
    async begin(input = {}) {
      const workflowId = uniqueId();
      await temporal.workflow.start('session', { workflowId, taskQueue, args: [input] });
      return client.session(workflowId);
    },
    work: async (config, options) =>
      environment.startWorker(config, { bundle, ...(options === undefined ? {} : { options }) }),
  };
}

export function types(events: readonly OutliveEvent[]): string[] {
  return events.map((event) => event.type);
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

/** Takes one turn after another; answers how each ended. */
export async function say(session: SessionHandle, ...inputs: string[]): Promise<unknown[]> {
  const ended: unknown[] = [];
  for (const input of inputs) {
    const { turnId } = await session.submitTurn({ input });
    await atRest(session);
    const turn = await session.getTurn({ turnId });
    ended.push(turn?.error ?? turn?.status);
  }
  return ended;
}
