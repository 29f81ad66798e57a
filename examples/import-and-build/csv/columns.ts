/**
 * What the columns of a file are, decided from a sample of its records.
 *
 * A column has a type when nearly all sampled cells that are not empty fit it: at most 5 % of them (or one) do not, and those
 * that do are four times as many. A large file must show at least twenty such cells; anything else is text.
 */
import { orderEvidence, parseDate, type DateOrder } from './dates.ts';
import { decimalEvidence, isCode, parseNumber, type DecimalMark } from './numbers.ts';

export type ColumnType = 'integer' | 'number' | 'date' | 'text';

export interface Column {
  /** As the header has it; unnamed and repeated ones are told apart. */
  name: string;
  type: ColumnType;
  /** Its name in SQLite: letters, digits and `_`, unique whatever the case. */
  sqlName: string;
  /** Of a number column: which mark is the decimal one. */
  decimal?: DecimalMark;
  /** Of a date column: how it writes 04/03/2026. Day first, unless a sampled cell says otherwise. */
  dateOrder?: DateOrder;
}

/** A check reads two figures per column in one SELECT, of which SQLite takes 2,000. */
const MAX_COLUMNS = 900;
const EMPTY = /^(?:|-|n\/a|na|null)$/i;

/** In a typed column these count as empty: nothing, `-`, `n/a`, `na`, `null`. */
export function isEmptyCell(trimmed: string): boolean {
  return trimmed.length <= 4 && EMPTY.test(trimmed);
}

/** The columns of a header; `whole` when the sample is the whole file. */
export function inferColumns(
  header: readonly string[],
  sample: readonly (readonly string[])[],
  whole: boolean,
  dateOrder?: DateOrder,
): Column[] {
  if (header.length > MAX_COLUMNS)
    throw new Error(`Expected a file of at most ${MAX_COLUMNS} columns, got ${header.length}.`);
  const names = distinct(
    header.map((cell, i) => clean(cell) || `Column ${i + 1}`),
    (name, n) => `${name} (${n})`,
  );
  const cellsOf = names.map((_, i) =>
    sample.map((record) => (record[i] ?? '').trim()).filter((cell) => !isEmptyCell(cell)),
  );
  const usual = mark(
    cellsOf.flat().filter((cell) => parseNumber(cell, '.') !== undefined || parseNumber(cell, ',') !== undefined),
    '.',
  );
  const sqlNames = distinct(
    names.map((name, i) => sqlNameOf(name) || `column_${i + 1}`),
    (name, n) => `${name}_${n}`,
  );
  return names.map((name, i) => ({
    name,
    sqlName: sqlNames[i] ?? '',
    ...typeOf(cellsOf[i] ?? [], whole ? 1 : 20, usual, dateOrder),
  }));
}

/** The decimal mark that cells show; that of the rest of the file when they show none. */
function mark(cells: readonly string[], usual: DecimalMark): DecimalMark {
  const evidence = sum(cells, decimalEvidence);
  if (evidence === 0) return usual;
  return evidence < 0 ? ',' : '.';
}

function typeOf(
  cells: readonly string[],
  least: number,
  usual: DecimalMark,
  dateOrder: DateOrder | undefined,
): Pick<Column, 'type' | 'decimal' | 'dateOrder'> {
  const fits = (n: number): boolean =>
    cells.length >= least &&
    cells.length - n <= Math.max(1, cells.length * 0.05) &&
    n >= (cells.length - n) * 4 &&
    n > 0;
  const decimal = mark(cells, usual);
  const numbers = cells.map((cell) => parseNumber(cell, decimal)).filter((value) => value !== undefined);
  if (fits(numbers.length) && !cells.some(isCode))
    return { type: numbers.every(Number.isInteger) ? 'integer' : 'number', decimal };
  const order = dateOrder ?? (sum(cells, orderEvidence) < 0 ? 'mdy' : 'dmy');
  if (fits(cells.filter((cell) => parseDate(cell, order) !== undefined).length))
    return { type: 'date', dateOrder: order };
  return { type: 'text' };
}

function sum(cells: readonly string[], evidence: (cell: string) => number): number {
  return cells.reduce((total, cell) => total + evidence(cell), 0);
}

function clean(cell: string): string {
  return Array.from(
    cell
      .toWellFormed()
      .replace(/[\s\p{Cc}]+/gu, ' ')
      .trim(),
  )
    .slice(0, 60)
    .join('');
}

/** A name for SQLite from any text: lower case letters, digits and `_`; may be empty. */
export function sqlNameOf(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, '_')
    .replace(/^_+|_+$/g, '');
}

function distinct(names: readonly string[], again: (name: string, n: number) => string): string[] {
  const used = new Set<string>();
  return names.map((name) => {
    let one = name;
    for (let n = 2; used.has(one.toLowerCase()); n++) one = again(name, n);
    used.add(one.toLowerCase());
    return one;
  });
}
