/**
 * Writes a CSV file of orders as a real shop would export it: the same seed, the same bytes. It has quoted cells with commas,
 * quotes and line breaks, empty cells, three ways to write a date (04/03/2026 is the fourth of March), currency signs,
 * thousands separators, and about one broken row in 160. What it wrote it knows, so that an import can be checked.
 *
 *     node examples/import-and-build/generate-orders.ts orders.csv --rows 80000 --seed 1
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { dateAt } from './orders/calendar.ts';
import { HEADER, lineOf, makeOrder, pickFault, type Fault, type Order } from './orders/order.ts';
import { Random } from './orders/random.ts';

export interface OrdersOptions {
  /** Rows beside the header, broken ones included. Default 80,000. */
  rows?: number;
  /** Default 1. */
  seed?: number;
}

/** Rows, and the sums of their quantities and totals; money in cents. */
export interface Sum {
  rows: number;
  quantity: number;
  totalCents: number;
}

/** What stands in the file; sums are over the good rows. */
export interface OrdersTruth extends Sum {
  written: number;
  broken: Partial<Record<Fault, number>>;
  firstDate: string;
  lastDate: string;
  byCategory: Record<string, Sum>;
  byCountry: Record<string, Sum>;
  /** By `YYYY-MM`. */
  byMonth: Record<string, Sum>;
}

/** Writes the file, whole or not at all, and tells what is in it. */
export async function generateOrders(
  path: string,
  { rows = 80_000, seed = 1 }: OrdersOptions = {},
): Promise<OrdersTruth> {
  const random = new Random(seed);
  const truth: OrdersTruth = {
    written: rows,
    rows: 0,
    quantity: 0,
    totalCents: 0,
    broken: {},
    firstDate: '',
    lastDate: '',
    byCategory: {},
    byCountry: {},
    byMonth: {},
  };
  await mkdir(dirname(resolve(path)), { recursive: true });
  const temporary = `${path}.${randomUUID()}.tmp`;
  const file = createWriteStream(temporary, { flags: 'wx' });
  try {
    let text = `${HEADER.join(',')}\n`;
    for (let n = 1; n <= rows; n++) {
      const order = makeOrder(random, n, dateAt((n - random.next() * Math.min(rows, 400)) / rows));
      const fault = pickFault(random);
      text += `${lineOf(random, order, fault)}\n`;
      if (fault === undefined) add(truth, order);
      else truth.broken[fault] = (truth.broken[fault] ?? 0) + 1;
      if (text.length > 64 * 1024) {
        if (!file.write(text)) await once(file, 'drain');
        text = '';
      }
    }
    file.end(text);
    await finished(file);
    await rename(temporary, path);
    return truth;
  } catch (error) {
    file.destroy();
    await rm(temporary, { force: true });
    throw error;
  }
}

function add(truth: OrdersTruth, { date, product, country, quantity, totalCents }: Order): void {
  const { byCategory, byCountry, byMonth } = truth;
  for (const sum of [
    truth,
    sumOf(byCategory, product.category),
    sumOf(byCountry, country),
    sumOf(byMonth, date.slice(0, 7)),
  ]) {
    sum.rows += 1;
    sum.quantity += quantity;
    sum.totalCents += totalCents;
  }
  if (truth.firstDate === '' || date < truth.firstDate) truth.firstDate = date;
  if (date > truth.lastDate) truth.lastDate = date;
}

function sumOf(sums: Record<string, Sum>, key: string): Sum {
  return (sums[key] ??= { rows: 0, quantity: 0, totalCents: 0 });
}

if (import.meta.main) {
  const {
    values,
    positionals: [path = 'orders.csv'],
  } = parseArgs({
    allowPositionals: true,
    options: { rows: { type: 'string', default: '80000' }, seed: { type: 'string', default: '1' } },
  });
  const { written, rows, broken } = await generateOrders(path, {
    rows: Number(values.rows),
    seed: Number(values.seed),
  });
  process.stdout.write(`${path}: ${written} rows, ${rows} of them good; broken: ${JSON.stringify(broken)}\n`);
}
