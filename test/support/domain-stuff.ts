/** Fills a session through its real admission, with as much of the nastiest as that takes, up to the first refusal. */
import * as fc from 'fast-check';
import { handlerFailed } from '../../src/domain/run/handlers.ts';
import { letterSent } from '../../src/domain/run/outbox.ts';
import { messageRun } from '../../src/domain/run/to-runs.ts';
import { liveBytes } from '../../src/domain/log/capacity.ts';
import { cancelRun } from '../../src/domain/run/cancel.ts';
import type { StartRun } from '../../src/domain/run/admission.ts';
import { startRun } from '../../src/domain/run/start.ts';
import { cancelTurn } from '../../src/domain/turn/cancel.ts';
import { submitTurn, type SubmitTurn } from '../../src/domain/turn/submit.ts';
import { isRefusal, type Json, type OnMilestones } from '../../src/domain/state/types.ts';
import { Driver, noise, user } from './domain.ts';

/** Stands for text that can hardly be deflated, other text each time. */
const NOISE = 'noise';
/** Texts that take four bytes a character, grow when they become JSON, or can hardly be deflated. */
const text = fc.constantFrom<string[]>('x', '🙂', '\u0001', '"', 'é', NOISE, NOISE);
const size = fc.constantFrom<number[]>(1, 40, 300, 5000, 60_000, 250_000);
const count = fc.constantFrom<number[]>(1, 30, 400, 2000);

let unique = 0;

/** An id of 64 characters, like no other. */
function id(length = 64): string {
  const number = `${++unique}`;
  return `i${noise(Math.max(0, length - number.length - 2), unique)}.${number}`;
}

function times(most: number, act: (i: number) => boolean): void {
  for (let i = 0; i < most; i++) if (!act(i)) return;
}

function letters(letter: string, count: number): string {
  return letter === NOISE ? noise(count, ++unique) : letter.repeat(count);
}

/** JSON of about so many bytes. */
function blob(letter: string, bytes: number): Json {
  if (letter === NOISE) return { text: letters(letter, bytes) };
  return { text: letter.repeat(Math.ceil(bytes / Math.max(1, JSON.stringify(letter).length - 2))).slice(0, bytes) };
}

export const filler = fc.oneof(
  fc.record({
    fill: fc.constant('queuedRuns' as const),
    text,
    size,
    count,
    label: fc.boolean(),
    long: fc.boolean(),
    watch: fc.nat({ max: 40 }),
  }),
  fc.record({
    fill: fc.constant('queuedTurns' as const),
    text,
    size,
    count,
    merge: fc.boolean(),
    keys: fc.boolean(),
    metadata: fc.boolean(),
  }),
  fc.record({
    fill: fc.constant('waiting' as const),
    text,
    size,
    count,
    status: fc.constantFrom('completed' as const, 'failed' as const, 'cancelled' as const),
  }),
  fc.record({ fill: fc.constant('givenUp' as const), text, count, keep: fc.boolean(), comment: fc.boolean() }),
  fc.record({
    fill: fc.constant('asks' as const),
    text,
    count: fc.constantFrom(1, 20, 400),
    below: fc.boolean(),
    kept: fc.boolean(),
  }),
  fc.record({
    fill: fc.constant('messages' as const),
    text,
    size,
    count: fc.constantFrom(1, 20, 400),
    told: fc.boolean(),
  }),
  fc.record({ fill: fc.constant('handlers' as const), count: fc.constantFrom(1, 20, 400), watch: fc.nat({ max: 5 }) }),
  fc.record({
    fill: fc.constant('milestones' as const),
    text,
    count: fc.constantFrom(1, 20),
    each: fc.constantFrom(3, 150, 900),
    data: fc.boolean(),
    mode: fc.constantFrom('react' as const, 'narrate' as const),
  }),
);
export type Filler = typeof filler extends fc.Arbitrary<infer T> ? T : never;

/** What a session has gone through before; each takes a while, so each in a smaller measure too. */
export const past = fc.record({
  transcript: fc.nat({ max: 6 }),
  forgotten: fc.constantFrom<number[]>(0, 0, 300, 4300),
  turns: fc.constantFrom<number[]>(0, 120, 2100),
  text,
  size,
  long: fc.boolean(),
});
export type Past = typeof past extends fc.Arbitrary<infer T> ? T : never;

/** The step under way: calls with an answer and calls that wait for another attempt. */
export const step = fc.record({
  text,
  inputs: size,
  outputs: size,
  calls: fc.integer({ min: 1, max: 12 }),
  open: fc.integer({ min: 1, max: 5 }),
});
export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

