/**
 * The archive of a log: what leaves the state stands in the history as the argument of an activity that was scheduled. Nobody
 * waits for it, and it need never run: an execution may end in the very task that schedules it.
 */
import { parts } from '../src/domain/carry/log-size.ts';
import type { OutliveEvent } from '../src/contract.ts';
import { unattended } from './proxies.ts';

/** Puts events into the archive, in this task. Resolves when that has run, which changes nothing, also when an operator fails it. */
export async function archive(events: readonly OutliveEvent[]): Promise<void> {
  await Promise.all(Array.from(parts(events), put));
}

async function put(part: OutliveEvent[]): Promise<void> {
  const first = part[0]?.seq ?? 0;
  await unattended(`events ${first} to ${part.at(-1)?.seq ?? first} of the log`)
    .archiveLog({ v: 1, first, events: part })
    .catch(() => undefined);
}
