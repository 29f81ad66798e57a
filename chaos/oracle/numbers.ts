/** The numbers of events: without a gap in each log, and in the stream of the tree each event once. */
import type { OutliveEvent } from '../../src/contract.ts';
import { violation, type Log, type Rule } from './facts.ts';
import { isOwn } from './runs-of.ts';

export const numbered: Rule = function* (session) {
  for (const { workflowId, events } of session.logs) {
    for (const [i, { seq }] of events.entries()) {
      if (seq === i + 1) continue;
      yield violation(session, workflowId, `event ${seq} of the log stands where ${i + 1} is expected`);
      break;
    }
  }
};

/** A run's milestones and end stand in two logs, its own and its starter's, and are told once. */
export const toldOnce: Rule = function* (session) {
  if (session.merged === undefined) return;
  const told = new Map<string, number>();
  const last = new Map<string, number>();
  for (const event of session.merged) {
    const { workflowId, seq } = event;
    if (seq <= (last.get(workflowId) ?? 0))
      yield violation(session, workflowId, `the stream tells event ${seq} after event ${last.get(workflowId)}`);
    last.set(workflowId, seq);
    const what = identity(
      session.logs.find((log) => log.workflowId === workflowId),
      event,
    );
    told.set(what, (told.get(what) ?? 0) + 1);
  }
  const wanted = new Map(
    session.logs.flatMap((log) => log.events.map((event) => [identity(log, event), event] as const)),
  );
  for (const [what, { workflowId, seq, type }] of wanted) {
    const times = told.get(what) ?? 0;
    if (times !== 1) yield violation(session, workflowId, `the stream tells event ${seq} (${type}) ${times} times`);
  }
};

/** The same for a run's own word and for what its starter makes of it. */
function identity(log: Log | undefined, event: OutliveEvent): string {
  const { workflowId, seq, type, runId } = event;
  if (type !== 'run.settled' && type !== 'run.milestone') return `${workflowId} ${seq}`;
  const run = log !== undefined && isOwn(log, event) ? workflowId : `${workflowId}/${runId}`;
  return type === 'run.settled' ? `${run} settled` : `${run} milestone ${String(event['n'])}`;
}
