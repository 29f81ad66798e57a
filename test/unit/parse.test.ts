import { expect, test } from 'vitest';
import { parseMessage, schemas, type SchemaName } from '../../src/schemas/index.ts';

test.each(Object.keys(schemas) as SchemaName[])(
  'X-01 %s with something nested a hundred thousand deep, in a field of its own, an unknown one or instead of it all, is refused',
  (name) => {
    let deep: unknown = [];
    for (let i = 0; i < 100_000; i++) deep = [deep];
    for (const payload of [
      deep,
      ...['unknown', 'runs', 'input', 'metadata', 'reason'].map((field) => ({ [field]: deep })),
    ])
      expect(parseMessage(name, payload)).toMatchObject({
        refused: 'InvalidInput',
        message: expect.stringMatching(/^Expected .*\.$/u),
      });
  },
);
