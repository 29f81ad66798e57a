/**
 * Where the demo runs: on the Temporal server of the environment, or on one of its own, kept on a file in the output folder.
 *
 * Workers must have the folder that the work was begun in. A server of one's own belongs to one folder; of a server that others use, too,
 * each folder takes a task queue of its own, always the same, so that what was left open goes on with the next start.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, realpathSync } from 'node:fs';
import { hostname } from 'node:os';
import { DEFAULT_TASK_QUEUE } from '../contract.ts';
import { findCli, resolveEnvironment } from '../server/index.ts';
import { keepServer, type KeptServer } from './keep-server.ts';
import type { Problem } from './problem.ts';

export interface Place {
  /** Left out: the environment's. */
  address: string | undefined;
  namespace: string;
  taskQueue: string;
  server: KeptServer | undefined;
}

/** The file of the server that `npm start` runs on an output folder. */
export function serverFile(out: string): string {
  return `${out}/temporal.db`;
}

/** @throws ServerProblem when there is no server to be had. `gaveUp` is told when the own one cannot be kept any longer. */
export async function findPlace(
  out: string,
  configuredQueue: string | undefined,
  say: (line: string) => void,
  gaveUp: (problem: Problem) => void,
): Promise<Place> {
  const environment = resolveEnvironment();
  if (environment.configured) {
    const taskQueue = queueOf(out, configuredQueue);
    say(
      `Using the Temporal server of your environment at ${environment.address}, namespace ${environment.namespace}, task queue ${taskQueue}.`,
    );
    return { address: undefined, namespace: environment.namespace, taskQueue, server: undefined };
  }
  const cli = await findCli({ say });
  const options = { cli, dbFile: serverFile(out), retentionDays: 30, logFile: `${out}/temporal.log`, say };
  const server = await keepServer(options, gaveUp);
  return {
    address: server.address,
    namespace: 'default',
    taskQueue: configuredQueue ?? DEFAULT_TASK_QUEUE,
    server,
  };
}

function queueOf(out: string, configured = DEFAULT_TASK_QUEUE): string {
  mkdirSync(out, { recursive: true });
  const place = createHash('sha256')
    .update(`${hostname()}\n${realpathSync(out)}`)
    .digest('hex');
  return `${configured}-${place.slice(0, 8)}`;
}
