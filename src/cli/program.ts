/** How commands read their arguments and end: one sentence on stderr where something is wrong, exit code 0, 1 (could not be done) or 2 (used wrongly). */
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { InvalidInput } from '../errors.ts';
import { reasonOf } from '../server/problem.ts';
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
    .option(
      '--address <host:port>',
      'a server without credentials; default: what environment or configuration say',
      something,
    )
    .option('--namespace <name>', 'default: what configuration or environment say', something);
}

export function withTaskQueue(command: Command): Command {
  return command.option('--task-queue <name>', "default: the configuration's, else outlive", something);
}

/** Ends the process. */
export async function runProgram(program: Command): Promise<never> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever read what is written has gone.
    if (error.code === 'EPIPE') process.exit(0);
    console.error(`The output cannot be written (${reasonOf(error)}).`);
    process.exit(1);
  });
  let used = program;
  for (const command of program.commands)
    command.exitOverride((error) => {
      used = command;
      throw error;
    });
  let code = 0;
  try {
    await program.parseAsync();
  } catch (error) {
    code = told(used === program ? program.name() : `${program.name()} ${used.name()}`, used, error);
  }
  // What could not be written is told before this is.
  await new Promise((resolve) => process.stdout.write('', resolve));
  process.exit(code);
}

export function wholeNumber(from: number, to: number): (text: string) => number {
  return (text) => {
    const isOne = /^\d{1,9}$/u.test(text) && Number(text) >= from && Number(text) <= to;
    if (!isOne) throw new InvalidArgumentError(`Expected a whole number, ${from} to ${to}.`);
    return Number(text);
  };
}

export function matching(pattern: RegExp, what: string): (text: string) => string {
  return (text) => {
    if (!pattern.test(text)) throw new InvalidArgumentError(`Expected ${what}.`);
    return text;
  };
}

export const something = matching(/\S/u, 'something, got nothing');

/** What a command was given is its user's. @throws Problem that says so in place of InvalidInput. */
export async function asGiven<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw error instanceof InvalidInput ? new Problem(error.message, USED_WRONGLY) : error;
  }
}

function told(name: string, used: Command, error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    if (error.code === 'commander.help') {
      console.error(used.helpInformation());
      return USED_WRONGLY;
    }
    console.error(`${sentence(error)} "${name} --help" shows how it is used.`);
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
