/** `outlive dev`: a server if none is named, and a worker that is started anew when the configuration or what it imports changes. */
import { dirname, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect, findCli } from '../../server/index.ts';
import { keepServer, type KeptServer } from '../keep-server.ts';
import { configFile } from '../load-config.ts';
import { createLog } from '../log.ts';
import { nearest } from '../paths.ts';
import type { Problem } from '../problem.ts';
import { Started } from '../started.ts';
import { superviseWorker } from '../supervise.ts';
import { isToDev, type FromDev } from '../under-dev.ts';
import { WatchedFiles } from '../watched-files.ts';
import { devServerFile } from '../where.ts';

export interface DevArguments {
  config?: string;
}

export async function dev(given: DevArguments): Promise<void> {
  const log = createLog();
  const file = configFile(given.config);
  const started = new Started();
  const { promise: over, resolve: end, reject: fail } = Promise.withResolvers<void>();
  const say = (line: string): void => log.info(line);
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) process.exit(130);
    isStopping = true;
    say('Stopping.');
    end();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop);
  // Of a terminal that is closed it may come more than once.
  process.on('SIGHUP', () => isStopping || stop());
  let server: Promise<KeptServer> | undefined;
  try {
    const files = new WatchedFiles();
    started.add(() => files.close());
    files.add(file);
    const worker = superviseWorker({
      script: fileURLToPath(new URL(`../main${extname(import.meta.url)}`, import.meta.url)),
      args: ['worker', '--under-dev', '--config', file],
      env: {},
      speaks: true,
      say,
      gaveUp: ({ message }) => log.error(`${message} It is started again when one of its files changes.`),
      heard(message, answer) {
        if (!isToDev(message)) return;
        if ('imported' in message) {
          files.add(message.imported);
          return;
        }
        const { namespace } = message.wantsServer;
        server ??= ownServer(file, namespace, started, say, fail);
        server.then(async ({ address }) => answer(await answerOf(address, namespace)), fail);
      },
    });
    const running = await Promise.race([worker, over.then(() => undefined)]);
    if (running === undefined) return;
    started.add(async () => running.stop());
    files.onChange((path) => {
      if (isStopping) return;
      say(`${nearest(path)} has changed: starting another worker.`);
      running.restart();
    });
    const own = await server;
    if (own !== undefined) console.log(`Temporal ${own.address}\nWeb UI   ${own.uiUrl}`);
    console.log(`Worker   pid ${running.pid ?? '?'}; Ctrl-C ends everything that was started here`);
    await over;
  } finally {
    await started.stop();
  }
}

/** The server has the namespaces that it was started with, whatever the configuration names since. */
async function answerOf(address: string, namespace: string): Promise<FromDev> {
  try {
    const { connection } = await connect({ address, namespace });
    await connection.close();
    return { address };
  } catch (error) {
    const { message } = error as Error;
    const isOther = message.includes('has no namespace');
    return {
      refused: isOther
        ? `The Temporal server of this outlive dev has no namespace "${namespace}": end outlive dev and start it again.`
        : message,
    };
  }
}

async function ownServer(
  file: string,
  namespace: string,
  started: Started,
  say: (line: string) => void,
  gaveUp: (problem: Problem) => void,
): Promise<KeptServer> {
  const dbFile = devServerFile(file);
  const server = await keepServer(
    {
      cli: await findCli({ say }),
      dbFile,
      namespace,
      logFile: `${dirname(dbFile)}/temporal.log`,
      dynamicConfig: { 'matching.enableFairness': true },
      say,
    },
    gaveUp,
  );
  started.add(async () => server.stop());
  say(`Temporal is at ${server.address}, namespace ${namespace}, kept in ${nearest(dbFile)}.`);
  return server;
}
