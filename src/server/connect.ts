/**
 * Connections whose failures are one sentence. The SDK's client waits out its whole timeout and then hides why, so a single call without
 * retries goes first: it ends at once where nothing listens, and its error says what is wrong.
 */
import { Connection } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { resolveEnvironment, type ConnectionSettings } from './environment.ts';
import { connectionFailure } from './failure.ts';
import { ServerProblem } from './problem.ts';

const ANSWER_WITHIN_MS = 5_000;

/** What to connect to. Left out: what the environment says. */
export interface Where {
  env?: NodeJS.ProcessEnv;
  /** A server without TLS or API key, such as a `DevServer`. Goes before the address in the environment. */
  address?: string;
  namespace?: string;
}

export interface Connected {
  connection: Connection;
  address: string;
  namespace: string;
}

/** For clients. @throws ServerProblem when the server cannot be reached, refuses the credentials or lacks the namespace. */
export async function connect(where: Where = {}): Promise<Connected> {
  const { settings, namespace } = target(where);
  return inWords(settings.address, namespace, async () => {
    await probe(settings, namespace);
    return { connection: await Connection.connect(settings), address: settings.address, namespace };
  });
}

/** For workers. @throws ServerProblem as `connect` does. */
export async function connectNative(where: Where = {}): Promise<NativeConnection> {
  const { settings, namespace } = target(where);
  return inWords(settings.address, namespace, async () => {
    await probe(settings, namespace);
    // Loaded late: clients do without the native library.
    const { NativeConnection } = await import('@temporalio/worker');
    return NativeConnection.connect(settings);
  });
}

/** @throws ServerProblem when the server has no namespace of that name. */
export async function checkNamespace(connection: Connection, namespace: string): Promise<void> {
  await inWords(connection.options.address, namespace, () =>
    connection.workflowService.describeNamespace({ namespace }),
  );
}

function target({ env, address, namespace }: Where): { settings: ConnectionSettings; namespace: string } {
  const environment = resolveEnvironment(env);
  return {
    settings: address === undefined ? environment.connectionOptions : { address },
    namespace: namespace ?? environment.namespace,
  };
}

/** One call, no retries. */
async function probe(settings: ConnectionSettings, namespace: string): Promise<void> {
  const connection = Connection.lazy({ ...settings, interceptors: [] });
  try {
    await connection.withDeadline(Date.now() + ANSWER_WITHIN_MS, () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
  } finally {
    await connection.close();
  }
}

async function inWords<T>(address: string, namespace: string, attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    throw new ServerProblem(connectionFailure(error, address, namespace), { cause: error });
  }
}
