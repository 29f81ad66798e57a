/**
 * What goes wrong with the Temporal server or the Temporal CLI, told to the person who ran the command.
 * The message is exactly one sentence that names the thing and what to do about it; there is nothing to match but the class.
 */
export class ServerProblem extends Error {
  override readonly name = 'ServerProblem';
}

/** The first line of an error, with the cause that explains it, made to fit inside a sentence. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return inSentence(String(error));
  const { cause } = error;
  if (cause instanceof Error) return reasonOf(cause);
  // Node's error for a host with several addresses has an empty message.
  return inSentence(error.message || (error as NodeJS.ErrnoException).code || error.name);
}

/** One line, no final full stop. */
export function inSentence(text: string): string {
  const line =
    text
      .split('\n')
      .map((part) => part.trim())
      .find((part) => part !== '') ?? 'no reason given';
  return line.replace(/[.\s]+$/, '');
}
