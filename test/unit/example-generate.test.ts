import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { generateOrders } from '../../examples/import-and-build/generate-orders.ts';
import { folder } from './example-support.ts';
import { recount } from './example-recount.ts';

describe('the generator of orders', () => {
  it('writes the same bytes for the same seed, and others for another', async () => {
    using dir = folder();
    const write = async (name: string, seed: number): Promise<string> => {
      await generateOrders(join(dir.path, name), { rows: 3000, seed });
      return readFileSync(join(dir.path, name), 'utf8');
    };
    const first = await write('a.csv', 7);
    expect(await write('b.csv', 7)).toBe(first);
    expect(await write('c.csv', 8)).not.toBe(first);
  });

  it('knows what it wrote: an independent count finds the same', async () => {
    using dir = folder();
    const path = join(dir.path, 'orders.csv');
    const truth = await generateOrders(path, { rows: 20_000, seed: 3 });
    const counted = recount(path);
    const broken = Object.values(truth.broken).reduce((sum, n) => sum + n, 0);
    expect(counted.good).toBe(truth.rows);
    expect(counted.broken).toBe(broken);
    expect(truth.rows + broken).toBe(20_000);
    expect(counted.quantity).toBe(truth.quantity);
    expect(counted.cents).toBe(truth.totalCents);
    expect(
      Object.fromEntries(Object.entries(counted.byMonth).map(([month, { rows, cents }]) => [month, [rows, cents]])),
    ).toEqual(
      Object.fromEntries(
        Object.entries(truth.byMonth).map(([month, { rows, totalCents }]) => [month, [rows, totalCents]]),
      ),
    );
  });

  it('has the mess of real files, and every kind of broken row', async () => {
    using dir = folder();
    const path = join(dir.path, 'orders.csv');
    const truth = await generateOrders(path, { rows: 20_000 });
    const text = readFileSync(path, 'utf8');
    for (const mess of [
      /""/,
      /"[^"]*\n[^"]*"/,
      /,,/,
      /,\d{4}-\d\d-\d\d,/,
      /,\d\d\/\d\d\/\d{4},/,
      /,"[A-Z][a-z]{2} \d+, \d{4}",/,
      /,\$\d/,
      /"\d,\d{3}\.\d\d"/,
      /\d%/,
    ])
      expect(text).toMatch(mess);
    expect(Object.keys(truth.broken).sort()).toEqual([
      'bad_date:order_date',
      'bad_number:quantity',
      'bad_number:total',
      'bad_number:unit_price',
      'too_few_columns',
      'too_many_columns',
      'unterminated_quote',
    ]);
  });

  it('leaves nothing behind when it cannot write', async () => {
    using dir = folder();
    await expect(generateOrders(dir.path, { rows: 10 })).rejects.toThrow();
    expect(readdirSync(dir.path)).toEqual([]);
    expect(
      readdirSync(join(dir.path, '..')).filter((name) => name.startsWith(`${dir.path.split('/').at(-1)}.`)),
    ).toEqual([]);
  });
});