export function stuffed(given: {
  limits: object;
  batch: boolean;
  metadata: boolean;
  before: Past;
  step: Step;
  fillers: readonly Filler[];
}): Driver {
  const limits = {
    maxQueuedBytes: 1_000_000_000,
    maxQueuedTurns: 1_000_000,
    maxQueuedRuns: 1_000_000,
    maxConcurrentRuns: 1000,
    ...given.limits,
  };
  const d = Driver.session({
    id: `s${'-'.repeat(127)}`,
    limits,
    budgets: { turnMs: 1e12, maxBudgetMs: 1e11 },
    turns: { batchBackground: given.batch },
  });
  if (given.metadata) Object.assign(d.state, { title: '🙂'.repeat(200), metadata: { text: 'x'.repeat(8000) } });
  live(d, given.before);
  begin(d, given.step);
  for (const one of given.fillers) fill(d, one);
  d.confirm();
  while (d.asks('tool')) d.failTool('threw');
  // What has left and was not acknowledged leaves again.
  while (d.asks('tell')) {
    const { key, letter } = d.take('tell');
    d.send((cx) => letterSent(cx, key, letter, 'refused'));
  }
  return d;
}

function live(d: Driver, before: Past): void {
  for (let i = 0; i < before.transcript; i++) {
    d.submit(user(letters(before.text, 20_000)), { metadata: { note: 'x'.repeat(1000) } });
    d.say([{ id: id(), input: 'y'.repeat(5000) }]);
    d.answerTool(blob(before.text, before.size));
    d.say(letters(before.text, 1000));
  }
  const length = before.long ? 64 : 12;
  for (let i = 0; i < before.forgotten; i++) {
    const runId = id(length);
    d.running(runId, { detached: { notify: 'silent' } });
    d.settled(
      runId,
      i % 2 === 0
        ? { result: blob(before.text, Math.min(before.size, 5000)) }
        : {
            status: 'failed',
            reason: 'agent_error',
            error: { type: 'E'.repeat(256), message: letters(before.text, 2000) },
          },
    );
  }
  for (let i = 0; i < before.turns; i++) {
    // Two keys for each turn, the second with the id of the turn that its input was merged into.
    const turnId = id(length);
    d.submit('first', { turnId, onBusy: { debounceMs: 1e12 } });
    d.submit('second', { idempotencyKey: id(), onBusy: { debounceMs: 1e12 } });
    d.send((cx) => cancelTurn(cx, { turnId, reason: before.text }));
  }
}

/** Starts a turn and leaves it between two attempts of its tools. */
function begin(d: Driver, { text: letter, inputs, outputs, calls, open }: Step): void {
  d.submit('go');
  d.say(
    Array.from({ length: calls }, (_, i) => ({
      id: id(),
      name: 'tool',
      input: i < open ? blob(letter, inputs) : 'small',
      retries: 1_000_000,
    })),
  );
  const { turn } = d.state;
  for (let i = open; i < calls && d.asked.filter((effect) => effect.do === 'tool').length > 1; i++)
    d.answerTool(blob(letter, outputs), turn?.calls.at(-1)?.toolCallId);
  while (d.asks('tool')) d.failTool('threw');
  if (d.asks('model')) begin(d, { text: letter, inputs: 1, outputs: 1, calls: 1, open: 1 });
}

function started(d: Driver, request: Partial<StartRun>): boolean {
  return !isRefusal(d.send((cx) => startRun(cx, { agent: 'load', input: null, ...request })));
}

