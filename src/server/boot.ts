/**
 * Starts a dev server process and waits until it answers. A port that is taken between finding it free and opening it is not a failure:
 * the next attempt takes another.
 */
import { Connection } from '@temporalio/client';
import { setTimeout as delay } from 'node:timers/promises';
import { accepts, freePort } from './ports.ts';
import { ServerProblem } from './problem.ts';
import { startProcess, type ServerProcess } from './server-process.ts';

const HOST = '127.0.0.1';
const ATTEMPTS = 3;
const READY_WITHIN_MS = 60_000;
const RETRY_MS = 20;
/** The line that the CLI prints when the server has its ports: proof that what answers is this server. */
const BANNER = /^(Temporal )?Server:\s/m;
/** For a CLI that prints another line: one that could not open its ports has ended long before. */
const BANNER_WITHIN_MS = 10_000;

export type SearchAttributeKind = 'Text' | 'Keyword' | 'Int' | 'Double' | 'Bool' | 'Datetime' | 'KeywordList';

export interface BootOptions {
  cli: string;
  /** Left out: in memory. */
  dbFile?: string | undefined;
  port?: number | undefined;
  /** Left out: no web UI. */
  uiPort?: number | undefined;
  namespace: string;
  searchAttributes: Readonly<Record<string, SearchAttributeKind>>;
  /** Settings of the server itself, e.g. `{ "matching.enableFairness": true }`. */
  dynamicConfig?: Readonly<Record<string, string | number | boolean>> | undefined;
  logFile?: string | undefined;
}

export interface BootedServer {
  process: ServerProcess;
  port: number;
  /** Undefined without a web UI. */
  uiPort: number | undefined;
  address: string;
  stop(): Promise<void>;
}

/** @throws ServerProblem with the server's own last words when it does not start. */
export async function boot(options: BootOptions): Promise<BootedServer> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort(attempt === 1 ? options.port : undefined);
    const uiPort =
      options.uiPort === undefined ? undefined : await freePort(attempt === 1 ? options.uiPort : undefined);
    const process = await startProcess(options.cli, serverArgs(options, port, uiPort), options.logFile);
    const stop = (): Promise<void> => process.stop(options.dbFile === undefined ? 'SIGKILL' : 'SIGTERM');
    if (await answers(process, port)) return { process, port, uiPort, address: `${HOST}:${port}`, stop };
    const words = process.hasEnded() ? process.lastWords() : `it did not answer within ${READY_WITHIN_MS / 1000} s`;
    // Its last words may be those of a crash that the taken port has caused.
    const wasTaken = process.hasEnded() && /address already in use/i.test(process.output());
    await stop();
    if (attempt < ATTEMPTS && wasTaken) continue;
    const where = options.dbFile === undefined ? 'in memory' : `on ${options.dbFile}`;
    throw new ServerProblem(`Temporal's dev server ${where} did not start (${words}): correct that and start again.`);
  }
}

function serverArgs(
  { dbFile, namespace, searchAttributes, dynamicConfig = {} }: BootOptions,
  port: number,
  uiPort: number | undefined,
): string[] {
  return [
    'server',
    'start-dev',
    '--ip',
    HOST,
    '--port',
    String(port),
    '--namespace',
    namespace,
    '--log-level',
    'warn',
    ...(uiPort === undefined ? ['--headless'] : ['--ui-port', String(uiPort)]),
    ...(dbFile === undefined ? [] : ['--db-filename', dbFile]),
    ...Object.entries(dynamicConfig).flatMap(([name, value]) => [
      '--dynamic-config-value',
      `${name}=${JSON.stringify(value)}`,
    ]),
    ...Object.entries(searchAttributes).flatMap(([name, kind]) => ['--search-attribute', `${name}=${kind}`]),
  ];
}

/** False when the process ends before it answers, or takes too long. */
async function answers(process: ServerProcess, port: number): Promise<boolean> {
  const started = Date.now();
  while (!process.hasEnded() && Date.now() < started + READY_WITHIN_MS) {
    const hasPorts = BANNER.test(process.output()) || Date.now() > started + BANNER_WITHIN_MS;
    if (hasPorts && (await accepts(port)) && (await isTemporal(`${HOST}:${port}`))) return true;
    await delay(RETRY_MS);
  }
  return false;
}

/** Whether a Temporal server answers there. */
export async function isTemporal(address: string): Promise<boolean> {
  const connection = Connection.lazy({ address, interceptors: [] });
  try {
    await connection.withDeadline(Date.now() + 2_000, () => connection.workflowService.getSystemInfo({}));
    return true;
  } catch {
    return false;
  } finally {
    await connection.close();
  }
}
