/** Taking back a part of the transcript: what goes, what is free again, and what stays. */
import { expect, test } from 'vitest';
import { close } from '../../src/domain/closing.ts';
import { promptOf } from '../../src/domain/delivery/prompt.ts';
import { textOf } from '../../src/domain/delivery/transcript.ts';
import { rewind, type Rewind } from '../../src/domain/turn/rewind.ts';
import { submitTurn } from '../../src/domain/turn/submit.ts';
import { followTurn } from '../../src/domain/view/follow-turn.ts';
import { getTurn } from '../../src/domain/view/queries.ts';
import { Driver, refusal, user } from '../support/domain.ts';

/** A session that has taken turns with these texts, each as `<text>` with a message of that id and a key `k-<text>`. */
function after(...texts: string[]): Driver {
  const d = Driver.session();
  for (const text of texts) {
    ask(d, text);
    d.say(`on ${text}`);
  }
  return d;
}

function ask(d: Driver, text: string, id = text): void {
  const message = { id: `u-${id}`, role: 'user' as const, parts: [{ type: 'text', text }] };
  d.submit([message], { turnId: id, idempotencyKey: `k-${id}` });
}

const back = (d: Driver, asked: Rewind): unknown => d.send((cx) => rewind(cx, asked));

function read(d: Driver): string[] {
  return d.state.transcript.map(({ message }) => textOf(message));
}

test.each([{ turnId: 'two' }, { messageId: 'u-two' }])(
  'T-23 rewind %j: that message and all after are gone, and the next prompt begins before it',
  (asked) => {
    const d = after('one', 'two', 'three');
    const ids = d.state.transcript.map(({ message }) => message.id);
    const before = d.state.lastSeq;
    expect(back(d, { ...asked, reason: 'a typo' })).toEqual({ removed: ids.slice(2), deduplicated: false });
    expect(d.log().slice(before)).toMatchObject([
      { type: 'transcript.rewound', messageId: ids[2], removed: ids.slice(2), comment: 'a typo' },
    ]);
    expect(read(d)).toEqual(['one', 'on one']);
    for (const gone of ['two', 'three']) expect(getTurn(d.state, gone)).toBeNull();
    expect(getTurn(d.state, 'one')).toMatchObject({ status: 'completed', steps: 1 });
    d.continueAsNew();
    ask(d, 'two, better', 'two');
    expect(promptOf(d.state.transcript.map(({ message }) => message)).map(textOf)).toEqual([
      'one',
      'on one',
      'two, better',
    ]);
  },
);

test('T-23 the same message, id and key sent anew are a new turn', () => {
  const d = after('one');
  back(d, { messageId: 'u-one' });
  const before = d.state.lastSeq;
  ask(d, 'one');
  expect(d.story(before)[0]).toBe('turn.queued [k-one] one');
  d.say('anew');
  expect(read(d)).toEqual(['one', 'anew']);
});

test('T-23 done again it is deduplicated, until the id is in the transcript anew', () => {
  const d = after('one', 'two');
  const [, answer] = d.state.transcript.map(({ message }) => message.id);
  back(d, { messageId: 'u-one' });
  const again = { removed: [], deduplicated: true };
  d.continueAsNew();
  for (const asked of [{ messageId: 'u-one' }, { messageId: answer ?? '' }, { messageId: 'u-two' }, { turnId: 'two' }])
    expect(back(d, asked)).toEqual(again);
  ask(d, 'one');
  d.say('anew');
  expect(back(d, { messageId: 'u-one' })).toMatchObject({
    removed: ['u-one', expect.any(String)],
    deduplicated: false,
  });
  expect(back(d, { messageId: 'u-one' })).toEqual(again);
});

test('T-23 to an answer: the question stays asked, and its keys go on answering', () => {
  const d = after('one');
  const [, answer = ''] = d.state.transcript.map(({ message }) => message.id);
  expect(back(d, { messageId: answer })).toEqual({ removed: [answer], deduplicated: false });
  expect(getTurn(d.state, 'one')).toMatchObject({ status: 'completed', steps: 0 });
  expect(
    d.submit([{ id: 'u-one', role: 'user', parts: [{ type: 'text', text: 'one' }] }], {
      turnId: 'one',
      idempotencyKey: 'k-one',
    }),
  ).toMatchObject({ deduplicated: true });
});

