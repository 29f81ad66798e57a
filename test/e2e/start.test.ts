/** `npm start` as a person runs it: everything up, the scenario played, files made, exit code 0; and one sentence when it cannot. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, inject, test } from 'vitest';

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
  expect(said).toMatch(/hand-over: what became of load_data is now the input of turn t-/u);
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
