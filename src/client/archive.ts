/**
 * The archive: what left a session's or a run's log stands in its histories as the argument of activities that were scheduled, and
 * is read from there without a worker, as long as the namespace retains the history. Histories are read from their end back, and no
 * further than what is asked for.
 */
import type { Client } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import type { Archived, OutliveEvent } from '../contract.ts';
import { MIB } from '../domain/state/sizes.ts';
import { isNotFound } from './server-codes.ts';
import { firstPayload } from './payloads.ts';

const WHOLE_PAGE = 250;
/** The server does not part what one workflow task has brought, of which the archive is one part. */
const SHORT_PAGE = 1;

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

/** The history of one execution, newest event first; throws that it is not found when it is gone. */
async function* backwards(client: Client, workflowId: string, runId: string): AsyncGenerator<HistoryEvent> {
  const execution = { workflowId, runId };
  const { namespace } = client.options;
  const { workflowExecutionInfo } = await client.workflowService.describeWorkflowExecution({ namespace, execution });
  // The server counts the events of a page and not their bytes, of which gRPC carries 4 MiB: the page of a large history is short.
  const maximumPageSize = Number(workflowExecutionInfo?.historySizeBytes ?? 0) < 3 * MIB ? WHOLE_PAGE : SHORT_PAGE;
  let nextPageToken: Uint8Array | undefined;
  do {
    const page = await client.workflowService.getWorkflowExecutionHistoryReverse({
      namespace,
      execution,
      maximumPageSize,
      ...(nextPageToken === undefined ? {} : { nextPageToken }),
    });
    yield* page.history?.events ?? [];
    nextPageToken = page.nextPageToken?.length ? page.nextPageToken : undefined;
  } while (nextPageToken !== undefined);
}

/** What the event has put into the archive, if it has. */
async function archivedIn(client: Client, workflowId: string, event: HistoryEvent): Promise<Archived | undefined> {
  const scheduled = event.activityTaskScheduledEventAttributes;
  if (scheduled?.activityType?.name !== 'archiveLog') return undefined;
  return firstPayload<Archived>(client, scheduled.input?.payloads, {
    workflowId,
    activityId: scheduled.activityId,
  });
}

/** The execution before this one. */
async function previousOf(client: Client, workflowId: string, runId: string): Promise<string | undefined> {
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution: { workflowId, runId },
    maximumPageSize: SHORT_PAGE,
  });
  return history?.events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId || undefined;
}

export interface ArchivedIn {
  client: Client;
  workflowId: string;
  /** Its last execution. */
  newest: string;
}

/** The parts of a log, the newest first, as far back as the histories are retained. */
export async function* archivedParts({ client, workflowId, newest }: ArchivedIn): AsyncGenerator<Archived> {
  try {
    for (
      let runId: string | undefined = newest;
      runId !== undefined;
      runId = await previousOf(client, workflowId, runId)
    ) {
      for await (const event of backwards(client, workflowId, runId)) {
        const archived = await archivedIn(client, workflowId, event);
        if (archived !== undefined) yield archived;
      }
    }
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/**
 * Everything archived between two numbers, both included, oldest first, the last number that is archived, and the first one that
 * is still there, where that is not the one asked for.
 *
 * @param to left out: to the end of a log of which nothing stands elsewhere.
 */
export async function readArchive(
  archive: ArchivedIn,
  from: number,
  to = Infinity,
): Promise<{ events: OutliveEvent[]; lastSeq: number; truncatedAt?: number }> {
  const parts: OutliveEvent[][] = [];
  let lastSeq: number | undefined;
  let first = to + 1;
  for await (const part of archivedParts(archive)) {
    lastSeq ??= part.events.at(-1)?.seq;
    parts.push(part.events.filter(({ seq }) => seq >= from && seq < first));
    first = Math.min(first, part.first);
    if (first <= from) break;
  }
  const found = { events: parts.toReversed().flat(), lastSeq: lastSeq ?? 0 };
  return first <= from || first === Infinity ? found : { ...found, truncatedAt: first };
}
