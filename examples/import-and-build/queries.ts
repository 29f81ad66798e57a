/** Runs planned charts on a loaded database, read-only. Every name is quoted, every value bound. */
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { Aggregate, Chart } from './charts.ts';
import { quoted } from './load/database.ts';

/** One bar, point, line of a table; `value` is null where there is nothing to aggregate. */
export interface Point {
  label: string;
  value: number | null;
  rows: number;
  kind?: 'empty' | 'other';
}

export interface ChartResult {
  id: string;
  title: string;
  kind: Chart['kind'];
  aggregate: Aggregate;
  /** Column names as the file has them. */
  x?: string;
  measure?: string;
  /** Of a line: what one point spans. */
  unit?: Unit;
  points: Point[];
  /** Different values of x, the empty one included. */
  groups?: number;
}

export type Unit = 'day' | 'month' | 'year';

const UNIT_CHARS: Record<Unit, number> = { day: 10, month: 7, year: 4 };
const MAX_POINTS = 400;

export function runChart(db: DatabaseSync, table: string, chart: Chart): ChartResult {
  const { id, title, kind, aggregate, x, measure } = chart;
  const head = {
    id,
    title,
    kind,
    aggregate,
    ...(x ? { x: x.name } : {}),
    ...(measure ? { measure: measure.name } : {}),
  };
  switch (kind) {
    case 'number':
      return { ...head, points: [single(db, table, chart)] };
    case 'line':
      return { ...head, ...series(db, table, chart) };
    case 'bar':
    case 'table':
      return { ...head, ...groups(db, table, chart) };
    default:
      return kind satisfies never;
  }
}

/** The aggregate as SQL over quoted names. */
function aggregateSql({ aggregate, measure, x }: Chart): string {
  const of = measure ? quoted(measure.sqlName) : x ? quoted(x.sqlName) : '*';
  switch (aggregate) {
    case 'count':
      return measure ? `count(${of})` : 'count(*)';
    case 'distinct':
      return `count(DISTINCT ${of})`;
    // As REAL, because a sum of SQLite integers throws when it overflows.
    case 'sum':
      return `sum(CAST(${of} AS REAL))`;
    case 'avg':
    case 'min':
    case 'max':
      return `${aggregate}(${of})`;
    default:
      return aggregate satisfies never;
  }
}

function single(db: DatabaseSync, table: string, chart: Chart): Point {
  const row = db.prepare(`SELECT ${aggregateSql(chart)} AS value, count(*) AS rows FROM ${quoted(table)}`).get() ?? {};
  return { label: chart.title, value: valueOf(row['value']), rows: Number(row['rows']) };
}

function groups(db: DatabaseSync, table: string, chart: Chart): Pick<ChartResult, 'points' | 'groups'> {
  const [x, from, value] = [quoted(chart.x?.sqlName ?? ''), quoted(table), aggregateSql(chart)];
  const select = `SELECT ${x} AS label, ${value} AS value, count(*) AS rows FROM ${from}`;
  const top = db.prepare(`${select} GROUP BY ${x} ORDER BY value DESC NULLS LAST, label LIMIT ?`).all(chart.limit);
  const points: Point[] = top.map((row) => ({
    ...labelOf(row['label']),
    value: valueOf(row['value']),
    rows: Number(row['rows']),
  }));
  const all = Number(db.prepare(`SELECT count(*) AS n FROM (SELECT 1 FROM ${from} GROUP BY ${x})`).get()?.['n']);
  if (all > points.length) {
    const named = top.map((row) => row['label']).filter((label) => label !== null && label !== undefined);
    const places = named.map(() => '?').join(', ');
    // NULL is in no list: it is among the rest unless it has a place of its own.
    const left =
      named.length < top.length
        ? `${x} NOT IN (${places}) AND ${x} IS NOT NULL`
        : `(${x} NOT IN (${places}) OR ${x} IS NULL)`;
    const rest =
      db.prepare(`SELECT ${value} AS value, count(*) AS rows FROM ${from} WHERE ${left}`).get(...named) ?? {};
    points.push({
      label: `${all - points.length} others`,
      value: valueOf(rest['value']),
      rows: Number(rest['rows']),
      kind: 'other',
    });
  }
  return { points, groups: all };
}

/** One point a day, month or year, whichever is readable; spans without rows are there too. */
function series(db: DatabaseSync, table: string, chart: Chart): Pick<ChartResult, 'points' | 'unit'> {
  const [x, from] = [quoted(chart.x?.sqlName ?? ''), quoted(table)];
  const range = db.prepare(`SELECT min(${x}) AS first, max(${x}) AS last FROM ${from}`).get() ?? {};
  if (typeof range['first'] !== 'string' || typeof range['last'] !== 'string') return { points: [], unit: 'day' };
  const [first, last] = [range['first'].slice(0, 10), range['last'].slice(0, 10)];
  const days = (Date.parse(last) - Date.parse(first)) / 86_400_000;
  const unit: Unit = days <= 62 ? 'day' : days <= 366 * 8 ? 'month' : 'year';
  const select = `SELECT substr(${x}, 1, ?) AS label, ${aggregateSql(chart)} AS value, count(*) AS rows FROM ${from}`;
  const rows = db.prepare(`${select} WHERE ${x} IS NOT NULL GROUP BY label`).all(UNIT_CHARS[unit]);
  const found = new Map(
    rows.map((row) => [String(row['label']), { value: valueOf(row['value']), rows: Number(row['rows']) }]),
  );
  const nothing = chart.aggregate === 'sum' || chart.aggregate === 'count' || chart.aggregate === 'distinct' ? 0 : null;
  const points = spans(first, last, unit).map((label): Point => ({
    label,
    ...(found.get(label) ?? { value: nothing, rows: 0 }),
  }));
  return { points, unit };
}

/** The labels of all spans between two dates, the latest ones when there are too many. */
function spans(first: string, last: string, unit: Unit): string[] {
  const labels: string[] = [];
  const at = new Date(`${last.slice(0, UNIT_CHARS[unit])}${{ day: '', month: '-01', year: '-01-01' }[unit]}T00:00:00Z`);
  const least = first.slice(0, UNIT_CHARS[unit]);
  for (;;) {
    const label = at.toISOString().slice(0, UNIT_CHARS[unit]);
    if (label < least || labels.length >= MAX_POINTS) return labels.toReversed();
    labels.push(label);
    if (unit === 'day') at.setUTCDate(at.getUTCDate() - 1);
    else if (unit === 'month') at.setUTCMonth(at.getUTCMonth() - 1);
    else at.setUTCFullYear(at.getUTCFullYear() - 1);
  }
}

function labelOf(value: SQLOutputValue | undefined): Pick<Point, 'label' | 'kind'> {
  return value === null || value === undefined ? { label: 'empty', kind: 'empty' } : { label: String(value) };
}

function valueOf(value: SQLOutputValue | undefined): number | null {
  return typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : null;
}
