/** `npm run worker`: `outlive worker` for this repository's own configuration, also on the server that `npm start` runs. */
import { fileURLToPath } from 'node:url';
import { runningDevServer } from '../server/index.ts';
import { worker, type WorkerArguments } from './commands/worker.ts';
import { serverFile } from './place.ts';
import { programOf, runProgram, withServer, withTaskQueue } from './program.ts';
import { OUT } from './scenario.ts';

const CONFIG = fileURLToPath(new URL('../../temporal.config.ts', import.meta.url));

const program = programOf(
  'npm run worker --',
  'Works for everything that temporal.config.ts names; Ctrl-C ends it. Where the Temporal environment (TEMPORAL_ADDRESS and the like) names no ' +
    'server, it works on the one that npm start runs on the output folder (OUTLIVE_OUT), else on 127.0.0.1:7233.',
);

await runProgram(
  withTaskQueue(withServer(program)).action(async (given: WorkerArguments) =>
    worker({ ...given, config: CONFIG }, () => runningDevServer(serverFile(OUT))),
  ),
);
