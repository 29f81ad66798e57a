/** What a chart may be: the specification a model writes, checked against the real columns. No model writes SQL. */
import { z } from 'zod';
import type { Column } from './csv/columns.ts';

const chartSpec = z.object({
  title: z.string().min(1).max(120),
  kind: z
    .enum(['number', 'bar', 'line', 'table'])
    .describe('number: one figure. bar and table: by the values of x. line: over the dates of x.'),
  x: z.string().optional().describe('Column to group by; a date column for a line. None for a number.'),
  measure: z.string().optional().describe('Number column to aggregate; none to count rows.'),
  aggregate: z
    .enum(['count', 'sum', 'avg', 'min', 'max', 'distinct'])
    .optional()
    .describe('Default: sum of the measure, or count of rows. distinct counts different values of x or measure.'),
  limit: z
    .number()
    .int()
    .min(1)
    .max(50)
    .optional()
    .describe('Groups of a bar or table; the rest becomes "other". Default 8.'),
});

export const chartSpecs = z.array(chartSpec).min(1).max(16);

export type ChartSpec = z.infer<typeof chartSpec>;
export type Aggregate = NonNullable<ChartSpec['aggregate']>;

/** A specification whose columns exist and fit. */
export interface Chart {
  id: string;
  title: string;
  kind: ChartSpec['kind'];
  x?: Column;
  measure?: Column;
  aggregate: Aggregate;
  limit: number;
}

/** Checks specifications against columns. Throws with one sentence that says which chart and what it expected. */
export function planCharts(specs: readonly ChartSpec[], columns: readonly Column[]): Chart[] {
  return specs.map((spec, i) => {
    const where = `chart ${i + 1} ("${spec.title}")`;
    const find = (name: string): Column => {
      const column = columns.find(({ sqlName }) => sqlName === name) ?? columns.find((one) => one.name === name);
      if (column) return column;
      const known = columns
        .slice(0, 60)
        .map((one) => one.sqlName)
        .join(', ');
      throw wrong(`Expected the columns of ${where} to be among ${known}, got ${JSON.stringify(name.slice(0, 80))}.`);
    };
    const x = spec.x === undefined ? undefined : find(spec.x);
    const measure = spec.measure === undefined ? undefined : find(spec.measure);
    const aggregate = spec.aggregate ?? (measure ? 'sum' : 'count');
    if (spec.kind !== 'number' && !x) throw wrong(`Expected ${where} to have a column x, got none.`);
    if (spec.kind === 'line' && x?.type !== 'date')
      throw wrong(`Expected x of ${where} to be a date column, got ${x?.sqlName} (${x?.type}).`);
    const numeric = measure?.type === 'integer' || measure?.type === 'number';
    if (!numeric && aggregate !== 'count' && aggregate !== 'distinct') {
      const got = measure ? `${measure.sqlName} (${measure.type})` : 'none';
      throw wrong(`Expected the measure of ${where} to be a number column for "${aggregate}", got ${got}.`);
    }
    if (aggregate === 'distinct' && !measure && (spec.kind !== 'number' || !x)) {
      throw wrong(`Expected ${where} to name the column whose values are counted as measure, got none.`);
    }
    const { title, kind, limit = 8 } = spec;
    return { id: `c${i + 1}`, title, kind, aggregate, limit, ...(x ? { x } : {}), ...(measure ? { measure } : {}) };
  });
}

function wrong(message: string): Error {
  return Object.assign(new Error(message), { name: 'InvalidInput' });
}
