import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { generateOrders, type OrdersTruth } from '../../examples/import-and-build/generate-orders.ts';
import type { LoadResult } from '../../examples/import-and-build/load-data.ts';
import { folder } from './example-support.ts';

const CHILD = join(import.meta.dirname, 'example-import-child.ts');

/** Runs an attempt in a process of its own; `kill` is asked after each line it prints. */
async function attempt(
  args: string[],
  kill: (line: string) => boolean = () => false,
): Promise<{ lines: string[]; signal: NodeJS.Signals | null; result?: LoadResult }> {
  const child = spawn(process.execPath, [CHILD, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (kill(line)) child.kill('SIGKILL');
  }
  const [, signal] = await exited;
  const last = lines.at(-1);
  return { lines, signal, ...(last?.startsWith('result ') ? { result: JSON.parse(last.slice(7)) as LoadResult } : {}) };
}

interface Batch {
  batch: number;
  attempt: number;
  first_row: number;
  last_row: number;
  byte_from: number;
  byte_to: number;
}

/** What must hold whatever was killed: every good row once, every batch once, one behind the other. Returns the attempts of the batches. */
function provenWhole(dir: string, truth: OrdersTruth): number[] {
  using db = new DatabaseSync(join(dir, 'out', 's', 'orders.db'), { readOnly: true });
  expect({
    ...db
      .prepare(
        'SELECT count(*) AS rows, count(DISTINCT order_id) AS ids, sum(quantity) AS quantity, round(sum(total) * 100) AS cents FROM orders',
      )
      .get(),
  }).toEqual({ rows: truth.rows, ids: truth.rows, quantity: truth.quantity, cents: truth.totalCents });
  const batches = db
    .prepare('SELECT batch, attempt, first_row, last_row, byte_from, byte_to FROM _batches ORDER BY batch')
    .all() as unknown as Batch[];
  for (const [i, batch] of batches.entries()) {
    expect(batch.batch).toBe(i + 1);
    expect(batch.first_row).toBe((batches[i - 1]?.last_row ?? 0) + 1);
    if (i > 0) expect(batch.byte_from).toBe(batches[i - 1]?.byte_to);
  }
  expect(batches.at(-1)?.last_row).toBe(truth.written);
  const rejected = Object.fromEntries(
    db
      .prepare('SELECT reason, count(*) AS n FROM _rejected GROUP BY reason')
      .all()
      .map((row) => [row['reason'], row['n']]),
  );
  expect(rejected).toEqual(truth.broken);
  return batches.map((batch) => batch.attempt);
}

describe('load_data, killed with SIGKILL', () => {
  it.each([
    ['between two batches', []],
    ['within the transaction of a batch', ['inside']],
  ])('%s: another process goes on from there, and every row is in the database once', async (_, how) => {
    using dir = folder();
    const truth = await generateOrders(join(dir.path, 'orders.csv'), { rows: 24_000 });
    const killed = await attempt([dir.path, '1', '4', ...how], (line) => line === 'stopped');
    expect(killed.signal).toBe('SIGKILL');
    const committed = how.length === 0 ? 4 : 3;
    expect(killed.lines.at(-2)).toBe(`batch ${committed}`);

    const resumed = await attempt([dir.path, '2']);
    expect(resumed.lines[0]).toBe(`batch ${committed}`);
    expect(resumed.result).toMatchObject({ rows: truth.rows, attempts: 2, batches: 12 });
    expect(provenWhole(dir.path, truth)).toEqual([
      ...Array<number>(committed).fill(1),
      ...Array<number>(12 - committed).fill(2),
    ]);
  });

  it('again and again, at whatever it is doing: each attempt goes on, none repeats', async () => {
    using dir = folder();
    const truth = await generateOrders(join(dir.path, 'orders.csv'), { rows: 40_000 });
    let n = 0;
    let result: LoadResult | undefined;
    while (result === undefined && n < 20) {
      n += 1;
      let lines = 0;
      ({ result } = await attempt([dir.path, String(n)], () => (lines += 1) === 4 && n < 6));
    }
    expect(result).toMatchObject({ rows: truth.rows, attempts: n });
    const attempts = provenWhole(dir.path, truth);
    expect(attempts).toEqual(attempts.toSorted((a, b) => a - b));
    expect(attempts).toHaveLength(20);
  });
});
