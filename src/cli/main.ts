#!/usr/bin/env node
/** The command `outlive`. Each command is loaded when it is asked for, so that none pays for another. */
import { Option, type Command } from 'commander';
import { createRequire } from 'node:module';
import { NAME_PATTERN, SESSION_ID_PATTERN } from '../contract.ts';
import { matching, programOf, runProgram, something, wholeNumber, withServer, withTaskQueue } from './program.ts';
import type { CloseArguments } from './commands/close.ts';
import type { DevArguments } from './commands/dev.ts';
import type { SessionsArguments } from './commands/sessions.ts';
import type { WorkerArguments } from './commands/worker.ts';

const { version } = createRequire(import.meta.url)('outlive/package.json') as { version: string };

const program = programOf(
  'outlive',
  'Durable agent sessions on Temporal. Where Temporal is, the standard Temporal environment configuration says.',
).version(version);

const CONFIG = [
  '--config <file>',
  'the configuration; default temporal.config.ts (.mts, .js, .mjs)',
  something,
] as const;
const sessionId = matching(
  SESSION_ID_PATTERN,
  'the id of a session: 1 to 128 letters, digits, ".", "_", ":" or "-", the first a letter or digit',
);

/** With what every command has that speaks to a server. */
function command(name: string, description: string): Command {
  return withServer(
    program
      .command(name)
      .description(description)
      .option(...CONFIG),
  );
}

program
  .command('dev')
  .description(
    'Keeps a worker running, started anew when the configuration or what it imports changes, and a Temporal server where none is named.',
  )
  .option(...CONFIG)
  .action(async (given: DevArguments) => (await import('./commands/dev.ts')).dev(given));

withTaskQueue(command('worker', 'Runs a worker for everything that the configuration names, until it is told to stop.'))
  .addOption(new Option('--under-dev').hideHelp())
  .action(async (given: WorkerArguments) => (await import('./commands/worker.ts')).worker(given));

withTaskQueue(command('sessions', 'Lists sessions, the newest first.'))
  .option('--agent <name>', 'only those of this agent', matching(NAME_PATTERN, 'the name of an agent'))
  .addOption(new Option('--status <status>', 'only those that are').choices(['open', 'closed']))
  .option(
    '--prefix <text>',
    'only those whose id begins with it',
    matching(SESSION_ID_PATTERN, 'the beginning of a session id'),
  )
  .option('--limit <n>', 'at most so many, 1 to 1000; default 100', wholeNumber(1, 1000))
  .option('--after <place>', 'goes on where a list before has ended', something)
  .option('--json', 'a row of JSON a line')
  .action(async (given: SessionsArguments) => (await import('./commands/sessions.ts')).sessions(given));

command('close', 'Ends a session; its runs go on unless they are cancelled.')
  .argument('<session>', 'its id', sessionId)
  .option('--reason <text>', 'kept with its end')
  .addOption(new Option('--runs <what>', 'what becomes of its runs; default keep').choices(['keep', 'cancel']))
  .addOption(
    new Option('--turn <what>', 'what becomes of the running turn; default cancel').choices(['cancel', 'finish']),
  )
  .option('--json', 'the receipt as JSON')
  .action(async (id: string, given: CloseArguments) => (await import('./commands/close.ts')).close(id, given));

program
  .command('init')
  .description('Makes a project that runs: an agent, a task, a client and a test.')
  .argument('[folder]', 'where; default: here', something)
  .action(async (folder: string | undefined) => (await import('./commands/init.ts')).init(folder));

program
  .helpCommand(false)
  .command('help')
  .description('Shows how a command is used.')
  .argument('[command]')
  .action((name: string | undefined) => {
    const one = name === undefined ? program : program.commands.find((each) => each.name() === name);
    if (one === undefined) program.error(`error: unknown command '${name}'`);
    else one.outputHelp();
  });

await runProgram(program);
