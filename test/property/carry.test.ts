/**
 * what is carried from one execution to the next. States reach their limits through the real admission, so that it is
 * admission that bounds them. A failure prints its seed; PROPERTY_SEED and PROPERTY_RUNS choose others.
 */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { isQuiet } from '../../src/domain/advance.ts';
import { pack, unpack } from '../../src/domain/carry/carry.ts';
import { CARRY_BYTES } from '../../src/domain/carry/encode.ts';
import { lastNumber } from '../../src/domain/run/milestones.ts';
import { liveBytes } from '../../src/domain/log/capacity.ts';
import { isSettled, type RunState } from '../../src/domain/state/row.ts';
import type { State } from '../../src/domain/state/state.ts';
import { LIVE_BYTES } from '../../src/domain/state/sizes.ts';
import { sessionView } from '../../src/domain/view/queries.ts';
import type { OutliveEvent } from '../../src/domain/state/types.ts';
import { copyOf, Driver, tell } from '../support/domain.ts';
import { filler, past, step, stuffed, toTheBrim, type Filler } from '../support/domain-stuff.ts';

const seed = Number(process.env['PROPERTY_SEED'] ?? 20_300_101);
const scale = Number(process.env['PROPERTY_RUNS'] ?? 1);

const stuffing = fc.record({
  limits: fc.record({ maxConcurrentRuns: fc.constantFrom(1, 16, 1000) }),
  batch: fc.boolean(),
  metadata: fc.boolean(),
  before: past,
  step,
  fillers: fc.array(filler, { minLength: 1, maxLength: 5, size: 'max' }),
});

function always<T>(runs: number, arbitrary: fc.Arbitrary<T>, check: (given: T) => void): void {
  fc.assert(fc.property(arbitrary, check), { seed, numRuns: Math.ceil(runs * scale), endOnFailure: true });
}

interface Passage {
  before: State;
  after: State;
  log: OutliveEvent[];
  leaving: OutliveEvent[];
}

/** Takes a driver's state through JSON into the next execution. */
function carry(d: Driver): Passage {
  expect(isQuiet(d.state)).toBe(true);
  expect(liveBytes(d.state)).toBeLessThanOrEqual(LIVE_BYTES);
  const before = copyOf(d.state);
  const { carried, leaving } = pack({ state: d.state, now: d.now, effects: [] });
  expect(carried.body.length + Buffer.byteLength(JSON.stringify(carried.head))).toBeLessThanOrEqual(CARRY_BYTES);
  const after = unpack(structuredClone(carried));
  return { before, after, log: before.log, leaving };
}

function slots(row: Readonly<RunState>): string[] {
  return [
    row.delivery.finish,
    ...(row.delivery.gaveUp === undefined ? [] : [row.delivery.gaveUp]),
    ...Object.values(row.delivery.milestones ?? {}),
  ]
    .filter((slot) => slot.state === 'pending' || slot.state === 'queued')
    .map((slot) => `${slot.key} ${slot.state} ${slot.turnId ?? ''}`)
    .toSorted();
}

/** What is never shed. */
function kept({ before, after }: Passage): void {
  expect(after.queue).toEqual(before.queue);
  // A line that waits for the step's tools is appended when the step is given up.
  if (after.turn?.calls.length === before.turn?.calls.length) expect(after.lines).toEqual(before.lines);
  expect(after.runs.all.flatMap(slots)).toEqual(before.runs.all.flatMap(slots));
  const live = (state: State): unknown[] =>
    state.runs.all
      .filter((row) => !isSettled(row))
      // Of a live row nothing is lost but what says how it went.
      .map(({ progress: _progress, comment: _comment, milestones: _milestones, life, own, ...rest }) => {
        const { lastMilestone: _last, ...kept } = own;
        const cancel =
          life.stage === 'settled' || life.cancel === undefined ? undefined : { ...life.cancel, comment: '' };
        return {
          ...rest,
          own: kept,
          life: { ...life, cancel },
          last: lastNumber({ ...rest, life, own, milestones: _milestones }),
        };
      });
  expect(live(after)).toEqual(live(before));
  const keys = Object.entries(before.dedupe);
  expect(Object.entries(after.dedupe).slice(-4000)).toEqual(keys.slice(-4000));
  for (const [entry, value] of keys) if (value[11] === '-') expect(after.dedupe[entry]).toBe(value);
  expect(after.turn?.turnId).toBe(before.turn?.turnId);
  expect(after.requests.filter((one) => one.status === 'open')).toEqual(
    before.requests.filter((one) => one.status === 'open'),
  );
  expect(after.outbox.toJSON()).toEqual(before.outbox.toJSON());
}

