/** What the documents show compiles, and what they point to is there. */
import { execFile } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const documents = ['README.md', ...globSync('docs/**/*.md', { cwd: ROOT })];

test('every TypeScript example of the README, docs/testing.md, docs/models.md and docs/agents.md compiles against the package', async () => {
  const blocks = ['README.md', 'docs/testing.md', 'docs/models.md', 'docs/agents.md'].flatMap((document) =>
    [...readFileSync(join(ROOT, document), 'utf8').matchAll(/```ts\n([\s\S]*?)```/gu)].map(([, code = '']) => code),
  );
  expect(blocks.length).toBeGreaterThan(0);
  const folder = join(ROOT, 'out', `docs-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  try {
    writeFileSync(
      join(folder, 'model.ts'),
      "import type { LanguageModelV4 } from '@ai-sdk/provider';\nexport declare const model: LanguageModelV4;\n",
    );
    blocks.forEach((code, i) => writeFileSync(join(folder, `example-${i}.ts`), code));
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        extends: '../../tsconfig.json',
        // The package's own names lead to what it is made of, as `dist` need not be there.
        compilerOptions: {
          paths: { outlive: ['../../src/index.ts'], 'outlive/*': ['../../src/*.ts', '../../src/*/index.ts'] },
        },
        include: ['./*.ts'],
      }),
    );
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const { stdout } = await promisify(execFile)(process.execPath, [tsc, '-p', folder], { cwd: ROOT }).catch(
      (error: { stdout: string }) => error,
    );
    expect(stdout).toBe('');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.each(documents)('links and pictures of %s lead somewhere', (document) => {
  const text = readFileSync(join(ROOT, document), 'utf8');
  for (const [, target = ''] of text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/gu)) {
    if (/^https?:/u.test(target)) continue;
    expect(existsSync(join(ROOT, dirname(document), target)), `${document} links to ${target}`).toBe(true);
  }
});
