/** The oracle of `npm run chaos` finds nothing where all is right, and each kind of fault by its own sentence: it can fail. */
import { describe, expect, test } from 'vitest';
import type { OutliveEvent } from '../../src/contract.ts';
import type { Effect } from '../../chaos/effects.ts';
import type { Facts, Log, SessionFacts } from '../../chaos/oracle/facts.ts';
import { judge, sentence } from '../../chaos/oracle/oracle.ts';
import { goodFacts, mergedOf } from '../support/chaos-facts.ts';

class Made {
  readonly facts: Facts = goodFacts();

  get session(): SessionFacts {
    const [session] = this.facts.sessions;
    if (session === undefined) throw new Error('Expected a session, got none.');
    return session;
  }

  log(workflowId: string): Log {
    const log = this.session.logs.find((one) => one.workflowId === workflowId);
    if (log === undefined) throw new Error(`Expected a log of ${workflowId}, got none.`);
    return log;
  }

  find(workflowId: string, type: string, about: Record<string, unknown> = {}): OutliveEvent {
    const event = this.log(workflowId).events.find(
      (one) => one.type === type && Object.entries(about).every(([field, value]) => one[field] === value),
    );
    if (event === undefined) throw new Error(`Expected ${type} in ${workflowId}, got none.`);
    return event;
  }

  drop(workflowId: string, ...which: [type: string, about?: Record<string, unknown>]): void {
    const { events } = this.log(workflowId);
    events.splice(events.indexOf(this.find(workflowId, ...which)), 1);
    this.renumber();
  }

  /** Once more, directly after itself. */
  repeat(workflowId: string, ...which: [type: string, about?: Record<string, unknown>]): void {
    const { events } = this.log(workflowId);
    const event = this.find(workflowId, ...which);
    events.splice(events.indexOf(event), 0, { ...event });
    this.renumber();
  }

  /** An event to before another one of its log. */
  move(workflowId: string, event: OutliveEvent, before: OutliveEvent): void {
    const { events } = this.log(workflowId);
    events.splice(events.indexOf(event), 1);
    events.splice(events.indexOf(before), 0, event);
    this.renumber();
  }

  add(workflowId: string, before: OutliveEvent, event: Partial<OutliveEvent>): void {
    const { events } = this.log(workflowId);
    events.splice(events.indexOf(before), 0, { ...before, ...event });
    this.renumber();
  }

  renumber(): void {
    for (const { events } of this.session.logs) for (const [i, event] of events.entries()) event.seq = i + 1;
    this.session.merged = mergedOf(this.session.logs);
  }

  get merged(): OutliveEvent[] {
    return this.session.merged ?? [];
  }

  get effects(): Effect[] {
    return this.facts.effects as Effect[];
  }

  effect(...more: Effect[]): void {
    this.effects.push(...more);
  }

  tool(more: object = {}): Effect {
    const found = this.facts.effects.find(({ kind }) => kind === 'tool');
    return { ...found, ...more } as Effect;
  }
}

const IDEMPOTENT = { idempotent: true, tool: 'note' };

function idempotent(made: Made, ...attempts: { attempt: number; worker?: string }[]): void {
  made.effects.splice(0, made.effects.length, ...made.effects.filter(({ kind }) => kind !== 'tool'));
  const found = goodFacts().effects.find(({ kind }) => kind === 'tool');
  made.effect(...attempts.map((one) => ({ ...found, ...IDEMPOTENT, ...one }) as Effect));
}

const STEER = { inputs: [{ source: 'user', key: 'k9' }], usage: undefined };

/** An input that joins turn t1 while that runs, and is left over when it ends: a turn of its own then, which reads it so many times. */
function leftOver(made: Made, reads: number): void {
  const end = made.find('s', 'turn.completed', { turnId: 't1' });
  const closed = made.find('s', 'session.closed');
  made.session.told.turns.push('k9');
  made.add('s', end, { type: 'turn.joined', turnId: 't1', ...STEER });
  made.add('s', closed, { type: 'turn.queued', turnId: 't9', ...STEER });
  made.add('s', closed, { type: 'turn.started', turnId: 't9', ...STEER });
  for (let i = 0; i < reads; i++)
    made.add('s', closed, {
      type: 'message.added',
      turnId: 't9',
      message: { id: `k9-${i}`, role: 'user', parts: [{ type: 'text', text: '{"key":"k9","steps":[]}' }] },
    });
  made.add('s', closed, { type: 'turn.cancelled', turnId: 't9', ...STEER });
}

type Case = [fault: string, make: (made: Made) => void, says: string];

