/** Schemas of an app: any library that speaks Standard Schema, and one sentence for what does not fit. */
import * as v from 'valibot';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { Registry } from '../../activities/registry.ts';
import { outgoing } from '../../activities/failure.ts';
import { fitting } from '../../activities/fit.ts';
import type { Schema } from '../../src/define.ts';

test.each([
  ['zod', z.object({ at: z.object({ to: z.number() }) })],
  ['valibot', v.object({ at: v.object({ to: v.number() }) })],
])(
  'a schema of %s gives what it makes of a value, or one sentence with the field that does not fit',
  async (_, schema) => {
    expect(await fitting(schema, { at: { to: 3 }, more: true })).toEqual({ at: { to: 3 } });
    await expect(fitting(schema, { at: { to: 'three' } })).rejects.toThrow(
      'Expected input.at.to to be a number, got "three".',
    );
    await expect(fitting(schema, null, 'output')).rejects.toThrow('Expected output to be an object, got null.');
  },
);

test('a place in a list is told as such, and neither the message of a library nor a key of the input makes more than one short sentence', async () => {
  const long = 'x'.repeat(3000);
  const schema = z.object({ all: z.array(z.object({ n: z.number() })), rest: z.record(z.string(), z.number()) });
  await expect(fitting(schema, { all: [{ n: 1 }, {}], rest: {} })).rejects.toThrow(
    'Expected input.all[1].n to be a number, got nothing.',
  );
  const own = z.object({ a: z.string().refine(() => false, `not so\n${long}`) });
  await expect(fitting(own, { a: 'b' })).rejects.toThrow(
    'Expected input.a to be what its schema says (not so), got "b".',
  );
  const cases: [Schema<unknown>, unknown][] = [
    [schema, { all: [], rest: { [long]: 'b' } }],
    [z.object({ a: z.string().refine(() => false, long) }), { a: 'b' }],
    [z.object({ a: z.enum([long, 'b']) }), { a: long.repeat(3) }],
  ];
  for (const [one, value] of cases) {
    const { message }: Error = await fitting(one, value).then(
      () => new Error('It fits.'),
      (error: Error) => error,
    );
    expect(message).toMatch(/^Expected [^\n]* to be [^\n]*\.$/u);
    expect(message.length).toBeLessThan(600);
  }
});

test('what an app throws of a validation library is one sentence too; other errors stay as they are', () => {
  const registry = new Registry({ agents: [] });
  const thrown = (work: () => unknown): unknown => {
    try {
      return work();
    } catch (error) {
      return error;
    }
  };
  const of = (error: unknown): string => outgoing(registry, error).message;
  expect(of(thrown(() => z.object({ a: z.number(), b: z.array(z.string()) }).parse({ b: [1] })))).toBe(
    'Expected value.a to be a number (and 1 more).',
  );
  expect(of(thrown(() => v.parse(v.object({ a: v.number() }), {})))).toMatch(/^Expected value\.a to be [^\n]*\.$/u);
  expect(of(new Error('wrapped', { cause: thrown(() => z.number().parse('a')) }))).toBe(
    'Expected value to be a number.',
  );
  expect(of(Object.assign(new Error('There are issues.'), { issues: [{ title: 'A bug' }] }))).toBe('There are issues.');
});
