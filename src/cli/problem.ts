import { OutliveError } from '../errors.ts';
import { ServerProblem } from '../server/problem.ts';

/** What a command ends with: one sentence for the person who typed it, and its exit code. */
export class Problem extends Error {
  override readonly name = 'Problem';
  /** 1: it could not be done. 2: it was used wrongly. */
  readonly code: 1 | 2;

  constructor(message: string, code: 1 | 2 = 1, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Whether it is one sentence for a person; anything else is a fault of a program. */
export function isSentence(error: unknown): error is Error {
  return error instanceof Problem || error instanceof ServerProblem || error instanceof OutliveError;
}