const NUMBERS: Case[] = [
  ['a gap in the log of a session', (m) => (m.find('s', 'run.resumed').seq = 99), 'stands where 11 is expected'],
  ['a gap in the log of a run', (m) => (m.find('s/tells', 'run.milestone').seq = 7), 'run tells: event 7 of the log'],
  ['an event that the stream leaves out', (m) => m.merged.splice(3, 1), 'tells event 4 (message.added) 0 times'],
  ['an event that the stream tells twice', (m) => m.merged.push(m.find('s', 'session.closed')), 'after event'],
  [
    'an end that the stream tells of the run and of its starter',
    (m) => m.merged.push(m.find('s/late', 'run.settled')),
    '(run.settled) 2 times',
  ],
];

const RUNS: Case[] = [
  [
    'a run that never settles',
    (m) => m.drop('s', 'run.settled', { runId: 'late' }),
    'it was accepted and never settled',
  ],
  [
    'a run that nobody knows the end of',
    (m) => {
      m.drop('s', 'run.settled', { runId: 'late' });
      m.session.kept = true;
      m.session.logs = m.session.logs.filter(({ workflowId }) => workflowId !== 's/late');
      m.renumber();
    },
    'it was accepted, never settled, and has no log of its own',
  ],
  [
    'a run that settles twice',
    (m) => m.repeat('s', 'run.settled', { runId: 'late' }),
    'it settled twice, as completed and',
  ],
  ['a run that is accepted twice', (m) => m.repeat('s', 'run.queued', { runId: 'late' }), 'run.queued is told 2 times'],
  ['a run that starts twice', (m) => m.repeat('s', 'run.started', { runId: 'late' }), 'run.started is told 2 times'],
  ['a run that ends without a word', (m) => m.drop('s/late', 'run.settled'), 'it does not say itself how it ended'],
  ['a run that ends twice', (m) => m.repeat('s/late', 'run.settled'), 'it says 2 times itself how it ended'],
  [
    'a run and a starter that do not agree',
    (m) => (m.find('s/late', 'run.settled')['status'] = 'cancelled'),
    'it says that it cancelled, and its starter that it completed',
  ],
  ['a run that was terminated for nothing', (m) => (m.log('s/late').terminated = true), 'although nobody had asked'],
  [
    'a run that is told of before it was accepted',
    (m) => m.move('s', m.find('s', 'run.started', { runId: 'late' }), m.find('s', 'run.queued', { runId: 'late' })),
    'its first event is run.started',
  ],
  [
    'a milestone before the start',
    (m) => m.move('s', m.find('s', 'run.milestone'), m.find('s', 'run.started', { runId: 'tells' })),
    'run.milestone is told before run.started',
  ],
  [
    'a milestone after the settle',
    (m) => m.move('s', m.find('s', 'run.settled', { runId: 'tells' }), m.find('s', 'run.milestone')),
    'run.milestone is told after run.settled',
  ],
  [
    'a milestone that is left out',
    (m) => m.drop('s', 'run.milestone'),
    'it reached 1 milestones before it settled, 0 are',
  ],
  [
    'a milestone that was never reached',
    (m) => m.drop('s/tells', 'run.milestone'),
    '1 milestones are told of it, it reached 0',
  ],
  [
    'milestones out of order',
    (m) => (m.find('s', 'run.milestone')['n'] = 2),
    'its milestone 2 is told where 1 is expected',
  ],
  [
    'a budget that cancels before it gives up',
    (m) => m.move('s', m.find('s', 'run.cancel_requested'), m.find('s', 'run.gave_up', { runId: 'cut' })),
    'it was cancelled by its budget before it was given up',
  ],
  [
    'something after the end of a session',
    (m) => m.move('s', m.find('s', 'session.closed'), m.find('s', 'run.settled', { runId: 'cut' })),
    'run.settled is told after its end',
  ],
  ['a session without an end', (m) => m.drop('s', 'session.closed'), 'its log has no session.closed'],
];

