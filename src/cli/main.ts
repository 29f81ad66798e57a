#!/usr/bin/env node
/** The command `outlive`. Each command is loaded when it is asked for, so that none pays for another. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { createRequire } from 'node:module';
import { OutliveError } from '../errors.ts';
import { ServerProblem } from '../server/problem.ts';
import { Problem } from './problem.ts';
import type { CloseArguments } from './commands/close.ts';
import type { DevArguments } from './commands/dev.ts';
import type { SessionsArguments } from './commands/sessions.ts';
import type { WorkerArguments } from './commands/worker.ts';

const USED_WRONGLY = 2;

const { version } = createRequire(import.meta.url)('outlive/package.json') as { version: string };

const program = new Command('outlive')
  .description(
    'Durable agent sessions on Temporal. Where Temporal is, the standard Temporal environment configuration says.',
  )
  .version(version)
  .exitOverride()
  .configureOutput({ writeErr: () => undefined, outputError: () => undefined })
  .showHelpAfterError(false);

const CONFIG = ['--config <file>', 'the configuration; default temporal.config.ts (.mts, .js, .mjs)'] as const;

/** With what every command has that speaks to a server. */
function command(name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option(...CONFIG)
    .option('--address <host:port>', 'a server without credentials; default: what environment or configuration say')
    .option('--namespace <name>', 'default: what configuration or environment say');
}

program
  .command('dev')
  .description(
    'Keeps a worker running, started anew when the configuration or what it imports changes, and a Temporal server where none is named.',
  )
  .option(...CONFIG)
  .action(async (given: DevArguments) => (await import('./commands/dev.ts')).dev(given));

command('worker', 'Runs a worker for everything that the configuration names, until it is told to stop.')
  .addOption(new Option('--under-dev').hideHelp())
  .action(async (given: WorkerArguments) => (await import('./commands/worker.ts')).worker(given));

command('sessions', 'Lists sessions, the newest first.')
  .option('--task-queue <name>', "default: the configuration's, else outlive")
  .option('--agent <name>', 'only those of this agent')
  .addOption(new Option('--status <status>', 'only those that are').choices(['open', 'closed']))
  .option('--prefix <text>', 'only those whose id begins with it')
  .option('--limit <n>', 'at most so many, 1 to 1000; default 100', wholeNumber)
  .option('--after <place>', 'goes on where a list before has ended')
  .option('--json', 'a row of JSON a line')
  .action(async (given: SessionsArguments) => (await import('./commands/sessions.ts')).sessions(given));

command('close', 'Ends a session; its runs go on unless they are cancelled.')
  .argument('<session>', 'its id')
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
  .argument('[folder]', 'where; default: here')
  .action(async (folder: string | undefined) => (await import('./commands/init.ts')).init(folder));

// Whoever read what is written has gone.
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => process.exit(code === 'EPIPE' ? 0 : 1));

try {
  await program.parseAsync();
  process.exit(0);
} catch (error) {
  process.exit(told(error));
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/u.test(text)) throw new InvalidArgumentError('Expected a whole number.');
  return Number(text);
}

/** One sentence on stderr, and the exit code. */
function told(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    if (error.code === 'commander.help') {
      console.error(program.helpInformation());
      return USED_WRONGLY;
    }
    console.error(`${sentence(error)} "outlive --help" shows how it is used.`);
    return USED_WRONGLY;
  }
  const known = error instanceof Problem || error instanceof ServerProblem || error instanceof OutliveError;
  console.error(known ? error.message : error);
  return error instanceof Problem ? error.code : 1;
}

function sentence({ message }: Error): string {
  const text = message
    .replace(/^error: /u, '')
    .replaceAll(/\s+/gu, ' ')
    .trim();
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}
