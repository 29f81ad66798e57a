/** Schemas of an app: any library that speaks Standard Schema, and one sentence for what does not fit. */
import * as v from 'valibot';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { validated } from '../../activities/validated.ts';

test.each([
  ['zod', z.object({ at: z.object({ to: z.number() }) })],
  ['valibot', v.object({ at: v.object({ to: v.number() }) })],
])(
  'a schema of %s gives what it makes of a value, or one sentence with the field that does not fit',
  async (_, schema) => {
    expect(await validated(schema, { at: { to: 3 }, more: true }, 'input')).toEqual({ at: { to: 3 } });
    const refused = validated(schema, { at: { to: 'three' } }, 'input');
    await expect(refused).rejects.toThrow(
      /^Expected input to fit its schema, but input\.at\.to does not: Invalid (input|type): .*number.*\.$/u,
    );
    await expect(validated(schema, null, 'input')).rejects.toThrow(
      /^Expected input to fit its schema, but it does not: /u,
    );
  },
);
