/**
 * How the columns of a terminal are shared among the parts of a run's line, the same for all lines so that they are aligned. As
 * it gets narrower the bar shrinks, then the words go, then the bar, then the word of the status; name and percent stay.
 */
import type { Row } from '../../contract.ts';
import { nameOf } from './model.ts';
import { width } from './width.ts';

/** Columns of each part; 0: it is left out. */
export interface Columns {
  name: number;
  status: number;
  bar: number;
  percent: number;
  words: number;
  inline: boolean;
}

const SIGN = 2;
const LEAST_NAME = 8;
const LEAST_BAR = 4;
const LEAST_WORDS = 10;
/** So long that milestones stand on the line too. */
const INLINE_WORDS = 48;
const PERCENT = 4;

export function columnsOf(rows: readonly Row[], columns: number): Columns {
  const most = (of: (row: Row) => number): number => rows.reduce((longest, row) => Math.max(longest, of(row)), 0);
  const percent = columns < SIGN + LEAST_NAME + 1 + PERCENT ? 0 : PERCENT;
  const status =
    columns < 36
      ? 0
      : Math.max(
          9,
          most((row) => row.status.length),
        );
  const fixed = SIGN + (status === 0 ? 0 : status + 1) + (percent === 0 ? 0 : percent + 1);
  const name = Math.max(
    0,
    Math.min(
      most((row) => width(nameOf(row))),
      Math.max(LEAST_NAME, Math.floor(columns * 0.36)),
      columns - fixed,
    ),
  );
  const left = columns - fixed - name;
  const bar = left >= 64 ? 20 : left >= 32 ? 12 : left >= 20 ? 8 : left > LEAST_BAR ? Math.min(10, left - 1) : 0;
  const words = left - (bar === 0 ? 0 : bar + 1) - 1;
  return { name, status, bar, percent, words: words >= LEAST_WORDS ? words : 0, inline: words >= INLINE_WORDS };
}
