/**
 * Usage adds up: a turn's is that of the answers it took, a total is one's own and what the runs below have told with their end. An answer
 * that comes when its turn has been cut short was paid for: it is in what is told after that, and in no turn.
 */
import type { OutliveEvent } from '../../src/contract.ts';
import { violation, type Facts, type Log, type Rule } from './facts.ts';
import { endsOf, isOwn, runsOf } from './runs-of.ts';
import { answersOf, stepsOf } from './steps.ts';

interface Usage {
  inputTokens: number;
  outputTokens: number;
  totalTokens: number;
  modelCalls: number;
}

type Tokens = Pick<Usage, 'inputTokens' | 'outputTokens'>;

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

function asUsage({ inputTokens, outputTokens }: Tokens): Usage {
  return { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens, modelCalls: 1 };
}

/** Usage of the answers that no step has taken. */
function untakenOf({ sessions, effects }: Facts): Usage[] {
  const left = answersOf(effects);
  for (const { logs } of sessions)
    for (const log of logs) for (const { answer } of stepsOf(log)) left.delete(answer ?? -1);
  return [...left.values()].map(asUsage);
}

/** True when what is told beyond what is known is that of answers that came when a turn of this log had been cut short. */
function isLate(log: Log, told: Usage, known: Usage, untaken: readonly Usage[]): boolean {
  const cut = log.events.filter(({ type }) => type === 'turn.cancelled' || type === 'turn.failed').length;
  return isSumOf(less(told, known), untaken, cut);
}

function less(from: Usage, usage: Usage): Usage {
  const left = { ...from };
  for (const field of FIELDS) left[field] -= usage[field];
  return left;
}

/** Of at most so many of them. */
function isSumOf(usage: Usage, those: readonly Usage[], most: number): boolean {
  if (isSame(usage, sum([]))) return true;
  if (most === 0 || FIELDS.some((field) => usage[field] < 0)) return false;
  return those.some((one, i) => isSumOf(less(usage, one), those.slice(i + 1), most - 1));
}

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
          return [asUsage(given)];
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

export const totalsAddUp: Rule = function* (session, facts) {
  const untaken = untakenOf(facts);
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
    const isRight = isWhole ? isLate(log, told, all, untaken) : FIELDS.every((field) => told[field] >= all[field]);
    if (!isRight)
      yield violation(session, log.workflowId, `it tells ${shown(told)} in all, its turns and runs had ${shown(all)}`);
  }
};

export const endsAgree: Rule = function* (session, facts) {
  const untaken = untakenOf(facts);
  for (const log of session.logs) {
    for (const { workflowId, events, own } of runsOf(log, session)) {
      const [settled, end] = [events.find(({ type }) => type === 'run.settled'), endsOf(own)[0]];
      if (own === undefined || settled === undefined || end === undefined) continue;
      const [[told], [said]] = [usageOf(settled), usageOf(end)];
      if (told !== undefined && said !== undefined && !isLate(own, told, said, untaken))
        yield violation(session, workflowId, `it says that it used ${shown(said)}, its starter ${shown(told)}`);
    }
  }
};

function endOf(log: Log, sessionId: string): OutliveEvent | undefined {
  return log.events.find((event) =>
    log.workflowId === sessionId ? event.type === 'session.closed' : event.type === 'run.settled' && isOwn(log, event),
  );
}
