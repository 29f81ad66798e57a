/** The view without a terminal: plain lines, each happening once, progress at every tenth or new phase, and never less than the last. */
import { plain } from '../../domain/text.ts';
import type { Painter } from './painter.ts';
import type { ViewModel } from './render.ts';

export class PlainLog implements Painter {
  private readonly write: (line: string) => void;
  private told = 0;
  private readonly progress = new Map<string, string>();
  private lastBanner = '';
  private titled = false;
  private model: ViewModel | undefined;

  constructor(write: (line: string) => void) {
    this.write = write;
  }

  update(model: ViewModel): void {
    this.model = model;
    if (!this.titled) {
      this.titled = true;
      this.write(plain(model.modelNote === undefined ? model.title : `${model.title} (${model.modelNote})`));
    }
    for (const item of model.feed.slice(this.told)) this.write(`${item.at.slice(11, 19)} ${item.text}`);
    this.told = model.feed.length;
    for (const row of model.rows) {
      if (row.progress === undefined || row.status !== 'running') continue;
      const { fraction = 0, phase = '', message = '' } = row.progress;
      const step = `${Math.floor(fraction * 10)} ${phase}`;
      if (this.progress.get(row.runId) === step) continue;
      this.progress.set(row.runId, step);
      this.write(plain(`         ${row.agent}: ${Math.round(fraction * 100)}% ${phase}${message === '' ? '' : `: ${message}`}`));
    }
    const banner = (model.banner ?? []).join('\n');
    if (banner !== this.lastBanner && banner !== '') this.write(plain(banner));
    this.lastBanner = banner;
  }

  say(line: string): void {
    this.write(plain(line));
  }

  finish(): void {
    for (const { label, url } of this.model?.links ?? []) this.write(plain(`${label}: ${url}`));
  }
}
