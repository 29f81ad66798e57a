/** What overlapping saved, in words, and honestly when it saved nothing. */
export interface Saved {
  /** With the run in the background, measured. */
  detachedMs: number;
  /** The same work one after the other, measured. */
  serialMs: number;
  /** Workers and servers that were lost during the one and the other. */
  lost?: { detached: number; serial: number };
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** Closing lines of a comparison. A difference below a tenth of a second is none; what was disturbed is not compared. */
export function savedBanner({ detachedMs, serialMs, lost = { detached: 0, serial: 0 } }: Saved): string[] {
  const took = `Overlapped ${seconds(detachedMs)}, one after the other ${seconds(serialMs)}`;
  if (lost.detached + lost.serial > 0)
    return [
      `${took}: not compared, because ${times(lost.detached, 'the first')}${lost.detached > 0 && lost.serial > 0 ? ' and ' : ''}${times(lost.serial, 'the second')} disturbed by the loss of a worker or of the server. Start again for a measurement.`,
    ];
  const difference = serialMs - detachedMs;
  const share = serialMs > 0 ? ` (${Math.round((Math.abs(difference) / serialMs) * 100)} %)` : '';
  const verdict =
    Math.abs(difference) < 100
      ? 'no difference'
      : difference > 0
        ? `saved ${seconds(difference)}${share}`
        : `overlapping was slower by ${seconds(-difference)}${share}`;
  return [`${took}: ${verdict}. Both measured.`];
}

function times(n: number, which: string): string {
  return n === 0 ? '' : `${which} was ${n === 1 ? 'once' : n === 2 ? 'twice' : `${n} times`}`;
}
