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

test.each([
  [
    'submitTurn',
    { input: 'x', onBusy: { debounceMs: 86_400_001 } },
    /^Expected onBusy\.debounceMs .*86400000 milliseconds, got 86400001\.$/u,
  ],
  ['getEvents', { types: [] }, /^Expected types to be .*, got \[\]\.$/u],
  ['cancelRun', { runId: 'x', announce: 'no' }, /^Expected announce /u],
  ['cancelTurn', { runs: 'all' }, /^Expected runs to be one of "keep", "cancel", got "all"\.$/u],
  ['resetTurns', { runs: 1 }, /^Expected runs to be one of "keep", "cancel", got 1\.$/u],
] as const)('X-01 %s %j is refused, not taken for something else', (name, payload, sentence) => {
  expect(parseMessage(name, payload)).toMatchObject({
    refused: 'InvalidInput',
    message: expect.stringMatching(sentence),
  });
});

test('X-01 what stands at a bound, or says what holds anyway, is taken', () => {
  for (const [name, payload] of [
    ['submitTurn', { input: 'x', onBusy: { debounceMs: 86_400_000 } }],
    ['getEvents', { types: ['turn.queued'] }],
    ['cancelRun', { runId: 'x', announce: false }],
    ['cancelTurn', { runs: 'cancel' }],
    ['resetTurns', { runs: 'cancel' }],
    ['cancelRun', { runId: 'x', announce: null }],
    ['cancelTurn', { runs: 'keep' }],
    ['resetTurns', { runs: 'keep' }],
  ] as const)
    expect(parseMessage(name, payload)).not.toHaveProperty('refused');
});
