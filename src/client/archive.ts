/**
 * The archive: what left a session's or a run's log stands in its histories as the argument of activities that were scheduled, and
 * is read from there without a worker, as long as the namespace retains the history. Histories are read from their end back, and no
 * further than what is asked for.
 */
import type { Client } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import type { Archived, OutliveEvent } from '../contract.ts';
import { MIB } from '../domain/state/sizes.ts';
import { serverError } from './failures.ts';

const NOT_FOUND = 5;

const WHOLE_PAGE = 250;
/** The server does not part what one workflow task has brought, of which the archive is one part. */
const SHORT_PAGE = 1;

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

/** The history of one execution, newest event first; ends with an error of `NOT_FOUND` when it is gone. */
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
async function archivedIn(client: Client, event: HistoryEvent): Promise<Archived | undefined> {
  const scheduled = event.activityTaskScheduledEventAttributes;
  if (scheduled?.activityType?.name !== 'archiveLog') return undefined;
  let payloads = scheduled.input?.payloads ?? [];
  const { payloadConverter, payloadCodecs } = client.options.loadedDataConverter;
  for (const codec of payloadCodecs.toReversed()) payloads = await codec.decode(payloads);
  const [payload] = payloads;
  return payload === undefined ? undefined : payloadConverter.fromPayload<Archived>(payload);
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

/** Everything archived between two numbers, both included, oldest first, and the first number that is still there. */
export async function readArchive(
  client: Client,
  workflowId: string,
  newest: string,
  from: number,
  to: number,
): Promise<{ events: OutliveEvent[]; truncatedAt?: number }> {
  const parts: OutliveEvent[][] = [];
  const found = (): OutliveEvent[] => parts.toReversed().flat();
  let first = to + 1;
  try {
    for (
      let runId: string | undefined = newest;
      runId !== undefined;
      runId = await previousOf(client, workflowId, runId)
    ) {
      for await (const event of backwards(client, workflowId, runId)) {
        const archived = await archivedIn(client, event);
        if (archived === undefined) continue;
        parts.push(archived.events.filter(({ seq }) => seq >= from && seq < first));
        first = Math.min(first, archived.first);
        if (first <= from) return { events: found() };
      }
    }
  } catch (error) {
    if (serverError(error)?.code !== NOT_FOUND) throw error;
    return { events: found(), truncatedAt: first };
  }
  return { events: found() };
}
