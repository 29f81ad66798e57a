/**
 * Colours and signs. The sixteen colours that every terminal has and its owner has chosen, and few of them: what runs, what is
 * done, what needs a look. Each sign has one in ASCII of the same width.
 */
import type { RunStatus, SessionSnapshot } from '../../contract.ts';
import type { FeedItem } from './feed.ts';
import type { ViewOptions } from './model.ts';

export type Tone = 'dim' | 'strong' | 'live' | 'good' | 'warn' | 'bad' | 'mark' | 'handed';

const CODES: Record<Tone, string> = {
  dim: '2',
  strong: '1',
  live: '36',
  good: '32',
  warn: '33',
  bad: '31',
  mark: '35',
  handed: '1;32',
};

/** Text in a tone, where there is colour. */
export function paint(text: string, tone: Tone | undefined, { color }: Pick<ViewOptions, 'color'>): string {
  return color && tone !== undefined && text.trim() !== '' ? `\u001b[${CODES[tone]}m${text}\u001b[0m` : text;
}

interface Sign {
  sign: string;
  ascii: string;
  tone: Tone | undefined;
}

export const STATUS: Record<RunStatus | SessionSnapshot['status'], Sign> = {
  queued: { sign: '○', ascii: 'o', tone: 'dim' },
  running: { sign: '●', ascii: '*', tone: 'live' },
  input_required: { sign: '?', ascii: '?', tone: 'warn' },
  completed: { sign: '✓', ascii: '+', tone: 'good' },
  failed: { sign: '✗', ascii: 'x', tone: 'bad' },
  cancelled: { sign: '⊘', ascii: '/', tone: 'warn' },
  interrupted: { sign: '!', ascii: '!', tone: 'warn' },
  idle: { sign: '○', ascii: 'o', tone: 'good' },
  closing: { sign: '○', ascii: 'o', tone: 'warn' },
  closed: { sign: '✓', ascii: '+', tone: 'dim' },
};

export const MARKS: Record<FeedItem['mark'], Sign> = {
  turn: { sign: '▸', ascii: '>', tone: 'live' },
  say: { sign: '“', ascii: '"', tone: undefined },
  tool: { sign: '⚙', ascii: '*', tone: 'dim' },
  run: { sign: '⤷', ascii: '+', tone: 'live' },
  milestone: { sign: '◆', ascii: '#', tone: 'mark' },
  'hand-over': { sign: '⇄', ascii: '=', tone: 'handed' },
  done: { sign: '✓', ascii: 'v', tone: 'good' },
  trouble: { sign: '!', ascii: '!', tone: 'bad' },
};

type Unicode = Pick<ViewOptions, 'unicode'>;

export function signOf({ sign, ascii }: Sign, { unicode }: Unicode): string {
  return unicode ? sign : ascii;
}

export function ellipsis({ unicode }: Unicode): string {
  return unicode ? '…' : '...';
}

/** Between the parts of a line. */
export function dot({ unicode }: Unicode): string {
  return unicode ? ' · ' : ' - ';
}

export function diamond({ unicode }: Unicode): string {
  return unicode ? '◆' : '#';
}

/** Full and empty cells of a bar. */
export function cells({ unicode }: Unicode): { full: string; empty: string } {
  return unicode ? { full: '█', empty: '░' } : { full: '#', empty: '.' };
}

/** The signs that we put between words, for terminals that do not have them. */
export function ownSigns(text: string, options: Unicode): string {
  return options.unicode ? text : text.replaceAll(' · ', dot(options)).replaceAll(' — ', ' - ');
}
