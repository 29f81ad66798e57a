/**
 * Which rows of the terminal hold what was painted before. A terminal that was made narrower has wrapped those lines again, and
 * one that was made lower has moved the upper ones into its scrollback, from where they come back when it grows. `above` keeps
 * those, so that the next frame is painted over everything that can be reached and nothing else.
 */

/** Widths in columns, top to bottom: what has left the screen, and the lines of the last frame. The cursor is below them. */
export interface Footprint {
  above: readonly number[];
  lines: readonly number[];
}

export const NOTHING: Footprint = { above: [], lines: [] };

function rowsOf(widths: readonly number[], columns: number): number {
  return widths.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / columns)), 0);
}

/** How many rows up the next frame begins in a terminal of this size, and what stays above it, out of reach. */
export function reach(
  { above, lines }: Footprint,
  columns: number,
  rows: number,
): { up: number; above: readonly number[] } {
  const all = [...above, ...lines];
  const most = Math.max(0, rows - 1);
  let from = all.length;
  let up = 0;
  while (from > 0 && up < most) {
    from -= 1;
    up += rowsOf([all[from] ?? 0], columns);
  }
  return { up: Math.min(up, most), above: up > most ? all.slice(0, from + 1) : all.slice(0, from) };
}
