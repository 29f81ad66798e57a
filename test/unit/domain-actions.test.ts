/** Actions: calls that are the same by their key are made once, and what came of the first is the answer to all. */
import { expect, test } from 'vitest';
import { rewind } from '../../src/domain/turn/rewind.ts';
import { cancelTurn } from '../../src/domain/turn/cancel.ts';
import { sessionView } from '../../src/domain/view/queries.ts';
import type { MessagePart } from '../../src/domain/state/types.ts';
import { Driver, noise, type ToolAsk } from '../support/domain.ts';

let calls = 0;
const pay = (more: Partial<ToolAsk> = {}): ToolAsk => ({
  id: `c${++calls}`,
  name: 'pay',
  input: { euros: 5 },
  idempotent: false,
  actionKey: 'invoice-7',
  ...more,
});

function last(d: Driver, id: string): MessagePart | undefined {
  const parts = [...d.state.transcript.flatMap(({ message }) => message.parts), ...(d.state.turn?.parts ?? [])];
  return parts.findLast((part) => part['toolCallId'] === id);
}

/** Asks for the action in a turn of its own; answers the id of the call. */
function ask(d: Driver, more: Partial<ToolAsk> = {}): string {
  const call = pay(more);
  d.submit('pay it');
  d.say([call]);
  return call.id;
}

function done(d: Driver, output = 'paid'): void {
  ask(d);
  d.answerTool(output);
  d.say('done');
}

test('T-12 an action is not performed twice, also from another turn and after continue-as-new: its first result is replayed', () => {
  const d = Driver.session();
  done(d);
  d.continueAsNew();
  const id = ask(d);
  expect(d.asks('tool')).toBe(false);
  expect(last(d, id)).toMatchObject({ state: 'output-available', output: 'paid' });
});

test('T-12 another input under the key is a conflict that the model reads; another key, or another tool, is another action', () => {
  const d = Driver.session();
  done(d);
  const id = ask(d, { input: { euros: 6 } });
  expect(last(d, id)?.['errorText']).toMatch(/^IdempotencyConflict: .*"invoice-7"/u);
  d.say('I see');
  ask(d, { actionKey: 'invoice-8' });
  expect(d.asks('tool')).toBe(true);
  d.answerTool('paid');
  d.say('done');
  ask(d, { name: 'refund' });
  expect(d.asks('tool')).toBe(true);
});

test('T-12 equal calls of one step share one execution', () => {
  const d = Driver.session();
  const [first, second] = [pay(), pay()];
  d.submit('pay it');
  d.say([first, second]);
  expect(d.asked.filter((effect) => effect.do === 'tool')).toHaveLength(1);
  d.answerTool('paid');
  for (const { id } of [first, second]) expect(last(d, id)).toMatchObject({ output: 'paid' });
  expect(d.asks('model')).toBe(true);
});

test('T-12 one that threw is forgotten, for those that shared it too', () => {
  const d = Driver.session();
  const [first, second] = [pay(), pay()];
  d.submit('pay it');
  d.say([first, second]);
  d.failTool('threw', 'no money');
  for (const { id } of [first, second]) expect(last(d, id)).toMatchObject({ errorText: 'no money' });
  d.say([pay()]);
  expect(d.asks('tool')).toBe(true);
});

test.each(['lost', 'timed-out', 'cancelled'] as const)(
  'T-12 one whose outcome is unknown (%s) stays unknown',
  (how) => {
    const d = Driver.session();
    ask(d);
    if (how === 'cancelled') d.send((cx) => cancelTurn(cx, {}));
    else {
      d.failTool(how);
      d.say('I see');
    }
    d.continueAsNew();
    const id = ask(d);
    expect(d.asks('tool')).toBe(false);
    expect(last(d, id)?.['errorText']).toMatch(/unknown/u);
  },
);

test('T-12 with approval a replay asks nobody, and one that was rejected may be asked for anew', () => {
  const d = Driver.session();
  ask(d, { approval: true });
  d.send((cx) => cancelTurn(cx, {}));
  ask(d, { approval: true });
  expect(sessionView(d.state).requests).toHaveLength(1);
  d.approve();
  d.answerTool('paid');
  d.say('done');
  const id = ask(d, { approval: true });
  expect(sessionView(d.state).requests).toEqual([]);
  expect(last(d, id)).toMatchObject({ output: 'paid' });
});

test('T-12 a rewind forgets no action', () => {
  const d = Driver.session();
  d.submit('pay it', { turnId: 'one' });
  d.say([pay()]);
  d.answerTool('paid');
  d.say('done');
  d.send((cx) => rewind(cx, { turnId: 'one' }));
  const id = ask(d);
  expect(d.asks('tool')).toBe(false);
  expect(last(d, id)).toMatchObject({ output: 'paid' });
});

test('T-12 the results of many actions are kept within bounds: that they were done is remembered whatever is left of them', () => {
  const d = Driver.session();
  for (let i = 0; i < 20; i++) {
    ask(d, { actionKey: `invoice-${i}` });
    d.answerTool(noise(20_000, i));
    d.say('done');
  }
  expect(JSON.stringify(d.state.actions).length).toBeLessThan(200_000);
  const id = ask(d, { actionKey: 'invoice-0' });
  expect(d.asks('tool')).toBe(false);
  expect(last(d, id)?.['output']).toMatchObject({ preview: expect.any(String), note: expect.any(String) });
  d.say('done');
  const newest = ask(d, { actionKey: 'invoice-19' });
  expect(last(d, newest)?.['output']).toBe(noise(20_000, 19));
});
