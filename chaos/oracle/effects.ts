/** What was done in the world: no tool that may not be done twice, no finished tool or task again, and no work left out. */
import type { TaskEffect, ToolEffect } from '../effects.ts';
import { violation, type Rule } from './facts.ts';
import { endsOf, runsOf } from './runs-of.ts';
import { stepsOf, type Part } from './steps.ts';

export const toolsOnce: Rule = function* (session, { effects, stopped }) {
  for (const log of session.logs) {
    const mine = effects.filter((one): one is ToolEffect => one.kind === 'tool' && one.workflowId === log.workflowId);
    const calls = new Map<string, { answer: number | undefined; part: Part }>(
      stepsOf(log).flatMap(({ answer, turnId, parts }) =>
        parts.flatMap((part) =>
          part.toolCallId === undefined
            ? []
            : [[`${log.workflowId} ${turnId} ${part.toolCallId}`, { answer, part }] as const],
        ),
      ),
    );
    for (const [key, done] of Map.groupBy(mine, (one) => one.key)) {
      const say = (what: string) => violation(session, log.workflowId, `${what} (${done[0]?.tool}, ${key})`);
      const call = calls.get(key);
      if (call === undefined) {
        yield say('a tool was done that no finished step has asked for');
        continue;
      }
      if (call.answer !== done[0]?.answer)
        yield say(`a tool was done for answer ${done[0]?.answer}, and the log has ${call.answer}`);
      if (done.some(({ idempotent }) => !idempotent) && done.length > 1)
        yield say(`a tool that must not be done twice was done ${done.length} times`);
      const attempts = done.map(({ attempt }) => attempt);
      if (new Set(attempts).size < attempts.length) yield say('an attempt of a tool was made twice');
      const taken =
        call.part.state === 'output-available' ? (call.part.output as { attempt: number }).attempt : undefined;
      if (taken !== undefined && !attempts.includes(taken))
        yield say(`attempt ${taken} of a tool has a result and was never made`);
      const again = done.find(
        ({ attempt, worker }) => taken !== undefined && attempt > taken && !stopped.includes(worker),
      );
      if (again !== undefined)
        yield say(`a tool was finished in attempt ${taken} and done again in attempt ${again.attempt}`);
    }
  }
};

export const tasksWhole: Rule = function* (session, { effects }) {
  const byRun = Map.groupBy(
    effects.filter((one): one is TaskEffect => one.kind === 'task'),
    (one) => one.key,
  );
  for (const log of session.logs) {
    for (const { workflowId, label, own, runId } of runsOf(log, session)) {
      const say = (what: string) => violation(session, workflowId, what);
      const done = byRun.get(workflowId) ?? [];
      yield* attemptsGoOn(done, say);
      const isCompleted = endsOf(own).some((event) => event['status'] === 'completed');
      const units = new Set(done.map(({ unit }) => unit));
      const all = Array.from({ length: isCompleted ? (label.units ?? 0) : 0 }, (_, i) => i + 1);
      const missing = all.find((unit) => !units.has(unit));
      if (missing !== undefined) yield say(`it completed, and its unit ${missing} was never done`);
      const taken = attemptTold(log.events, runId);
      const again = taken === undefined ? undefined : done.find(({ attempt }) => attempt > taken);
      if (again !== undefined)
        yield say(`it was finished in attempt ${taken} and taken again in attempt ${again.attempt}`);
    }
  }
};

/** Each attempt does its units in order, begins where one before it has been, and does none twice. */
function* attemptsGoOn<V>(done: readonly TaskEffect[], say: (what: string) => V): Generator<V> {
  const reached = new Map<number, number>();
  let most = 0;
  for (const { attempt, unit, from = 0 } of done) {
    const before = reached.get(attempt);
    if (unit === 0) {
      if (before !== undefined) yield say(`its attempt ${attempt} was begun twice`);
      if (from > most) yield say(`its attempt ${attempt} begins after unit ${from}, and only ${most} were done`);
      reached.set(attempt, from);
      continue;
    }
    if (before === undefined) yield say(`its attempt ${attempt} does unit ${unit} and was never begun`);
    else if (unit !== before + 1) yield say(`its attempt ${attempt} does unit ${unit} after unit ${before}`);
    reached.set(attempt, unit);
    most = Math.max(most, unit);
  }
}

const RESULT = /"attempt":(\d+)/u;

/** The attempt whose result was delivered, where it was delivered as a message. */
function attemptTold(events: readonly { type: string; [field: string]: unknown }[], runId: string): number | undefined {
  for (const event of events) {
    if (event.type !== 'message.added') continue;
    const { metadata, parts } = event['message'] as { metadata?: Record<string, unknown>; parts: { text?: string }[] };
    if (metadata?.['kind'] !== 'finish' || metadata['runId'] !== runId || metadata['agent'] !== 'work') continue;
    const found = RESULT.exec(parts[0]?.text ?? '')?.[1];
    if (found !== undefined) return Number(found);
  }
  return undefined;
}
