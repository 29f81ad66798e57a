/** Where the server is that a command speaks to, for workers and clients alike. */
import { dirname, join } from 'node:path';
import type { Config } from '../define.ts';
import { resolveEnvironment } from '../server/index.ts';

/** What a command was told of it. */
export interface WhereArguments {
  address?: string | undefined;
  namespace?: string | undefined;
}

export interface Where {
  /** What `connect` and `connectNative` are given. */
  to: { address?: string; namespace: string };
  /** For people. */
  address: string;
  namespace: string;
}

/** Where a server runs that is used when nothing names one. */
export type OwnServer = (namespace: string) => Promise<string> | string | undefined;

/** The file of the server that `outlive dev` runs for a configuration. */
export function devServerFile(configFile: string): string {
  return join(dirname(configFile), '.outlive', 'temporal.db');
}

/**
 * What the arguments name, else the environment, else the configuration, else a server of one's own that runs, else Temporal's default address.
 */
export async function whereOf(
  config: Pick<Config, 'connection' | 'namespace'>,
  given: WhereArguments,
  ownServer: OwnServer,
): Promise<Where> {
  const environment = resolveEnvironment();
  const namespace = given.namespace ?? config.namespace ?? environment.namespace;
  const address =
    given.address ??
    (environment.configured
      ? undefined
      : (config.connection?.address ?? (await ownServer(namespace)) ?? environment.address));
  return {
    to: { namespace, ...(address === undefined ? {} : { address }) },
    address: address ?? environment.address,
    namespace,
  };
}
