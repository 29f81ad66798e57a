/**
 * A name that this worker does not know. Workers of one queue may know different names, so the work is given back for another one to take,
 * unless nobody could: every worker announces the names that it knows, as a hash in the identity of its pollers, and when all of
 * its queues announce the same, the name is known nowhere. Who is busy on one queue is seen on another. What cannot be found out
 * counts as known somewhere.
 */
import { ApplicationFailure, Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { SERVED, taskQueueOf, UNKNOWN_HERE } from '../src/contract.ts';
import type { ErrorType } from '../src/domain/state/types.ts';
import { outgoing } from './failure.ts';
import type { Registry } from './registry.ts';
import { within } from './within.ts';

/** So long before the server hands it out again, where the retries are the server's. */
const AGAIN = '2s';
/** An answer of the server holds for so long. */
const FRESH_MS = 2000;
const ANSWER_WITHIN_MS = 3000;
/** `temporal.api.enums.v1.TaskQueueType` */
const ACTIVITY_QUEUE = 2;

/** What to throw: for good when no worker knows the name, else that it is given back. `details`: of the first. */
export async function unknownName(
  registry: Registry,
  client: Client,
  type: ErrorType,
  sentence: string,
  details?: object,
): Promise<ApplicationFailure> {
  return (await isKnownNowhere(registry, client))
    ? outgoing(registry, new Error(sentence), { type, nonRetryable: true, details })
    : notHere(type, registry.redact(sentence));
}

/** The work is given back. */
export function notHere(type: ErrorType, message: string): ApplicationFailure {
  return ApplicationFailure.create({ message, type: UNKNOWN_HERE, details: [type], nextRetryDelay: AGAIN });
}

const answers = new WeakMap<Client, { at: number; isKnownNowhere: Promise<boolean> }>();

/** True when every worker of this app announces the same names as this one. */
export async function isKnownNowhere(registry: Registry, client: Client): Promise<boolean> {
  const before = answers.get(client);
  if (before !== undefined && Date.now() - before.at < FRESH_MS) return before.isKnownNowhere;
  const asked = allAnnounce(registry, client, Context.current().info.taskQueue).catch(() => false);
  const answer = within(ANSWER_WITHIN_MS, asked).then((told = false) => told);
  answers.set(client, { at: Date.now(), isKnownNowhere: answer });
  return answer;
}

async function allAnnounce({ announced, taskQueue }: Registry, client: Client, own: string): Promise<boolean> {
  const queues = [...new Set([own, ...SERVED.map((served) => taskQueueOf(taskQueue, served))])];
  const [ofOwn = [], ...others] = await Promise.all(queues.map(async (name) => pollersOf(client, name)));
  // Who is not seen itself has been asked too early to see others.
  return ofOwn.some(isSame) && [ofOwn, ...others].flat().every(isSame);

  function isSame(identity: string): boolean {
    return identity.endsWith(announced);
  }
}

async function pollersOf(client: Client, name: string): Promise<string[]> {
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name },
    taskQueueType: ACTIVITY_QUEUE,
  });
  return (pollers ?? []).map(({ identity }) => identity ?? '');
}
