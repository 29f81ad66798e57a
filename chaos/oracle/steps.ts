/** No finished step is taken again: each answer of a model is in one log once, and its step is not asked for any more after it. */
import type { Effect, ModelEffect } from '../effects.ts';
import { violation, type Log, type Rule } from './facts.ts';

const MARK = /^#(\d+) /u;

export interface Part {
  type: string;
  text?: string;
  toolCallId?: string;
  state?: string;
  output?: unknown;
}

/** A step that has been finished: the answer of the model that it began with. */
export interface Step {
  answer: number | undefined;
  turnId: string | undefined;
  parts: Part[];
}

/** What an agent has said, step by step; lines of the framework are none. */
export function stepsOf({ events }: Log): Step[] {
  return events.flatMap((event) => {
    if (event.type !== 'message.added') return [];
    const { role, parts, metadata } = event['message'] as {
      role: string;
      parts: Part[];
      metadata?: { source?: unknown };
    };
    if (role !== 'assistant' || metadata?.source !== undefined) return [];
    const mark = parts.map(({ text = '' }) => MARK.exec(text)?.[1]).find((one) => one !== undefined);
    return [{ answer: mark === undefined ? undefined : Number(mark), turnId: event.turnId, parts }];
  });
}

export function answersOf(effects: readonly Effect[]): Map<number, ModelEffect> {
  return new Map(effects.flatMap((one) => (one.kind === 'model' ? [[one.answer, one] as const] : [])));
}

export const stepsOnce: Rule = function* (session, { sessions, effects, stopped }) {
  const answers = answersOf(effects);
  const byStep = Map.groupBy(answers.values(), ({ key }) => key);
  const elsewhere = new Map<number, string>();
  for (const { logs, sessionId } of sessions)
    if (sessionId !== session.sessionId)
      for (const log of logs)
        for (const { answer } of stepsOf(log)) if (answer !== undefined) elsewhere.set(answer, log.workflowId);
  const here = new Map<number, string>();
  for (const log of session.logs) {
    const say = (what: string) => violation(session, log.workflowId, what);
    for (const { answer } of stepsOf(log)) {
      if (answer === undefined) {
        yield say('a step has a message that no model gave');
        continue;
      }
      const before = here.get(answer) ?? elsewhere.get(answer);
      if (before !== undefined) yield say(`answer ${answer} of the model is taken twice, here and in ${before}`);
      here.set(answer, log.workflowId);
      const given = answers.get(answer);
      if (given === undefined) {
        yield say(`answer ${answer} was never given by the model`);
        continue;
      }
      // A worker that was stopped may have taken a call before, and make it when it comes back.
      const again = byStep.get(given.key)?.find((one) => one.answer > answer && !stopped.includes(one.worker));
      if (again !== undefined)
        yield say(`the step of answer ${answer} was finished, and the model was asked again (${again.answer})`);
    }
  }
};

/** Message ids are unique in a log, and every call in a finished step has its result. */
export const messagesWhole: Rule = function* (session) {
  for (const { workflowId, events } of session.logs) {
    const seen = new Set<string>();
    for (const event of events) {
      if (event.type !== 'message.added') continue;
      const { id, parts } = event['message'] as { id: string; parts: Part[] };
      if (seen.has(id)) yield violation(session, workflowId, `the message ${id} was added twice`);
      seen.add(id);
      const open = parts.find(({ toolCallId, state }) => toolCallId !== undefined && !isAnswered(state));
      if (open !== undefined) yield violation(session, workflowId, `the call ${open.toolCallId} has no result`);
    }
  }
};

function isAnswered(state: string | undefined): boolean {
  return state === 'output-available' || state === 'output-error';
}
