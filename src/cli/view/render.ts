/**
 * The frame as lines: a pure function of what is to be seen and of the terminal's size. No line is wider than the terminal, save an
 * address, which the terminal wraps, and no more rows come than it has. Where rows are short the empty lines go first, then the feed,
 * then settled runs, then links.
 */
import { stripControl } from '../../domain/state/text.ts';
import { feedLines } from './feed-lines.ts';
import { headerLines } from './header.ts';
import type { ViewModel, ViewOptions } from './model.ts';
import { runLines } from './runs.ts';
import { ellipsis, paint } from './style.ts';
import { pad, width, wrap } from './width.ts';

/** From so many rows on there is room for empty lines. */
const WITH_GAPS = 16;
const LEAST_FEED = 3;
const LEAST_RUNS = 2;
const MOST_BANNER_LINES = 3;

export function renderView(model: ViewModel, options: ViewOptions): string[] {
  const height = options.height ?? Number.POSITIVE_INFINITY;
  const head = headerLines(model, options);
  const banner = bannerLines(model, options);
  const links = linkLines(model, options);
  const linkRows = links.reduce((sum, line) => sum + rowsOf(line, options), 0);
  const enough = height - head.length - banner.length >= LEAST_RUNS + LEAST_FEED + linkRows;
  const tail = [...banner, ...(enough ? links : [])];
  const wrapped = enough ? linkRows - links.length : 0;
  const gap = height >= WITH_GAPS ? [''] : [];
  const gaps =
    gap.length * ((model.rows.length > 0 ? 1 : 0) + (model.feed.length > 0 ? 1 : 0) + (tail.length > 0 ? 1 : 0));
  const room = height - head.length - tail.length - wrapped - gaps;
  const runs = runLines(
    model.rows,
    Math.max(Math.min(LEAST_RUNS, room), room - Math.min(LEAST_FEED, model.feed.length)),
    options,
  );
  const feed = feedLines(model, room - runs.length, options);
  const sections = [head, runs, feed, tail].filter((section) => section.length > 0);
  const lines = sections.flatMap((section, i) => (i === 0 ? section : [...gap, ...section]));
  return lines.slice(0, Math.max(0, height - wrapped));
}

/** Rows that a line takes: the terminal has one column more than lines are made for. */
function rowsOf(line: string, options: ViewOptions): number {
  return Math.max(1, Math.ceil(width(line) / (options.width + 1)));
}

function bannerLines({ banner = [] }: ViewModel, options: ViewOptions): string[] {
  return banner
    .flatMap((line) => wrap(stripControl(line), options.width, MOST_BANNER_LINES, ellipsis(options)))
    .map((line) => paint(line, 'good', options));
}

/** An address is to be copied: it is never cut. One that is wider than the terminal stays one line, which the terminal wraps. */
function linkLines({ links }: ViewModel, options: ViewOptions): string[] {
  const labels = Math.min(
    12,
    Math.floor(options.width / 3),
    Math.max(0, ...links.map(({ label }) => width(stripControl(label)))),
  );
  return links.flatMap(({ label, url }) => {
    const name = paint(pad(stripControl(label), labels, ellipsis(options)), 'dim', options);
    const address = stripControl(url);
    return width(address) < options.width - labels ? [`${name} ${address}`] : [name.trimEnd(), address];
  });
}
