/** Usage adds up: a turn's is that of the answers it took, a total is one's own and what the runs below have told with their end. */
import type { OutliveEvent } from '../../src/contract.ts';
import { violation, type Log, type Rule } from './facts.ts';
import { endsOf, isOwn, runsOf } from './runs-of.ts';
import { answersOf, stepsOf } from './steps.ts';

interface Usage {
  inputTokens: number;
  outputTokens: number;
  totalTokens: number;
  modelCalls: number;
}

const FIELDS = ['inputTokens', 'outputTokens', 'totalTokens', 'modelCalls'] as const;

function sum(all: readonly Usage[]): Usage {
  const total = { inputTokens: 0, outputTokens: 0, totalTokens: 0, modelCalls: 0 };
  for (const one of all) for (const field of FIELDS) total[field] += one[field];
  return total;
}

function usageOf(event: OutliveEvent): Usage[] {
  return event['usage'] === undefined ? [] : [event['usage'] as Usage];
}

const shown = (usage: Usage): string => FIELDS.map((field) => `${usage[field]} ${field}`).join(', ');
const isSame = (a: Usage, b: Usage): boolean => FIELDS.every((field) => a[field] === b[field]);

export const turnsAddUp: Rule = function* (session, { effects }) {
  const answers = answersOf(effects);
  for (const log of session.logs) {
    const taken = Map.groupBy(stepsOf(log), ({ turnId }) => turnId);
    for (const event of log.events) {
      if (!event.type.startsWith('turn.')) continue;
      const [told] = usageOf(event);
      if (told === undefined) continue;
      const used = sum(
        (taken.get(event.turnId) ?? []).flatMap(({ answer }) => {
          const given = answers.get(answer ?? -1);
          if (given === undefined) return [];
          const { inputTokens, outputTokens } = given;
          return [{ inputTokens, outputTokens, totalTokens: inputTokens + outputTokens, modelCalls: 1 }];
        }),
      );
      if (!isSame(told, used))
        yield violation(
          session,
          log.workflowId,
          `turn ${String(event.turnId)} tells ${shown(told)}, its answers had ${shown(used)}`,
        );
    }
  }
};

export const totalsAddUp: Rule = function* (session) {
  for (const log of session.logs) {
    const end = endOf(log, session.sessionId);
    const [told] = end === undefined ? [] : usageOf(end);
    if (told === undefined) continue;
    const runs = runsOf(log, session);
    const own = sum(log.events.filter(({ type }) => type.startsWith('turn.')).flatMap(usageOf));
    const below = sum(
      runs.flatMap(({ events }) => events.filter(({ type }) => type === 'run.settled').flatMap(usageOf)),
    );
    const all = sum([own, below]);
    // Of runs that go on after it, it counts what it has seen.
    const isWhole = runs.every(({ events }) => events.some(({ type }) => type === 'run.settled'));
    const isRight = isWhole ? isSame(told, all) : FIELDS.every((field) => told[field] >= all[field]);
    if (!isRight)
      yield violation(session, log.workflowId, `it tells ${shown(told)} in all, its turns and runs had ${shown(all)}`);
  }
};

export const endsAgree: Rule = function* (session) {
  for (const log of session.logs) {
    for (const { workflowId, events, own } of runsOf(log, session)) {
      const [settled, end] = [events.find(({ type }) => type === 'run.settled'), endsOf(own)[0]];
      if (settled === undefined || end === undefined) continue;
      const [[told], [said]] = [usageOf(settled), usageOf(end)];
      if (told !== undefined && said !== undefined && !isSame(told, said))
        yield violation(session, workflowId, `it says that it used ${shown(said)}, its starter ${shown(told)}`);
    }
  }
};

function endOf(log: Log, sessionId: string): OutliveEvent | undefined {
  return log.events.find((event) =>
    log.workflowId === sessionId ? event.type === 'session.closed' : event.type === 'run.settled' && isOwn(log, event),
  );
}
