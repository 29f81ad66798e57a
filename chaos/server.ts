/** The dev server of a chaos run: on a file, stopped and started again at the same address. */
import { randomInt } from 'node:crypto';
import { startDevServer, type DevServer } from '../src/server/index.ts';

/** Neither where servers are by default nor where the system takes ports from: nobody else is to have it when it comes back. */
const FIRST_PORT = 20_000;
const LAST_PORT = 30_000;

export class Server implements AsyncDisposable {
  readonly address: string;
  restarts = 0;
  private server: DevServer;
  private readonly start: (port: number) => Promise<DevServer>;

  private constructor(server: DevServer, start: (port: number) => Promise<DevServer>) {
    this.server = server;
    this.address = server.address;
    this.start = start;
  }

  static async open(cli: string, dbFile: string): Promise<Server> {
    const start = async (port: number): Promise<DevServer> => startDevServer({ cli, dbFile, port });
    return new Server(await start(randomInt(FIRST_PORT, LAST_PORT)), start);
  }

  /** @param meanwhile what has to happen while it is away. */
  async restart(meanwhile: () => Promise<unknown>): Promise<void> {
    await this.server.stop();
    try {
      await meanwhile();
    } finally {
      this.server = await this.start(Number(this.address.split(':').at(-1)));
    }
    this.restarts += 1;
    if (this.server.address !== this.address)
      throw new Error(`Expected the server at ${this.address} again, got it at ${this.server.address}.`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop();
  }
}
