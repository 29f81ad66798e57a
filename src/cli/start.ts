/**
 * `npm start`: everything up, and the main job on real input. Finds or starts Temporal, keeps a worker running, opens a session,
 * plays import-and-build with a live view, does the same work serially for comparison, and stays up.
 */
import { parseArgs } from 'node:util';
import { Client } from '@temporalio/client';
import { DEMO_SENTENCE } from '../../examples/import-and-build/demo-model.ts';
import config from '../../temporal.config.ts';
import { OutliveClient } from '../client/index.ts';
import { connect, ServerProblem } from '../server/index.ts';
import { findPlace } from './place.ts';
import { goOn, play, type Played, type Stage } from './play.ts';
import { Problem } from './problem.ts';
import { OUT, preparedFile } from './scenario.ts';
import { aboutOpen, clean, openSessions, toContinue } from './sessions.ts';
import { Started } from './started.ts';
import { superviseWorker } from './supervise.ts';
import { createPainter } from './view.ts';

const HELP = `npm start                       everything up, the demo on a generated orders.csv, then it stays up
npm start -- --once             ends when the demo is done; exit code 1 when it was not
npm start -- --file my.csv      your own file: UTF-8, UTF-16 or Windows-1252, any delimiter
npm start -- --no-compare       leaves out the serial run for comparison
npm start -- --continue ID      goes on with a session that an earlier start has left open
npm start -- --clean            ends all such sessions and deletes what they have made

OUTLIVE_OUT names the folder for everything it makes (default: out). TEMPORAL_ADDRESS names a server of yours.
OUTLIVE_MODEL=anthropic:claude-sonnet-4-5 with ANTHROPIC_API_KEY has a real model build it (default: a script that needs no key).`;

const OPTIONS = {
  once: { type: 'boolean' },
  file: { type: 'string' },
  'no-compare': { type: 'boolean' },
  continue: { type: 'string' },
  clean: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** The session that is left open when all is stopped now. */
let session: string | undefined;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

async function run(values: Values, started: Started): Promise<void> {
  // Until there is a picture to be painted over, lines are lines.
  let say = (line: string): void => console.log(line);
  const { promise: lost, reject: gaveUp } = Promise.withResolvers<never>();
  lost.catch(() => undefined);
  const withoutFile = values.continue !== undefined || values.clean === true;
  const file = withoutFile ? '' : await preparedFile(values.file, say);
  const place = await findPlace(OUT, config.taskQueue, (line) => say(line), gaveUp);
  const { address, namespace, taskQueue, server } = place;
  started.add(async () => server?.stop());
  // It is never closed: what is being asked when all is stopped would throw where nobody catches it.
  const { connection } = await connect({ namespace, ...(address === undefined ? {} : { address }) });
  const worker = await superviseWorker({
    args: [
      '--namespace',
      namespace,
      '--task-queue',
      taskQueue,
      ...(address === undefined ? [] : ['--address', address]),
    ],
    // Only its last words are read.
    env: { OUTLIVE_OUT: OUT, OUTLIVE_FILES: OUT, OUTLIVE_LOG: 'error' },
    say: (line) => say(line),
    gaveUp,
  });
  started.add(async () => worker.stop());
  const { dataConverter } = config;
  const client = new OutliveClient(
    new Client({ connection, namespace, ...(dataConverter === undefined ? {} : { dataConverter }) }),
    { taskQueue },
  );
  const open = await openSessions(client);
  if (values.clean === true) {
    console.log(await Promise.race([clean(client, open), lost]));
    return;
  }
  const wanted = values.continue === undefined ? undefined : toContinue(values.continue, open);
  if (wanted === undefined) for (const line of aboutOpen(open)) say(line);
  const painter = createPainter(process.stdout, process.env);
  say = (line) => painter.say(line);
  started.add(() => painter.finish());
  const model = config.agents?.[0]?.model;
  const stage: Stage = {
    modelNote: typeof model === 'string' ? model : DEMO_SENTENCE,
    client,
    painter,
    ui: () => (server === undefined ? undefined : `${server.uiUrl}/namespaces/${namespace}/workflows/`),
    workerPid: () => worker.pid,
    began: (sessionId) => {
      session = sessionId;
    },
    losses: () => worker.losses + (server?.losses ?? 0),
    trouble: () =>
      server?.isReplacing === true
        ? 'The Temporal server is being started again.'
        : worker.isReplacing
          ? 'The worker is being replaced.'
          : undefined,
  };
  let played: Played;
  try {
    const playing = wanted === undefined ? play(stage, file, values['no-compare'] !== true) : goOn(stage, wanted);
    playing.catch(() => undefined);
    played = await Promise.race([playing, lost]);
  } finally {
    painter.finish();
    say = (line) => console.log(line);
  }
  if (values.once === true) {
    // Nobody would go on with it; what it came to can be read all the same.
    await client.session(played.sessionId).close({ runs: 'cancel' });
    session = undefined;
    if (played.problem !== undefined) throw new Problem(played.problem);
    return;
  }
  if (played.problem !== undefined) console.error(played.problem);
  console.log(`Everything stays up; the worker is pid ${worker.pid ?? '?'}. Ctrl-C ends it.`);
  await lost;
}

/** Ctrl-C ends everything in order; a second one at once. */
function stopOnSignal(started: Started): void {
  let stopping = false;
  const interrupted = (): void => {
    if (stopping) process.exit(130);
    stopping = true;
    // The picture is left first, else it would be painted over what is said.
    const stopped = started.stop();
    console.log('\nStopping.');
    void stopped.then(() => {
      if (session !== undefined)
        console.log(
          `The session is kept and goes on with the next start. To see it: npm start -- --continue ${session}\nTo end it and delete what was made: npm start -- --clean`,
        );
      process.exit(0);
    });
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupted);
}

const started = new Started();
try {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help === true) console.log(HELP);
  else {
    stopOnSignal(started);
    await run(values, started);
    await started.stop();
  }
  process.exit(0);
} catch (error) {
  await started.stop();
  const known =
    error instanceof ServerProblem ||
    error instanceof Problem ||
    (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') === true;
  console.error(known ? (error as Error).message : error);
  process.exit(1);
}
