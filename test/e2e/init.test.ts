/** The command `outlive init`, beside what is there already. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RunningCommand, type Ended } from '../support/command.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'outlive-init-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function init(...args: string[]): Promise<Ended> {
  return new RunningCommand(MAIN, ['init', ...args], { cwd: folder }).ended;
}

function write(name: string, text: string): void {
  writeFileSync(join(folder, name), text);
}

function read(name: string): string {
  return readFileSync(join(folder, name), 'utf8');
}

test.each(['temporal.config.mts', 'temporal.config.js', 'temporal.config.mjs'])(
  'W-10 init beside %s writes nothing, which would go before it, and says so',
  async (name) => {
    write(name, 'mine');
    const { code, err } = await init();
    expect({ code, err }).toEqual({
      code: 1,
      err: `Expected . to have no ${name}: take another folder, or move what is there.\n`,
    });
    expect(readdirSync(folder)).toEqual([name]);
  },
);

test.each(['null', '[]', '"x"', '{'])(
  'W-10 init with a package.json that is %s: one sentence, nothing written',
  async (text) => {
    write('package.json', text);
    const { code, err } = await init();
    expect({ code, err }).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^[^\n]*package\.json[^\n]*\n$/u) as string,
    });
    expect(readdirSync(folder)).toEqual(['package.json']);
    expect(read('package.json')).toBe(text);
  },
);

test('W-10 init keeps scripts and .gitignore that are there, and says what it changes and what runs', async () => {
  write('package.json', JSON.stringify({ type: 'commonjs', scripts: { dev: 'a', test: 'b' } }));
  write('.gitignore', 'dist');
  const { code, out } = await init();
  expect(code).toBe(0);
  expect(out).toContain('package.json says "type": "module" now, no longer "commonjs"');
  expect(out).toMatch(/\nnpx outlive dev\n[^]*\nnpx vitest run\n$/u);
  expect(JSON.parse(read('package.json'))).toMatchObject({ type: 'module', scripts: { dev: 'a', test: 'b' } });
  expect(read('.gitignore')).toBe('dist\n.outlive/\n');
});

test('W-10 init leaves a .gitignore that has the line as it is, and quotes a folder with a blank', async () => {
  mkdirSync(join(folder, 'my agent'));
  write('my agent/.gitignore', '/.outlive');
  const { code, out } = await init('my agent');
  expect(code).toBe(0);
  expect(out.match(/^cd .*$/gmu)).toEqual(["cd 'my agent'", "cd 'my agent'"]);
  expect(read('my agent/.gitignore')).toBe('/.outlive');
});

test.each([
  ['package.json', { dependencies: { outlive: 'file:packed.tgz' } }],
  ['package.json', { devDependencies: { outlive: './packed.tgz' } }],
  ['package-lock.json', { packages: { 'node_modules/outlive': { resolved: 'file:packed.tgz' } } }],
])(
  'W-10 init in a folder below a %s that has the package from a file (%j) takes it from there',
  async (name, manifest) => {
    write('packed.tgz', '');
    write(name, JSON.stringify(manifest));
    expect((await init('deep/down')).code).toBe(0);
    expect(JSON.parse(read('deep/down/package.json'))).toMatchObject({
      dependencies: { outlive: `file:${join(folder, 'packed.tgz')}` },
    });
  },
);

test('W-10 init where nothing tells of a file takes the version', async () => {
  expect((await init('there')).code).toBe(0);
  const { dependencies } = JSON.parse(read('there/package.json')) as { dependencies: Record<string, string> };
  expect(dependencies['outlive']).toMatch(/^\^\d/u);
});
