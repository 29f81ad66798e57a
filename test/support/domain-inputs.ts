/** Random inputs of a session, and a world that applies them: what a person, runs, the model, tools, the clock and Temporal do. */
import { hasSettled } from '../../src/domain/state/self.ts';
import { letterSent } from '../../src/domain/run/outbox.ts';
import { close } from '../../src/domain/closing.ts';
import { isQuiet, mayAbort } from '../../src/domain/advance.ts';
import { terminated } from '../../src/domain/deadlines.ts';
import { cancelRun } from '../../src/domain/run/cancel.ts';
import type { StartRun } from '../../src/domain/run/admission.ts';
import { startRun } from '../../src/domain/run/start.ts';
import type { Settled } from '../../src/domain/run/settle.ts';
import { handlerAborted, handlerDone, handlerFailed } from '../../src/domain/run/handlers.ts';
import { answerOwn, ownOpen } from '../../src/domain/run/requests.ts';
import { messageRun, takeMessages } from '../../src/domain/run/to-runs.ts';
import { detachRun, stepAborted } from '../../src/domain/turn/tool-calls.ts';
import { cancelTurn, resetTurns } from '../../src/domain/turn/cancel.ts';
import { rewind } from '../../src/domain/turn/rewind.ts';
import { submitTurn, type SubmitTurn } from '../../src/domain/turn/submit.ts';
import { isRefusal, type Milestone, type OnBusy } from '../../src/domain/state/types.ts';
import { Driver, user, type RuntimeAsk, type StartAsk, type ToolAsk } from './domain.ts';
import * as fc from 'fast-check';

const onBusy: fc.Arbitrary<OnBusy> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<OnBusy>('queue') },
  { weight: 5, arbitrary: fc.constantFrom<OnBusy>('latest', 'merge', 'drop', 'interrupt', 'steer', 'steer') },
  { weight: 1, arbitrary: fc.record({ debounceMs: fc.integer({ min: 1, max: 5000 }) }) },
);
const which = fc.nat({ max: 99 });
const words = fc.constantFrom('', 'a', 'b', 'some words', '</background-run>', 'x'.repeat(300));
const notify = fc.constantFrom('react' as const, 'react' as const, 'narrate' as const, 'silent' as const);
const names = ['half', 'most', 'done'];

/** A request, its ids by number; the same number with another text is a conflict. */
const submit = fc.record({
  do: fc.constant('submit' as const),
  text: words,
  turn: fc.option(fc.nat({ max: 40 })),
  key: fc.option(fc.nat({ max: 40 })),
  onBusy,
});
const start = fc.record({
  do: fc.constant('start' as const),
  run: fc.option(fc.nat({ max: 40 })),
  notify,
  onBudget: fc.constantFrom('cancel' as const, 'keep' as const),
  budget: fc.integer({ min: 1, max: 100_000 }),
  silence: fc.constantFrom(0, 0, 7000, 50_000),
  handler: fc.boolean(),
  watch: fc.option(
    fc.record({
      names: fc.oneof(fc.constant('*' as const), fc.subarray(names)),
      mode: fc.constantFrom('react' as const, 'narrate' as const),
    }),
  ),
});
const milestones = fc.array(fc.record({ skip: fc.integer({ min: -2, max: 3 }), name: fc.constantFrom(...names) }), {
  maxLength: 3,
});
const settle = fc.record({
  do: fc.constant('settle' as const),
  which,
  status: fc.constantFrom('completed' as const, 'completed' as const, 'failed' as const, 'cancelled' as const),
  foreign: fc.integer({ min: 0, max: 9 }),
  milestones,
});
const call = fc.record({
  kind: fc.constantFrom(
    'tool' as const,
    'tool' as const,
    'start' as const,
    'wait' as const,
    'inspect' as const,
    'cancel' as const,
    'say' as const,
    'invalid' as const,
  ),
  which,
  idempotent: fc.boolean(),
  retries: fc.nat({ max: 2 }),
});

