/** How large the log in the state is, known by looking at each event once, and which part of it is to go into the archive. */
import { LOG_BYTES, tail } from './carry.ts';
import { jsonBytes } from '../state/json.ts';
import { MIB } from '../state/sizes.ts';
import type { State } from '../state/state.ts';
import type { OutliveEvent } from '../state/types.ts';

/** What stays in the state when a log that is too long is cut. */
const KEPT_BYTES = LOG_BYTES / 2;
/** Temporal carries 2 MiB in one payload, and gRPC 4 MiB in all that one task brings. */
const PART_BYTES = MIB;

export class LogSize {
  private bytes = 0;
  private seen = 0;

  /** The events that are to leave now, oldest first; nothing while the log is short. */
  surplus({ log, lastSeq }: Pick<State, 'log' | 'lastSeq'>): OutliveEvent[] {
    for (let i = log.length - 1; i >= 0; i--) {
      const event = log[i];
      if (event === undefined || event.seq <= this.seen) break;
      this.bytes += jsonBytes(event) + 1;
    }
    this.seen = lastSeq;
    return this.bytes <= LOG_BYTES ? [] : log.slice(0, log.length - tail(log, KEPT_BYTES));
  }

  /** These events have left the log. */
  left(events: readonly OutliveEvent[]): void {
    for (const event of events) this.bytes -= jsonBytes(event) + 1;
  }
}

/** Events in parts that can each be the argument of an activity. */
export function* parts(events: readonly OutliveEvent[]): Generator<OutliveEvent[]> {
  let part: OutliveEvent[] = [];
  let bytes = 0;
  for (const event of events) {
    const size = jsonBytes(event);
    if (part.length > 0 && bytes + size > PART_BYTES) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(event);
    bytes += size;
  }
  if (part.length > 0) yield part;
}
