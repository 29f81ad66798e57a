/** Keep-alive: as long as the activity runs, its worker says so, and hears of a cancellation. */
import { Context } from '@temporalio/activity';

const BEAT_MS = 1000;

/** Runs `work` with a heartbeat a second; `details` are what it carries. */
export async function withHeartbeat<T>(details: () => unknown, work: () => Promise<T>): Promise<T> {
  const context = Context.current();
  context.heartbeat(details());
  const timer = setInterval(() => context.heartbeat(details()), BEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