const DELIVERIES: Case[] = [
  [
    'a finish that is not delivered',
    (m) => m.drop('s', 'run.delivered', { key: 'bg-task:s:asks' }),
    'was not delivered',
  ],
  [
    'a finish that is delivered twice',
    (m) => m.repeat('s', 'run.delivered', { key: 'bg-task:s:asks' }),
    'delivered 2 times',
  ],
  [
    'a give-up that swallows the result',
    (m) => m.drop('s', 'run.delivered', { key: 'bg-task:s:late' }),
    'bg-task:s:late was not delivered',
  ],
  [
    'a give-up that is not told',
    (m) => m.drop('s', 'run.delivered', { kind: 'gave-up' }),
    'late:gave-up was not delivered',
  ],
  [
    'a milestone that is not told',
    (m) => m.drop('s', 'run.delivered', { kind: 'milestone' }),
    'milestone:half was not',
  ],
  [
    'a delivery before its fact',
    (m) => m.move('s', m.find('s', 'run.settled', { runId: 'tells' }), m.find('s', 'session.closed')),
    'was delivered before run.settled',
  ],
  [
    'a delivery of what nobody is to be told',
    (m) =>
      m.add('s', m.find('s', 'input.refused'), {
        type: 'run.delivered',
        runId: 'cut',
        key: 'bg-task:s:cut',
        kind: 'finish',
      }),
    'bg-task:s:cut was delivered, which was not due',
  ],
  [
    'a give-up that is delivered behind the finish',
    (m) => {
      const [gaveUp, finish] = [
        m.find('s', 'run.delivered', { kind: 'gave-up' }),
        m.find('s', 'run.delivered', { runId: 'late', kind: 'finish' }),
      ];
      m.move('s', finish, gaveUp);
    },
    'its gave-up was delivered after its finish',
  ],
  [
    'a delivery without its message',
    (m) => (m.find('s', 'run.delivered', { key: 'bg-task:s:tells' })['key'] = 'bg-task:s:other'),
    'was delivered without a message that carries it',
  ],
  [
    'a delivery in two turns',
    (m) =>
      m.add('s', m.find('s', 'turn.started', { turnId: 't3' }), {
        type: 'turn.joined',
        inputs: [{ source: 'background-run', key: 'bg-task:s:asks' }],
      }),
    'bg-task:s:asks is an input of 2 turns',
  ],
  [
    'a delivery in another turn than it was meant for',
    (m) => (m.find('s', 'run.delivered', { key: 'bg-task:s:asks' }).turnId = 't9'),
    'is an input of turn t2 and was delivered in t9',
  ],
];

const TURNS: Case[] = [
  [
    'two turns at a time',
    (m) =>
      m.move('s', m.find('s', 'turn.completed', { turnId: 't1' }), m.find('s', 'turn.completed', { turnId: 't2' })),
    'turn t2 started while turn t1 ran',
  ],
  ['a turn that never ends', (m) => m.drop('s', 'turn.completed', { turnId: 't3' }), 'turn t3 started and never ended'],
  ['a turn that ends twice', (m) => m.repeat('s', 'turn.completed', { turnId: 't3' }), 'turn t3 ended 2 times'],
  ['a turn that starts twice', (m) => m.repeat('s', 'turn.started', { turnId: 't3' }), 'turn t3 started 2 times'],
  ['a turn that was never queued', (m) => m.drop('s', 'turn.queued', { turnId: 't2' }), 'turn t2 was never queued'],
  ['an input that is lost', (m) => m.session.told.turns.push('k9'), 'the turn input k9 was accepted and is 0 times'],
  [
    'an input that is taken twice',
    (m) => m.repeat('s', 'turn.queued', { turnId: 't1' }),
    'k1 was accepted and is 2 times',
  ],
  ['an input that joined a turn and is read twice', (m) => leftOver(m, 2), 'the turn input k9 is read 2 times'],
  [
    'an input that has a turn of its own while the one that it joined still runs',
    (m) => {
      leftOver(m, 1);
      m.move('s', m.find('s', 'turn.queued', { turnId: 't9' }), m.find('s', 'turn.completed', { turnId: 't1' }));
    },
    'k9 was accepted and is 2 times',
  ],
  ['a run that is lost', (m) => m.session.told.runs.push('gone'), 'run gone: it was accepted and is not in the log'],
  ['a right input that is refused', (m) => (m.find('s', 'input.refused')['name'] = 'startRun'), 'startRun was refused'],
  [
    'a queued turn that is left',
    (m) =>
      m.add('s', m.find('s', 'session.closed'), { type: 'turn.queued', turnId: 't8', inputs: [{ source: 'user' }] }),
    'turn t8 never ended',
  ],
];

const REQUESTS: Case[] = [
  ['a question without an end', (m) => m.drop('s/asks', 'request.answered'), 's/asks#1 was answered 0 times'],
  ['a question that ends twice', (m) => m.repeat('s/asks', 'request.answered'), 's/asks#1 was answered 2 times'],
  ['a question that is opened twice', (m) => m.repeat('s/asks', 'request.opened'), 's/asks#1 was opened twice'],
  ['an end of what was not asked', (m) => m.drop('s/asks', 'request.opened'), 'was answered before it was opened'],
  ['a run that goes on unasked', (m) => m.drop('s', 'run.input_required'), 'it went on 1 times and asked 0 times'],
  ['a word that is lost', (m) => m.drop('s/tells', 'message.received'), 'never arrived, and is not named as unread'],
  ['a word that arrives twice', (m) => m.repeat('s/tells', 'message.received'), 'the message w1 arrived 2 times'],
  ['a word that is taken twice', (m) => m.repeat('s', 'message.sent'), 'the message w1 was sent 2 times'],
];

