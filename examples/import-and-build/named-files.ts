/**
 * Files that a person has named, wherever they lie. Their names stand in the output folder, which every worker of the demo has, so that it
 * does not matter which of them takes the work, and sessions go on with workers that were started later. A model can only name them.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, extname, join, resolve } from 'node:path';
import { inside } from './files.ts';

/** Where in the output folder their names stand. */
export const NAMED_FILES = 'named-files';
const MOST_OF_ONE_NAME = 1000;

/** Makes a file known by its name, or by `name-2.csv` where another file has that name; answers with the name. */
export function nameFile(outDir: string, path: string): string {
  const folder = join(outDir, NAMED_FILES);
  mkdirSync(folder, { recursive: true });
  const [full, extension] = [resolve(path), extname(path)];
  const stem = basename(path, extension);
  for (let n = 1; n <= MOST_OF_ONE_NAME; n++) {
    const name = n === 1 ? basename(path) : `${stem}-${n}${extension}`;
    if (known(outDir, name) === full) return name;
    try {
      writeFileSync(join(folder, name), full, { flag: 'wx' });
      return name;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (known(outDir, name) === full) return name;
    }
  }
  throw new Error(`Expected at most ${MOST_OF_ONE_NAME} files of the name ${basename(path)}.`);
}

/** The path of a file to load: one that a person has named, or one in the folder of the files. */
export function fileToLoad({ filesDir, outDir }: { filesDir: string; outDir: string }, name: string): string {
  return known(outDir, name) ?? inside(filesDir, name);
}

function known(outDir: string, name: string): string | undefined {
  if (basename(name) !== name) return undefined;
  try {
    return readFileSync(inside(join(outDir, NAMED_FILES), name), 'utf8');
  } catch {
    return undefined;
  }
}
