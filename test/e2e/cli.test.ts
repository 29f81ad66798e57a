/** The command `outlive`, as a person or a script runs it. Real processes. */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { Client } from '@temporalio/client';
import { OutliveClient } from '../../src/client/index.ts';
import { connect } from '../../src/server/index.ts';
import { agentAt } from '../support/app.ts';
import { RunningCommand, type Ended } from '../support/command.ts';
import { eventually, harness, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer } from '../support/model-server.ts';

const ROOT = join(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'src/cli/main.ts');

let h: Harness;
let model: ModelServer;
/** Without a configuration. */
const nowhere = mkdtempSync(join(tmpdir(), 'outlive-cli-'));

beforeAll(async () => {
  model = await ModelServer.start(() => 'ok');
  h = await harness();
  await h.work({ agents: [agentAt(model.url)] });
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await model.stop();
  rmSync(nowhere, { recursive: true, force: true });
});

async function outlive(...args: string[]): Promise<Ended> {
  return new RunningCommand(MAIN, args, { cwd: nowhere, env: { TEMPORAL_ADDRESS: h.address } }).ended;
}

test('W-10 sessions lists them as a table or as JSON lines, page by page, and close ends one', async () => {
  const prefix = uniqueId('cli');
  const [a, b] = [`${prefix}-a`, `${prefix}-b`];
  await h.client.startSession(a, { title: 'First\u001b[31m one' });
  await h.client.startSession(b);
  await eventually('both in the list', async () => (await h.client.listSessions({ idPrefix: prefix })).sessions[1]);
  const list = ['sessions', '--task-queue', h.taskQueue, '--prefix', prefix];
  const table = await outlive(...list);
  expect(table).toMatchObject({ code: 0, err: '' });
  expect(table.out.split('\n').map((line) => line.split(/ {2,}/u))).toEqual([
    [expect.stringMatching(/^SESSION\s*$/u), 'STATUS', 'AGENT', 'CREATED', 'TITLE'],
    [b, 'open', 'helper', expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/u)],
    [a, 'open', 'helper', expect.stringMatching(/Z$/u), 'First\ufffd[31m one'],
    [''],
  ]);

  const { out, err } = await outlive(...list, '--json', '--limit', '1');
  expect(JSON.parse(out)).toMatchObject({ sessionId: b, status: 'open' });
  const [, after = ''] = /--after (\S+)/u.exec(err) ?? [];
  const second = await outlive(...list, '--json', '--limit', '1', '--after', after);
  expect(second).toMatchObject({ code: 0, err: '' });
  expect(JSON.parse(second.out)).toMatchObject({ sessionId: a });

  const closed = await outlive('close', a, '--reason', 'done', '--json');
  expect(closed).toEqual({ code: 0, out: '{"status":"closing"}\n', err: '' });
  expect(await h.temporal.workflow.getHandle(a).result()).toMatchObject({ status: 'closed', reason: 'done' });
  const again = await outlive('close', a);
  expect(again).toMatchObject({ code: 1, out: '' });
  expect(again.err).toMatch(/^[^\n]*closed[^\n]*\n$/u);
});

test.each([
  [['sessions', '--frob'], "Unknown option '--frob'."],
  [['sesions'], "Unknown command 'sesions' (Did you mean sessions?)."],
  [['close'], "Missing required argument 'session'."],
  [['sessions', '--limit', 'few'], "'--limit <n>' argument 'few' is invalid. Expected a whole number, 1 to 1000."],
  [['sessions', '--limit', '0'], 'Expected a whole number, 1 to 1000.'],
  [['sessions', '--limit', '1001'], 'Expected a whole number, 1 to 1000.'],
  [['sessions', '--agent', 'bad name!'], "'--agent <name>' argument 'bad name!' is invalid."],
  [['sessions', '--prefix', "a'b"], "'--prefix <text>' argument 'a'b' is invalid."],
  [['sessions', '--after', 'x'], 'Expected after to be what a page before has answered as after, got "x".'],
  [['sessions', '--address', ''], "'--address <host:port>' argument '' is invalid. Expected something, got nothing."],
  [['close', ''], "invalid for argument 'session'. Expected the id of a session"],
  [['close', 'a', '--runs', 'all'], '"outlive close --help" shows how it is used.'],
  [['help', 'foo'], "Unknown command 'foo'."],
  [['sessions', '--status', 'idle'], 'Allowed choices are open, closed.'],
])('W-10 %j is used wrongly: one sentence, exit code 2', async (args, sentence) => {
  const ended = await outlive(...args);
  expect(ended).toMatchObject({ code: 2, out: '' });
  expect(ended.err).toContain(sentence);
  expect(ended.err.trimEnd()).not.toContain('\n');
});

test('W-10 what cannot be done is one sentence with the address, exit code 1', async () => {
  const ended = await outlive('sessions', '--address', '127.0.0.1:9');
  expect(ended).toMatchObject({ code: 1, out: '' });
  expect(ended.err).toMatch(/^[^\n]*127\.0\.0\.1:9[^\n]*\n$/u);
});

test('W-10 no session that fits is one sentence with the address and the namespace', async () => {
  const none = await outlive('sessions', '--task-queue', h.taskQueue, '--agent', 'zzz');
  expect(none).toEqual({
    code: 0,
    out: `No such session on the task queue "${h.taskQueue}" at ${h.address}, namespace default.\n`,
    err: '',
  });
});

