/**
 * Makes `dist/`, what the package ships: compiled modules with types and source maps, and the workflow code as one bundle, so that nobody who
 * installs it needs a bundler or runs TypeScript under `node_modules`.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { bundleWorkflows, mark } from '../src/workflow-bundle.ts';

const ROOT = join(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');
const MAP = /\n\/\/# sourceMappingURL=data:application\/json;charset=utf-8;base64,(\S+)\s*$/u;

rmSync(DIST, { recursive: true, force: true });
const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
execFileSync(process.execPath, [tsc, '-p', join(ROOT, 'tsconfig.build.json')], { stdio: 'inherit' });
namesOfTypes();
writeFileSync(join(DIST, 'workflow-bundle.js'), mark() + withPlainMap((await bundleWorkflows()).code));
// What `outlive init` copies.
cpSync(join(ROOT, 'examples/first-agent'), join(DIST, 'examples/first-agent'), { recursive: true });
chmodSync(join(DIST, 'src/cli/main.js'), 0o755);

/** The compiler leaves the names of modules in declarations as they are written, with `.ts`. */
function namesOfTypes(): void {
  for (const file of globSync('**/*.d.ts', { cwd: DIST })) {
    const path = join(DIST, file);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replaceAll(/((?:from|import\() ?['"]\.[^'"]*)\.ts(?=['"])/gu, '$1.js'));
  }
}

/** The bundle's source map without the sources, which are in the package, and without paths of this machine. */
function withPlainMap(code: string): string {
  const [, data = ''] = MAP.exec(code) ?? [];
  if (data === '') throw new Error('Expected the bundle to end with its source map.');
  const map = JSON.parse(Buffer.from(data, 'base64').toString()) as { sources: string[]; sourcesContent?: string[] };
  map.sources = map.sources.map((source) => relative(ROOT, source));
  delete map.sourcesContent;
  const comment = `\n//# sourceMappingURL=data:application/json;charset=utf-8;base64,`;
  return code.replace(MAP, '') + comment + Buffer.from(JSON.stringify(map)).toString('base64') + '\n';
}
