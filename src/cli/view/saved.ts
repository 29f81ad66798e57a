/** What overlapping saved, in words, and honestly when it saved nothing. */
import { stripControl } from '../../domain/state/text.ts';

export interface Saved {
  /** With the run in the background, measured. */
  detachedMs: number;
  /** The same work one after the other, measured. */
  serialMs: number;
  /** What the time went into, if it is to be said. */
  stages?: readonly { label: string; ms: number }[];
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** Closing lines of a comparison. A difference below a tenth of a second is none. */
export function savedBanner({ detachedMs, serialMs, stages = [] }: Saved): string[] {
  const difference = serialMs - detachedMs;
  const share = serialMs > 0 ? ` (${Math.round((Math.abs(difference) / serialMs) * 100)} %)` : '';
  const verdict =
    Math.abs(difference) < 100
      ? 'no difference'
      : difference > 0
        ? `saved ${seconds(difference)}${share}`
        : `overlapping was slower by ${seconds(-difference)}${share}`;
  return [
    `Overlapped ${seconds(detachedMs)}, one after the other ${seconds(serialMs)}: ${verdict}. Both measured.`,
    ...(stages.length === 0
      ? []
      : [`Of which ${stages.map(({ label, ms }) => `${stripControl(label)} ${seconds(ms)}`).join(', ')}.`]),
  ];
}
