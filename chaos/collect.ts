/** Reads what the oracle is to judge: by the client, as anybody would, and after the end of all. */
import type { OutliveClient } from '../src/client/index.ts';
import type { OutliveEvent } from '../src/contract.ts';
import { UnknownSession } from '../src/errors.ts';
import type { Log, SessionFacts } from './oracle/facts.ts';
import { isOwn } from './oracle/runs-of.ts';
import type { Told } from './player.ts';

export async function collect(
  client: OutliveClient,
  sessionId: string,
  kept: boolean,
  told: Told,
): Promise<SessionFacts> {
  const unread: Unread[] = [];
  const logs = await readTree(client, sessionId, unread);
  const merged = await read(client, sessionId, true, unread);
  return {
    sessionId,
    logs,
    merged,
    unread,
    open: await openOf(client, sessionId, logs),
    kept,
    told: {
      turns: [...told.turns],
      runs: [...told.runs],
      refusable: [...told.refusable],
      afterEnd: told.afterEnd,
    },
  };
}

/** Lists a session and its runs, every execution of each. */
export function treeQuery(sessionId: string): string {
  return `(WorkflowId = '${sessionId}' OR WorkflowId STARTS_WITH '${sessionId}/')`;
}

/** A log and those of all runs that it tells of, starters first; what cannot be read is left out and said. */
async function readTree(client: OutliveClient, workflowId: string, unread: Unread[]): Promise<Log[]> {
  const events = await read(client, workflowId, false, unread);
  if (events === undefined) return [];
  const log: Log = { workflowId, events, terminated: await isTerminated(client, workflowId) };
  const logs = [log];
  for (const event of events)
    if (event.type === 'run.started' && !isOwn(log, event))
      logs.push(...(await readTree(client, `${workflowId}/${event.runId ?? ''}`, unread)));
  return logs;
}

type Unread = SessionFacts['unread'][number];

/** A run answers like a session; nothing when there is no workflow of that id, or it does not answer. */
async function read(
  client: OutliveClient,
  workflowId: string,
  includeRuns: boolean,
  unread: Unread[],
): Promise<OutliveEvent[] | undefined> {
  const events: OutliveEvent[] = [];
  try {
    for await (const { cursor: _cursor, ...event } of client.session(workflowId).events({ includeRuns }))
      events.push(event);
    return events;
  } catch (error) {
    if (error instanceof UnknownSession) return undefined;
    unread.push({ workflowId, why: error instanceof Error ? error.message : String(error) });
    return undefined;
  }
}

async function isTerminated(client: OutliveClient, workflowId: string): Promise<boolean> {
  const { status } = await client.temporal.workflow.getHandle(workflowId).describe();
  return status.name === 'TERMINATED';
}

/** Of the tree that its logs tell of, and whatever else bears its name. */
async function openOf({ temporal }: OutliveClient, sessionId: string, logs: readonly Log[]): Promise<string[]> {
  const open = new Set<string>();
  for (const { workflowId } of logs)
    if ((await temporal.workflow.getHandle(workflowId).describe()).status.name === 'RUNNING') open.add(workflowId);
  const query = `ExecutionStatus = 'Running' AND WorkflowId STARTS_WITH '${sessionId}/'`;
  for await (const { workflowId } of temporal.workflow.list({ query })) open.add(workflowId);
  return [...open];
}
