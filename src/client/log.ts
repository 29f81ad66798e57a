/** One workflow's log, from a number to the present end: the state by query, what is older from the archive. */
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { iso } from '../domain/state/state.ts';
import type { OutliveEvent } from '../contract.ts';
import { ask } from './ask.ts';
import { isOpen } from './describe.ts';
import { serverError } from './failures.ts';
import { readArchive } from './archive.ts';

const PAGE = 1000;

/** So long the last execution of a closed workflow may take to be replayed and to answer. */
const CLOSED_MS = 10_000;
/** Cancelled at the deadline, deadline exceeded, no poller seen. */
const NO_WORKER = [1, 4, 9];

interface Page {
  events: OutliveEvent[];
  firstSeq: number;
  lastSeq: number;
  hasMore: boolean;
}

/**
 * Every event with a larger number than `after`. A closed workflow is read without a worker. What retention has taken is told
 * by one `log.truncated` without a number of its own. A workflow that does not exist throws `WorkflowNotFoundError`.
 * @param orArchived of a closed workflow whose end only a worker could tell, what is archived will do.
 */
export async function readLog(
  client: Client,
  workflowId: string,
  after: number,
  orArchived = false,
): Promise<OutliveEvent[]> {
  const handle = client.workflow.getHandle(workflowId);
  const description = await handle.describe();
  const { runId } = description;
  let kept: OutliveEvent[] | undefined;
  if (!isOpen(description)) {
    // With the last event that is known, so that its type tells whether anything is missing after it.
    const { events: archived, truncatedAt } = await readArchive(
      client,
      workflowId,
      runId,
      Math.max(1, after),
      Number.MAX_SAFE_INTEGER,
    );
    const last = archived.at(-1);
    kept = mark(
      workflowId,
      after,
      archived.filter((event) => event.seq > after),
      truncatedAt,
    );
    if (last?.type === 'session.closed' || last?.type === 'run.settled') return kept;
    // Terminated, or failed: its last part was never archived, and only a worker can tell it.
  }
  const pinned = client.workflow.getHandle(workflowId, runId);
  const getEvents = async (from: number): Promise<Page> => ask(pinned, 'getEvents', { after: from, limit: PAGE });
  let page: Page;
  try {
    page =
      kept === undefined
        ? await getEvents(after)
        : await client.withDeadline(Date.now() + CLOSED_MS, async () => getEvents(after));
  } catch (error) {
    if (kept === undefined || !orArchived || !NO_WORKER.includes(serverError(error)?.code ?? 0)) throw error;
    return kept;
  }
  const live = page.events.slice();
  const { firstSeq } = page;
  while (page.hasMore && page.events.length > 0) {
    page = await getEvents(live.at(-1)?.seq ?? after);
    live.push(...page.events);
  }
  if (after + 1 >= firstSeq) return live;
  const { events, truncatedAt } = await readArchive(client, workflowId, runId, after + 1, firstSeq - 1);
  return mark(workflowId, after, [...events, ...live], truncatedAt);
}

function mark(
  workflowId: string,
  after: number,
  events: OutliveEvent[],
  truncatedAt: number | undefined,
): OutliveEvent[] {
  const first = events[0]?.seq ?? truncatedAt;
  if (first === undefined || first <= after + 1 || truncatedAt === undefined) return events;
  const [sessionId = workflowId] = workflowId.split('/');
  return [
    { seq: first - 1, at: events[0]?.at ?? iso(0), type: 'log.truncated', workflowId, sessionId, firstSeq: first },
    ...events,
  ];
}

/**
 * The log of a run, which may not have been started, or whose history is gone. Of one that Temporal has closed before it could archive the
 * end of its log, that end is left out while no worker tells it within 10 s: its starter's log tells how it ended.
 */
export async function readRunLog(client: Client, workflowId: string, after: number): Promise<OutliveEvent[]> {
  try {
    return await readLog(client, workflowId, after, true);
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return [];
    throw error;
  }
}
