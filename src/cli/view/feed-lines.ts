/** The feed: the newest lines that there is room for. What is said, handed over or went wrong may take more than one, all else is cut. */
import { MARKS, ellipsis, ownSigns, paint, signOf } from './style.ts';
import { textOf, type ViewModel, type ViewOptions } from './model.ts';
import { clock } from './time.ts';
import { width, wrap } from './width.ts';
import type { FeedItem } from './feed.ts';

/** From so many columns on there is room for the time. */
const WITH_TIME = 60;

const MOST_LINES: Partial<Record<FeedItem['mark'], number>> = { say: 2, 'hand-over': 2, trouble: 3 };

export function feedLines({ feed, rows }: ViewModel, most: number, options: ViewOptions): string[] {
  const lines: string[] = [];
  for (const item of feed.toReversed()) {
    if (lines.length >= most) break;
    lines.unshift(...itemLines(item, textOf(item, rows), most - lines.length, options));
  }
  return lines;
}

function itemLines({ at, mark }: FeedItem, text: string, room: number, options: ViewOptions): string[] {
  const { tone } = MARKS[mark];
  const time = options.width >= WITH_TIME ? `${clock(at)} ` : '';
  const lead = `${signOf(MARKS[mark], options)} `;
  const indent = width(time) + width(lead);
  const most = Math.min(room, MOST_LINES[mark] ?? 1);
  const [first = '', ...rest] = wrap(ownSigns(text, options), options.width - indent, most, ellipsis(options));
  return [
    `${paint(time, 'dim', options)}${paint(`${lead}${first}`, tone, options)}`,
    ...rest.map((line) => `${' '.repeat(indent)}${paint(line, tone, options)}`),
  ];
}
