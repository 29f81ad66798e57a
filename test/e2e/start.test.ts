/** `npm start` as a person runs it: everything up, the scenario played, files made, exit code 0; and one sentence when it cannot. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runInNewContext } from 'node:vm';
import { afterAll, expect, inject, test } from 'vitest';
import { RunningCommand } from '../support/command.ts';

const START = fileURLToPath(new URL('../../src/cli/start.ts', import.meta.url));
const folders: string[] = [];

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'outlive-start-'));
  folders.push(made);
  return made;
}

async function start(args: string[], env: Record<string, string>): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [START, ...args],
      {
        env: { ...process.env, TEMPORAL_CLI_PATH: inject('cli'), OUTLIVE_PACE: '0', TEMPORAL_ADDRESS: '', ...env },
        timeout: 110_000,
      },
      (error, out, err) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err });
      },
    );
  });
}

/** A start that goes on: what it has said so far can be waited for, and it can be told to stop. */
function running(args: string[], env: Record<string, string>, script = START): RunningCommand {
  return new RunningCommand(script, args, {
    env: { TEMPORAL_CLI_PATH: inject('cli'), OUTLIVE_PACE: '0.3', TEMPORAL_ADDRESS: '', ...env },
  });
}

const sleeps = { OUTLIVE_PACE: '0.6' };

function dashboard(out: string): string {
  const session =
    readdirSync(out).find((name) => name.startsWith('import-and-build-') && !name.endsWith('-serial')) ?? '';
  return readFileSync(join(out, session, 'dashboard.html'), 'utf8');
}

test('the demo runs on its own orders, says what it is, measures both ways, and ends with exit code 0', async () => {
  const out = folder();
  const { code, out: said, err } = await start(['--once'], { OUTLIVE_OUT: out });
  expect(err).toBe('');
  expect(code).toBe(0);
  expect(said).toContain('demo model: scripted');
  expect(said).toMatch(/hand-over: what became of load_data · orders\.csv is now the input of turn t-/u);
  expect(said).toMatch(/Overlapped [\d.]+ s, one after the other [\d.]+ s/u);
  const page = dashboard(out);
  // Counted from the file by another way than the import's.
  const lines = readFileSync(join(out, 'orders.csv'), 'utf8');
  expect(lines.length).toBeGreaterThan(1_000_000);
  expect(page).toContain('79,535');
  expect(page).not.toMatch(/<script[^>]+src=|https?:\/\/(?!www\.w3\.org)/u);
}, 120_000);

test("a person's own file with another schema gives another dashboard with its numbers", async () => {
  const out = folder();
  const file = join(folder(), 'trees.csv');
  const rows = Array.from({ length: 300 }, (_, i) => ({
    species: ['oak', 'beech', 'birch'][i % 3] ?? '',
    fruits: (i % 40) + 3,
    planted: `2024-0${(i % 9) + 1}-15`,
  }));
  writeFileSync(
    file,
    ['species;fruits;planted', ...rows.map((row) => `${row.species};${row.fruits};${row.planted}`), 'broken;row'].join(
      '\n',
    ),
  );
  const { code, out: said } = await start(['--once', '--no-compare', '--file', file], { OUTLIVE_OUT: out });
  expect(code).toBe(0);
  expect(said).toContain('300 rows');
  const page = dashboard(out);
  const total = rows.reduce((sum, row) => sum + row.fruits, 0);
  expect(page).toContain(total.toLocaleString('en'));
  for (const species of ['oak', 'beech', 'birch']) expect(page).toContain(species);
  expect(page).toContain('300');
}, 120_000);

test('X-06 a file that is none, an unknown option and a server that is not there are one sentence and exit code 1', async () => {
  for (const [args, env, sentence] of [
    [
      ['--once', '--file', 'nothing.csv'],
      {},
      /^Expected --file to name a CSV file, got nothing\.csv, which is none\.\n$/u,
    ],
    [['--nonsense'], {}, /^Unknown option '--nonsense'/u],
    [['--once'], { TEMPORAL_ADDRESS: '127.0.0.1:9' }, /^[^\n]*127\.0\.0\.1:9[^\n]*\n$/u],
  ] as const) {
    const { code, err } = await start([...args], { OUTLIVE_OUT: folder(), ...env });
    expect(code).toBe(1);
    expect(err).toMatch(sentence);
  }
}, 120_000);

