/** Medians with their spread, and ratios of what was measured in the same round. */

export interface Spread {
  median: number;
  min: number;
  max: number;
  n: number;
}

/** Of at least one value. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const at = (i: number): number => sorted[i] ?? Number.NaN;
  const median = Number.isInteger(middle) ? (at(middle - 1) + at(middle)) / 2 : at(Math.floor(middle));
  return { median, min: at(0), max: at(sorted.length - 1), n: sorted.length };
}

/** Round by round, so that a machine that is slow for a while is slow for both. */
export function ratios(values: readonly number[], base: readonly number[]): Spread {
  return spread(values.map((value, i) => value / (base[i] ?? Number.NaN)));
}

export function shown({ median, min, max, n }: Spread, digits = 1): string {
  const text = (value: number): string => value.toFixed(digits);
  return n === 1 || text(min) === text(max) ? text(median) : `${text(median)} (${text(min)}–${text(max)})`;
}

/** Rows under a head, columns aligned; the first one to the left, all others to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => (row[i] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
