/**
 * `npm start`: everything up, and the main job on real input. Finds or starts Temporal, keeps a worker running, opens a session,
 * plays import-and-build with a live view, does the same work serially for comparison, and stays up.
 */
import { parseArgs } from 'node:util';
import { Client } from '@temporalio/client';
import config from '../../temporal.config.ts';
import { OutliveClient } from '../client/index.ts';
import {
  connect,
  findCli,
  resolveEnvironment,
  ServerProblem,
  startDevServer,
  type DevServer,
} from '../server/index.ts';
import { OUT, preparedFile, Problem } from './scenario.ts';
import { play } from './play.ts';
import { superviseWorker } from './supervise.ts';
import { createPainter } from './view.ts';

const HELP = `npm start                     everything up, the demo on a generated orders.csv, then it stays up
npm start -- --once           ends when the demo is done
npm start -- --file my.csv    your own file
npm start -- --no-compare     leaves out the serial run for comparison`;

interface Place {
  address: string | undefined;
  namespace: string;
  server: DevServer | undefined;
}

async function place(say: (line: string) => void): Promise<Place> {
  const environment = resolveEnvironment();
  if (environment.configured) {
    say(`Using the Temporal server of your environment at ${environment.address}, namespace ${environment.namespace}.`);
    return { address: undefined, namespace: environment.namespace, server: undefined };
  }
  const cli = await findCli({ say });
  const server = await startDevServer({
    cli,
    dbFile: `${OUT}/temporal.db`,
    retentionDays: 30,
    logFile: `${OUT}/temporal.log`,
    say,
  });
  return { address: server.address, namespace: 'default', server };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      once: { type: 'boolean' },
      file: { type: 'string' },
      'no-compare': { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) {
    console.log(HELP);
    return;
  }
  const say = (line: string): void => console.log(line);
  const file = await preparedFile(values.file, say);
  const { address, namespace, server } = await place(say);
  const { connection } = await connect({ namespace, ...(address === undefined ? {} : { address }) });
  const painter = createPainter(process.stdout, process.env);
  const worker = await superviseWorker(
    ['--namespace', namespace, ...(address === undefined ? [] : ['--address', address])],
    { OUTLIVE_OUT: OUT, OUTLIVE_FILES: file.folder },
    (line) => painter.say(line),
  );
  const stop = async (): Promise<void> => {
    await worker.stop();
    await connection.close();
    await server?.stop();
  };
  let stopping = false;
  const interrupted = (): void => {
    if (stopping) process.exit(130);
    stopping = true;
    console.log('\nStopping. Sessions are kept and go on with the next start.');
    void stop().then(() => process.exit(0));
  };
  process.on('SIGINT', interrupted);
  process.on('SIGTERM', interrupted);
  process.on('SIGHUP', interrupted);
  const { dataConverter } = config;
  const client = new OutliveClient(
    new Client({ connection, namespace, ...(dataConverter === undefined ? {} : { dataConverter }) }),
  );
  const ui = server === undefined ? undefined : `${server.uiUrl}/namespaces/${namespace}/workflows/`;
  await play({ client, file, painter, ui, compare: values['no-compare'] !== true, workerPid: () => worker.pid });
  painter.finish();
  if (values.once === true) {
    await stop();
    process.exit(0);
  }
  console.log(`Everything stays up; the worker is pid ${worker.pid ?? '?'}. Ctrl-C ends it.`);
}

try {
  await main();
} catch (error) {
  const known =
    error instanceof ServerProblem ||
    error instanceof Problem ||
    (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') === true;
  console.error(known ? (error as Error).message : error);
  process.exit(1);
}