test.each([
  ['an empty file', '', /^\S+odd\.csv cannot be loaded: Expected a file with a header line, got an empty one\.\n$/u],
  [
    'a picture',
    '\u0089PNG\r\n\u001a\n\0\0',
    /^\S+odd\.csv cannot be loaded: Expected a CSV file, got a PNG picture\.\n$/u,
  ],
  [
    'no good row',
    'a,b\n1\n2\n',
    /^No row of odd\.csv could be loaded: 0 rows loaded, 2 rejected \(2 too_few_columns\)\.\n$/u,
  ],
  ['no row', 'a,b\n', /^odd\.csv has a header and no rows: 0 rows loaded\.\n$/u],
])(
  'cases 39 and 47: --once with %s is one sentence and exit code 1, and nothing is compared',
  async (_, content, sentence) => {
    const file = join(folder(), 'odd.csv');
    writeFileSync(file, content, 'latin1');
    // On the server of all tests, which is that of its environment then: what it says does not depend on where that is.
    const env = { OUTLIVE_OUT: folder(), TEMPORAL_ADDRESS: inject('address') };
    const { code, out, err } = await start(['--once', '--file', file], env);
    expect(code).toBe(1);
    expect(err).toMatch(sentence);
    expect(out).not.toMatch(/measured|Done in|one after the other/u);
  },
  120_000,
);

test('case 41: with the worker killed twice the demo is finished, and says that it was disturbed instead of comparing', async () => {
  const out = folder();
  const demo = running(['--once'], { OUTLIVE_OUT: out, ...sleeps });
  const [, first = ''] = await demo.says(/worker: pid (\d+)/u);
  await demo.says(/\d% ingest/u);
  process.kill(Number(first), 'SIGKILL');
  const [, second = ''] = await demo.says(/A new worker is running \(pid (\d+)\)/u);
  process.kill(Number(second), 'SIGKILL');
  const { code, out: said, err } = await demo.ended;
  expect(err).toBe('');
  expect(code).toBe(0);
  expect(said).toMatch(/not compared, because the first was twice disturbed/u);
  expect(said).not.toMatch(/measured\.|slower/u);
  expect(dashboard(out)).toContain('79,535');
}, 180_000);

test('case 40: the server killed in mid import is started again on its file, and the demo ends with its numbers', async () => {
  const out = folder();
  const demo = running(['--once', '--no-compare'], { OUTLIVE_OUT: out, ...sleeps });
  await demo.says(/\d% ingest/u);
  const { pid } = JSON.parse(readFileSync(join(out, 'temporal.db.server.json'), 'utf8')) as { pid: number };
  process.kill(pid, 'SIGKILL');
  await demo.says(/The Temporal server at 127\.0\.0\.1:\d+ ended by itself \(it was ended by SIGKILL\)/u);
  await demo.says(/The Temporal server at 127\.0\.0\.1:\d+ is running again\./u);
  const { code, err } = await demo.ended;
  expect(err).toBe('');
  expect(code).toBe(0);
  expect(dashboard(out)).toContain('79,535');
}, 180_000);

test('case 38: two starts at once on one folder both do their work, each with its own file, also when the first one takes the server with it', async () => {
  const out = folder();
  const file = join(folder(), 'other.csv');
  writeFileSync(file, `city,n\n${'Oslo,1\nBergen,2\n'.repeat(9000)}`);
  const one = running(['--once', '--no-compare'], { OUTLIVE_OUT: out });
  await one.says(/◆ load_data · orders\.csv: schema/u);
  const other = running(['--once', '--no-compare', '--file', file], { OUTLIVE_OUT: out, ...sleeps });
  for (const { code, err, out: said } of [await one.ended, await other.ended]) {
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(said).toMatch(/The dashboard is ready/u);
  }
}, 180_000);

