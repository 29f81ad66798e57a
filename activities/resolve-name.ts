/** What a name stands for. One that this worker does not know is given back for so long as another one might. */
import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { waitForWorker } from '../src/domain/state/backoff.ts';
import type { Registry } from './registry.ts';
import { isKnownNowhere, notHere } from './unknown-name.ts';

export async function resolveName(
  registry: Registry,
  client: Client,
  name: string | undefined,
): Promise<ReturnType<Registry['resolve']>> {
  const found = registry.resolve(name);
  if (found.facts !== undefined) return found;
  const isOver = waitForWorker(Context.current().info.scheduledTimestampMs, Date.now()) === undefined;
  if (isOver || (await isKnownNowhere(registry, client))) return found;
  throw notHere('UnknownAgent', `This worker does not know "${found.name}", another one may.`);
}
