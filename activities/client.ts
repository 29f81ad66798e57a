/** The client that tools and tasks are given: that of their own worker. */
import type { Client } from '@temporalio/client';
import { OutliveClient } from '../src/client/index.ts';
import type { Registry } from './registry.ts';

const clients = new WeakMap<Client, OutliveClient>();

export function clientFor({ taskQueue }: Registry, client: Client): OutliveClient {
  const known = clients.get(client);
  if (known !== undefined) return known;
  const made = new OutliveClient(client, { taskQueue });
  clients.set(client, made);
  return made;
}
