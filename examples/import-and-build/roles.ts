/** What a column is good for in a dashboard, guessed from its name and a sample: enough for a model to choose charts by. */
import type { Column, ColumnType } from './csv/columns.ts';
import { parseNumber } from './csv/numbers.ts';

/** `label`: many different values, good for a ranking. `other`: ids, free text, constants. */
export type Role = 'measure' | 'dimension' | 'date' | 'label' | 'other';

export interface InspectedColumn {
  name: string;
  sqlName: string;
  type: ColumnType;
  role: Role;
  /** Of a measure: how its values are best put together. */
  aggregate?: 'sum' | 'avg';
  /** Different values in the sample. */
  distinct: number;
  examples: string[];
}

const CODE =
  /(^|_)(ids?|uuid|no|nr|num|number|code|key|zip|plz|postal|postcode|phone|lat|lng|lon|latitude|longitude)(_|$)/;
const SPAN = /(^|_)(year|jahr|month|monat|quarter|week|hour)(_|$)/;
const PROSE = /(^|_)(notes?|comments?|remarks?|description|memo|text|bemerkung|url|link|e_?mail)(_|$)/;
const MEAN =
  /price|preis|rate|ratio|discount|rabatt|percent|pct|score|rating|(^|_)age(_|$)|temp|average|avg|mean|height|weight|speed|humidity|duration|altitude|elevation|höhe|alter(_|$)|latency/;

export function inspect(column: Column, index: number, sample: readonly (readonly string[])[]): InspectedColumn {
  const cells = sample.map((record) => (record[index] ?? '').trim()).filter((cell) => cell !== '');
  const values = [...new Set(cells)];
  const { name, sqlName, type } = column;
  const role = roleOf(column, cells, values, sample.length);
  return {
    name,
    sqlName,
    type,
    role,
    distinct: values.length,
    examples: values.slice(0, 3).map((value) => value.slice(0, 40)),
    ...(role === 'measure' ? { aggregate: MEAN.test(sqlName) ? 'avg' : 'sum' } : {}),
  };
}

function roleOf(
  { type, sqlName, decimal = '.' }: Column,
  cells: readonly string[],
  values: readonly string[],
  records: number,
): Role {
  if (type === 'date') return 'date';
  // A column that is mostly empty would be a chart of "empty".
  if (values.length === 0 || cells.length < records * 0.3) return 'other';
  if (type === 'text') return textRole(sqlName, cells, values);
  if (SPAN.test(sqlName)) return 'dimension';
  if (CODE.test(sqlName)) return 'other';
  const numbers = cells.map((cell) => parseNumber(cell, decimal) ?? 0);
  const counter =
    type === 'integer' && cells.length >= 20 && numbers.every((value, i) => i === 0 || value > (numbers[i - 1] ?? 0));
  return counter ? 'other' : 'measure';
}

function textRole(sqlName: string, cells: readonly string[], values: readonly string[]): Role {
  const length = cells.reduce((sum, cell) => sum + cell.length, 0) / cells.length;
  if (CODE.test(sqlName) || PROSE.test(sqlName) || length > 48 || (values.length === 1 && cells.length > 1))
    return 'other';
  if (cells.length >= 20 && values.length > cells.length * 0.9) return length > 24 ? 'other' : 'label';
  return values.length <= 12 || (values.length <= 30 && values.length <= cells.length / 4) ? 'dimension' : 'label';
}
