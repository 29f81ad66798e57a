/** The worker of the demo is kept running, and given up in one sentence when it cannot be. Real processes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { superviseWorker, type Supervised } from '../../src/cli/supervise.ts';

const folder = mkdtempSync(join(tmpdir(), 'supervise-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function script(name: string, code: string): string {
  const path = join(folder, `${name}.mjs`);
  writeFileSync(path, code);
  return path;
}

/** A worker that lives until it is told to stop. */
const STAYS = `process.send('ready'); process.once('disconnect', () => process.exit()); setInterval(() => {}, 1e6);`;

test('case 41: a worker that is killed is replaced, and counted as lost; one that is stopped is neither', async () => {
  const said: string[] = [];
  const { promise: back, resolve: isBack } = Promise.withResolvers<void>();
  const worker = await superviseWorker({
    args: [],
    env: {},
    script: script('stays', STAYS),
    gaveUp: () => undefined,
    say: (line) => {
      said.push(line);
      if (line.startsWith('A new worker')) isBack();
    },
  });
  const first = worker.pid ?? 0;
  process.kill(first, 'SIGKILL');
  await back;
  expect(worker).toMatchObject({ losses: 1, isReplacing: false });
  expect(worker.pid).not.toBe(first);
  await worker.stop();
  expect(said).toEqual([
    `The worker (pid ${first}) was lost (SIGKILL): starting another one. What it was doing goes on from where it stood.`,
    `A new worker is running (pid ${worker.pid}).`,
  ]);
  expect(worker.losses).toBe(1);
});

test('a worker that does not start is one sentence with its own last words', async () => {
  const broken = script('broken', `throw new TypeError('Expected a model, got none.');`);
  const starting = superviseWorker({
    args: [],
    env: {},
    script: broken,
    say: () => undefined,
    gaveUp: () => undefined,
  });
  await expect(starting).rejects.toMatchObject({ name: 'Problem', message: 'TypeError: Expected a model, got none.' });
});

test('a worker that does not come up again is given up, once, in one sentence', async () => {
  const once = join(folder, 'was-there');
  const flaky = script(
    'flaky',
    `import { existsSync, writeFileSync } from 'node:fs';
     const was = existsSync(${JSON.stringify(once)});
     writeFileSync(${JSON.stringify(once)}, '');
     if (was) { console.error('The server cannot be reached.'); process.exit(1); }
     ${STAYS}`,
  );
  const { promise: problem, resolve: gaveUp } = Promise.withResolvers<Error>();
  const worker = await superviseWorker({ args: [], env: {}, script: flaky, say: () => undefined, gaveUp });
  process.kill(worker.pid ?? 0, 'SIGKILL');
  expect((await problem).message).toBe('No worker could be started in 5 attempts: The server cannot be reached.');
  await worker.stop();
}, 60_000);

/** Finishes what it does once it is told to stop, when it may, and says how often it was told. */
const FINISHES = `
  let told = 0;
  process.on('SIGTERM', () => {
    told += 1;
    if (told === 1) process.send('finishing');
  });
  process.on('message', () => setImmediate(() => setImmediate(() => process.send({ told }, () => process.exit()))));
  process.send('ready');`;

test.each<[string, (worker: Supervised) => void, (worker: Supervised) => void]>([
  ['another change during a restart', (worker) => worker.restart(), (worker) => worker.restart()],
  ['Ctrl-C during a restart', (worker) => worker.restart(), (worker) => void worker.stop()],
  ['a change during the grace of Ctrl-C', (worker) => void worker.stop(), (worker) => worker.restart()],
])('case 41: %s does not cut off what the worker may finish', async (_what, first, second) => {
  const { promise: ending, resolve: ends } = Promise.withResolvers<unknown>();
  const worker = await superviseWorker({
    args: [],
    env: {},
    script: script('finishes', FINISHES),
    gaveUp: () => undefined,
    say: () => undefined,
    heard(message, answer) {
      if (message !== 'finishing') return ends(message);
      second(worker);
      answer({ mayFinish: true });
    },
  });
  first(worker);
  expect(await ending).toEqual({ told: 1 });
  await worker.stop();
});

test.each([
  ['when it is forked', { FULL: 'x'.repeat(2 ** 20) }, process.execPath],
  ['afterwards', {}, join(folder, 'no-node')],
])('a worker for which there is no process, as is told %s, is one sentence', async (_when, env, node) => {
  const { execPath } = process;
  process.execPath = node;
  try {
    const starting = superviseWorker({ args: [], env, script: 'none', say: () => undefined, gaveUp: () => undefined });
    await expect(starting).rejects.toMatchObject({
      name: 'Problem',
      message: expect.stringMatching(
        /^No process can be started for the worker \(spawn (?:E2BIG|.*ENOENT)\)\.$/u,
      ) as string,
    });
  } finally {
    process.execPath = execPath;
  }
});
