/** Refused signals: one event each, and of a flood one event a minute with its count. */
import { expect, test } from 'vitest';
import { echo, recordRefusal } from '../../src/domain/log/refusals.ts';
import { Driver } from '../support/domain.ts';

function flood(d: Driver, count: number): void {
  d.send((cx) => {
    for (let i = 0; i < count; i++) recordRefusal(cx, 'submitTurn', 'Expected input to be a string, got 5.');
  });
}

function refused(d: Driver): (number | undefined)[] {
  return d
    .log()
    .filter((event) => event.type === 'input.refused')
    .map((event) => event['suppressed'] as number | undefined);
}

test('a refused signal leaves one event with its name and the sentence, and nothing else', () => {
  const d = Driver.session();
  const before = JSON.stringify({ ...d.state, log: [], lastSeq: 0, refusals: null });
  flood(d, 1);
  expect(JSON.stringify({ ...d.state, log: [], lastSeq: 0, refusals: null })).toBe(before);
  expect(d.state.log.at(-1)).toMatchObject({
    type: 'input.refused',
    name: 'submitTurn',
    message: 'Expected input to be a string, got 5.',
  });
});

test('after 100 a minute one event with suppressed: n, when the minute is over, without any further input', () => {
  const d = Driver.session();
  flood(d, 150);
  expect(refused(d)).toHaveLength(100);
  d.pass(59_999);
  flood(d, 30);
  expect(refused(d)).toHaveLength(100);
  d.pass(1);
  expect(refused(d).slice(100)).toEqual([80]);
  d.pass(10 * 60_000);
  expect(refused(d)).toHaveLength(101);
});

test('the next minute has its own hundred', () => {
  const d = Driver.session();
  flood(d, 100);
  d.pass(60_000);
  flood(d, 101);
  expect(refused(d)).toHaveLength(200);
  d.pass(60_000);
  expect(refused(d).slice(200)).toEqual([1]);
});

test('what is suppressed is told before the session continues as new, and counts on', () => {
  const d = Driver.session();
  flood(d, 105);
  d.continueAsNew();
  expect(refused(d).slice(100)).toEqual([5]);
  flood(d, 10);
  d.pass(60_000);
  expect(refused(d).slice(100)).toEqual([5, 10]);
});

test('an echo is cut to 200 characters, never inside a character', () => {
  expect(echo('x'.repeat(500))).toHaveLength(200);
  expect(echo('🙂'.repeat(300)).isWellFormed()).toBe(true);
  expect(echo({ a: 1 })).toBe('{"a":1}');
  expect(echo(undefined)).toBe('undefined');
});
