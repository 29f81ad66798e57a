/** Numbers and dates for people. */
import type { Aggregate } from '../charts.ts';
import type { Unit } from '../queries.ts';

const TICK = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });
const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const NOTHING = '–';

/** How the values of one chart are written: all alike. */
export interface Writer {
  /** `46.3M`, `1,234`, `0.107`. */
  compact(value: number | null): string;
  /** `46,318,069.95`. */
  exact(value: number | null): string;
}

/** Whole numbers stay whole; others get two decimals, small ones more. */
export function writer(values: readonly (number | null)[]): Writer {
  const known = values.filter((value) => value !== null);
  const most = Math.max(0, ...known.map(Math.abs));
  const decimals = known.every(Number.isInteger) ? 0 : most >= 1 ? 2 : Math.min(8, 2 - Math.floor(Math.log10(most)));
  const exactly = new Intl.NumberFormat('en', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  const shortly = new Intl.NumberFormat('en', {
    notation: 'compact',
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
  });
  const exact = (value: number | null): string => (value === null ? NOTHING : exactly.format(value));
  return {
    exact,
    compact: (value) => (value === null || Math.abs(value) < 10_000 ? exact(value) : shortly.format(value)),
  };
}

export function count(rows: number): string {
  return WHOLE.format(rows);
}

/** A mark of an axis. */
export function tick(value: number): string {
  return TICK.format(value);
}

export function percent(share: number): string {
  if (share === 0) return '0\u00a0%';
  if (share < 0.001) return '< 0.1\u00a0%';
  return `${(share * 100).toFixed(1)}\u00a0%`;
}

/** `2026-03-04`, `2026-03` or `2026` as `4 Mar 2026`, `Mar 2026`, `2026`. */
export function day(iso: string): string {
  const [year = '', month, date] = iso.split('-');
  if (month === undefined) return year;
  return `${date === undefined ? '' : `${Number(date)} `}${MONTHS[Number(month) - 1] ?? month} ${year}`;
}

const WORDS: Record<Aggregate, string> = {
  count: 'count',
  sum: 'sum',
  avg: 'average',
  min: 'smallest',
  max: 'largest',
  distinct: 'different values',
};

/** What a chart shows, in words: `sum of total by category`. */
export function describe({
  aggregate,
  measure,
  x,
  unit,
}: {
  aggregate: Aggregate;
  measure?: string;
  x?: string;
  unit?: Unit;
}): string {
  const what =
    measure === undefined
      ? aggregate === 'distinct'
        ? WORDS.distinct
        : 'number of rows'
      : `${WORDS[aggregate]} of ${measure}`;
  if (x === undefined) return what;
  return unit === undefined
    ? `${what} ${aggregate === 'distinct' && measure === undefined ? 'of' : 'by'} ${x}`
    : `${what} by ${unit} of ${x}`;
}
