/** What the view shows: the session as it is read, what happened lately, and how the terminal can show it. Plain data. */
import type { Row, SessionSnapshot } from '../../contract.ts';
import { stripControl } from '../../domain/state/text.ts';
import type { FeedItem } from './feed.ts';

export interface ViewModel {
  title: string;
  /** Which model speaks, such as "demo model: scripted, no key needed". */
  modelNote?: string;
  /** When it was read last, milliseconds since 1970: what had happened by then is in it. */
  asOf?: number;
  /** Null until the session has been read. */
  snapshot: SessionSnapshot | null;
  rows: Row[];
  /** What happened, newest last. */
  feed: FeedItem[];
  links: { label: string; url: string }[];
  /** What does not work just now, and what is done about it. */
  trouble?: string | undefined;
  /** Closing lines. */
  banner?: string[];
}

export interface ViewOptions {
  /** Columns; no line is wider. */
  width: number;
  /** Rows; left out, there is no limit. */
  height?: number;
  color: boolean;
  unicode: boolean;
  /** Milliseconds since 1970, for what is still under way. */
  now: number;
}

/** A run as people know it. */
export function nameOf({ agent, label }: { agent: string; label?: string | undefined }): string {
  return stripControl(label === undefined || label === '' ? agent : `${agent} · ${label}`);
}

/** An item's text, with a run's name in place of its id where the run is known. */
export function textOf({ text, runId }: FeedItem, rows: readonly Row[]): string {
  const row = runId === undefined ? undefined : rows.find((one) => one.runId === runId);
  return stripControl(row === undefined || runId === undefined ? text : text.replace(runId, () => nameOf(row)));
}

/** The share that is done, 0 to 1; undefined when the run does not say. */
export function fractionOf({ status, progress }: Row): number | undefined {
  if (status === 'completed') return 1;
  const fraction = progress?.fraction;
  return fraction === undefined || !Number.isFinite(fraction) ? undefined : Math.min(1, Math.max(0, fraction));
}
