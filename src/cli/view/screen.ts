/**
 * Paints frames in place: cursor up, lines written over, the rest erased, in one write and only when something changed. Not the
 * alternate screen: the last frame stays readable in the scrollback.
 *
 * Invariant: however this ends (finish, a signal, an exception, a plain exit), the cursor is visible and below the last frame.
 */
import type { WriteStream } from 'node:tty';
import { stripControl } from '../../domain/state/text.ts';
import type { FeedItem } from './feed.ts';
import { NOTHING, reach, type Footprint } from './footprint.ts';
import type { ViewModel, ViewOptions } from './model.ts';
import type { Painter } from './painter.ts';
import { renderView } from './render.ts';
import { width } from './width.ts';

const HIDE = '\u001b[?25l';
const SHOW = '\u001b[?25h';
const ERASE_LINE = '\u001b[K';
const ERASE_BELOW = '\u001b[J';
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** The last frame may be higher than a low terminal: it then scrolls, and nothing that closes is missing. */
const LAST_HEIGHT = 24;

/** Erases what is left of its last row; where there is nothing left that would take its last letter. */
function restOf(line: string, columns: number): string {
  const last = width(line) % columns;
  return last === 0 && line !== '' ? '' : ERASE_LINE;
}

export class Screen implements Painter {
  private readonly stream: WriteStream;
  private readonly look: Pick<ViewOptions, 'color' | 'unicode'>;
  private readonly said: FeedItem[] = [];
  private model: ViewModel | undefined;
  private painted: readonly string[] = [];
  private footprint: Footprint = NOTHING;
  private columns = 0;
  private finished = false;
  private readonly resized = (): void => this.paint();
  private readonly ended = (): void => this.leave();
  private readonly interrupted = (signal: NodeJS.Signals): void => {
    this.finish();
    // Nobody else listens: what the signal does by itself.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };

  constructor(stream: WriteStream, { color, unicode }: Pick<ViewOptions, 'color' | 'unicode'>) {
    this.stream = stream;
    this.look = { color, unicode };
    stream.write(HIDE);
    stream.on('resize', this.resized);
    process.once('exit', this.ended);
    for (const signal of SIGNALS) process.on(signal, this.interrupted);
  }

  update(model: ViewModel): void {
    this.model = model;
    this.paint();
  }

  say(line: string): void {
    if (this.model === undefined || this.finished) this.stream.write(`${stripControl(line)}\n`);
    else {
      this.said.push({ at: new Date().toISOString(), mark: 'trouble', text: line });
      this.paint();
    }
  }

  finish(): void {
    if (this.finished) return;
    this.paint(LAST_HEIGHT);
    const { links = [] } = this.model ?? {};
    // In full, to be copied: the frame cuts what is too wide.
    for (const { label, url } of links)
      if (!this.painted.some((line) => line.includes(stripControl(url))))
        this.stream.write(`${stripControl(label)}: ${stripControl(url)}\n`);
    this.leave();
  }

  private leave(): void {
    if (this.finished) return;
    this.finished = true;
    this.stream.off('resize', this.resized);
    process.off('exit', this.ended);
    for (const signal of SIGNALS) process.off(signal, this.interrupted);
    this.stream.write(SHOW);
  }

  private paint(leastHeight = 1): void {
    if (this.model === undefined || this.finished) return;
    // A terminal that does not know its size says 0.
    const columns = this.stream.columns || 80;
    const rows = this.stream.rows || 24;
    const feed =
      this.said.length === 0
        ? this.model.feed
        : [...this.model.feed, ...this.said].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
    // A line as wide as the terminal would leave the cursor in its last column, and one row is the cursor's.
    const lines = renderView(
      { ...this.model, feed },
      { width: Math.max(1, columns - 1), height: Math.max(leastHeight, rows - 1), now: Date.now(), ...this.look },
    );
    if (
      columns === this.columns &&
      lines.length === this.painted.length &&
      lines.every((line, i) => line === this.painted[i])
    )
      return;
    const { up, above } = reach(this.footprint, columns, rows);
    this.columns = columns;
    this.painted = lines;
    this.footprint = { above, lines: lines.map((line) => width(line)) };
    this.stream.write(
      `${up === 0 ? '' : `\u001b[${up}A`}\r${lines.map((line) => `${line}${restOf(line, columns)}\n`).join('')}${ERASE_BELOW}`,
    );
  }
}
