/** Schemas of an app: any library that speaks Standard Schema, and one sentence for what does not fit. */
import * as v from 'valibot';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { fitting } from '../../activities/fit.ts';

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
