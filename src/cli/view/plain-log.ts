/**
 * The view without a terminal: plain lines for a pipe or a log. Each happening is one line, once; progress is a line at each new
 * phase and each tenth, and the last snapshot of a run is never the one that is left out. No colours, whatever the environment
 * says, and nothing in a label or message can bring any in.
 */
import type { Progress, Row } from '../../contract.ts';
import { stripControl } from '../../domain/state/text.ts';
import type { FeedItem } from './feed.ts';
import { nameOf, textOf, type ViewModel } from './model.ts';
import type { Painter } from './painter.ts';
import { MARKS, ownSigns, signOf } from './style.ts';
import { clock } from './time.ts';

export class PlainLog implements Painter {
  private readonly write: (line: string) => void;
  private readonly look: { unicode: boolean };
  private readonly told = new Set<string>();
  private readonly progress = new Map<string, { step: string; n: number }>();
  private last: FeedItem | undefined;
  private rows: readonly Row[] = [];

  constructor(write: (line: string) => void, look = { unicode: true }) {
    this.look = look;
    this.write = (line) => write(ownSigns(stripControl(line), look));
  }

  update(model: ViewModel): void {
    const { title, modelNote, snapshot, rows, feed, banner = [], links } = model;
    this.rows = rows;
    this.once(title, title);
    this.once('note', modelNote);
    this.once('session', snapshot === null ? undefined : `session ${snapshot.sessionId}`);
    for (const { label, url } of links) this.once(`${label}\n${url}`, `${label}: ${url}`);
    for (const row of rows) if (row.status !== 'running') this.tellProgress(row, 'the last');
    for (const item of this.fresh(feed))
      this.write(`${clock(item.at)} ${signOf(MARKS[item.mark], this.look)} ${textOf(item, rows)}`);
    for (const row of rows) if (row.status === 'running') this.tellProgress(row, 'a step');
    for (const line of banner) this.once(`banner\n${line}`, line);
  }

  say(line: string): void {
    this.write(line);
  }

  finish(): void {
    for (const row of this.rows) this.tellProgress(row, 'the last');
  }

  private once(key: string, line: string | undefined): void {
    if (line === undefined || line === '' || this.told.has(key)) return;
    this.told.add(key);
    this.write(line);
  }

  /** What came after the item that was told last, also when the feed has lost its beginning since. */
  private fresh(feed: readonly FeedItem[]): readonly FeedItem[] {
    const { last } = this;
    const same = last === undefined ? -1 : feed.lastIndexOf(last);
    const at =
      same !== -1 || last === undefined
        ? same
        : feed.findLastIndex((item) => item.at === last.at && item.text === last.text);
    this.last = feed.at(-1) ?? last;
    return feed.slice(at + 1);
  }

  private tellProgress(row: Row, which: 'a step' | 'the last'): void {
    const { progress } = row;
    const before = this.progress.get(row.runId);
    if (progress === undefined || (before !== undefined && progress.n <= before.n)) return;
    const step = `${Math.floor((progress.fraction ?? 0) * 10 + 1e-9)} ${progress.phase ?? ''}`;
    if (which === 'a step' && before?.step === step) return;
    this.progress.set(row.runId, { step, n: progress.n });
    this.write(`${clock(progress.at)}   ${nameOf(row)}: ${progressText(progress)}`);
  }
}

function progressText({ fraction, phase, message }: Progress): string {
  const words = [phase, message].filter((one) => one !== undefined && one !== '').join(': ');
  return [fraction === undefined ? '' : `${Math.round(fraction * 100)}%`, words]
    .filter((part) => part !== '')
    .join(' ');
}
