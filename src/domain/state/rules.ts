/**
 * The rules by which an execution decides, as a number. Whatever comes out of an input as a command must stay the same for an execution
 * that began under older rules, since its history is replayed by newer code: a change of that kind is written under the next number,
 *
 *     if (state.rules >= 2) … else …
 *
 * and the old branch goes once nothing decides by it any more. Rules are raised when an execution continues as new.
 *
 * 1: as of 0.2.0.
 */
export const RULES = 1;

/** Code must not decide by a higher number than it knows: throws, so that another worker of the queue, with newer code, takes the task. */
export function requireRules(rules: number): void {
  if (rules > RULES)
    throw new Error(
      `This worker knows rules up to ${RULES}, and this execution decides by ${rules}: deploy a worker that knows them.`,
    );
}
