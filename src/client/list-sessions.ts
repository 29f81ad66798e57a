/** The sessions of a task queue, as Temporal's visibility knows them: without a worker, and a little behind what has just happened. */
import type { Client } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import { SESSION_ID_PATTERN, SESSION_MEMO, type SessionMemo } from '../contract.ts';
import { isRefusal } from '../domain/state/types.ts';
import { InvalidInput } from '../errors.ts';
import { parse } from '../schemas/index.ts';
import { integer, isObject, name, object, oneOf, optional, string } from '../schemas/shapes.ts';
import { memoPayload } from './payloads.ts';
import { checkSent } from './sent.ts';

export interface ListSessions {
  /** Only those whose turns this agent takes. */
  agent?: string;
  status?: 'open' | 'closed';
  /** Only those whose id begins with it. */
  idPrefix?: string;
  /** 1 to 1,000; default 100. */
  limit?: number;
  /** `after` of the page before. */
  after?: string;
}

export interface ListedSession {
  sessionId: string;
  epoch: string;
  /** Left out until its start has been taken, and of a session that refused its start. */
  agent?: string;
  title?: string;
  /** Open until its workflow has ended, in whatever way. */
  status: 'open' | 'closed';
  /** ISO-8601, as in `getSession`. */
  createdAt: string;
  closedAt?: string;
}

export interface SessionsPage {
  /** The newest first. */
  sessions: ListedSession[];
  /** Where the next page begins; left out of the last. */
  after?: string;
}

type ExecutionInfo = temporal.api.workflow.v1.IWorkflowExecutionInfo;

const PAGE = 100;
/** So many are put in order at once: the server knows the order of executions, of which a session has many. */
const LOOKED_AT = 1000;

const shape = object({
  agent: optional(name),
  status: optional(oneOf('open', 'closed')),
  idPrefix: optional(string('the beginning of a session id', (text) => SESSION_ID_PATTERN.test(text))),
  limit: optional(integer(1, LOOKED_AT)),
  after: optional(string('what a page before has answered as after')),
});

/** Where a page ended: in which portion of what the server lists, behind which session. */
interface Place {
  /** The server's own word for the portion; empty for the first. */
  readonly portion: string;
  readonly behind?: Pick<ListedSession, 'createdAt' | 'epoch'>;
}

/** @throws InvalidInput for an ill-formed argument. */
export async function listSessions(client: Client, taskQueue: string, given: ListSessions): Promise<SessionsPage> {
  checkSent(given);
  const asked = parse(shape, given);
  if (isRefusal(asked)) throw new InvalidInput(asked.message);
  const { agent, status, idPrefix, limit = PAGE, after } = asked;
  const { portion, behind } = after === undefined ? { portion: '' } : placeOf(after);
  const { executions, nextPageToken } = await client.workflowService.listWorkflowExecutions({
    namespace: client.options.namespace,
    pageSize: LOOKED_AT,
    nextPageToken: Buffer.from(portion, 'base64url'),
    query: queryOf(taskQueue, status, idPrefix),
  });
  const listed = await Promise.all((executions ?? []).map(async (info) => listedOf(client, info)));
  const left = eachOnce(listed)
    .filter((one) => (agent === undefined || one.agent === agent) && (behind === undefined || order(behind, one) < 0))
    .toSorted(order);
  const sessions = left.slice(0, limit);
  const next = Buffer.from(nextPageToken ?? []).toString('base64url');
  const last = sessions.at(-1);
  if (left.length > limit && last !== undefined) return { sessions, after: written({ portion, behind: last }) };
  return next === '' ? { sessions } : { sessions, after: written({ portion: next }) };
}

function queryOf(taskQueue: string, status: ListSessions['status'], idPrefix: string | undefined): string {
  return [
    "WorkflowType = 'session'",
    `TaskQueue = '${taskQueue.replaceAll("'", "''")}'`,
    "ExecutionStatus != 'ContinuedAsNew'",
    ...(status === undefined ? [] : [`CloseTime IS ${status === 'open' ? 'NULL' : 'NOT NULL'}`]),
    ...(idPrefix === undefined ? [] : [`WorkflowId STARTS_WITH '${idPrefix}'`]),
  ].join(' AND ');
}

async function listedOf(client: Client, info: ExecutionInfo): Promise<ListedSession> {
  const sessionId = info.execution?.workflowId ?? '';
  const closedAt = instantOf(info.closeTime);
  const memo = await memoOf(client, info, sessionId);
  return {
    sessionId,
    // A session that has no memo is in its first execution.
    epoch: memo?.epoch ?? info.execution?.runId ?? '',
    ...(memo?.agent === undefined ? {} : { agent: memo.agent }),
    ...(memo?.title === undefined ? {} : { title: memo.title }),
    status: closedAt === undefined ? 'open' : 'closed',
    createdAt: memo?.createdAt ?? instantOf(info.startTime) ?? '',
    ...(closedAt === undefined ? {} : { closedAt }),
  };
}

/** Nothing of a session that has not been taken yet, and nothing where its codec is not this client's. */
async function memoOf(client: Client, { memo }: ExecutionInfo, id: string): Promise<Partial<SessionMemo> | undefined> {
  try {
    const read = await memoPayload<unknown>(client, memo?.fields?.[SESSION_MEMO] ?? undefined, id);
    return isObject(read) ? read : undefined;
  } catch {
    return undefined;
  }
}

/** A session that was reset has executions of the same epoch: the open one counts, else the one that closed last. */
function eachOnce(listed: readonly ListedSession[]): ListedSession[] {
  const byEpoch = new Map<string, ListedSession>();
  for (const one of listed) {
    const other = byEpoch.get(one.epoch);
    if (other === undefined || (one.closedAt ?? '~') > (other.closedAt ?? '~')) byEpoch.set(one.epoch, one);
  }
  return [...byEpoch.values()];
}

/** The newest first. */
function order(a: NonNullable<Place['behind']>, b: NonNullable<Place['behind']>): number {
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? 1 : -1;
  return a.epoch === b.epoch ? 0 : a.epoch < b.epoch ? 1 : -1;
}

function instantOf(time: ExecutionInfo['startTime']): string | undefined {
  if (time === null || time === undefined) return undefined;
  return new Date(Number(time.seconds ?? 0) * 1000 + Math.floor((time.nanos ?? 0) / 1e6)).toISOString();
}

function written({ portion, behind }: Place): string {
  const place = { v: 1, p: portion, ...(behind === undefined ? {} : { at: behind.createdAt, e: behind.epoch }) };
  return Buffer.from(JSON.stringify(place)).toString('base64url');
}

function placeOf(after: string): Place {
  try {
    const read: unknown = JSON.parse(Buffer.from(after, 'base64url').toString('utf8'));
    if (isObject(read) && read['v'] === 1 && typeof read['p'] === 'string') {
      const { p: portion, at: createdAt, e: epoch } = read as { p: string; at?: unknown; e?: unknown };
      if (typeof createdAt !== 'string' || typeof epoch !== 'string') return { portion };
      return { portion, behind: { createdAt, epoch } };
    }
  } catch {
    // Told below.
  }
  throw new InvalidInput(
    `Expected after to be what a page before has answered as after, got ${JSON.stringify(after).slice(0, 80)}.`,
  );
}
