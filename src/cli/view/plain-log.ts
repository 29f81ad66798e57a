/**
 * The view without a terminal: plain lines for a pipe or a log, in the order of their times. Each happening is one line, once; progress
 * is a line at each new phase and each tenth, and the last snapshot of a run is never the one that is left out. No colours, whatever the environment
 * says, and nothing in a label or message can bring any in.
 */
import type { Progress, Row } from '../../contract.ts';
import { stripControl } from '../../domain/state/text.ts';
import type { FeedItem } from './feed.ts';
import { nameOf, textOf, type ViewModel } from './model.ts';
import type { Painter } from './painter.ts';
import { MARKS, ownSigns, signOf } from './style.ts';
import { clock } from './time.ts';

/** What is read is behind what happens: lines wait until what came before them has been read, but not for ever. */
const BEHIND_MS = 1000;
const LONGEST_WAIT_MS = 10_000;

export class PlainLog implements Painter {
  private readonly write: (line: string) => void;
  private readonly now: () => number;
  private readonly look: { unicode: boolean };
  private readonly told = new Set<string>();
  private readonly progress = new Map<string, { step: string; n: number }>();
  private waiting: { at: number; line: string }[] = [];
  private last: FeedItem | undefined;
  private rows: readonly Row[] = [];
  private links: ViewModel['links'] = [];
  private asOf: number | undefined;

  constructor(write: (line: string) => void, look = { unicode: true }, now: () => number = Date.now) {
    this.look = look;
    this.now = now;
    this.write = (line) => write(ownSigns(stripControl(line), look));
  }

  update(model: ViewModel): void {
    const { title, modelNote, snapshot, rows, feed, banner = [], links, trouble } = model;
    this.rows = rows;
    this.links = links;
    this.once(title, title);
    this.once('note', modelNote);
    this.once('session', snapshot === null ? undefined : `session ${snapshot.sessionId}`);
    this.asOf = model.asOf ?? this.asOf;
    if (snapshot !== null && trouble === undefined && banner.length === 0) this.tellLinks();
    for (const item of this.fresh(feed))
      this.put(item.at, `${clock(item.at)} ${signOf(MARKS[item.mark], this.look)} ${textOf(item, rows)}`);
    for (const row of rows) this.tellProgress(row, row.status === 'running' ? 'a step' : 'the last');
    this.flush(banner.length > 0 ? Infinity : this.settled());
    for (const line of banner) this.once(`banner\n${line}`, line);
    if (banner.length > 0) this.tellLinks();
  }

  say(line: string): void {
    const at = new Date(this.now()).toISOString();
    this.put(at, `${clock(at)} ${signOf(MARKS.trouble, this.look)} ${line}`);
    this.flush(this.settled());
  }

  finish(): void {
    for (const row of this.rows) this.tellProgress(row, 'the last');
    this.flush(Infinity);
    this.tellLinks();
  }

  private tellLinks(): void {
    for (const { label, url } of this.links) this.once(`${label}\n${url}`, `${label}: ${url}`);
  }

  private once(key: string, line: string | undefined): void {
    if (line === undefined || line === '' || this.told.has(key)) return;
    this.told.add(key);
    this.write(line);
  }

  private put(at: string, line: string): void {
    // What has no time stands where it comes.
    this.waiting.push({ at: Date.parse(at) || (this.waiting.at(-1)?.at ?? 0), line });
  }

  /** Until when nothing can come any more that happened before. */
  private settled(): number {
    return Math.max((this.asOf ?? this.now()) - BEHIND_MS, this.now() - LONGEST_WAIT_MS);
  }

  /** Writes what happened until then, in the order in which it happened. */
  private flush(until: number): void {
    const sorted = this.waiting.toSorted((a, b) => a.at - b.at);
    for (const { at, line } of sorted) if (at <= until) this.write(line);
    this.waiting = sorted.filter(({ at }) => at > until);
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
    this.put(progress.at, `${clock(progress.at)}   ${nameOf(row)}: ${progressText(progress)}`);
  }
}

function progressText({ fraction, phase, message }: Progress): string {
  const words = [phase, message].filter((one) => one !== undefined && one !== '').join(': ');
  return [fraction === undefined ? '' : `${Math.round(fraction * 100)}%`, words]
    .filter((part) => part !== '')
    .join(' ');
}
