/**
 * Where Temporal is, by the standard Temporal environment configuration: the `TEMPORAL_*` variables and the profile in
 * `temporal.toml` (address, namespace, TLS, API key, gRPC metadata), the same for every Temporal tool of this user.
 * An address named there is used as it is, and nothing is started.
 */
import type { ConnectionOptions } from '@temporalio/client';
import { loadClientConnectConfig, type ClientConnectConfig } from '@temporalio/envconfig';
import { reasonOf, ServerProblem } from './problem.ts';

/** The address used when the environment names none. */
const LOCAL_ADDRESS = '127.0.0.1:7233';

/** What both `Connection.connect` and `NativeConnection.connect` take. */
export interface ConnectionSettings {
  address: string;
  tls?: NonNullable<ConnectionOptions['tls']>;
  apiKey?: string;
  metadata?: Record<string, string>;
}

export interface Environment {
  address: string;
  namespace: string;
  connectionOptions: ConnectionSettings;
  /** Whether the environment names an address. If not, credentials that it holds are left out: they are for another server. */
  configured: boolean;
}

/** @throws ServerProblem when a file, a profile or a certificate that the environment names cannot be read. */
export function resolveEnvironment(env: NodeJS.ProcessEnv = process.env): Environment {
  const { connectionOptions, namespace = 'default' } = load(env);
  const { address, tls, apiKey, metadata } = connectionOptions;
  if (address === undefined) {
    return { address: LOCAL_ADDRESS, namespace, connectionOptions: { address: LOCAL_ADDRESS }, configured: false };
  }
  const settings: ConnectionSettings = {
    address,
    ...(tls != null && { tls }),
    ...(apiKey !== undefined && { apiKey }),
    ...(metadata !== undefined && { metadata: metadata as Record<string, string> }),
  };
  return { address, namespace, connectionOptions: settings, configured: true };
}

function load(env: NodeJS.ProcessEnv): ClientConnectConfig {
  try {
    return loadClientConnectConfig({ overrideEnvVars: present(env) });
  } catch (error) {
    throw new ServerProblem(
      `The Temporal environment configuration cannot be used (${reasonOf(error)}): check TEMPORAL_PROFILE, TEMPORAL_CONFIG_FILE and the files named in them.`,
    );
  }
}

/** A variable set to nothing counts as unset, except where the configuration gives that a meaning: it removes a metadata key. */
function present(env: NodeJS.ProcessEnv): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && (value !== '' || name.startsWith('TEMPORAL_GRPC_META_'))) kept[name] = value;
  }
  return kept;
}
