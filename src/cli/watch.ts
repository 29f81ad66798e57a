/**
 * Follows a session for the terminal: what the view shows is read from the session and from the heartbeats of its runs, a few
 * times a second, and handed to whoever paints it. It never changes the session.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { SessionHandle } from '../client/index.ts';
import type { OutliveEvent, Row, SessionSnapshot } from '../contract.ts';

export interface Glimpse {
  snapshot: SessionSnapshot;
  rows: Row[];
  fresh: OutliveEvent[];
}

const LOOK_MS = 250;

/** Looks until `done` says so, and hands each look to `seen`; a look that fails (no worker just now) is taken again. */
export async function watch(
  session: SessionHandle,
  seen: (glimpse: Glimpse) => void,
  done: (glimpse: Glimpse) => boolean,
  failed: (error: unknown) => void,
): Promise<Glimpse> {
  let after = 0;
  for (;;) {
    try {
      const glimpse = await look(session, after);
      after = glimpse.fresh.at(-1)?.seq ?? after;
      seen(glimpse);
      if (done(glimpse)) return glimpse;
    } catch (error) {
      failed(error);
    }
    await pause(LOOK_MS);
  }
}

/** Everything is answered, delivered and at rest. */
export function isAllAnswered({ snapshot, rows }: Glimpse): boolean {
  const { queued, running, interrupted, input_required: asking } = snapshot.runs;
  return (
    snapshot.status === 'idle' &&
    snapshot.queue.length === 0 &&
    queued + running + interrupted + asking === 0 &&
    rows.every((row) => row.delivery.finish.state === 'delivered')
  );
}

/** One after the other: what was delivered before the session was at rest has been answered, and the events tell of it. */
async function look(session: SessionHandle, after: number): Promise<Glimpse> {
  const { runs } = await session.listRuns({ limit: 1000 });
  const snapshot = await session.getSession();
  const { events } = await session.getEvents({ after, limit: 1000 });
  const rows = await Promise.all(
    runs.filter((row): row is Row => !('forgotten' in row)).map(async (row) => live(session, row)),
  );
  return { snapshot, rows, fresh: events };
}

/** A running row with the progress of this moment. */
async function live(session: SessionHandle, row: Row): Promise<Row> {
  if (row.status !== 'running') return row;
  const seen = await session.run(row.runId).inspect();
  return 'progress' in seen && seen.progress !== undefined ? { ...row, progress: seen.progress } : row;
}
