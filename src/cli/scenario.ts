/** What the demo works on: a person's own CSV file, or 80,000 generated orders. */
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { generateOrders } from '../../examples/import-and-build/generate-orders.ts';

/** Where everything that the demo makes goes. */
export const OUT = process.env['OUTLIVE_OUT'] ?? 'out';

export interface DemoFile {
  folder: string;
  name: string;
}

/** A wrong argument, told in one sentence. */
export class Problem extends Error {
  override readonly name = 'Problem';
}

/** The file to load, generated when no own one is named. @throws Problem when the named one cannot be read. */
export async function preparedFile(own: string | undefined, say: (line: string) => void): Promise<DemoFile> {
  if (own !== undefined) {
    const path = resolve(own);
    if (!existsSync(path) || !statSync(path).isFile())
      throw new Problem(`Expected --file to name a CSV file, got ${own}, which is none.`);
    return { folder: dirname(path), name: basename(path) };
  }
  const path = resolve(OUT, 'orders.csv');
  if (!existsSync(path)) {
    say('Generating orders.csv: 80,000 rows with the mess of real files.');
    await generateOrders(path);
  }
  return { folder: dirname(path), name: 'orders.csv' };
}
