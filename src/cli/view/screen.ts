/**
 * Paints frames in place: cursor up, lines written over, the rest erased, in one write and only when something changed. The last
 * frame stays in the scrollback. On a resize the screen below the start of the frame is erased, since the terminal may have
 * wrapped what was there.
 */
import type { WriteStream } from 'node:tty';
import { plain } from '../../domain/text.ts';
import { renderView, type ViewModel } from './render.ts';
import type { Painter } from './painter.ts';
import { width } from './width.ts';

const HIDE = '\u001b[?25l';
const SHOW = '\u001b[?25h';
const ERASE_LINE = '\u001b[K';
const ERASE_BELOW = '\u001b[J';

export class Screen implements Painter {
  private readonly stream: WriteStream;
  private readonly color: boolean;
  private readonly unicode: boolean;
  private model: ViewModel | undefined;
  private painted: string[] = [];
  private columns: number;
  private finished = false;
  private readonly resized = (): void => this.paint();
  private readonly restore = (): void => { if (!this.finished) this.stream.write(SHOW); };

  constructor(stream: WriteStream, { color, unicode }: { color: boolean; unicode: boolean }) {
    this.stream = stream;
    this.color = color;
    this.unicode = unicode;
    this.columns = stream.columns;
    stream.write(HIDE);
    stream.on('resize', this.resized);
    process.once('exit', this.restore);
  }

  update(model: ViewModel): void {
    this.model = model;
    this.paint();
  }

  say(line: string): void {
    this.model?.feed.push({ at: new Date().toISOString(), mark: 'trouble', text: line });
    if (this.model === undefined) this.stream.write(`${line}\n`);
    else this.paint();
  }

  finish(): void {
    if (this.finished) return;
    this.paint();
    this.finished = true;
    this.stream.off('resize', this.resized);
    process.off('exit', this.restore);
    // In full, to be copied: the frame cuts what is too wide.
    for (const { label, url } of this.model?.links ?? []) if (width(label) + width(url) + 1 >= this.stream.columns) this.stream.write(`${plain(label)}: ${plain(url)}\n`);
    this.stream.write(SHOW);
  }

  private paint(): void {
    if (this.model === undefined || this.finished) return;
    const { columns, rows } = this.stream;
    const lines = renderView(this.model, { width: Math.max(20, columns - 1), height: Math.max(6, rows - 1), color: this.color, unicode: this.unicode, now: Date.now() });
    const same = columns === this.columns && lines.length === this.painted.length && lines.every((line, i) => line === this.painted[i]);
    if (same) return;
    // Lines that were painted for a wider terminal now take more than one row each.
    const up = this.painted.reduce((sum, line) => sum + Math.max(1, Math.ceil(width(line) / columns)), 0);
    const start = up === 0 ? '' : `\u001b[${Math.min(up, rows - 1)}A\r`;
    this.columns = columns;
    this.painted = lines;
    this.stream.write(`${start}${lines.map((line) => `${line}${ERASE_LINE}\n`).join('')}${ERASE_BELOW}`);
  }
}