test('case 43: what Ctrl-C leaves open is named, can be gone on with, and cleaned away', async () => {
  const out = folder();
  const env = { OUTLIVE_OUT: out };
  const left = running(['--no-compare'], env);
  const [, sessionId = ''] = await left.says(/session (\S+)/u);
  await left.says(/\d% ingest/u);
  left.signal('SIGINT');
  const stopped = await left.ended;
  expect(stopped).toMatchObject({ code: 0, err: '' });
  expect(stopped.out).toContain(`To see it: npm start -- --continue ${sessionId}`);

  const unknown = await start(['--continue', 'nothing'], env);
  expect(unknown).toMatchObject({
    code: 1,
    err: `Expected --continue to name an open session (${sessionId}), got nothing.\n`,
  });

  const next = running(['--no-compare'], env);
  await next.says(new RegExp(`An earlier session is open and goes on: ${sessionId}\\.`, 'u'));
  await next.says(/delete what earlier starts have made \([\d.]+ MB in \S+\): npm start -- --clean/u);
  next.signal('SIGINT');
  await next.ended;

  const goneOn = await start(['--once', '--continue', sessionId], env);
  expect(goneOn).toMatchObject({ code: 0, err: '' });
  expect(goneOn.out).toContain('Everything that was asked for is answered.');
  expect(readFileSync(join(out, sessionId, 'dashboard.html'), 'utf8')).toContain('79,535');

  const { code, err, out: said } = await start(['--clean'], env);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(said).toMatch(/\d open sessions? ended, \d folders? deleted \([\d.]+ MB\)\./u);
  expect(readdirSync(out).filter((name) => name.startsWith('import-and-build-'))).toEqual([]);
}, 240_000);

const WORKER = fileURLToPath(new URL('../../src/cli/worker.ts', import.meta.url));

test('case 44: npm run worker tells how it is used, when it is ready, and in one sentence why it cannot work', async () => {
  const help = await running(['--help'], {}, WORKER).ended;
  expect(help).toMatchObject({ code: 0, err: '' });
  expect(help.out).toContain('--task-queue');
  const wrong = await running(['--nonsense'], {}, WORKER).ended;
  expect(wrong).toMatchObject({ code: 2, out: '' });
  expect(wrong.err).toMatch(/^Unknown option '--nonsense'[^\n]*\n$/u);
  const lost = await running([], { TEMPORAL_ADDRESS: '127.0.0.1:9' }, WORKER).ended;
  expect(lost.code).toBe(1);
  expect(lost.err).toMatch(/^[^\n]*127\.0\.0\.1:9[^\n]*\n$/u);
}, 120_000);

test('case 44: npm run worker finds the server that npm start runs, whatever port it has taken', async () => {
  const out = folder();
  const demo = running(['--no-compare'], { OUTLIVE_OUT: out });
  await demo.says(/session \S+/u);
  const { address } = JSON.parse(readFileSync(join(out, 'temporal.db.server.json'), 'utf8')) as { address: string };
  const worker = running([], { OUTLIVE_OUT: out }, WORKER);
  const [ready] = await worker.says(/[^\n]*The worker is ready[^\n]*/u);
  expect(JSON.parse(ready)).toMatchObject({
    address,
    namespace: 'default',
    taskQueues: ['outlive', 'outlive.models', 'outlive.tools', 'outlive.tasks'],
  });
  worker.signal('SIGTERM');
  expect((await worker.ended).code).toBe(0);
  demo.signal('SIGINT');
  await demo.ended;
}, 120_000);

test('case 44: an older Node is told in one sentence what is needed, and the documents say the same', () => {
  const script = readFileSync(new URL('../../src/cli/needs-node.mjs', import.meta.url), 'utf8');
  const run = (version: string): { code: number | undefined; said: string[] } => {
    const told: { code: number | undefined; said: string[] } = { code: undefined, said: [] };
    const fake = { versions: { node: version }, version: `v${version}`, exit: (code: number) => (told.code = code) };
    runInNewContext(script, { process: fake, console: { error: (line: string) => told.said.push(line) } });
    return told;
  };
  expect(run(process.versions.node)).toEqual({ code: undefined, said: [] });
  expect(run('22.13.0')).toMatchObject({
    code: 1,
    said: [expect.stringMatching(/^Expected Node 24 or newer, got v22\.13\.0: .*\.$/u)],
  });
  const root = new URL('../../', import.meta.url);
  const { engines, scripts } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as Record<
    string,
    Record<string, string>
  >;
  // The package itself needs less than what is in this repository alone.
  expect(engines?.['node']).toBe('>=22.13');
  for (const name of ['start', 'worker']) expect(scripts?.[name]).toContain('--import ./src/cli/needs-node.mjs');
  const readme = readFileSync(new URL('README.md', root), 'utf8');
  expect(readme).toContain('elsewhere Node 24 or newer');
  expect(readme).toContain('in a project of your own, on Node 22.13 or newer');
});
