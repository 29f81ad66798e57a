/** `outlive init`: a project that runs, made of the example that the package ships. */
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { reasonOf } from '../../server/problem.ts';
import { isObject } from '../../schemas/shapes.ts';
import { CONFIG_NAMES } from '../load-config.ts';
import { packageSource } from '../package-source.ts';
import { nearest } from '../paths.ts';
import { Problem } from '../problem.ts';

interface Manifest {
  name?: string;
  private?: boolean;
  type?: string;
  scripts?: Record<string, string>;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

const EXAMPLE = fileURLToPath(new URL('../../../examples/first-agent', import.meta.url));
const FILES = ['temporal.config.ts', 'talk.ts', 'tasks/count-words.ts', 'test/helper.test.ts'];
const README = 'README.md';
const TSCONFIG = {
  compilerOptions: {
    target: 'es2024',
    module: 'nodenext',
    types: ['node'],
    strict: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    erasableSyntaxOnly: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    noEmit: true,
  },
};
const IGNORED = ['node_modules/', '.outlive/'];
const SCRIPTS = { dev: 'outlive dev', test: 'vitest run' };

/** @throws Problem when something there would be overwritten or outdone; then nothing is written. */
export async function init(folder = '.'): Promise<void> {
  const root = resolve(folder);
  const there = [...new Set([...FILES, ...CONFIG_NAMES, 'tsconfig.json'])].filter((file) =>
    existsSync(join(root, file)),
  );
  if (there.length > 0)
    throw new Problem(
      `Expected ${nearest(root)} to have no ${there.join(', no ')}: take another folder, or move what is there.`,
    );
  const before = manifestOf(root);
  const manifest = withOurs(before ?? {}, root);
  try {
    mkdirSync(root, { recursive: true });
    writeJson(join(root, 'package.json'), manifest);
    writeJson(join(root, 'tsconfig.json'), TSCONFIG);
    ignore(join(root, '.gitignore'));
    for (const file of [...FILES, README].filter((one) => !existsSync(join(root, one))))
      cpSync(join(EXAMPLE, file), join(root, file));
  } catch (error) {
    throw new Problem(`The project cannot be written into ${nearest(root)} (${reasonOf(error)}).`);
  }
  if (before !== undefined && before.type !== 'module')
    console.log(
      `package.json says "type": "module" now${before.type === undefined ? '' : `, no longer ${JSON.stringify(before.type)}`}: its .js files are ES modules.\n`,
    );
  const change = nearest(root) === '.' ? '' : `cd ${quoted(nearest(root))}\n`;
  console.log(`The project is made. It runs with

${change}npm install
npx outlive dev

and, in another terminal,

${change}node talk.ts "Run count_words on README.md"
${manifest.scripts?.['test'] === SCRIPTS.test ? 'npm test' : 'npx vitest run'}`);
  return Promise.resolve();
}

/** Nothing of a folder that has none. */
function manifestOf(root: string): Manifest | undefined {
  const path = join(root, 'package.json');
  if (!existsSync(path)) return undefined;
  let found: unknown;
  try {
    found = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Problem(`${nearest(path)} cannot be read (${reasonOf(error)}).`);
  }
  if (!isObject(found))
    throw new Problem(`Expected ${nearest(path)} to be an object, got ${JSON.stringify(found).slice(0, 80)}.`);
  return found;
}

/** What is there stays, but that modules are ES modules. */
function withOurs(
  { name, private: hidden = true, scripts, dependencies, devDependencies, ...rest }: Manifest,
  root: string,
): Manifest {
  const own = createRequire(import.meta.url)('outlive/package.json') as Manifest & {
    version: string;
    peerDependencies: Record<string, string>;
  };
  const { peerDependencies: peers, devDependencies: used = {}, version } = own;
  const like = (name_: string): string => peers[name_] ?? `^${own.dependencies?.[name_] ?? used[name_] ?? version}`;
  const ranges = (...names: string[]): Record<string, string> =>
    Object.fromEntries(names.map((one) => [one, like(one)]));
  return {
    name: name ?? nameFor(root),
    private: hidden,
    ...rest,
    type: 'module',
    scripts: { ...SCRIPTS, ...withoutDefaultTest(scripts) },
    dependencies: {
      outlive: packageSource(root, process.cwd()) ?? like('outlive'),
      ...ranges('@temporalio/client', '@temporalio/envconfig', 'ai', 'zod'),
      ...dependencies,
    },
    devDependencies: { ...ranges('@types/node', 'typescript', 'vitest'), ...devDependencies },
  };
}

/** One that is there gets the line that it lacks for what `outlive dev` keeps. */
function ignore(path: string): void {
  if (!existsSync(path)) return writeFileSync(path, `${IGNORED.join('\n')}\n`);
  const text = readFileSync(path, 'utf8');
  if (/^\/?\.outlive\/?\s*$/mu.test(text)) return;
  writeFileSync(path, `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}.outlive/\n`);
}

/** For a shell. */
function quoted(path: string): string {
  return /^[\w@%+=:,./\\-]+$/u.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}

/** What `npm init` writes is no test. */
function withoutDefaultTest(scripts: Record<string, string> = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(scripts).filter(([name, script]) => !(name === 'test' && script.includes('no test specified'))),
  );
}

function nameFor(root: string): string {
  const name = basename(root)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/gu, '-')
    .replace(/^[._-]+/u, '');
  return name === '' ? 'my-agent' : name;
}

function writeJson(path: string, value: object): void {
  writeFileSync(path, `${JSON.stringify(value, undefined, 2)}\n`);
}
