/** What the demo works on: a person's own CSV file, or 80,000 generated orders. */
import { existsSync, statfsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { CsvSource } from '../../examples/import-and-build/csv/source.ts';
import { generateOrders } from '../../examples/import-and-build/generate-orders.ts';
import { nameFile } from '../../examples/import-and-build/named-files.ts';
import { Problem } from './problem.ts';

/** Where everything that the demo makes goes. */
export const OUT = process.env['OUTLIVE_OUT'] || 'out';

const LEAST_BYTES = 256 * 1024;

const REASONS: Record<string, string> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'it may not be written to',
  EPERM: 'it may not be written to',
  EROFS: 'it may not be written to',
};

/**
 * The name of the file to load, generated when no own one is given.
 *
 * @throws Problem when the given one is no CSV file, or when there is no room for a generated one.
 */
export async function preparedFile(own: string | undefined, say: (line: string) => void): Promise<string> {
  return own === undefined ? generated(say) : checked(own);
}

/** Looked at before anything is started: what is no CSV file is told at once. */
async function checked(own: string): Promise<string> {
  const path = resolve(own);
  if (!existsSync(path) || !statSync(path).isFile())
    throw new Problem(`Expected --file to name a CSV file, got ${own}, which is none.`);
  try {
    await using source = await CsvSource.open(path);
    await source.shape();
  } catch (error) {
    throw new Problem(`${own} cannot be loaded: ${error instanceof Error ? error.message : String(error)}`);
  }
  return writing(() => nameFile(OUT, path));
}

async function generated(say: (line: string) => void): Promise<string> {
  const path = resolve(OUT, 'orders.csv');
  if (!existsSync(path)) {
    say('Generating orders.csv: 80,000 rows with the mess of real files.');
    await writing(() => generateOrders(path));
  }
  return 'orders.csv';
}

/** Where there is no room left, Temporal's own server cannot work either. */
export function fullDisk(): Problem | undefined {
  try {
    const { bavail, bsize } = statfsSync(OUT);
    if (bavail * bsize >= LEAST_BYTES) return undefined;
  } catch {
    return undefined;
  }
  return new Problem(
    `The disk is full: nothing more can be written to ${resolve(OUT)}. Make room and start again; the session is kept and goes on.`,
  );
}

async function writing<T>(work: () => Promise<T> | T): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    const reason = REASONS[code];
    if (reason === undefined) throw error;
    throw new Problem(
      `Nothing can be written to ${resolve(OUT)} (${reason}): make room, or name another folder in OUTLIVE_OUT.`,
    );
  }
}
