/** The frame as lines: a pure function of what is to be seen and of the terminal's size. No line is wider than the terminal. */
import type { Row, SessionSnapshot } from '../../contract.ts';
import { plain } from '../../domain/text.ts';
import type { FeedItem } from './feed.ts';
import { fit, pad, width } from './width.ts';

export interface ViewModel {
  title: string;
  modelNote?: string;
  snapshot: SessionSnapshot | null;
  rows: Row[];
  feed: FeedItem[];
  links: { label: string; url: string }[];
  banner?: string[];
}

export interface ViewOptions { width: number; height: number; color: boolean; unicode: boolean; now: number }

type Colour = 'dim' | 'bold' | 'green' | 'yellow' | 'red' | 'cyan' | 'magenta';
const CODES: Record<Colour, string> = { dim: '2', bold: '1', green: '32', yellow: '33', red: '31', cyan: '36', magenta: '35' };
const MARKS: Record<FeedItem['mark'], { sign: string; ascii: string; colour: Colour | undefined }> = {
  turn: { sign: '▸', ascii: '>', colour: 'cyan' }, say: { sign: '“', ascii: '"', colour: undefined }, tool: { sign: '⚙', ascii: '*', colour: 'dim' }, run: { sign: '⤷', ascii: '+', colour: 'cyan' },
  milestone: { sign: '◆', ascii: '#', colour: 'magenta' }, 'hand-over': { sign: '⇄', ascii: '=', colour: 'green' }, done: { sign: '✓', ascii: 'v', colour: 'green' }, trouble: { sign: '!', ascii: '!', colour: 'red' },
};
const STATUS: Record<string, Colour> = { running: 'cyan', queued: 'dim', completed: 'green', failed: 'red', cancelled: 'yellow', interrupted: 'yellow', idle: 'green', closing: 'yellow' };
const LEAST_FEED = 3;

/** Text with a colour, when the terminal has any. */
function paint(text: string, colour: Colour | undefined, { color }: ViewOptions): string {
  return color && colour !== undefined && text !== '' ? `\u001b[${CODES[colour]}m${text}\u001b[0m` : text;
}

export function renderView(model: ViewModel, options: ViewOptions): string[] {
  const head = header(model, options);
  const tail = closing(model, options);
  const room = Math.max(1, options.height - head.length - tail.length - 2);
  const runs = runLines(model.rows, Math.max(1, room - LEAST_FEED), options);
  const feed = model.feed.slice(-Math.max(LEAST_FEED, room - runs.length)).map((item) => feedLine(item, options));
  const lines = [...head, ...runs, ...(feed.length > 0 ? [''] : []), ...feed, ...tail];
  return lines.length > options.height ? lines.slice(lines.length - options.height) : lines;
}

function header({ title, modelNote, snapshot }: ViewModel, options: ViewOptions): string[] {
  const lines = [paint(fit(plain(title), options.width), 'bold', options)];
  if (modelNote !== undefined) lines.push(paint(fit(plain(modelNote), options.width), 'dim', options));
  if (snapshot === null) return [...lines, fit('waiting for the session', options.width)];
  const { turn, status } = snapshot;
  const what = turn === null ? '' : ` · turn ${turn.turnId} · step ${turn.step}${turn.recovering ? ' · recovering' : ''} · ${seconds(options.now - Date.parse(turn.startedAt))}`;
  const queued = snapshot.queue.length === 0 ? '' : ` · ${snapshot.queue.length} queued`;
  lines.push(paint(fit(`${status}${what}${queued}`, options.width), STATUS[status], options), '');
  return lines;
}

function seconds(ms: number): string {
  return `${Math.max(0, ms / 1000).toFixed(0)} s`;
}

function runLines(rows: readonly Row[], most: number, options: ViewOptions): string[] {
  const shown = rows.slice(-most);
  const lines = shown.map((row) => runLine(row, options));
  if (shown.length < rows.length) lines[0] = paint(fit(`${options.unicode ? '…' : '...'} ${rows.length - shown.length + 1} more runs`, options.width), 'dim', options);
  return lines;
}

function runLine(row: Row, options: ViewOptions): string {
  const name = plain(row.label === undefined || options.width < 60 ? row.agent : `${row.agent} · ${row.label}`);
  const nameColumns = Math.min(Math.max(8, Math.floor(options.width / 4)), width(name));
  const fraction = row.status === 'completed' ? 1 : row.progress?.fraction;
  const barColumns = options.width >= 100 ? 24 : options.width >= 60 ? 14 : options.width >= 40 ? 6 : 0;
  const percent = fraction === undefined ? '    ' : `${String(Math.round(fraction * 100)).padStart(3)}%`;
  const status = pad(row.status, Math.min(11, Math.max(0, options.width - nameColumns - barColumns - 8)));
  const parts = [paint(pad(name, nameColumns), 'bold', options), paint(status, STATUS[row.status], options)];
  if (barColumns > 0) parts.push(paint(bar(fraction ?? 0, barColumns, options), STATUS[row.status], options));
  parts.push(percent);
  const used = parts.reduce((sum, part) => sum + width(part) + 1, 0);
  const milestones = row.milestones.slice(-4).map((one) => `${options.unicode ? '◆' : '#'} ${one.name}`).join(' ');
  const words = [row.reason, row.status === 'running' ? [row.progress?.phase, row.progress?.message].filter((one) => one !== undefined).join(': ') : undefined, milestones]
    .filter((one) => one !== undefined && one !== '').join('  ');
  const left = options.width - used;
  if (left > 5 && words !== '') parts.push(fit(plain(words), left));
  return options.width - used < -1 ? fit(parts.map((part) => part).join(' '), options.width) : parts.join(' ');
}

function bar(fraction: number, columns: number, { unicode }: ViewOptions): string {
  const full = Math.round(Math.min(1, Math.max(0, fraction)) * columns);
  return (unicode ? '█' : '#').repeat(full) + (unicode ? '░' : '.').repeat(columns - full);
}

function feedLine(item: FeedItem, options: ViewOptions): string {
  const { sign, ascii, colour } = MARKS[item.mark];
  const time = options.width >= 60 ? `${item.at.slice(11, 19)} ` : '';
  const mark = `${options.unicode ? sign : ascii} `;
  const left = options.width - width(time) - width(mark);
  return fit(time, options.width) === time && left > 0 ? `${paint(time, 'dim', options)}${paint(`${mark}${fit(item.text, left)}`, colour, options)}` : fit(`${mark}${item.text}`, options.width);
}

function closing({ banner, links }: ViewModel, options: ViewOptions): string[] {
  const lines = links.map(({ label, url }) => `${paint(fit(label, 12), 'dim', options)} ${fit(plain(url), Math.max(0, options.width - Math.min(12, width(label)) - 1))}`);
  const marked = (banner ?? []).map((line) => paint(fit(plain(line), options.width), 'green', options));
  return [...(lines.length + marked.length > 0 ? [''] : []), ...marked, ...lines];
}

/** What overlapping saved, said honestly when it saved nothing. */
export function savedBanner({ detachedMs, serialMs }: { detachedMs: number; serialMs: number }): string[] {
  const s = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  const share = Math.round((Math.abs(serialMs - detachedMs) / serialMs) * 100);
  const verdict = serialMs >= detachedMs ? `saved ${s(serialMs - detachedMs)} (${share} %)` : `cost ${s(detachedMs - serialMs)} more (${share} %)`;
  return [`Overlapped ${s(detachedMs)}, one after the other ${s(serialMs)}: overlapping ${verdict}. Both measured.`];
}
