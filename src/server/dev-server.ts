/**
 * A Temporal dev server for as long as this process needs it: in memory, or on a file that is kept between runs and has one server at a time.
 * A namespace's retention is cached by a running server for some seconds, in which a workflow that closes would still be kept for a day only.
 * So a kept file is furnished by a first, short run, and a new one gets its name after that: no half-made file is ever found.
 */
import { Connection } from '@temporalio/client';
import { mkdirSync, existsSync, readdirSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { boot, isTemporal, type BootedServer, type BootOptions, type SearchAttributeKind } from './boot.ts';
import { checkNamespace } from './connect.ts';
import { claim, runningServer, type Claim, type ServerState } from './kept-file.ts';
import { furnish, type NamespaceNeeds } from './namespace.ts';
import { ServerProblem } from './problem.ts';

const OTHER_STARTS_WITHIN_MS = 60_000;
const OTHER_STOPS_WITHIN_MS = 20_000;
const RETRY_MS = 50;
const SHARED_LOOK_MS = 1_000;

export interface DevServerOptions {
  /** Path of the Temporal CLI, as `findCli` returns it. */
  cli: string;
  /** Where the server keeps its state. Left out: in memory. */
  dbFile?: string;
  /** Default 7233; another one is taken when it is in use, and any free one for 0. */
  port?: number;
  /** Default 8233; another one is taken when it is in use, and any free one for 0. */
  uiPort?: number;
  /** Created if it does not exist. Default `default`. */
  namespace?: string;
  /** How long closed workflows are kept. Default 30. */
  retentionDays?: number;
  say?: (line: string) => void;
  /** What the server prints is appended to it. */
  logFile?: string;
  searchAttributes?: Readonly<Record<string, SearchAttributeKind>>;
  /** Settings of the server itself, e.g. `{ "matching.enableFairness": true }`. */
  dynamicConfig?: Readonly<Record<string, string | number | boolean>>;
}

export interface DevServer {
  address: string;
  uiUrl: string;
  pid: number;
  /** Whether it was running on the file already; then `stop` leaves it to the process that started it. */
  shared: boolean;
  /** Resolves when the server has ended, whoever ended it. */
  ended: Promise<void>;
  /** Resolves when the server has ended. */
  stop(): Promise<void>;
}

type Settings = BootOptions & NamespaceNeeds & { say: (line: string) => void };

/** @throws ServerProblem when the server does not start or the file is in use and nothing answers. */
export async function startDevServer(options: DevServerOptions): Promise<DevServer> {
  const settings: Settings = {
    port: 7233,
    uiPort: 8233,
    namespace: 'default',
    retentionDays: 30,
    searchAttributes: {},
    say: () => {},
    ...options,
  };
  if (options.dbFile === undefined) {
    const server = await boot(settings);
    await furnishOrStop(server, settings);
    return running(server, settings, () => {});
  }
  return onFile(canonical(options.dbFile), settings);
}

/** The address of the server that runs on a file, if one does. */
export function runningDevServer(dbFile: string): string | undefined {
  return existsSync(dbFile) ? runningServer(canonical(dbFile))?.address : undefined;
}

/** Two names of one file must find the same lock. */
function canonical(dbFile: string): string {
  const path = resolve(dbFile);
  try {
    mkdirSync(dirname(path), { recursive: true });
    return existsSync(path) ? realpathSync(path) : join(realpathSync(dirname(path)), basename(path));
  } catch (error) {
    throw new ServerProblem(
      `The folder of ${path} cannot be made (${(error as NodeJS.ErrnoException).code ?? 'no reason given'}): choose another place for the file.`,
    );
  }
}

async function onFile(dbFile: string, settings: Settings): Promise<DevServer> {
  for (const deadline = Date.now() + OTHER_STARTS_WITHIN_MS; Date.now() < deadline; await delay(RETRY_MS)) {
    const own = await claim(dbFile);
    if (own !== undefined) {
      try {
        return await ownServer(own, { ...settings, dbFile }, dbFile);
      } catch (error) {
        own.release();
        throw error;
      }
    }
    const other = runningServer(dbFile);
    if (other !== undefined && (await isTemporal(other.address))) return sharedServer(other, settings);
  }
  throw new ServerProblem(
    `Another process has claimed ${dbFile}, but no Temporal server of its answers: stop that process and start again.`,
  );
}

async function sharedServer({ pid, address, uiUrl }: ServerState, { namespace, say }: Settings): Promise<DevServer> {
  const connection = Connection.lazy({ address });
  try {
    await checkNamespace(connection, namespace);
  } finally {
    await connection.close();
  }
  say(`Using the Temporal server that runs on this file already, at ${address} (process ${pid}).`);
  const watching = new AbortController();
  return {
    address,
    uiUrl,
    pid,
    shared: true,
    ended: untilSilent(address, watching.signal),
    stop: async () => watching.abort(),
  };
}

/** A server that another process manages: nobody tells of its end, so it is asked. */
async function untilSilent(address: string, signal: AbortSignal): Promise<void> {
  for (let silent = 0; silent < 2;) {
    await delay(SHARED_LOOK_MS, undefined, { signal, ref: false }).catch(() => {});
    if (signal.aborted) return;
    silent = (await isTemporal(address)) ? 0 : silent + 1;
  }
}

async function ownServer(own: Claim, settings: Settings, dbFile: string): Promise<DevServer> {
  await untilGone(dbFile);
  if (!existsSync(dbFile)) await createFile(settings, dbFile);
  let server = await boot(settings);
  if (await furnishOrStop(server, settings)) {
    await server.stop();
    server = await boot(settings);
  }
  const result = running(server, settings, () => own.release());
  own.publish({ pid: result.pid, address: result.address, uiUrl: result.uiUrl });
  return result;
}

/** A server whose parent was killed is on its way out; it has the file until it is gone. */
async function untilGone(dbFile: string): Promise<void> {
  for (const deadline = Date.now() + OTHER_STOPS_WITHIN_MS; ; await delay(RETRY_MS)) {
    const left = runningServer(dbFile);
    if (left === undefined) return;
    if (Date.now() > deadline) {
      throw new ServerProblem(
        `Process ${left.pid} is a Temporal server on ${dbFile} that nobody manages any more: end it with "kill ${left.pid}" and start again.`,
      );
    }
  }
}

async function createFile(settings: Settings, dbFile: string): Promise<void> {
  const folder = dirname(dbFile);
  for (const name of readdirSync(folder))
    if (name.startsWith(`${basename(dbFile)}.unfinished`)) rmSync(join(folder, name), { force: true });
  // A name of its own: the server of a start that was killed may still be at work on another.
  const unfinished = `${dbFile}.unfinished-${process.pid}`;
  const server = await boot({ ...settings, dbFile: unfinished, port: undefined, uiPort: undefined });
  await furnishOrStop(server, settings);
  await server.stop();
  renameSync(unfinished, dbFile);
}

async function furnishOrStop(server: BootedServer, needs: NamespaceNeeds): Promise<boolean> {
  const connection = Connection.lazy({ address: server.address });
  try {
    return await furnish(connection, needs);
  } catch (error) {
    await server.stop();
    throw error;
  } finally {
    await connection.close();
  }
}

function running(server: BootedServer, { port, uiPort, say }: Settings, release: () => void): DevServer {
  const { process, address } = server;
  const uiUrl = `http://127.0.0.1:${server.uiPort}`;
  if (port !== 0 && server.port !== port)
    say(
      `Port ${port} is in use, so Temporal is at ${address}: set TEMPORAL_ADDRESS=${address} for clients and the temporal command.`,
    );
  if (uiPort !== 0 && server.uiPort !== uiPort) say(`Port ${uiPort} is in use, so Temporal's web UI is at ${uiUrl}.`);
  let stopping = false;
  void process.ended.then(() => {
    release();
    if (!stopping) say(`The Temporal server at ${address} ended by itself (${process.lastWords()}).`);
  });
  return {
    address,
    uiUrl,
    pid: process.pid,
    shared: false,
    ended: process.ended,
    stop() {
      stopping = true;
      return server.stop();
    },
  };
}
