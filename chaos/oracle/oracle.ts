/** Everything that must hold after a round. Pure: the same facts, the same violations. */
import { deliveredInOrder, deliveredOnce, carried } from './deliveries.ts';
import { tasksWhole, toolsOnce } from './effects.ts';
import { violation, type Facts, type Rule, type Violation } from './facts.ts';
import { numbered, toldOnce } from './numbers.ts';
import { answeredOnce, goesOn, wordsArrive } from './requests.ts';
import { inOrder, nothingAfterTheEnd, settledOnce } from './runs.ts';
import { messagesWhole, stepsOnce } from './steps.ts';
import { acceptedOnce, oneTurnAtATime, refusedRightly, turnsEndOnce } from './turns.ts';
import { endsAgree, totalsAddUp, turnsAddUp } from './usage.ts';

const nothingOpen: Rule = function* (session) {
  for (const workflowId of session.open)
    yield violation(session, workflowId, 'it is still open after all has been closed');
};

const everythingRead: Rule = function* (session) {
  for (const { workflowId, why } of session.unread)
    yield violation(session, workflowId, `its log cannot be read: ${why}`);
};

const nothingAfterClose: Rule = function* (session) {
  for (const what of session.told.afterEnd)
    yield violation(session, session.sessionId, `it took ${what} after its end`);
};

const RULES: readonly Rule[] = [
  numbered,
  toldOnce,
  settledOnce,
  inOrder,
  nothingAfterTheEnd,
  deliveredOnce,
  deliveredInOrder,
  carried,
  oneTurnAtATime,
  turnsEndOnce,
  acceptedOnce,
  refusedRightly,
  answeredOnce,
  goesOn,
  wordsArrive,
  stepsOnce,
  messagesWhole,
  toolsOnce,
  tasksWhole,
  turnsAddUp,
  totalsAddUp,
  endsAgree,
  nothingOpen,
  everythingRead,
  nothingAfterClose,
];

export function judge(facts: Facts): Violation[] {
  return facts.sessions.flatMap((session) => RULES.flatMap((rule) => [...rule(session, facts)]));
}

/** In one sentence, with all that it takes to have it again. */
export function sentence(
  { seed, round }: { seed: number; round: number },
  { sessionId, run, what }: Violation,
): string {
  return `seed ${seed}, round ${round}, session ${sessionId}${run === undefined ? '' : `, run ${run}`}: ${what.replace(/\.$/u, '')}.`;
}