test('T-23 of a turn with several inputs, only those that go are free', () => {
  const d = Driver.session();
  d.submit('busy');
  ask(d, 'one');
  const second = { id: 'u-two', role: 'user' as const, parts: [{ type: 'text', text: 'two' }] };
  const merged = { turnId: 'two', idempotencyKey: 'k-two', onBusy: 'merge' as const };
  d.submit([second], merged);
  const third = { id: 'u-three', role: 'user' as const, parts: [{ type: 'text', text: 'three' }] };
  d.say('was busy');
  const steer = { turnId: 'three', idempotencyKey: 'k-three', onBusy: 'steer' as const };
  d.submit([third], steer);
  d.say('on both');
  d.say('on three');
  back(d, { messageId: 'u-two' });
  expect(read(d)).toEqual(['busy', 'was busy', 'one']);
  expect(d.submit([third], steer)).toMatchObject({ turnId: 'three', deduplicated: false, status: 'queued' });
  d.say('three');
  expect(d.submit([second], merged)).toMatchObject({ turnId: 'two', deduplicated: false });
  ask(d, 'one');
  expect(read(d).filter((text) => text === 'one')).toHaveLength(1);
});

test('T-23 refused while a turn runs, when closing, and for what the transcript does not have; nothing is changed', () => {
  const d = after('one');
  ask(d, 'two');
  expect(refusal(back(d, { turnId: 'one' }))).toBe('TurnRunning');
  d.say('on two');
  for (const asked of [{ messageId: 'nobody' }, { turnId: 'nobody' }])
    expect(refusal(back(d, asked))).toBe('InvalidInput');
  const empty = d.submit([]);
  expect(refusal(back(d, { turnId: empty.turnId }))).toBe('InvalidInput');
  expect(read(d)).toEqual(['one', 'on one', 'two', 'on two']);
  d.send((cx) => close(cx, {}));
  expect(refusal(back(d, { turnId: 'one' }))).toBe('SessionClosed');
});

test('T-23 a background turn is taken back by its framed message; its run goes on, its slot stays filled', () => {
  const d = after('one');
  d.running('a');
  d.running('b');
  d.settled('a');
  const turnId = d.state.turn?.turnId ?? '';
  d.say('read a');
  const hidden = d.state.transcript.find(({ message }) => message.metadata?.['hidden'] === true)?.message.id;
  expect(back(d, { turnId })).toEqual({ removed: [hidden, expect.any(String)], deduplicated: false });
  expect(d.row('a').delivery.finish).toMatchObject({ state: 'delivered', turnId, turnStatus: 'completed' });
  expect(d.row('b').status).toBe('running');
  d.settled('a');
  expect(d.state.turn).toBeNull();
  d.settled('b');
  expect(d.row('b').delivery.finish.state).toBe('delivered');
});

test('T-23 who follows a turn of which a part was taken back counts its steps from 1', () => {
  const d = Driver.session();
  ask(d, 'one');
  d.say([{ id: 'c' }]);
  d.answerTool('x');
  d.say('done');
  const last = d.state.transcript.at(-1)?.message.id ?? '';
  back(d, { messageId: last });
  expect(followTurn(d.state, { turnId: 'one' })?.steps.map(({ step }) => step)).toEqual([1]);
});

test('T-23 the memory of what was taken back is bounded', () => {
  const d = Driver.session();
  for (let round = 0; round < 3; round++) {
    const many = Array.from({ length: 2000 }, (_, i) => ({
      id: `m${round}-${i}`,
      role: 'user' as const,
      parts: [{ type: 'text', text: 'x' }],
    }));
    d.submit(many, { turnId: 'many' });
    d.say('ok');
    back(d, { turnId: 'many' });
  }
  expect(d.state.rewound).toHaveLength(4000);
  expect(back(d, { messageId: 'm2-0' })).toEqual({ removed: [], deduplicated: true });
});

test('T-23 a key sent with a turn that was known is free with it', () => {
  const d = after('one');
  const message = { id: 'u-one', role: 'user' as const, parts: [{ type: 'text', text: 'one' }] };
  expect(d.submit([message], { turnId: 'one', idempotencyKey: 'second' })).toMatchObject({ deduplicated: true });
  back(d, { turnId: 'one' });
  expect(refusal(d.send((cx) => submitTurn(cx, { input: user('other'), idempotencyKey: 'second' })))).toMatchObject({
    deduplicated: false,
  });
});