export const input = fc.oneof(
  { weight: 8, arbitrary: submit },
  { weight: 7, arbitrary: start },
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constant('model' as const),
      calls: fc.array(call, { maxLength: 3 }),
      fails: fc.nat({ max: 9 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('tool' as const),
      how: fc.constantFrom('answer' as const, 'answer' as const, 'throw' as const, 'lost' as const),
    }),
  },
  { weight: 7, arbitrary: fc.record({ do: fc.constant('confirm' as const), fails: fc.nat({ max: 9 }) }) },
  { weight: 8, arbitrary: settle },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('milestones' as const), which, milestones }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cancelRun' as const), which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cancelTurn' as const), which: fc.option(which) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reset' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('rewind' as const), which, turn: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(0, 1, 500, 5000, 60_000, 3_600_000) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('terminated' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('continue' as const), abort: fc.boolean() }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('look' as const),
      which,
      found: fc.constantFrom(
        'open' as const,
        'open' as const,
        'nothing' as const,
        'nothing' as const,
        'closed' as const,
      ),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('message' as const), which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('told' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('ask' as const),
      which,
      n: fc.integer({ min: 1, max: 3 }),
      below: fc.boolean(),
      status: fc.constantFrom('open' as const, 'open' as const, 'answered' as const, 'withdrawn' as const),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('handler' as const), fails: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('detach' as const), which }) },
);
export type Input = typeof input extends fc.Arbitrary<infer T> ? T : never;

export const ending = fc.record({
  do: fc.constant('close' as const),
  runs: fc.constantFrom('keep' as const, 'cancel' as const),
  turn: fc.constantFrom('cancel' as const, 'finish' as const),
});
export type Ending = typeof ending extends fc.Arbitrary<infer T> ? T : never;

export const limits = fc.record({
  maxConcurrentRuns: fc.integer({ min: 1, max: 4 }),
  maxQueuedRuns: fc.integer({ min: 0, max: 4 }),
  maxQueuedTurns: fc.integer({ min: 1, max: 5 }),
  maxSteps: fc.integer({ min: 1, max: 4 }),
});

export class World {
  readonly d: Driver;
  /** Whether `continue` does anything. */
  readonly continues: boolean;
  /** What was accepted under an id or a key, so that it can be sent again. */
  readonly requests: SubmitTurn[] = [];
  private calls = 0;
  private notes = 0;

  constructor(given: Parameters<typeof Driver.session>[0], continues = true, kind: 'session' | 'run' = 'session') {
    this.d = kind === 'session' ? Driver.session(given) : Driver.run('agent', given);
    this.continues = continues;
  }

  apply(one: Input | Ending): void {
    const { d } = this;
    switch (one.do) {
      case 'submit':
        this.submit(one);
        return;
      case 'start':
        this.start(one);
        return;
      case 'model':
        if (!d.asks('model')) return;
        if (one.fails === 0) d.stumble({ maxAttempts: 3 });
        else d.say(one.calls.length === 0 ? 'text' : one.calls.map((asked) => this.ask(asked)));
        return;
      case 'tool':
        if (!d.asks('tool')) return;
        if (one.how === 'answer') d.answerTool({ ok: true });
        else d.failTool(one.how === 'throw' ? 'threw' : 'lost');
        return;
      case 'confirm': {
        const first = d.asked.find((effect) => effect.do === 'start');
        if (first === undefined) return;
        if (one.fails === 0) d.failStart(first.runId);
        else d.confirm();
        return;
      }
      case 'settle': {
        const runId = this.run(one.which);
        if (runId === undefined) return;
        const settled: Settled = {
          status: one.status,
          ...(one.status === 'completed' ? { result: { of: runId } } : {}),
          milestones: this.milestones(runId, one.milestones),
        };
        d.settled(runId, settled, one.foreign === 0 ? 'another-epoch' : undefined);
        return;
      }
      case 'milestones': {
        const runId = this.run(one.which);
        if (runId !== undefined)
          d.reached(
            runId,
            this.milestones(runId, one.milestones).map(({ n, name }) => [n, name]),
          );
        return;
      }
      case 'cancelRun': {
        const runId = this.run(one.which);
        if (runId !== undefined) d.send((cx) => cancelRun(cx, { runId }));
        return;
      }
      case 'cancelTurn': {
        const turn = one.which === null ? undefined : d.state.queue[one.which % Math.max(1, d.state.queue.length)];
        d.send((cx) => cancelTurn(cx, turn === undefined ? {} : { turnId: turn.turnId }));
        return;
      }
      case 'reset':
        d.send((cx) => resetTurns(cx, {}));
        return;
      case 'rewind':
        this.rewind(one);
        return;
      case 'pass':
        d.pass(one.ms);
        return;
      case 'terminated':
        this.terminate();
        return;
      case 'continue':
        this.continueAsNew(one.abort);
        return;
      case 'look':
        this.look(one);
        return;
      case 'message': {
        const runId = this.run(one.which);
        if (runId !== undefined) d.send((cx) => messageRun(cx, { runId, message: `message ${d.now}` }));
        return;
      }
      case 'told':
        this.told();
        return;
      case 'ask':
        this.request(one);
        return;
      case 'handler':
        this.handler(one.fails);
        return;
      case 'detach': {
        const runId = this.run(one.which);
        if (runId !== undefined) d.send((cx) => detachRun(cx, { runId }));
        return;
      }
      case 'close':
        d.send((cx) => close(cx, { runs: one.runs, turn: one.turn }));
        return;
      default:
        one satisfies never;
    }
  }

