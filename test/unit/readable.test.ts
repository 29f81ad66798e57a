import { expect, test } from 'vitest';
import { readable } from '../../activities/readable.ts';

const throws = (): never => {
  throw new Error('no');
};

test.each([
  ['a proxy that lets nothing be read', new Proxy({}, { get: throws, getPrototypeOf: throws })],
  ['an error whose message throws', Object.defineProperty(new Error('x'), 'message', { get: throws })],
  ['an object without a prototype', Object.create(null) as object],
])('%s becomes an error that says so', (_, thrown) => {
  expect(readable(thrown)).toEqual(new Error('Something was thrown that cannot be read.'));
});

test('what can be read stays as it is, and a name that is no text is left out', () => {
  const error = new TypeError('broken');
  expect(readable(error)).toBe(error);
  expect(readable('text')).toBe('text');
  expect(readable(undefined)).toBe(undefined);
  expect(readable(Object.assign(new Error('odd'), { name: 7 }))).toEqual(new Error('odd'));
});