const STEPS: Case[] = [
  [
    'a finished step that is asked for again',
    (m) => m.effect({ kind: 'model', key: 'step 2', answer: 6, inputTokens: 10, outputTokens: 5, worker: '1' }),
    'the step of answer 2 was finished, and the model was asked again (6)',
  ],
  ['a step that is taken twice', (m) => m.repeat('s', 'message.added', { turnId: 't3' }), 'was added twice'],
  [
    'an answer that is taken in two logs',
    (m) =>
      m.add('s/asks', m.find('s/asks', 'turn.completed'), {
        type: 'message.added',
        message: { id: 'x', role: 'assistant', parts: [{ type: 'text', text: '#5 done' }] },
      }),
    'answer 5 of the model is taken twice',
  ],
  ['an answer that nobody gave', (m) => m.effects.shift(), 'answer 1 was never given'],
  [
    'a step that no model has said',
    (m) =>
      m.add('s', m.find('s', 'turn.completed', { turnId: 't3' }), {
        type: 'message.added',
        message: { id: 'x', role: 'assistant', parts: [] },
      }),
    'a step has a message that no model gave',
  ],
  [
    'a call without a result',
    (m) =>
      m.add('s', m.find('s', 'turn.completed', { turnId: 't3' }), {
        type: 'message.added',
        message: {
          id: 'x',
          role: 'assistant',
          parts: [
            { type: 'text', text: '#5 ' },
            { type: 'tool-note', toolCallId: 'c9', state: 'input-available' },
          ],
        },
      }),
    'the call c9 has no result',
  ],
];

const EFFECTS: Case[] = [
  [
    'a tool that is done twice and must not be',
    (m) => m.effect(m.tool({ attempt: 2 })),
    'must not be done twice was done 2 times',
  ],
  ['also by a worker that was stopped', (m) => m.effect(m.tool({ attempt: 2, worker: '9' })), 'must not be done twice'],
  [
    'a tool that nobody asked for',
    (m) => m.effect(m.tool({ key: 's t1 c8' })),
    'a tool was done that no finished step has asked for',
  ],
  [
    'a tool for an answer that was not taken',
    (m) => idempotent(m, { attempt: 1, answer: 7 } as never),
    'a tool was done for answer 7',
  ],
  [
    'a finished tool that is done again',
    (m) => idempotent(m, { attempt: 1 }, { attempt: 2 }),
    'done again in attempt 2',
  ],
  [
    'an attempt of a tool that is made twice',
    (m) => idempotent(m, { attempt: 1 }, { attempt: 1 }),
    'an attempt of a tool was made twice',
  ],
  [
    'a result of an attempt that was never made',
    (m) => idempotent(m, { attempt: 2 }),
    'attempt 1 of a tool has a result and was never made',
  ],
  ['a unit of a task that was left out', (m) => m.effects.pop(), 'it completed, and its unit 2 was never done'],
  [
    'a finished task that is taken again',
    (m) => m.effect({ kind: 'task', key: 's/tells', attempt: 3, unit: 0, from: 2, worker: '1' }),
    'it was finished in attempt 2 and taken again in attempt 3',
  ],
  [
    'a checkpoint of what was not done',
    (m) => m.effect({ kind: 'task', key: 's/late', attempt: 1, unit: 0, from: 3, worker: '1' }),
    'begins after unit 3, and only 0 were done',
  ],
  [
    'a unit that an attempt does twice',
    (m) => m.effect({ kind: 'task', key: 's/tells', attempt: 2, unit: 2, worker: '1' }),
    'its attempt 2 does unit 2 after unit 2',
  ],
  [
    'an attempt that is begun twice',
    (m) => m.effect({ kind: 'task', key: 's/tells', attempt: 2, unit: 0, from: 1, worker: '1' }),
    'its attempt 2 was begun twice',
  ],
  [
    'an attempt without a beginning',
    (m) => m.effect({ kind: 'task', key: 's/late', attempt: 1, unit: 1, worker: '1' }),
    'and was never begun',
  ],
];

const WRONG = { inputTokens: 10, outputTokens: 5, totalTokens: 16, modelCalls: 1 };