  /** Model, tools, runs and Temporal answer until nothing is asked for any more; fails if that never comes. */
  drain(): void {
    const { d } = this;
    for (let round = 0; round < 2000; round++) {
      d.confirm();
      if (hasSettled(d.state.self)) return;
      this.terminate();
      this.told();
      if (d.asks('look')) d.glance();
      this.handler(false);
      const [own] = ownOpen(d.state);
      if (d.asks('model')) d.say('text');
      else if (d.asks('tool')) d.answerTool(null);
      else if (own !== undefined) d.send((cx) => answerOwn(cx, { requestId: own.requestId, value: 'at last' }));
      else {
        const live = d.state.runs.all.find(
          (row) => row.status === 'running' || row.status === 'input_required' || row.status === 'interrupted',
        );
        if (live !== undefined && d.state.closing?.stage.is !== 'done') d.settled(live.runId);
        else if (d.state.turn !== null || d.state.queue.length > 0 || !d.state.outbox.isEmpty) d.pass(60_000);
        else return;
      }
    }
    throw new Error(
      `Expected everything to come to rest, got turn ${d.state.turn?.phase ?? 'none'}, ${d.state.queue.length} queued turns, ${d.state.runs.all.map((row) => row.status).join(' ')}.`,
    );
  }

  /** To a run its starter says the words. */
  private submit(one: Extract<Input, { do: 'submit' }>): void {
    const { d } = this;
    if (d.state.kind === 'run') {
      const messages = [{ n: ++this.notes, messageId: `note-${one.turn ?? this.notes}`, message: `${one.text}.` }];
      d.send((cx) => takeMessages(cx, { epoch: d.state.epoch, messages }));
      return;
    }
    const given: SubmitTurn = {
      input: one.text === '' ? [] : user(one.text),
      onBusy: one.onBusy,
      ...(one.turn === null ? {} : { turnId: `turn-${one.turn}` }),
      ...(one.key === null ? {} : { idempotencyKey: `key-${one.key}` }),
    };
    const answer = this.d.send((cx) => submitTurn(cx, given));
    if (!isRefusal(answer) && (one.turn !== null || one.key !== null)) this.requests.push(given);
  }

  private rewind({ which: number, turn }: Extract<Input, { do: 'rewind' }>): void {
    const { d } = this;
    const entry = d.state.transcript[number % Math.max(1, d.state.transcript.length)];
    if (entry === undefined || d.state.kind === 'run') return;
    const { turnId } = entry;
    const asked = turn && turnId !== undefined ? { turnId } : { messageId: entry.message.id };
    // What is taken back may be sent anew.
    if (!isRefusal(d.send((cx) => rewind(cx, asked)))) this.requests.length = 0;
  }

  private start(one: Extract<Input, { do: 'start' }>): void {
    const request: StartRun = {
      agent: 'load',
      input: { n: 1 },
      ...(one.run === null ? {} : { runId: `run-${one.run}` }),
      detached: {
        notify: one.notify,
        onBudget: one.onBudget,
        maxBudgetMs: one.budget,
        noProgressBudgetMs: one.silence,
        ...(one.handler ? { onFinish: 'told' } : {}),
        ...(one.watch === null ? {} : { onMilestones: one.watch }),
      },
    };
    this.d.send((cx) => startRun(cx, request));
  }

