/**
 * One record as the values of one row, or the reason why it is broken. A record is broken when
 *
 * - `unterminated_quote`, `too_long`: it could not be read (see `records.ts`);
 * - `bad_text`: it holds bytes that are no text in the encoding of the file;
 * - `too_few_columns`, `too_many_columns`: it is not as wide as the header (empty cells too many at its end are let pass);
 * - `bad_number:<column>`, `bad_date:<column>`: a cell of a typed column holds something, but not that. The first one counts.
 *
 * An empty cell is NULL and breaks nothing. Texts lose the white space around them.
 */
import { isUtf8 } from 'node:buffer';
import { isEmptyCell, type Column } from './columns.ts';
import { parseDate } from './dates.ts';
import { parseNumber } from './numbers.ts';
import type { Item } from './records.ts';

export type Value = string | number | null;

/** The values in the order of the columns, or why there are none. */
export function rowOf(item: Item, columns: readonly Column[]): { values: Value[] } | { reason: string } {
  if ('broken' in item) return { reason: item.broken };
  if (!isUtf8(item.raw)) return { reason: 'bad_text' };
  const { fields } = item;
  if (fields.length < columns.length) return { reason: 'too_few_columns' };
  if (fields.length > columns.length && fields.slice(columns.length).some((cell) => cell.trim() !== ''))
    return { reason: 'too_many_columns' };
  const values: Value[] = [];
  for (const [i, column] of columns.entries()) {
    const cell = (fields[i] ?? '').trim();
    const value = valueOf(cell, column);
    if (value === undefined)
      return { reason: `${column.type === 'date' ? 'bad_date' : 'bad_number'}:${column.sqlName}` };
    values.push(value);
  }
  return { values };
}

function valueOf(cell: string, { type, decimal = '.', dateOrder = 'dmy' }: Column): Value | undefined {
  if (type === 'text') return cell === '' ? null : cell;
  if (isEmptyCell(cell)) return null;
  return type === 'date' ? parseDate(cell, dateOrder) : parseNumber(cell, decimal);
}
