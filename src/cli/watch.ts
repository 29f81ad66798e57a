/**
 * Follows a session for the terminal: what the view shows is read from the session and from the heartbeats of its runs, a few
 * times a second, and handed to whoever paints it. It never changes the session.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { SessionHandle } from '../client/index.ts';
import type { OutliveEvent, Row, SessionSnapshot } from '../contract.ts';
import { reasonOf } from '../server/index.ts';
import { Problem } from './problem.ts';

export interface Glimpse {
  /** When the look began, milliseconds since 1970: what had happened by then is in it. */
  at: number;
  snapshot: SessionSnapshot;
  rows: Row[];
  fresh: OutliveEvent[];
}

export interface Watching {
  seen: (glimpse: Glimpse) => void;
  /** Whether this is what was waited for. */
  done: (glimpse: Glimpse) => boolean;
  /** Where reading begins: the `seq` of the last event that was seen. */
  after?: number;
  /** Looks that fail for so long end it. */
  patienceMs?: number;
  /** Why looks that fail will go on failing, if that is known: it ends it at once. */
  hopeless?: () => Problem | undefined;
}

const LOOK_MS = 250;
/** A worker or a server that is being replaced is back long before. */
const PATIENCE_MS = 120_000;

/**
 * Looks until `done` says so; a look that fails (no worker just now) is taken again.
 *
 * @throws Problem when looks fail for too long, or when the session is over before.
 */
export async function watch(
  session: SessionHandle,
  { seen, done, after = 0, patienceMs = PATIENCE_MS, hopeless }: Watching,
): Promise<Glimpse> {
  let failingSince: number | undefined;
  for (;;) {
    try {
      const glimpse = await look(session, after);
      failingSince = undefined;
      after = glimpse.fresh.at(-1)?.seq ?? after;
      seen(glimpse);
      if (done(glimpse)) return glimpse;
      if (glimpse.snapshot.status === 'closed')
        throw new Problem(`The session ${session.sessionId} was closed before it had answered.`);
    } catch (error) {
      if (error instanceof Problem) throw error;
      const known = hopeless?.();
      if (known !== undefined) throw known;
      failingSince ??= Date.now();
      if (Date.now() - failingSince > patienceMs) throw unreadable(session, patienceMs, error);
    }
    await pause(LOOK_MS);
  }
}

function unreadable(session: SessionHandle, patienceMs: number, error: unknown): Problem {
  return new Problem(
    `The session ${session.sessionId} could not be read for ${Math.max(0, Math.round(patienceMs / 1000))} s (${reasonOf(error)}); it is kept, and goes on with the next start.`,
  );
}

type Seen = Pick<Glimpse, 'snapshot' | 'rows'>;

const LIVE: readonly Row['status'][] = ['queued', 'running', 'input_required', 'interrupted'];

/** Everything is answered, delivered and at rest. */
export function isAllAnswered({ snapshot, rows }: Seen): boolean {
  return (
    isAtRest({ snapshot, rows }) &&
    rows.every(({ delivery: { finish } }) => finish.state !== 'pending' && finish.state !== 'queued')
  );
}

/** Nothing runs, nothing waits; and so it was a moment before, when the rows were read. */
export function isAtRest({ snapshot, rows }: Seen): boolean {
  const { queued, running, interrupted, input_required: asking } = snapshot.runs;
  return (
    snapshot.status === 'idle' &&
    snapshot.queue.length === 0 &&
    queued + running + interrupted + asking === 0 &&
    rows.every(({ status }) => !LIVE.includes(status))
  );
}

/** One after the other: what was delivered before the session was at rest has been answered, and the events tell of it. */
async function look(session: SessionHandle, after: number): Promise<Glimpse> {
  const at = Date.now();
  const { runs } = await session.listRuns({ limit: 1000 });
  const snapshot = await session.getSession();
  const { events } = await session.getEvents({ after, limit: 1000 });
  const rows = await Promise.all(
    runs.filter((row): row is Row => !('forgotten' in row)).map(async (row) => live(session, row)),
  );
  return { at, snapshot, rows, fresh: events };
}

/** A running row with the progress of this moment. */
async function live(session: SessionHandle, row: Row): Promise<Row> {
  if (row.status !== 'running') return row;
  const seen = await session.run(row.runId).inspect();
  return 'progress' in seen && seen.progress !== undefined ? { ...row, progress: seen.progress } : row;
}
