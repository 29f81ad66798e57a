/** The workflow bundle of the repository is made once for all starts between two changes. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { kept } from '../../src/workflow-bundle.ts';

const folder = mkdtempSync(join(tmpdir(), 'outlive-kept-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('what was made for the same sources is read, what was made for others is made anew, and one is kept', async () => {
  const path = join(folder, 'deep', 'bundle.js');
  let made = 0;
  const make = async (): Promise<{ code: string }> => Promise.resolve({ code: `made ${++made}` });
  expect(await kept(path, 'a', make)).toEqual({ code: 'made 1' });
  const { code } = await kept(path, 'a', make);
  expect(code).toMatch(/^[^\n]*made 1$/u);
  expect(await kept(path, 'b', make)).toEqual({ code: 'made 2' });
  expect(await kept(path, 'a', make)).toEqual({ code: 'made 3' });
  expect(readdirSync(join(folder, 'deep'))).toEqual(['bundle.js']);
});

test('where nothing can be kept it is made all the same', async () => {
  const make = async (): Promise<{ code: string }> => Promise.resolve({ code: 'made' });
  expect(await kept('/dev/null/bundle.js', 'a', make)).toEqual({ code: 'made' });
});