function fill(d: Driver, one: Filler): void {
  switch (one.fill) {
    case 'queuedRuns':
      times(one.count, () => {
        const names = Array.from({ length: one.watch }, () => id(one.long ? 64 : 8));
        const watch: OnMilestones = { names, mode: 'react' };
        return started(d, {
          input: blob(one.text, Math.min(one.size, 200_000)),
          runId: id(one.long ? 64 : 10),
          ...(one.label ? { label: letters(one.text, 200) } : {}),
          ...(one.watch % 2 === 0 ? {} : { metadata: blob(one.text, Math.min(one.size, 8000)) }),
          detached: {
            notify: 'narrate',
            onBudget: 'keep',
            maxBudgetMs: 90_000_000_000,
            noProgressBudgetMs: 0,
            ...(one.watch === 0 ? {} : { onMilestones: watch }),
          },
        });
      });
      return;
    case 'queuedTurns':
      times(one.count, () => {
        const given: SubmitTurn = {
          input: user(letters(one.text, Math.min(one.size, 20_000))),
          ...(one.keys
            ? {
                turnId: id(),
                idempotencyKey: `${id(20)}${one.text === '\u0001' ? '"'.repeat(230) : letters(one.text, 230)}`,
              }
            : {}),
          ...(one.merge ? { onBusy: 'merge' } : {}),
          ...(one.metadata ? { metadata: blob(one.text, 3000) } : {}),
        };
        return !isRefusal(d.send((cx) => submitTurn(cx, given)));
      });
      return;
    case 'waiting':
      times(one.count, () => {
        const runId = id();
        if (!started(d, { runId, label: 'waits' })) return false;
        d.confirm();
        const words = letters(one.text, 2000);
        if (one.status === 'cancelled') d.send((cx) => cancelRun(cx, { runId, reason: words }));
        d.settled(runId, {
          status: one.status,
          ...(one.status === 'completed' ? { result: blob(one.text, Math.min(one.size, 63_000)) } : {}),
          ...(one.status === 'failed' ? { error: { type: letters(one.text, 128), message: words }, reason: id() } : {}),
          progress: { n: 9, at: '2030-01-01T00:00:00.000Z', message: words, phase: words, data: 'x'.repeat(8000) },
          cancelled: Array.from({ length: 5 }, () => id(500)),
          usage: { inputTokens: 1e12, outputTokens: 1e12, totalTokens: 2e12, modelCalls: 1e9, costUsd: 123.456789 },
        });
        return true;
      });
      return;
    case 'givenUp': {
      const before = d.now;
      times(one.count, () =>
        started(d, {
          runId: id(),
          label: letters(one.text, 40),
          detached: { onBudget: one.keep ? 'keep' : 'cancel', maxBudgetMs: 1 },
        }),
      );
      d.confirm();
      if (d.now === before) d.now += 1;
      d.send(() => undefined);
      for (const row of d.state.runs.all.filter((each) => each.status === 'interrupted'))
        if (one.comment) d.send((cx) => cancelRun(cx, { runId: row.runId, reason: letters(one.text, 2000) }));
      while (d.asks('tool')) d.failTool('threw');
      return;
    }
    case 'milestones':
      times(one.count, () => {
        const runId = id();
        if (!started(d, { runId, detached: { onMilestones: { names: '*', mode: one.mode } } })) return false;
        d.confirm();
        d.reached(
          runId,
          Array.from(
            { length: one.each },
            (_, i) =>
              [i + 1, id(64), ...(one.data ? [blob(one.text, Math.floor(8000 / one.each) + 100)] : [])] as [
                number,
                string,
                Json?,
              ],
          ),
        );
        return true;
      });
      return;
    case 'asks':
      times(one.count, (i) => {
        const runId = id();
        if (!started(d, { runId })) return false;
        d.confirm();
        const asked = { n: i + 1, below: one.below ? id() : '' };
        d.question(runId, { ...asked, runId, turnId: id(), toolCallId: id(), question: letters(one.text, 2000) });
        if (!one.kept) d.question(runId, { ...asked, status: 'answered' });
        return true;
      });
      return;
    case 'messages':
      times(one.count, () => {
        const runId = id();
        if (!started(d, { runId })) return false;
        const accepted = !isRefusal(
          d.send((cx) =>
            messageRun(cx, { runId, messageId: id(), message: letters(one.text, Math.min(one.size, 60_000)) }),
          ),
        );
        d.confirm();
        while (d.tells('runMessage')) d.arrives('runMessage', one.told ? 'sent' : 'refused');
        return accepted;
      });
      return;
    case 'handlers':
      times(one.count, () => {
        const runId = id();
        if (
          !started(d, {
            runId,
            detached: {
              onFinish: 'told',
              onMilestones: { names: Array.from({ length: one.watch }, (_, i) => `name-${i}`), mode: 'narrate' },
            },
          })
        )
          return false;
        d.confirm();
        d.reached(
          runId,
          Array.from({ length: one.watch }, (_, i) => [i + 1, `name-${i}`] as [number, string]),
        );
        d.settled(runId);
        return true;
      });
      while (d.asks('handler')) {
        const { key } = d.take('handler');
        d.send((cx) => handlerFailed(cx, key, { type: 'Error', message: 'no' }));
      }
      return;
    default:
      one satisfies never;
  }
}

/** Fills what is left of the room with the smallest runs. */
export function toTheBrim(d: Driver): number {
  times(100_000, () => started(d, { runId: id(64) }));
  d.confirm();
  return liveBytes(d.state);
}
