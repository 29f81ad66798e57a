/** Every accepted run settles once, and what is told of it comes in order. */
import { violation, type Rule } from './facts.ts';
import { count, endsOf, isCutShort, isOwn, runsOf } from './runs-of.ts';

/** Statuses that a run cannot have said of itself. */
const SAID_BY_OTHERS = ['start_failed', 'lost', 'timed_out'];

export const settledOnce: Rule = function* (session) {
  for (const log of session.logs) {
    for (const { workflowId, events, own } of runsOf(log, session)) {
      const say = (what: string) => violation(session, workflowId, what);
      const queued = count(events, 'run.queued');
      if (queued !== 1) yield say(`run.queued is told ${queued} times`);
      const [settled, again] = events.filter(({ type }) => type === 'run.settled');
      if (again !== undefined)
        yield say(`it settled twice, as ${String(settled?.['status'])} and as ${String(again['status'])}`);
      if (settled === undefined && !isCutShort(log, session)) yield say('it was accepted and never settled');
      if (own === undefined) {
        if (settled === undefined) yield say('it was accepted, never settled, and has no log of its own');
        continue;
      }
      const ends = endsOf(own);
      if (ends.length > 1) yield say(`it says ${ends.length} times itself how it ended`);
      if (ends.length === 0 && !own.terminated) yield say('it does not say itself how it ended');
      if (own.terminated && count(events, 'run.cancel_requested') === 0)
        yield say('it was terminated although nobody had asked it to cancel');
      const [end] = ends;
      const byItself = settled !== undefined && !SAID_BY_OTHERS.includes(String(settled['reason']));
      if (end !== undefined && byItself && end['status'] !== settled['status'])
        yield say(`it says that it ${String(end['status'])}, and its starter that it ${String(settled['status'])}`);
    }
  }
};

/** What may come of a run after it has settled. */
const AFTERWARDS = ['run.delivered'];

export const inOrder: Rule = function* (session) {
  for (const log of session.logs) {
    for (const { workflowId, events, own } of runsOf(log, session)) {
      const say = (what: string) => violation(session, workflowId, what);
      const at = (type: string): number => events.findIndex((event) => event.type === type);
      if (at('run.queued') !== 0) yield say(`its first event is ${events[0]?.type}, not run.queued`);
      for (const type of ['run.started', 'run.gave_up'])
        if (count(events, type) > 1) yield say(`${type} is told ${count(events, type)} times`);
      const settled = at('run.settled');
      const late = settled < 0 ? undefined : events.slice(settled + 1).find(({ type }) => !AFTERWARDS.includes(type));
      if (late !== undefined && late.type !== 'run.settled') yield say(`${late.type} is told after run.settled`);
      const early = events.slice(0, Math.max(0, at('run.started'))).find(({ type }) => BEGUN.includes(type));
      if (early !== undefined) yield say(`${early.type} is told before run.started`);
      const budget = events.findIndex((event) => event['reason'] === 'cancelled_by_budget');
      if (budget >= 0 && (at('run.gave_up') < 0 || at('run.gave_up') > budget))
        yield say('it was cancelled by its budget before it was given up');
      const told = events.filter(({ type }) => type === 'run.milestone');
      const gap = told.findIndex((event, i) => event['n'] !== i + 1);
      if (gap >= 0) yield say(`its milestone ${String(told[gap]?.['n'])} is told where ${gap + 1} is expected`);
      if (own === undefined) continue;
      const reached = own.events.filter((event) => event.type === 'run.milestone' && isOwn(own, event)).length;
      if (told.length > reached) yield say(`${told.length} milestones are told of it, it reached ${reached}`);
      if (settled >= 0 && !own.terminated && told.length < reached)
        yield say(`it reached ${reached} milestones before it settled, ${told.length} are told`);
    }
  }
};

/** What only a run that has started can come to. */
const BEGUN = ['run.milestone', 'run.input_required', 'run.resumed'];

/** A run's own end is the last that it says. */
export const nothingAfterTheEnd: Rule = function* (session) {
  for (const log of session.logs) {
    const ends = log.events.findIndex((event) =>
      log.workflowId === session.sessionId
        ? event.type === 'session.closed'
        : event.type === 'run.settled' && isOwn(log, event),
    );
    if (log.workflowId === session.sessionId && ends < 0)
      yield violation(session, log.workflowId, 'its log has no session.closed');
    const after = ends < 0 ? undefined : log.events.slice(ends + 1).find(({ type }) => type !== 'input.refused');
    if (after !== undefined) yield violation(session, log.workflowId, `${after.type} is told after its end`);
  }
};
