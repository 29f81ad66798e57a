/** How commands read their arguments and end: one sentence on stderr where something is wrong, exit code 0, 1 (could not be done) or 2 (used wrongly). */
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { isSentence, Problem } from './problem.ts';

const USED_WRONGLY = 2;

/** Leaves to `runProgram` what is said and how it ends; commands that are made from it do the same. */
export function programOf(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined, outputError: () => undefined })
    .showHelpAfterError(false);
}

/** Which server a command speaks to. */
export function withServer(command: Command): Command {
  return command
    .option('--address <host:port>', 'a server without credentials; default: what environment or configuration say')
    .option('--namespace <name>', 'default: what configuration or environment say');
}

export function withTaskQueue(command: Command): Command {
  return command.option('--task-queue <name>', "default: the configuration's, else outlive");
}

/** Ends the process. */
export async function runProgram(program: Command): Promise<never> {
  // Whoever read what is written has gone.
  process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => process.exit(code === 'EPIPE' ? 0 : 1));
  try {
    await program.parseAsync();
  } catch (error) {
    process.exit(told(program, error));
  }
  process.exit(0);
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/u.test(text)) throw new InvalidArgumentError('Expected a whole number.');
  return Number(text);
}

function told(program: Command, error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    if (error.code === 'commander.help') {
      console.error(program.helpInformation());
      return USED_WRONGLY;
    }
    console.error(`${sentence(error)} "${program.name()} --help" shows how it is used.`);
    return USED_WRONGLY;
  }
  console.error(isSentence(error) ? error.message : error);
  return error instanceof Problem ? error.code : 1;
}

function sentence({ message }: Error): string {
  const text = message
    .replace(/^error: /u, '')
    .replaceAll(/\s+/gu, ' ')
    .trim();
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}