  private look({ which, found }: Extract<Input, { do: 'look' }>): void {
    const { d } = this;
    if (!d.asks('look')) return;
    const runId = this.run(which);
    if (runId === undefined || found === 'open') d.glance();
    else
      d.glance(found === 'closed' ? { runId, found, outcome: { status: 'failed', reason: 'lost' } } : { runId, found });
  }

  /** Whoever is told something has it. */
  private told(): void {
    const { d } = this;
    while (d.asks('tell')) {
      const { key, letter } = d.take('tell');
      d.send((cx) => letterSent(cx, key, letter, 'sent'));
    }
  }

  private request({ which, n, below, status }: Extract<Input, { do: 'ask' }>): void {
    const { d } = this;
    const [own] = ownOpen(d.state);
    if (own !== undefined && n > 1) {
      d.send((cx) => answerOwn(cx, { requestId: own.requestId, value: `answer ${n}` }));
      return;
    }
    const runId = this.run(which);
    if (runId === undefined) return;
    d.question(runId, { n, below: below ? 'y' : '', status });
  }

  private handler(fails: boolean): void {
    const { d } = this;
    while (d.asks('handler')) {
      const { key } = d.take('handler');
      d.send((cx) => (fails ? handlerFailed(cx, key, { type: 'Error', message: 'no' }) : handlerDone(cx, key)));
    }
  }

  private ask({
    kind,
    idempotent,
    retries,
    which: number,
  }: {
    kind: 'tool' | 'start' | 'wait' | 'inspect' | 'cancel' | 'say' | 'invalid';
    idempotent: boolean;
    retries: number;
    which: number;
  }): ToolAsk | StartAsk | RuntimeAsk {
    const id = `call-${++this.calls}`;
    if (kind === 'start') return { id, start: { agent: 'load', input: id } };
    if (kind === 'wait')
      return { id, start: { agent: 'load', input: id, wait: true, ...(idempotent ? { detachAfterMs: 5000 } : {}) } };
    const runId = this.run(number) ?? 'nobody';
    if (kind === 'inspect' || kind === 'cancel') return { id, runtime: `${kind}_run`, input: { runId } };
    if (this.d.state.kind === 'run' && kind === 'invalid')
      return idempotent
        ? { id, runtime: 'ask_parent', input: { question: `What of ${id}?` } }
        : { id, runtime: 'report_milestone', input: { name: `at-${number}`, data: { retries } } };
    if (kind === 'say') return { id, runtime: 'message_run', input: { runId, message: id } };
    return { id, idempotent, retries, input: { id }, ...(kind === 'invalid' ? { invalid: 'no such tool' } : {}) };
  }

  private run(number: number): string | undefined {
    const { runs } = this.d.state;
    const ids = [...runs.allForgotten, ...runs.all].map((row) => row.runId);
    return ids[number % Math.max(1, ids.length)];
  }

  private milestones(runId: string, given: { skip: number; name: string }[]): Milestone[] {
    let n = this.d.state.runs.peek(runId)?.milestones.at(-1)?.n ?? 0;
    return given.map(({ skip, name }) => ({
      n: (n = Math.max(1, n + skip)),
      name,
      at: new Date(this.d.now).toISOString(),
    }));
  }

  private terminate(): void {
    while (this.d.asks('terminate')) {
      const { runId } = this.d.take('terminate');
      this.d.send((cx) => terminated(cx, runId));
    }
  }

  /** At a quiet point, or after aborting the step in flight where that is allowed. */
  private continueAsNew(abort: boolean): void {
    const { d } = this;
    this.told();
    if (!this.continues) return;
    if (abort && mayAbort(d.state) && d.state.turn !== null) {
      d.holding = true;
      const { turnId, step } = d.state.turn;
      if (d.asks('model') || d.asks('tool')) {
        d.asked = d.asked.filter((effect) => effect.do !== 'model' && effect.do !== 'tool');
        d.send((cx) => stepAborted(cx, { turnId, step }));
      }
      d.holding = false;
    }
    d.holding = true;
    d.send((cx) => {
      for (const effect of d.asked) if (effect.do === 'handler') handlerAborted(cx, effect.key);
    });
    d.asked = d.asked.filter((effect) => effect.do !== 'handler');
    d.holding = false;
    if (isQuiet(d.state)) d.continueAsNew();
    else d.send(() => undefined);
  }
}