test.skipIf(!existsSync('/dev/full'))('W-10 output that cannot be written is one sentence, exit code 1', () => {
  const full = openSync('/dev/full', 'w');
  const { status, stderr } = spawnSync(process.execPath, [MAIN, 'sessions'], {
    cwd: nowhere,
    env: { ...process.env, TEMPORAL_ADDRESS: h.address },
    stdio: ['ignore', full, 'pipe'],
    encoding: 'utf8',
  });
  closeSync(full);
  expect({ status, stderr }).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^The output cannot be written \([^\n]*ENOSPC[^\n]*\)\.\n$/u) as string,
  });
});

test('W-10 OUTLIVE_LOG that is set to nothing counts as not set', async () => {
  const env = { OUTLIVE_LOG: '' };
  const { err } = await new RunningCommand(MAIN, ['worker'], { cwd: nowhere, env }).ended;
  expect(err).toMatch(/^There is no temporal\.config\.ts in /u);
});

test('W-10 every command has help', async () => {
  const { out } = await outlive('--help');
  const names = [...out.matchAll(/^ {2}([a-z]+) \[options\]/gmu)].map(([, name = '']) => name);
  expect(names).toEqual(expect.arrayContaining(['dev', 'worker', 'sessions', 'close']));
  for (const name of names) expect((await outlive(name, '--help')).out).toContain(`Usage: outlive ${name}`);
});

/** What the task of the folder answers in a session on that server. */
async function saidAt(address: string): Promise<unknown> {
  const { connection } = await connect({ address });
  try {
    const client = new OutliveClient(new Client({ connection }));
    const session = await client.startSession(uniqueId('dev'));
    const { runId } = await session.startRun({ agent: 'say', input: 'please', detached: { notify: 'silent' } });
    return await session.run(runId).result();
  } finally {
    await connection.close();
  }
}

test(
  'W-10 dev has a server of its own and a worker that comes again when killed, changed or mended',
  { timeout: 300_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'outlive-dev-'));
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    const answer = (value: string): void =>
      writeFileSync(join(folder, 'answer.ts'), `export const answer = ${value};\n`);
    answer("'first'");
    const configure = (more = ''): void =>
      writeFileSync(
        join(folder, 'temporal.config.ts'),
        `import { defineAgent, defineConfig, defineTask } from ${JSON.stringify(join(ROOT, 'src/index.ts'))};
     import { demoModel } from ${JSON.stringify(join(ROOT, 'src/testing/index.ts'))};
     import { answer } from './answer.ts';
     const say = defineTask({ name: 'say', run: () => answer });
     export default defineConfig({ agents: [defineAgent({ name: 'helper', instructions: 'Help.', model: demoModel() })], tasks: [say]${more} });`,
      );
    configure();
    const env = { TEMPORAL_ADDRESS: '', TEMPORAL_CLI_PATH: inject('cli') };
    try {
      await using dev = new RunningCommand(MAIN, ['dev'], { cwd: folder, env });
      await dev.says(/Web UI {3}http:\/\/127\.0\.0\.1:\d+/u);
      const [, address = ''] = await dev.says(/Temporal is at ([\d.]+:\d+)/u);
      const [, pid] = await dev.says(/"pid":(\d+)[^\n]*The worker is ready/u);
      expect(await saidAt(address)).toBe('first');

      process.kill(Number(pid), 'SIGKILL');
      await dev.says(/A new worker is running/u);
      answer("'second'");
      await dev.says(/answer\.ts has changed/u);
      await dev.says(/A new worker is running/u, 2);
      expect(await saidAt(address)).toBe('second');

      answer('(');
      await dev.says(/temporal\.config\.ts cannot be loaded [^\n]* It is started again when one of its files changes/u);
      answer("'third'");
      await dev.says(/A new worker is running/u, 3);
      expect(await saidAt(address)).toBe('third');

      configure(", namespace: 'shop'");
      await dev.says(/this outlive dev has no namespace .{1,2}shop.{1,2}: end outlive dev and start it again\./u);
      configure();
      await dev.says(/A new worker is running/u, 4);

      dev.signal('SIGINT');
      expect((await dev.ended).code).toBe(0);
      await expect(saidAt(address)).rejects.toThrow(address);
      expect(existsSync(join(folder, '.outlive/temporal.db'))).toBe(true);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

test(
  'W-10 dev starts its worker again when the configuration was away, and when a file is made that it imports; broken at its start it is one sentence',
  { timeout: 300_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'outlive-dev-'));
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    const config = join(folder, 'temporal.config.ts');
    const code = (imports: string): string =>
      `import { defineConfig, defineTask } from ${JSON.stringify(join(ROOT, 'src/index.ts'))};
       ${imports}
       export default defineConfig({ taskQueue: '${uniqueId('dev')}', agents: [], tasks: [defineTask({ name: 'x', run: () => 1 })], serve: ['tasks'] });`;
    const options = { cwd: folder, env: { TEMPORAL_ADDRESS: h.address } };
    try {
      writeFileSync(config, '(');
      const broken = await new RunningCommand(MAIN, ['dev'], options).ended;
      expect(broken).toMatchObject({
        code: 1,
        out: '',
        err: expect.stringMatching(/^temporal\.config\.ts cannot be loaded [^\n]*\n$/u) as string,
      });

      writeFileSync(config, code(''));
      await using dev = new RunningCommand(MAIN, ['dev'], options);
      await dev.says(/Worker {3}pid/u);
      rmSync(config);
      await dev.says(/which is none\. It is started again/u);
      writeFileSync(config, code(''));
      await dev.says(/A new worker is running/u);

      writeFileSync(config, code("import './tasks/more.ts';"));
      await dev.says(/cannot be loaded [^\n]* It is started again/u);
      mkdirSync(join(folder, 'tasks'));
      writeFileSync(join(folder, 'tasks/more.ts'), 'export {};');
      await dev.says(/tasks\/more\.ts has changed/u);
      await dev.says(/A new worker is running/u, 2);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
