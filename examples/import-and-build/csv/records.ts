/**
 * From bytes to records, with the exact byte where each one ends, so that an import can go on from any of them.
 *
 * csv-parse reads strictly and stops at the first quoting error. Then only the *line* on which that record starts is judged:
 * read leniently it may still be a record (`5" pipe` keeps its quote); if its quote is left open it is broken, and reading
 * goes on at the next line. So a stray quote costs its own line and not the rows behind it; only one that is closed by chance
 * as a good one would be takes them along, as one record of many lines.
 */
import { CsvError, parse } from 'csv-parse/sync';
import type { Dialect } from './dialect.ts';

/** Characters of one record; beyond it a quote counts as left open. */
export const RECORD_CHARS = 64 * 1024;
/** Bytes read at a time; several of the longest records fit in. */
export const BLOCK_BYTES = 512 * 1024;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** Where reading goes on: `offset` in bytes, `line` (from 1) that starts or goes on there, `row` records before it. */
export interface Position {
  offset: number;
  line: number;
  row: number;
}

type Broken = 'unterminated_quote' | 'too_long';
/** `misquoted`: it has a quote where none may stand, taken as it is. */
type Read = { fields: string[]; misquoted?: true } | { broken: Broken };
/** A record: its number, the line it starts on, the lines it takes and its bytes. */
export type Item = { row: number; line: number; lines: number; raw: Buffer } & Read;

interface Found {
  fields: string[];
  end: number;
}

/**
 * At most `most` records of a block that starts at `from`. What may go on behind the block is left for the next one.
 * Blank lines are no records. `skip`: bytes at the start that are not text.
 */
export function parseBlock(
  block: Buffer,
  atEnd: boolean,
  from: Position,
  dialect: Dialect,
  most: number,
  skip = 0,
): { items: Item[]; next: Position } {
  const items: Item[] = [];
  const lineBreak = dialect.lineBreak.charCodeAt(0);
  // Half of a line break behind a quote would look like text where none may stand: it is left for the next block.
  if (!atEnd && lineBreak === LINE_FEED && block.at(-1) === CARRIAGE_RETURN) block = block.subarray(0, -1);
  let { line, row } = from;
  let done = skip;
  const passBlankLines = (): void => {
    const start = done;
    while (block[done] === LINE_FEED || block[done] === CARRIAGE_RETURN) done++;
    line += count(block, start, done, lineBreak);
  };
  const take = (end: number, found: Read): void => {
    passBlankLines();
    const lines = count(block, done, end, lineBreak);
    row += 1;
    items.push({ row, line, lines: Math.max(1, lines), raw: block.subarray(done, end), ...found });
    line += lines;
    done = end;
  };
  while (items.length < most) {
    passBlankLines();
    const start = done;
    if (start >= block.length) break;
    const { found, error } = records(block.subarray(start), dialect, most - items.length, false);
    // The last record may go on behind the block.
    if (!atEnd && error === undefined && found.at(-1)?.end === block.length - start) found.pop();
    for (const { fields, end } of found) take(start + end, { fields });
    if (error === undefined && found.length > 0) {
      if (atEnd) continue;
      break;
    }
    if (error !== undefined) passBlankLines();
    const end = endOfLine(block, done, lineBreak);
    // More bytes may still close the quote or end the line, unless the block starts here and so has room for any record.
    const undecided = end === undefined || error === undefined || error.code === 'CSV_QUOTE_NOT_CLOSED';
    if (!atEnd && undecided && done > skip) break;
    take(
      end ?? block.length,
      end === undefined && !atEnd ? { broken: 'too_long' } : judge(block.subarray(done, end), dialect),
    );
  }
  passBlankLines();
  return { items, next: { offset: from.offset + done, line, row } };
}

/** One line alone, read leniently: a record after all, or broken. */
function judge(text: Buffer, dialect: Dialect): Read {
  const {
    found: [first],
    error,
  } = records(text, dialect, 1, true);
  if (error !== undefined) return { broken: error.code === 'CSV_MAX_RECORD_SIZE' ? 'too_long' : 'unterminated_quote' };
  return { fields: first?.fields ?? [''], misquoted: true };
}

function records(text: Buffer, dialect: Dialect, most: number, lenient: boolean): { found: Found[]; error?: CsvError } {
  const found: Found[] = [];
  try {
    parse(text, {
      delimiter: dialect.delimiter,
      record_delimiter: dialect.lineBreak === '\n' ? ['\r\n', '\n'] : ['\r'],
      to: most,
      max_record_size: RECORD_CHARS,
      relax_quotes: lenient,
      relax_column_count: true,
      skip_empty_lines: true,
      on_record: (fields: string[], { bytes }) => {
        found.push({ fields, end: bytes });
        return null;
      },
    });
    return { found };
  } catch (error) {
    if (error instanceof CsvError) return { found, error };
    throw error;
  }
}

function endOfLine(block: Buffer, from: number, lineBreak: number): number | undefined {
  const at = block.indexOf(lineBreak, from);
  return at < 0 ? undefined : at + 1;
}

function count(block: Buffer, from: number, to: number, byte: number): number {
  let n = 0;
  for (let at = block.indexOf(byte, from); at >= 0 && at < to; at = block.indexOf(byte, at + 1)) n++;
  return n;
}
