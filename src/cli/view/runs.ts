/**
 * The runs, a line each: name, status, bar, percent, words. Milestones stand at the end of the line where it is long, below it
 * where there is a line to spare. Where rows are short, settled runs are left out first, and it is said how many.
 */
import type { Row } from '../../contract.ts';
import { stripControl } from '../../domain/state/text.ts';
import { columnsOf, type Columns } from './columns.ts';
import { fractionOf, nameOf, type ViewOptions } from './model.ts';
import { cells, diamond, dot, ellipsis, ownSigns, paint, signOf, STATUS } from './style.ts';
import { between } from './time.ts';
import { fit, pad, width } from './width.ts';

export function runLines(rows: readonly Row[], most: number, options: ViewOptions): string[] {
  const chosen = rows.length <= most ? rows : choose(rows, most - 1);
  const columns = columnsOf(chosen, options.width);
  const roomy = chosen.flatMap((row) => [runLine(row, columns, options), ...milestoneLine(row, columns, options)]);
  const lines = roomy.length <= most ? roomy : chosen.map((row) => runLine(row, columns, options));
  return chosen.length === rows.length
    ? lines
    : [
        ...lines,
        leftOut(
          rows.filter((row) => !chosen.includes(row)),
          options,
        ),
      ].slice(-Math.max(0, most));
}

function isLive({ status }: Row): boolean {
  return status === 'running' || status === 'queued' || status === 'input_required';
}

/** Those that go on, then the latest of the others; shown in the order they were started. */
function choose(rows: readonly Row[], most: number): readonly Row[] {
  const ranked = [...rows.filter(isLive), ...rows.filter((row) => !isLive(row)).toReversed()];
  const kept = new Set(ranked.slice(0, Math.max(0, most)));
  return rows.filter((row) => kept.has(row));
}

function leftOut(rows: readonly Row[], options: ViewOptions): string {
  const statuses = [...new Set(rows.map((row) => row.status))].map(
    (status) => `${rows.filter((row) => row.status === status).length} ${status}`,
  );
  return paint(
    fit(
      `${ellipsis(options)} ${rows.length} more ${rows.length === 1 ? 'run' : 'runs'} (${statuses.join(', ')})`,
      options.width,
      ellipsis(options),
    ),
    'dim',
    options,
  );
}

function runLine(row: Row, columns: Columns, options: ViewOptions): string {
  const more = ellipsis(options);
  const { tone } = STATUS[row.status];
  const fraction = fractionOf(row);
  const parts = [
    `${paint(signOf(STATUS[row.status], options), tone, options)} ${paint(pad(ownSigns(nameOf(row), options), columns.name, more), 'strong', options)}`,
  ];
  if (columns.status > 0) parts.push(paint(pad(row.status, columns.status, more), tone, options));
  if (columns.bar > 0) parts.push(bar(row, columns.bar, options));
  if (columns.percent > 0)
    parts.push((fraction === undefined ? '' : `${Math.round(fraction * 100)}%`).padStart(columns.percent));
  if (columns.words > 0) parts.push(ending(row, columns, options));
  return parts.join(' ').trimEnd();
}

function bar(row: Row, columns: number, options: ViewOptions): string {
  const fraction = fractionOf(row);
  if (fraction === undefined && !isLive(row)) return ' '.repeat(columns);
  const { full, empty } = cells(options);
  const done = Math.floor((fraction ?? 0) * columns);
  return (
    paint(full.repeat(done), STATUS[row.status].tone, options) + paint(empty.repeat(columns - done), 'dim', options)
  );
}

/** What a line ends with: what the run says of itself, and its milestones when they belong on the line. */
function ending(row: Row, columns: Columns, options: ViewOptions): string {
  const names = columns.inline ? milestones(row, Math.floor(columns.words / 2), options) : '';
  const room = columns.words - (names === '' ? 0 : width(names) + 1);
  const words = fit(stripControl(wordsOf(row, options)), room, ellipsis(options));
  return [words, paint(names, 'mark', options)].filter((part) => part !== '').join(' ');
}

function wordsOf(row: Row, options: ViewOptions): string {
  const { status, progress, reason, error, delivery, settledAt, startedAt, createdAt } = row;
  const says = [progress?.phase, progress?.message].filter((one) => one !== undefined && one !== '').join(': ');
  switch (status) {
    case 'queued':
      return 'waits for a place';
    case 'running':
      return row.cancelRequestedAt === undefined ? says : 'asked to cancel';
    case 'input_required':
      return 'waits for an answer';
    case 'completed': {
      const took = between(startedAt ?? createdAt, settledAt);
      const told = { pending: '', queued: 'its result waits for a turn', delivered: 'delivered', not_required: '' }[
        delivery.finish.state
      ];
      return [took === '' ? '' : `in ${took}`, told].filter((part) => part !== '').join(dot(options));
    }
    case 'failed':
    case 'cancelled':
    case 'interrupted':
      return [reason, error?.message].filter((one) => one !== undefined).join(': ');
    default:
      status satisfies never;
      return '';
  }
}

/** The latest milestones, as many as fit. */
function milestones(row: Row, columns: number, options: ViewOptions): string {
  const all = row.milestones.map(({ name }) => `${diamond(options)} ${stripControl(name)}`);
  for (let from = 0; from < all.length; from++) {
    const text = (from === 0 ? all : [ellipsis(options), ...all.slice(from)]).join(' ');
    if (width(text) <= columns) return text;
  }
  return fit(all.at(-1) ?? '', columns, ellipsis(options));
}

function milestoneLine(row: Row, columns: Columns, options: ViewOptions): string[] {
  if (columns.inline || row.milestones.length === 0) return [];
  return [
    paint(`  ${milestones(row, Math.max(0, options.width - 2), options)}`.slice(0, options.width), 'mark', options),
  ];
}
