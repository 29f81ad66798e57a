/** `npm run bench` from end to end, with numbers so small that its figures mean nothing, and what it says of wrong options. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, inject, test } from 'vitest';
import type { Goal, Results } from '../../bench/goals.ts';

const MAIN = fileURLToPath(new URL('../../bench/main.ts', import.meta.url));

async function bench(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [MAIN, ...args],
      { env: { ...process.env, TEMPORAL_CLI_PATH: inject('cli') } },
      (error, out, err) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err });
      },
    );
  });
}

test('every scenario but the slow one measures outlive beside its baseline, and each goal is met or missed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'outlive-bench-'));
  const file = join(folder, 'figures.json');
  const only = ['fanout', 'history', 'ack', 'handover', 'step'].flatMap((name) => ['--only', name]);
  const { code, out, err } = await bench(
    ...only,
    '--rounds',
    '1',
    '--runs',
    '3',
    '--samples',
    '2',
    '--behind',
    '0',
    '--behind',
    '4',
    '--json',
    file,
  );
  expect(err.split('\n').filter((line) => !/^round|^Using the Temporal CLI|^Port/u.test(line))).toEqual(['']);
  expect(code).toBe(0);
  const found = JSON.parse(readFileSync(file, 'utf8')) as Results & { goals: Goal[] };
  rmSync(folder, { recursive: true });
  const costs = [
    ...found.fanout.flatMap(({ contenders }) => Object.values(contenders)),
    ...Object.values(found.history),
  ].flat();
  expect(costs).toHaveLength(10);
  for (const cost of costs) for (const [name, value] of Object.entries(cost)) expect(value, name).toBeGreaterThan(0);
  const latencies = [...found.ack.map((one) => one.latencies), found.handover, found.step?.first, found.step?.next];
  expect(latencies).toHaveLength(5);
  for (const one of latencies) {
    for (const values of [one?.outlive, one?.baseline]) {
      expect(values).toHaveLength(2);
      for (const value of values ?? []) expect(value).toBeGreaterThanOrEqual(0);
    }
  }
  expect(found.goals.length).toBeGreaterThan(10);
  for (const goal of found.goals)
    expect(out).toMatch(
      new RegExp(
        `^${goal.what.replaceAll(/[.*+?^${}()|[\]\\]/gu, String.raw`\$&`)} .* ${goal.met ? 'met' : 'missed'}$`,
        'mu',
      ),
    );
}, 180_000);

test('an unknown scenario and a number that is none are one sentence and exit code 1', async () => {
  expect(await bench('--only', 'nothing')).toEqual({
    code: 1,
    out: '',
    err: 'Expected --only to be one of fanout, old, history, ack, handover, step, got nothing.\n',
  });
  expect(await bench('--rounds', '0')).toEqual({
    code: 1,
    out: '',
    err: 'Expected --rounds to be an integer of at least 1, got 0.\n',
  });
});
