/** Where this package was installed from, when that is a file or a folder: no registry has it then, or has somebody else's. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isObject } from '../schemas/shapes.ts';

const PACKAGE = 'outlive';
const OWN = dirname(fileURLToPath(import.meta.resolve(`${PACKAGE}/package.json`)));

/** As a dependency names it from anywhere: what is found first on the way up from these folders, then from the package's own place. */
export function packageSource(...folders: readonly string[]): string | undefined {
  for (const start of [...folders, dirname(OWN)])
    for (let folder = start, last = ''; folder !== last; last = folder, folder = dirname(folder)) {
      const file = namedIn(folder);
      if (file !== undefined) return `file:${file}`;
    }
  return undefined;
}

function namedIn(folder: string): string | undefined {
  const { dependencies, devDependencies, optionalDependencies } = read(join(folder, 'package.json'));
  const named = [dependencies, devDependencies, optionalDependencies].map((all) => entry(all, PACKAGE));
  const locks = ['package-lock.json', 'node_modules/.package-lock.json'].map((lock) => {
    const { packages } = read(join(folder, lock));
    return entry(entry(packages, `node_modules/${PACKAGE}`), 'resolved');
  });
  return [...named, ...locks]
    .map((spec) =>
      typeof spec === 'string' ? /^(?:file:(?:\/\/(?=\/))?|(?=\.{0,2}\/))(.+)$/u.exec(spec)?.[1] : undefined,
    )
    .map((path) => (path === undefined ? undefined : resolve(folder, path)))
    .find((path) => path !== undefined && existsSync(path));
}

/** Nothing of a file that is not there, or is none of JSON. */
function read(path: string): Record<string, unknown> {
  try {
    const found: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return isObject(found) ? found : {};
  } catch {
    return {};
  }
}

function entry(value: unknown, key: string): unknown {
  return isObject(value) ? value[key] : undefined;
}
