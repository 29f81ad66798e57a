/** For each message: an argument that is good, and what can be wrong with each of its fields. */
export interface Case {
  message: string;
  good: () => Record<string, unknown>;
  bad: Record<string, unknown[]>;
  required: string[];
}

const long = (length: number): string => 'x'.repeat(length);
const badName = [5, '', '-x', 'a b', long(65), ['a'], {}];
const badText = [5, {}, long(2001)];
const badDetached = [
  5,
  'yes',
  false,
  { notify: 'loud' },
  { maxBudgetMs: 0 },
  { maxBudgetMs: 1.5 },
  { maxBudgetMs: 1e300 },
  { onBudget: 'keepit' },
  { noProgressBudgetMs: -1 },
  { onMilestones: 'a' },
  { onMilestones: { names: ['a b'] } },
  { onFinish: 5 },
];
const badRun = {
  agent: [5, '', 'a b', ['echo'], { name: 'echo' }],
  runId: [...badName, 'gave-up', 'milestone', 'ask'],
  label: [5, long(201)],
  metadata: [{ big: long(9000) }],
  detached: badDetached,
  input: [long(256 * 1024 + 1)],
};

let n = 0;
const unique = (): string => `id-${n++}`;

export const CASES: Case[] = [
  {
    message: 'submitTurn',
    good: () => ({ input: 'hello' }),
    required: ['input'],
    bad: {
      input: [
        5,
        {},
        true,
        [5],
        [{ role: 'assistant', content: 'x' }],
        [{ role: 'user' }],
        [{ role: 'user', content: 5 }],
        [{ role: 'user', parts: [{ type: 'tool-x' }] }],
        [{ role: 'user', parts: [{ type: 'text' }] }],
      ],
      turnId: badName,
      idempotencyKey: [5, '', long(257), 'line\nbreak', 'nul\u0000'],
      metadata: [{ big: long(9000) }],
      onBusy: [5, 'later', { debounceMs: 0 }, { debounceMs: 'x' }, {}],
    },
  },
  { message: 'cancelTurn', good: () => ({}), required: [], bad: { turnId: badName, reason: badText } },
  {
    message: 'startRun',
    good: () => ({ agent: 'echo', input: 1, runId: unique() }),
    required: ['agent', 'input'],
    bad: badRun,
  },
  {
    message: 'startRuns',
    good: () => ({ runs: [{ agent: 'echo', input: 1, runId: unique() }] }),
    required: ['runs'],
    bad: {
      runs: [
        5,
        {},
        [],
        'x',
        [5],
        Array.from({ length: 201 }, () => ({ agent: 'echo', input: 1 })),
        ...Object.entries(badRun).flatMap(([field, values]) =>
          values.map((value) => [
            { agent: 'echo', input: 1 },
            { agent: 'echo', input: 1, [field]: value },
          ]),
        ),
        [{ input: 1 }],
        [{ agent: 'echo' }],
      ],
    },
  },
  {
    message: 'cancelRun',
    good: () => ({ runId: 'settled' }),
    required: ['runId'],
    bad: { runId: badName, reason: badText, cascade: [5, 'yes', {}] },
  },
  { message: 'detachRun', good: () => ({ runId: 'settled' }), required: ['runId'], bad: { runId: badName } },
  {
    message: 'messageRun',
    good: () => ({ runId: 'settled', message: 'hello' }),
    required: ['runId', 'message'],
    bad: { runId: badName, message: [5, '', {}, long(262_145)], messageId: badName },
  },
  {
    message: 'answer',
    good: () => ({ requestId: 's/x#1', value: 1 }),
    required: ['requestId'],
    bad: {
      requestId: [5, '', 'x', 'x#y', long(2000)],
      decision: [5, 'maybe', {}],
      comment: badText,
      by: [5, long(201)],
    },
  },
  {
    message: 'rewind',
    good: () => ({ turnId: unique() }),
    required: [],
    bad: { messageId: [5, '', {}, long(257), 'both'], turnId: badName, reason: badText },
  },
  { message: 'resetTurns', good: () => ({}), required: [], bad: { reason: badText } },
  {
    message: 'close',
    good: () => ({}),
    required: [],
    bad: { reason: badText, runs: [5, 'drop', {}], turn: [5, 'stop'] },
  },
];

/** Every bad argument of a message: fields missing, null, wrong; and arguments that are no objects. */
export function badArguments({ good, bad, required }: Case): { argument: unknown; field: string }[] {
  const wrong = Object.entries(bad).flatMap(([field, values]) =>
    values.map((value) => ({ argument: { ...good(), [field]: value }, field })),
  );
  const missing = required.flatMap((field) => {
    const { [field]: _left, ...rest } = good();
    return [
      { argument: rest, field },
      { argument: { ...rest, [field]: null }, field },
    ];
  });
  return [...wrong, ...missing, ...[5, 'text', true, [1]].map((argument) => ({ argument, field: 'the argument' }))];
}
