/** Keep-alive: as long as the activity runs, its worker says so, and hears of a cancellation. */
import { activityInfo, Context, log } from '@temporalio/activity';
import { readable } from './readable.ts';

const BEAT_MS = 1000;
/** Of what somebody may be reading. */
const NEWS_MS = 250;
/** A beat that is so late was held up by something that did not let go. */
const LATE_MS = 5000;

const running = new Map<object, string>();
let toldAt = 0;

export interface Beating {
  /** What the log calls it. */
  name?: string;
  /** True when the details have changed in a way that somebody may be waiting for: then the next beat comes sooner. */
  hasNews?: () => boolean;
}

/** Runs `work` with a heartbeat a second; `details` are what it carries. */
export async function withHeartbeat<T>(
  details: () => unknown,
  work: () => Promise<T>,
  { name = activityInfo().activityType, hasNews }: Beating = {},
): Promise<T> {
  const context = Context.current();
  context.heartbeat(details());
  let due = Date.now() + BEAT_MS;
  const timer = setInterval(() => {
    const now = Date.now();
    if (now - due > LATE_MS) tellLate(now, now - due);
    due = now + BEAT_MS;
    context.heartbeat(details());
  }, BEAT_MS);
  const news =
    hasNews === undefined
      ? undefined
      : setInterval(() => {
          if (hasNews()) context.heartbeat(details());
        }, NEWS_MS);
  running.set(context, name);
  try {
    return await work();
  } catch (error) {
    throw readable(error);
  } finally {
    clearInterval(timer);
    clearInterval(news);
    running.delete(context);
    // It may have held up its own last beat.
    const now = Date.now();
    if (now - due > LATE_MS) tellLate(now, now - due, name);
  }
}

/** Says once what was running while the worker could do nothing else. */
function tellLate(now: number, ms: number, ended?: string): void {
  if (now - toldAt < LATE_MS) return;
  toldAt = now;
  const names = new Set([...(ended === undefined ? [] : [ended]), ...running.values()]);
  log.warn(
    `This worker could do nothing for ${Math.round(ms / 1000)} s, because something that it runs did not pause: ${[...names].join(', ')}. Heartbeats that do not come count as the loss of the worker.`,
  );
}
