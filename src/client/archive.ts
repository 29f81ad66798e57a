/**
 * The archive: what left a session's or a run's log stands in the markers of its executions, and is read from there without a
 * worker, as long as the namespace retains the history.
 */
import type { Client } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import type { OutliveEvent } from '../contract.ts';
import { MIB } from '../domain/state/sizes.ts';
import { serverError } from './failures.ts';

const NOT_FOUND = 5;

const WHOLE_PAGE = 1000;
/** The server does not part what one workflow task has brought, of which the archive is one part. */
const SHORT_PAGE = 1;

export interface Generation {
  events: OutliveEvent[];
  previous: string | undefined;
}

/** One execution's part of the archive, and the execution before it; nothing when its history is gone. */
export async function readGeneration(
  client: Client,
  workflowId: string,
  runId: string,
): Promise<Generation | undefined> {
  const events: OutliveEvent[] = [];
  let previous: string | undefined;
  let nextPageToken: Uint8Array | undefined;
  let maximumPageSize: number | undefined;
  do {
    let page: temporal.api.workflowservice.v1.IGetWorkflowExecutionHistoryResponse;
    try {
      maximumPageSize ??= await pageSize(client, workflowId, runId);
      page = await client.workflowService.getWorkflowExecutionHistory({
        namespace: client.options.namespace,
        execution: { workflowId, runId },
        maximumPageSize,
        ...(nextPageToken === undefined ? {} : { nextPageToken }),
      });
    } catch (error) {
      if (serverError(error)?.code === NOT_FOUND) return undefined;
      throw error;
    }
    for (const event of page.history?.events ?? []) {
      previous ??= event.workflowExecutionStartedEventAttributes?.continuedExecutionRunId || undefined;
      if (event.markerRecordedEventAttributes)
        events.push(...(await archived(client, event.markerRecordedEventAttributes)));
    }
    nextPageToken = page.nextPageToken?.length ? page.nextPageToken : undefined;
  } while (nextPageToken !== undefined);
  return { events, previous };
}

/** The server counts the events of a page and not their bytes, of which gRPC carries 4 MiB: the page of a large history is short. */
async function pageSize(client: Client, workflowId: string, runId: string): Promise<number> {
  const { workflowExecutionInfo } = await client.workflowService.describeWorkflowExecution({
    namespace: client.options.namespace,
    execution: { workflowId, runId },
  });
  return Number(workflowExecutionInfo?.historySizeBytes ?? 0) < 3 * MIB ? WHOLE_PAGE : SHORT_PAGE;
}

/** The events of a marker, if it is one of the archive. */
async function archived(
  client: Client,
  marker: temporal.api.history.v1.IMarkerRecordedEventAttributes,
): Promise<OutliveEvent[]> {
  const [about] = marker.details?.['data']?.payloads ?? [];
  let payloads = marker.details?.['result']?.payloads ?? [];
  if (
    about?.data === undefined ||
    about.data === null ||
    !Buffer.from(about.data).toString('utf8').includes('"archiveLog"')
  )
    return [];
  const { payloadConverter, payloadCodecs } = client.options.loadedDataConverter;
  for (const codec of payloadCodecs.toReversed()) payloads = await codec.decode(payloads);
  const [payload] = payloads;
  if (payload === undefined) return [];
  return payloadConverter.fromPayload<{ events: OutliveEvent[] }>(payload).events;
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
  let runId: string | undefined = newest;
  let first = to + 1;
  while (runId !== undefined && first > from) {
    const generation = await readGeneration(client, workflowId, runId);
    if (generation === undefined) return { events: parts.toReversed().flat(), truncatedAt: first };
    const wanted = generation.events.filter((event) => event.seq >= from && event.seq < first);
    if (wanted.length > 0) parts.push(wanted);
    first = Math.min(first, generation.events[0]?.seq ?? first);
    runId = generation.previous;
  }
  return { events: parts.toReversed().flat() };
}
