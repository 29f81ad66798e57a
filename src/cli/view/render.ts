/**
 * The frame as lines: a pure function of what is to be seen and of the terminal's size. No line is wider than the terminal and
 * no more lines come than it has. Where rows are short the empty lines go first, then the feed, then settled runs, then links.
 */
import { stripControl } from '../../domain/state/text.ts';
import { feedLines } from './feed-lines.ts';
import { headerLines } from './header.ts';
import type { ViewModel, ViewOptions } from './model.ts';
import { runLines } from './runs.ts';
import { ellipsis, paint } from './style.ts';
import { fit, pad, width, wrap } from './width.ts';

/** From so many rows on there is room for empty lines. */
const WITH_GAPS = 16;
const LEAST_FEED = 3;
const LEAST_RUNS = 2;
const MOST_BANNER_LINES = 3;

export function renderView(model: ViewModel, options: ViewOptions): string[] {
  const height = options.height ?? Number.POSITIVE_INFINITY;
  const head = headerLines(model, options);
  const banner = bannerLines(model, options);
  const enough = height - head.length - banner.length >= LEAST_RUNS + LEAST_FEED + model.links.length;
  const tail = [...banner, ...(enough ? linkLines(model, options) : [])];
  const gap = height >= WITH_GAPS ? [''] : [];
  const gaps =
    gap.length * ((model.rows.length > 0 ? 1 : 0) + (model.feed.length > 0 ? 1 : 0) + (tail.length > 0 ? 1 : 0));
  const room = height - head.length - tail.length - gaps;
  const runs = runLines(
    model.rows,
    Math.max(Math.min(LEAST_RUNS, room), room - Math.min(LEAST_FEED, model.feed.length)),
    options,
  );
  const feed = feedLines(model, room - runs.length, options);
  const sections = [head, runs, feed, tail].filter((section) => section.length > 0);
  const lines = sections.flatMap((section, i) => (i === 0 ? section : [...gap, ...section]));
  return lines.slice(0, Math.max(0, height));
}

function bannerLines({ banner = [] }: ViewModel, options: ViewOptions): string[] {
  return banner
    .flatMap((line) => wrap(stripControl(line), options.width, MOST_BANNER_LINES, ellipsis(options)))
    .map((line) => paint(line, 'good', options));
}

function linkLines({ links }: ViewModel, options: ViewOptions): string[] {
  const labels = Math.min(
    12,
    Math.floor(options.width / 3),
    Math.max(0, ...links.map(({ label }) => width(stripControl(label)))),
  );
  return links.map(({ label, url }) => {
    const name = pad(stripControl(label), labels, ellipsis(options));
    return `${paint(name, 'dim', options)} ${fit(stripControl(url), options.width - labels - 1, ellipsis(options))}`.trimEnd();
  });
}
