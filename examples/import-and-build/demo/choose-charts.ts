/** Chooses charts for any file from what `inspect_file` told of its columns. */
import type { ChartSpec } from '../charts.ts';
import type { InspectedColumn } from '../roles.ts';

const MAIN = /(^|_)(total|amount|revenue|sales|turnover|value|cost|profit|income|umsatz|betrag|summe|wert)(_|$)/;

export function chooseCharts(columns: readonly InspectedColumn[]): ChartSpec[] {
  const measures = columns.filter(({ role }) => role === 'measure');
  const sums = measures.filter(({ aggregate }) => aggregate === 'sum');
  const means = measures.filter(({ aggregate }) => aggregate === 'avg');
  const main = sums.find(({ sqlName }) => MAIN.test(sqlName)) ?? sums[0] ?? means[0];
  const date = columns.find(({ role }) => role === 'date');
  // Those with few values first; up to twelve are few, and keep the order of the file.
  const dimensions = columns
    .filter(({ role, distinct }) => role === 'dimension' && distinct > 1)
    .sort((a, b) => Math.max(a.distinct, 12) - Math.max(b.distinct, 12));
  const labels = [...columns.filter(({ role }) => role === 'label'), ...dimensions.slice(3)];

  const of = (column: InspectedColumn | undefined): Pick<ChartSpec, 'measure' | 'aggregate'> =>
    column ? { measure: column.sqlName, aggregate: column.aggregate ?? 'sum' } : { aggregate: 'count' };
  const subject = main ? figure(main) : 'Rows';
  const charts: ChartSpec[] = [{ title: 'Rows', kind: 'number', aggregate: 'count' }];
  for (const measure of [
    main,
    ...sums.filter((one) => one !== main).slice(0, 1),
    ...means.filter((one) => one !== main).slice(0, 1),
  ]) {
    if (measure) charts.push({ title: figure(measure), kind: 'number', ...of(measure) });
  }
  if (date) charts.push({ title: `${subject} over time`, kind: 'line', x: date.sqlName, ...of(main) });
  for (const dimension of dimensions.slice(0, 3)) {
    charts.push({
      title: `${subject} by ${words(dimension)}`,
      kind: 'bar',
      x: dimension.sqlName,
      ...of(main),
      limit: 8,
    });
  }
  const mean = means.find((one) => one !== main);
  const first = dimensions[0];
  if (mean && first)
    charts.push({ title: `${figure(mean)} by ${words(first)}`, kind: 'bar', x: first.sqlName, ...of(mean), limit: 8 });
  const what = `${subject.slice(0, 1).toLowerCase()}${subject.slice(1)}`;
  for (const label of labels.slice(0, 2))
    charts.push({ title: `Top ${words(label)} by ${what}`, kind: 'table', x: label.sqlName, ...of(main), limit: 10 });
  const only = columns.find(({ role }) => role === 'dimension');
  if (only && charts.every(({ kind }) => kind === 'number')) {
    charts.push({ title: `${subject} by ${words(only)}`, kind: 'table', x: only.sqlName, ...of(main), limit: 10 });
  }
  return charts.map((chart) => ({ ...chart, title: chart.title.slice(0, 120) }));
}

function words({ name }: InspectedColumn): string {
  return name.replaceAll('_', ' ').trim();
}

/** `Total`, `Total quantity`, `Average unit price`. */
function figure(column: InspectedColumn): string {
  const name = words(column);
  if (column.aggregate === 'avg') return `Average ${name}`;
  return /total|sum/i.test(name) ? `${name.slice(0, 1).toUpperCase()}${name.slice(1)}` : `Total ${name}`;
}
