#!/usr/bin/env node
/** The command `outlive`. Each command is loaded when it is asked for, so that none pays for another. */
import { Command, CommanderError } from 'commander';
import { createRequire } from 'node:module';
import { OutliveError } from '../errors.ts';
import { ServerProblem } from '../server/problem.ts';
import { Problem } from './problem.ts';
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

program
  .command('worker')
  .description('Runs a worker for everything that the configuration names, until it is told to stop.')
  .option('--config <file>', 'the configuration; default temporal.config.ts (.mts, .js, .mjs)')
  .option('--address <host:port>', 'a server without credentials; default: what the environment says')
  .option('--namespace <name>', 'default: what configuration or environment say')
  .action(async (given: WorkerArguments) => (await import('./commands/worker.ts')).worker(given));

try {
  await program.parseAsync();
  process.exit(0);
} catch (error) {
  process.exit(told(error));
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
  const text = message.replace(/^error: /u, '').trim();
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}
