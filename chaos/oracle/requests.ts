/** Questions have one end each, and words to a run arrive once or are named as unread. */
import { violation, type Rule } from './facts.ts';
import { count, isCutShort, runsOf } from './runs-of.ts';

export const answeredOnce: Rule = function* (session) {
  for (const { workflowId, events, terminated } of session.logs) {
    const requests = Map.groupBy(
      events.filter(({ type }) => type === 'request.opened' || type === 'request.answered'),
      (event) => String(event['requestId']),
    );
    for (const [requestId, [first, ...more]] of requests) {
      if (first?.type !== 'request.opened')
        yield violation(session, workflowId, `${requestId} was answered before it was opened`);
      const ends = more.filter(({ type }) => type === 'request.answered').length;
      if (more.length !== ends) yield violation(session, workflowId, `${requestId} was opened twice`);
      if (ends !== 1 && !(ends === 0 && terminated))
        yield violation(session, workflowId, `${requestId} was answered ${ends} times`);
    }
  }
};

/** A run that waits goes on once for each time, unless it ends. */
export const goesOn: Rule = function* (session) {
  for (const log of session.logs) {
    for (const { workflowId, events } of runsOf(log, session)) {
      const waits = count(events, 'run.input_required');
      const goes = count(events, 'run.resumed');
      if (goes > waits) yield violation(session, workflowId, `it went on ${goes} times and asked ${waits} times`);
    }
  }
};

export const wordsArrive: Rule = function* (session) {
  for (const log of session.logs) {
    const sent = log.events.filter((event) => event.type === 'message.sent' && event['messageId'] !== undefined);
    const runs = new Map(runsOf(log, session).map((told) => [told.runId, told]));
    for (const event of sent) {
      const messageId = String(event['messageId']);
      const told = runs.get(event.runId ?? '');
      const times =
        told?.own?.events.filter((one) => one.type === 'message.received' && one['messageId'] === messageId).length ??
        0;
      const say = (what: string) => violation(session, `${log.workflowId}/${event.runId ?? ''}`, what);
      if (times > 1) yield say(`the message ${messageId} arrived ${times} times`);
      const settled = told?.events.find(({ type }) => type === 'run.settled');
      // The first word to a run that asks is its answer.
      const isAnswer = event['requestId'] !== undefined;
      const unread = (settled?.['unread'] as string[] | undefined) ?? [];
      if (
        times === 0 &&
        !isAnswer &&
        settled !== undefined &&
        !unread.includes(messageId) &&
        told?.own?.terminated !== true
      )
        yield say(`the message ${messageId} was accepted, never arrived, and is not named as unread`);
      if (times === 0 && !isAnswer && settled === undefined && !isCutShort(log, session))
        yield say(`the message ${messageId} was accepted and never arrived`);
    }
    const twice = [...Map.groupBy(sent, (event) => String(event['messageId']))].filter(([, all]) => all.length > 1);
    for (const [messageId, all] of twice)
      yield violation(session, log.workflowId, `the message ${messageId} was sent ${all.length} times`);
  }
};