/** Every event stands once, in the archive or in what is carried. */
function whole({ before, after, leaving }: Passage): void {
  const told = [...leaving, ...after.log];
  expect(told.map((event) => event.seq)).toEqual(Array.from({ length: after.lastSeq }, (_, i) => i + 1));
  expect(told.filter((event) => event.type !== 'transcript.compacted' && event.seq <= before.lastSeq)).toEqual(
    before.log,
  );
}

/** What a session tells and asks for, when its tools, its model and its runs go on. */
function goOn(state: State, now: number): { story: string[]; asked: string[]; view: unknown } {
  const d = new Driver(state);
  d.now = now;
  const first = state.lastSeq;
  d.send(() => undefined);
  for (let i = 0; i < 25; i++) {
    d.pass(120_000);
    if (d.asks('tool')) d.answerTool('answered');
    else if (d.asks('model')) d.say(`text ${i}`);
    d.confirm();
    const row = d.state.runs.all.find((one) => one.status === 'running');
    if (row !== undefined) d.reached(row.runId, [[5000 + i, `late-${i}`]]);
    if (row !== undefined && i % 3 === 0) d.settled(row.runId);
  }
  const { turn, queue, status, title, metadata, usage } = sessionView(d.state);
  return {
    story: d.state.log.filter((event) => event.seq > first && event.type !== 'transcript.compacted').map(tell),
    asked: d.did.map((effect) => `${effect.do} ${'runId' in effect ? effect.runId : ''}`),
    view: { turn: turn === null ? null : turn.turnId, queue, status, title, metadata, totalTokens: usage.totalTokens },
  };
}

test('X-11 whatever admission takes packs to at most 1 MiB, keeps what must never be shed, and loses no event', () => {
  always(8, stuffing, (given) => {
    const passage = carry(stuffed(given));
    kept(passage);
    whole(passage);
  });
});

test('X-11 unpack(pack(s)) goes on as s would', () => {
  always(6, stuffing, (given) => {
    const d = stuffed({
      ...given,
      before: {
        ...given.before,
        forgotten: Math.min(300, given.before.forgotten),
        turns: Math.min(120, given.before.turns),
      },
    });
    const { before, after } = carry(d);
    // A step that was too large to be carried was given up, and the model reads so.
    if (after.turn?.calls.length !== before.turn?.calls.length) return;
    expect(goOn(after, d.now)).toEqual(goOn(before, d.now));
  });
});

test.each<[Filler['fill'], string]>([
  ['queuedRuns', '\u0001'],
  ['queuedRuns', 'noise'],
  ['queuedTurns', 'noise'],
  ['waiting', 'noise'],
  ['givenUp', 'noise'],
  ['queuedRuns', '🙂'],
  ['queuedTurns', 'x'],
  ['queuedTurns', '"'],
  ['waiting', '\u0001'],
  ['givenUp', 'é'],
])('X-11 filled to the brim with %s of %j, beside the largest past and step, it still packs', (fill, text) => {
  const common = { text, count: 2000, size: 1 };
  const fillers: Filler[] = [
    { fill: 'queuedRuns', ...common, label: false, long: true, watch: 0 },
    { fill: 'queuedTurns', ...common, merge: true, keys: true, metadata: false },
    { fill: 'waiting', ...common, status: 'failed' },
    { fill: 'givenUp', ...common, keep: true, comment: true },
  ];
  const d = stuffed({
    limits: { maxConcurrentRuns: fill === 'queuedRuns' ? 1 : 1000 },
    batch: false,
    metadata: true,
    before: { transcript: 1, forgotten: 300, turns: 2100, text, size: 250_000, long: true },
    step: { text, inputs: 50_000, outputs: 250_000, calls: 8, open: 5 },
    fillers: fillers.filter((one) => one.fill === fill),
  });
  expect(LIVE_BYTES - toTheBrim(d), 'it is full').toBeLessThan(1000);
  while (d.asks('tool')) d.failTool('threw');
  const passage = carry(d);
  kept(passage);
  whole(passage);
});
