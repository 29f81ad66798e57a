/**
 * Numbers as people write them: `1,234.50`, `1.234,50`, `1 234`, `$ 99`, `(12.00)`, `5%` (0.05).
 * Which mark is the decimal one is a property of the column, so that `1,234` never means two things in one column.
 */
export type DecimalMark = '.' | ',';

const CURRENCY =
  /^([+-]?)\s*(?:\p{Sc}|(?:USD|EUR|GBP|CHF|JPY)(?=[\s\d]))\s*|\s*(?:\p{Sc}|\s(?:USD|EUR|GBP|CHF|JPY))$/gu;
const PLAIN = /^[+-]?(?:0|[1-9]\d*)(?:\.\d+)?$/;
const WRITTEN: Record<DecimalMark, RegExp> = {
  '.': /^[+-]?(?:0|[1-9]\d{0,2}(?:([, '’\u00a0\u202f])\d{3}(?:\1\d{3})*)?|[1-9]\d*)?(?:\.\d+)?(?:[eE][+-]?\d{1,3})?$/,
  ',': /^[+-]?(?:0|[1-9]\d{0,2}(?:([. '’\u00a0\u202f])\d{3}(?:\1\d{3})*)?|[1-9]\d*)?(?:,\d+)?(?:[eE][+-]?\d{1,3})?$/,
};

/** The number that a cell holds under a decimal mark, or nothing; also nothing for codes with leading zeros and integers beyond 2^53. */
export function parseNumber(cell: string, decimal: DecimalMark): number | undefined {
  if (decimal === '.' && PLAIN.test(cell)) return finite(Number(cell));
  let text = cell;
  const bracketed = /^\((.+)\)$/.exec(text);
  if (bracketed?.[1] !== undefined) text = bracketed[1].trim();
  text = text.replace(CURRENCY, '$1');
  const percent = text.endsWith('%');
  if (percent) text = text.slice(0, -1).trimEnd();
  if (!/\d/.test(text) || !WRITTEN[decimal].test(text)) return undefined;
  const digits = text.replace(decimal === '.' ? /[, '’\u00a0\u202f]/g : /[. '’\u00a0\u202f]/g, '').replace(',', '.');
  const value = Number(digits) * (bracketed ? -1 : 1);
  return finite(percent ? Number((value / 100).toPrecision(15)) : value);
}

function finite(value: number): number | undefined {
  if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) return undefined;
  return value === 0 ? 0 : value;
}

/** Digits that are a code, not a quantity: `007`, `01234`. */
export function isCode(cell: string): boolean {
  return /^0\d+$/.test(cell);
}

/** What a cell says about the decimal mark of its column: `1` for the point, `-1` for the comma, `0` for nothing. */
export function decimalEvidence(cell: string): -1 | 0 | 1 {
  const text = cell.replace(/^\D+|\D+$/g, '');
  const points = text.split('.').length - 1;
  const commas = text.split(',').length - 1;
  if (points + commas === 0) return 0;
  if (points > 0 && commas > 0) return text.lastIndexOf('.') > text.lastIndexOf(',') ? 1 : -1;
  if (points > 1 || commas > 1) return points > 1 ? -1 : 1;
  // One mark with three digits behind it may group thousands, unless what stands before it cannot.
  if (/^[1-9]\d{0,2}[.,]\d{3}$/.test(text)) return 0;
  return points === 1 ? 1 : -1;
}
