/**
 * The Temporal server of the demo, kept running: one that ends, or that another process had started and has taken with it, is started
 * again on the same file and at the same address, so that worker and client find it again by themselves.
 */
import { startDevServer, type DevServer, type DevServerOptions } from '../server/index.ts';
import { Problem } from './problem.ts';

export interface KeptServer {
  readonly address: string;
  readonly uiUrl: string;
  /** Servers that were lost so far. */
  readonly losses: number;
  /** Between the loss of a server and the moment in which the next one answers. */
  readonly isReplacing: boolean;
  stop(): Promise<void>;
}

const ATTEMPTS = 3;
/** One that has run so long has not been started in vain. */
const SETTLED_MS = 10_000;

/** @throws ServerProblem when the first one does not start. `gaveUp` is told once when there is none any more. */
export async function keepServer(
  options: DevServerOptions & { say: (line: string) => void },
  gaveUp: (problem: Problem) => void,
): Promise<KeptServer> {
  let server = await startDevServer(options);
  const { address } = server;
  let [losses, isReplacing, stopping] = [0, false, false];
  void keep();

  async function keep(): Promise<void> {
    let inVain = 0;
    for (;;) {
      const began = Date.now();
      await server.ended;
      if (stopping) return;
      losses += 1;
      isReplacing = true;
      inVain = Date.now() - began < SETTLED_MS ? inVain + 1 : 1;
      if (inVain > ATTEMPTS) {
        gaveUp(
          new Problem(`The Temporal server ended ${inVain} times in a row: look into ${options.logFile ?? 'its log'}.`),
        );
        return;
      }
      options.say(`Starting the Temporal server at ${address} again; what was going on goes on.`);
      try {
        server = await again();
      } catch (error) {
        if (!stopping) gaveUp(new Problem(error instanceof Error ? error.message : String(error)));
        return;
      }
      isReplacing = false;
      options.say(`The Temporal server at ${address} is running again.`);
    }
  }

  async function again(): Promise<DevServer> {
    const next = await startDevServer({ ...options, port: portOf(address), uiPort: portOf(server.uiUrl) });
    if (next.address === address) return next;
    await next.stop();
    throw new Problem(
      `Another program has taken the address ${address} of the Temporal server: end it, and start again.`,
    );
  }

  return {
    address,
    get uiUrl() {
      return server.uiUrl;
    },
    get losses() {
      return losses;
    },
    get isReplacing() {
      return isReplacing;
    },
    async stop() {
      stopping = true;
      await server.stop();
    },
  };
}

function portOf(address: string): number {
  return Number(/:(\d+)$/u.exec(address)?.[1]);
}
