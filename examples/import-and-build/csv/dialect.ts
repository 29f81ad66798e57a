/** How a file separates its cells and lines: found in the file itself, because a user who says "load this" never says it. */
import type { Encoding } from './encoding.ts';
import { parseBlock } from './records.ts';

export interface Dialect {
  delimiter: ',' | ';' | '\t' | '|';
  /** `\n` stands for `\r\n` too; a lone `\r` ends a line only in a file without `\n`. */
  lineBreak: '\n' | '\r';
  /** Bytes of a byte order mark before the header, as UTF-8 writes it. */
  bom: 0 | 3;
  /** Left out in what was remembered before there was any other: UTF-8. */
  encoding?: Encoding;
}

const DELIMITERS = [',', ';', '\t', '|'] as const;

/** Reads the dialect off the beginning of a file, as UTF-8; `whole` when there is no more than that. */
export function detectDialect(head: Buffer, whole: boolean, encoding: Encoding = 'utf-8'): Dialect {
  const bom = head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? 3 : 0;
  const lineBreak = head.includes(10) || !head.includes(13) ? '\n' : '\r';
  let best: Dialect = { delimiter: ',', lineBreak, bom, encoding };
  let bestFit = 0;
  for (const delimiter of DELIMITERS) {
    const dialect: Dialect = { delimiter, lineBreak, bom, encoding };
    const fit = fitOf(head, whole, dialect);
    if (fit > bestFit) [best, bestFit] = [dialect, fit];
  }
  return best;
}

/** The share of records that are as wide as the header and well quoted; nothing for a delimiter that the header does not hold. */
function fitOf(head: Buffer, whole: boolean, dialect: Dialect): number {
  const widths = (most: number): number[] =>
    parseBlock(head, whole, { offset: 0, line: 1, row: 0 }, dialect, most, dialect.bom).items.map((item) =>
      'fields' in item && !item.misquoted ? item.fields.length : 0,
    );
  const columns = widths(1)[0] ?? 0;
  if (columns < 2) return 0;
  const all = widths(200);
  return all.filter((width) => width === columns).length / all.length + columns / 1e6;
}
