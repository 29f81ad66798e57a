/** `docs/acceptance.md` and the tests are in step: every behaviour that is listed is proved, and every id that a test names is listed. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const ID = /\b[A-Z]-\d\d\b/gu;

/** The ids that names of tests begin with, behind the number of a case if there is one. */
function proved(): Set<string> {
  const found = new Set<string>();
  for (const file of readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.test.ts')) continue;
    const text = readFileSync(join(ROOT, 'test', file), 'utf8');
    for (const [name] of text.matchAll(/['"`](?:cases? [a-z\d ]+)?(?:[A-Z]-\d\d )+/gu))
      for (const [id] of name.matchAll(ID)) found.add(id);
  }
  return found;
}

test('every behaviour in docs/acceptance.md has a test that names it, and every id in the name of a test is listed there', () => {
  const listed = readFileSync(join(ROOT, 'docs/acceptance.md'), 'utf8').matchAll(/^- \*\*([A-Z]-\d\d)\*\*/gmu);
  const ids = Array.from(listed, ([, id]) => id ?? '');
  expect(ids.toSorted()).toEqual([...proved()].toSorted());
});
