/**
 * The archive of a log: what leaves the state stands in the history as the argument of an activity that was scheduled. Nobody
 * waits for it, and it need never run: an execution may end in the very task that schedules it.
 */
import { parts } from '../src/domain/carry/log-size.ts';
import type { OutliveEvent } from '../src/contract.ts';
import { unattended } from './proxies.ts';

/** Puts events into the archive, in this task. */
export function archive(events: readonly OutliveEvent[]): void {
  for (const part of parts(events)) {
    const first = part[0]?.seq ?? 0;
    // What becomes of it changes nothing, also when an operator fails it.
    void unattended(`events ${first} to ${part.at(-1)?.seq ?? first} of the log`)
      .archiveLog({ v: 1, first, events: part })
      .catch(() => undefined);
  }
}