const NOTHING = { inputTokens: 0, outputTokens: 0, totalTokens: 0, modelCalls: 0 };
const SIX = { inputTokens: 60, outputTokens: 30, totalTokens: 90, modelCalls: 6 };

/** A turn that took nothing ends so, and an answer that nobody took is counted. */
function late(made: Made, end: 'turn.completed' | 'turn.cancelled'): void {
  const closed = made.find('s', 'session.closed');
  made.add('s', closed, { type: 'turn.queued', turnId: 't4', inputs: [], usage: undefined });
  made.add('s', closed, { type: 'turn.started', turnId: 't4', inputs: [], usage: undefined });
  made.add('s', closed, { type: end, turnId: 't4', inputs: [], usage: NOTHING });
  closed['usage'] = SIX;
  made.effect({ kind: 'model', key: 'late', answer: 99, inputTokens: 10, outputTokens: 5, worker: '1' });
}

const USAGE: Case[] = [
  [
    'a turn that tells another usage than its answers had',
    (m) => (m.find('s', 'turn.completed', { turnId: 't3' })['usage'] = WRONG),
    'turn t3 tells 10 inputTokens',
  ],
  [
    'a session that does not add up',
    (m) => (m.find('s', 'session.closed')['usage'] = WRONG),
    'it tells 10 inputTokens',
  ],
  [
    'a run that does not add up',
    (m) => (m.find('s/asks', 'run.settled')['usage'] = WRONG),
    'run asks: it tells 10 inputTokens',
  ],
  [
    'an answer that is counted though it came to no cut turn',
    (m) => late(m, 'turn.completed'),
    'it tells 60 inputTokens',
  ],
  [
    'more than the answers that came late',
    (m) => {
      late(m, 'turn.cancelled');
      m.find('s', 'session.closed')['usage'] = { ...SIX, inputTokens: 61 };
    },
    'it tells 61 inputTokens',
  ],
  [
    'a starter that counts otherwise than the run',
    (m) => (m.find('s', 'run.settled', { runId: 'asks' })['usage'] = WRONG),
    'it says that it used 10 inputTokens',
  ],
];

const ENDS: Case[] = [
  [
    'a log that cannot be read',
    (m) => m.session.unread.push({ workflowId: 's/late', why: 'It does not answer.' }),
    'run late: its log cannot be read: It does not answer.',
  ],
  [
    'a workflow that is left open',
    (m) => m.session.open.push('s/late'),
    'run late: it is still open after all has been closed',
  ],
  [
    'a closed session that takes something',
    (m) => m.session.told.afterEnd.push('the update startRun'),
    'it took the update startRun after its end',
  ],
];

test('where all is right the oracle finds nothing', () => {
  expect(judge(goodFacts())).toEqual([]);
});

describe.each(Object.entries({ NUMBERS, RUNS, DELIVERIES, TURNS, REQUESTS, STEPS, EFFECTS, USAGE, ENDS }))(
  '%s',
  (_name, cases) => {
    test.each(cases)('it finds %s', (_fault, make, says) => {
      const made = new Made();
      make(made);
      const found = judge(made.facts).map((one) => sentence({ seed: 7, round: 2 }, one));
      expect(found.filter((one) => one.includes(says))).not.toEqual([]);
      for (const one of found) expect(one).toMatch(/^seed 7, round 2, session s(?:, run \S+)?: .+\.$/u);
    });
  },
);

test('what a worker that was stopped does late is no fault where it may be done twice', () => {
  const made = new Made();
  idempotent(made, { attempt: 1 }, { attempt: 2, worker: '9' });
  made.effect({ kind: 'model', key: 'step 2', answer: 6, inputTokens: 10, outputTokens: 5, worker: '9' });
  expect(judge(made.facts)).toEqual([]);
});

test('a run that goes on after its session was closed with keep need only say itself how it ended', () => {
  const made = new Made();
  made.session.kept = true;
  for (const type of ['run.settled', 'run.gave_up', 'run.cancel_requested']) made.drop('s', type, { runId: 'cut' });
  made.merged.push(made.find('s/cut', 'run.settled'));
  expect(judge(made.facts)).toEqual([]);
});

test('an input that joined a turn and has one of its own after its end is accepted once', () => {
  const made = new Made();
  leftOver(made, 1);
  expect(judge(made.facts)).toEqual([]);
});

test('an answer that came when its turn had been cut short is in what is told after that, and in no turn', () => {
  const made = new Made();
  late(made, 'turn.cancelled');
  expect(judge(made.facts)).toEqual([]);
});
