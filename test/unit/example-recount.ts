/**
 * Counts a file of orders a second time, by other means than the import: one regular expression over the whole text, no csv-parse,
 * no sampling, no shared code. A record it cannot read to its end counts as one broken line.
 */
import { readFileSync } from 'node:fs';

export interface Recount {
  good: number;
  broken: number;
  quantity: number;
  cents: number;
  byCategory: Record<string, { rows: number; cents: number }>;
  byMonth: Record<string, { rows: number; cents: number }>;
  ids: string[];
}

const CELL = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;
const NAMES = 'janfebmaraprmayjunjulaugsepoctnovdec';

export function recount(path: string): Recount {
  const text = readFileSync(path, 'utf8');
  const counted: Recount = { good: 0, broken: 0, quantity: 0, cents: 0, byCategory: {}, byMonth: {}, ids: [] };
  let at = text.indexOf('\n') + 1;
  while (at < text.length) {
    const record = recordAt(text, at);
    if (record === undefined) {
      counted.broken += 1;
      at = text.indexOf('\n', at) + 1;
      continue;
    }
    at = record.end;
    const [id = '', date = '', , , category = '', , quantity = '', price = '', , total = ''] = record.cells;
    const month = monthOf(date);
    const numbers = [quantity, price, total].map((cell) =>
      /^\$?[\d,]+(\.\d+)?$/.test(cell) ? Number(cell.replace(/[$,]/g, '')) : NaN,
    );
    if (record.cells.length !== 12 || month === undefined || numbers.some(Number.isNaN)) {
      counted.broken += 1;
      continue;
    }
    const cents = Math.round((numbers[2] ?? 0) * 100);
    counted.good += 1;
    counted.quantity += numbers[0] ?? 0;
    counted.cents += cents;
    counted.ids.push(id);
    for (const sum of [
      (counted.byCategory[category] ??= { rows: 0, cents: 0 }),
      (counted.byMonth[month] ??= { rows: 0, cents: 0 }),
    ]) {
      sum.rows += 1;
      sum.cents += cents;
    }
  }
  return counted;
}

function recordAt(text: string, from: number): { cells: string[]; end: number } | undefined {
  const cells: string[] = [];
  CELL.lastIndex = from;
  for (;;) {
    const match = CELL.exec(text);
    if (!match) return undefined;
    cells.push(match[1] === undefined ? (match[2] ?? '') : match[1].replaceAll('""', '"'));
    if (match[3] !== ',') return { cells, end: CELL.lastIndex };
  }
}

function monthOf(cell: string): string | undefined {
  const iso = /^(\d{4})-(\d\d)-(\d\d)$/.exec(cell);
  const slashed = /^(\d\d)\/(\d\d)\/(\d{4})$/.exec(cell);
  const named = /^([A-Z][a-z]{2}) (\d+), (\d{4})$/.exec(cell);
  const [year, month, day] = iso
    ? [iso[1], iso[2], iso[3]]
    : slashed
      ? [slashed[3], slashed[2], slashed[1]]
      : named
        ? [named[3], String(NAMES.indexOf((named[1] ?? '').toLowerCase()) / 3 + 1), named[2]]
        : [];
  const at = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  return at.getUTCDate() === Number(day) && at.getUTCMonth() === Number(month) - 1
    ? at.toISOString().slice(0, 7)
    : undefined;
}
