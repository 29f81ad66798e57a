/** A small `npm run chaos`: workers are killed, stopped for a while and told to stop, the server is restarted; the oracle finds nothing. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, inject, test } from 'vitest';
import { chaos } from '../../chaos/chaos.ts';
import { plan } from '../../chaos/generator.ts';

const MAIN = fileURLToPath(new URL('../../chaos/main.ts', import.meta.url));

test('X-03 X-04 five workers and the server struck in a seeded scenario: all that was accepted is done once, told once and adds up', async () => {
  const wanted = { seed: 3, runs: 30, kills: 5, restarts: 1 };
  const report = await chaos({ cli: inject('cli'), bundlePath: inject('bundlePath'), rounds: plan(wanted) });
  expect(report.violations).toEqual([]);
  const { kill, stop, term } = report.losses;
  expect(kill + stop + term).toBe(wanted.kills);
  expect(Math.min(kill, stop, term)).toBeGreaterThan(0);
  expect(report.restarts).toBe(wanted.restarts);
  // How many of 30 come to be accepted depends on which turns are cancelled before they ask for them.
  expect(report.runs).toBeGreaterThanOrEqual(10);
  expect(report.deliveries).toBeGreaterThan(0);
  // Those of three sessions at least, and of their runs.
  expect(report.executions).toBeGreaterThan(report.runs);
}, 400_000);

async function main(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err });
    });
  });
}

test('the plan is printed without running, the same each time', async () => {
  const args = ['--seed', '7', '--runs', '20', '--kills', '2', '--restarts', '1', '--plan'];
  const [first, second] = [await main(...args), await main(...args)];
  expect(first).toEqual(second);
  expect(first).toMatchObject({ code: 0, err: '' });
  expect(first.out).toMatch(/^round 1: \d+ runs, 2 sessions$/mu);
  expect(first.out.match(/^ {2}worker: /gmu)).toHaveLength(2);
  expect(first.out.match(/^ {2}server: /gmu)).toHaveLength(1);
});

test('an unknown option and a number that is none are one sentence and exit code 1', async () => {
  expect(await main('--kill', '3')).toEqual({
    code: 1,
    out: '',
    err: "Unknown option '--kill': npm run chaos -- --help lists the options.\n",
  });
  expect(await main('--kills', 'few')).toEqual({
    code: 1,
    out: '',
    err: 'Expected --kills to be an integer of at least 0, got few.\n',
  });
});
