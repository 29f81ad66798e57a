/** A Temporal dev server for tests. */
import { findCli, startDevServer } from '../server/index.ts';

export interface TestServerOptions {
  /** Default `default`. */
  namespace?: string;
  /** Is given one sentence for each thing that is done to find or fetch the Temporal CLI. Default: nobody is told. */
  say?: (line: string) => void;
}

export interface TestServer extends AsyncDisposable {
  readonly address: string;
  /** Temporal's Web UI, as long as the server runs. */
  readonly uiUrl: string;
  /** Resolves when the server has ended; what it knew is gone with it. */
  stop(): Promise<void>;
}

/**
 * Starts a Temporal dev server in memory, on free ports of the loopback address. The CLI is the one of `TEMPORAL_CLI_PATH`, of `PATH` or of the
 * cache; when there is none it is fetched, once, which may take a minute. The server ends with this process at the latest.
 *
 * One for all test files is quickest: start it in the global set-up of the test runner, and give its address to `startTestEnvironment`.
 *
 * @throws ServerProblem with one sentence when no CLI can be had or the server does not start.
 */
export async function startTestServer({
  namespace = 'default',
  say = () => undefined,
}: TestServerOptions = {}): Promise<TestServer> {
  const server = await startDevServer({ cli: await findCli({ say }), port: 0, uiPort: 0, namespace, say });
  const stop = async (): Promise<void> => server.stop();
  return { address: server.address, uiUrl: server.uiUrl, stop, [Symbol.asyncDispose]: stop };
}
