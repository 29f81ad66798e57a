/** What holds of a session whatever comes in whatever order. A failure prints its seed; PROPERTY_SEED and PROPERTY_RUNS choose others. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextDeadline } from '../../src/domain/deadlines.ts';
import { isOver, type State } from '../../src/domain/state/state.ts';
import { isSettled, type RunState } from '../../src/domain/state/row.ts';
import { submitTurn } from '../../src/domain/turn/submit.ts';
import { getTranscript, listRuns, sessionView } from '../../src/domain/view/queries.ts';
import { isRefusal, type OutliveEvent, type UIMessage } from '../../src/domain/state/types.ts';
import { ending, input, limits, World, type Ending, type Input } from '../support/domain-inputs.ts';
import { copyOf, user } from '../support/domain.ts';

const seed = Number(process.env['PROPERTY_SEED'] ?? 20_300_101);
const scale = Number(process.env['PROPERTY_RUNS'] ?? 1);
const sequence = fc.array(input, { minLength: 1, maxLength: 80, size: 'max' });

function always(runs: number, property: fc.IRawProperty<unknown>): void {
  fc.assert(property as fc.IProperty<unknown>, { seed, numRuns: Math.ceil(runs * scale), endOnFailure: false });
}

/** The runs whose outcome is the result of a call of a step. */
function handedBy(message: UIMessage | undefined): string[] {
  return (message?.parts ?? [])
    .filter((part) => part.type === 'tool-start_run')
    .map((part) => String((part['output'] as { runId?: string } | undefined)?.runId));
}

/** Watches a world from the first input to the last. */
class Watch {
  private seen = 0;
  private readonly settled = new Map<string, string>();
  private readonly delivered = new Set<string>();
  private readonly queuedRuns: string[] = [];
  private readonly queuedTurns: { turnId: string; background: boolean }[] = [];
  private readonly outOfTurn = new Set<string>();
  private running: string | undefined;
  /** Runs whose outcome stands in the last step's message. */
  private handed: string[] = [];
  private readonly world: World;

  constructor(world: World) {
    this.world = world;
  }

  /** What must hold after every input. */
  check(last: Input | Ending): void {
    const { d } = this.world;
    const { state } = d;
    if (last.do === 'submit' && last.onBusy !== 'queue' && last.onBusy !== 'latest' && last.onBusy !== 'merge') {
      for (const turn of [...state.queue, ...(state.turn === null ? [] : [state.turn, ...(state.turn.steers ?? [])])])
        this.outOfTurn.add(turn.turnId);
    }
    const events = d.log();
    for (const event of events.slice(this.seen)) this.event(event, events[event.seq - 2]);
    this.seen = events.length;
    expect(state.runs.placesTaken).toBeLessThanOrEqual(state.settings.limits.maxConcurrentRuns);
    expect(sums(state.runs), 'what is known of all rows is what the rows say').toEqual(sums(copyOf(state).runs));
    this.slots(state.runs.all);
    const before = state.lastSeq;
    d.send(() => undefined);
    expect(state.lastSeq, 'a second look changes nothing').toBe(before);
    expect(nextDeadline(state)?.at ?? Infinity, 'no deadline stays behind').toBeGreaterThan(d.now);
    for (const row of state.runs.all) this.unchanged(row);
    const waits = d.asked.length > 0 || nextDeadline(state) !== undefined;
    if (state.closing !== undefined && !isOver(state)) expect(waits, 'an end waits for something').toBe(true);
  }

  private event(event: OutliveEvent, before: OutliveEvent | undefined): void {
    expect(event.seq, 'no gaps and no repeats').toBe((before?.seq ?? 0) + 1);
    expect(before?.type, 'nothing after the end').not.toBe('session.closed');
    const message = before?.['message'] as UIMessage | undefined;
    const told = message?.metadata?.['kind'];
    if (message !== undefined && (told === 'finish' || told === 'gave-up' || told === 'milestone'))
      expect(event).toMatchObject({ type: 'run.delivered', key: message.metadata?.['key'] });
    const { runId = '', turnId = '' } = event;
    switch (event.type) {
      case 'run.delivered':
        const key = message?.metadata?.['key'];
        if (key === undefined)
          expect(
            before?.type === 'run.delivered' ? this.handed : handedBy(message),
            'in the step that waited for it',
          ).toContain(runId);
        else expect(key, 'directly on its message').toBe(event['key']);
        if (message !== undefined) this.handed = handedBy(message);
        expect(this.delivered, 'delivered once').not.toContain(event['key']);
        this.delivered.add(String(event['key']));
        return;
      case 'run.settled':
        expect([...this.settled.keys()], 'settled once').not.toContain(runId);
        this.settled.set(runId, '');
        this.remove(runId);
        return;
      case 'run.queued':
        this.queuedRuns.push(runId);
        return;
      case 'run.started':
        expect(this.queuedRuns[0], 'queued runs start in order').toBe(runId);
        this.remove(runId);
        return;
      case 'turn.queued':
        this.queuedTurns.push({
          turnId,
          background: (event['inputs'] as { source: string }[])[0]?.source === 'background-run',
        });
        return;
      case 'turn.started': {
        expect(this.running, 'one turn at a time').toBeUndefined();
        this.running = turnId;
        const own = this.queuedTurns.find((turn) => turn.turnId === turnId);
        const first = this.queuedTurns.find(
          (turn) => turn.background === own?.background && !this.outOfTurn.has(turn.turnId),
        );
        if (!this.outOfTurn.has(turnId)) expect(first?.turnId, 'in order of acceptance').toBe(turnId);
        this.end(turnId);
        return;
      }
      case 'turn.completed':
      case 'turn.failed':
      case 'turn.cancelled':
      case 'turn.skipped':
        if (this.running === turnId) this.running = undefined;
        this.end(turnId);
        return;
      default:
    }
  }

  private remove(runId: string): void {
    if (this.queuedRuns.includes(runId)) this.queuedRuns.splice(this.queuedRuns.indexOf(runId), 1);
  }

  private end(turnId: string): void {
    const index = this.queuedTurns.findIndex((turn) => turn.turnId === turnId);
    if (index >= 0) this.queuedTurns.splice(index, 1);
  }

  /** Every slot that is queued stands once in the queue or among the lines that wait, and no other does. */
  private slots(rows: readonly Readonly<RunState>[]): void {
    const { queue, lines } = this.world.d.state;
    const refs = [
      ...queue.flatMap((turn) =>
        turn.pending.flatMap(({ body }) => (body.source === 'background-run' ? [body.slot] : [])),
      ),
      ...lines,
    ];
    const waiting = refs
      .map(
        (slot) =>
          `${slot.runId} ${slot.kind} ${slot.kind === 'milestone' ? slot.name : slot.kind === 'ask' ? slot.requestId : ''}`,
      )
      .toSorted();
    const queued = rows
      .flatMap((row) => [
        ...(row.delivery.finish.state === 'queued' ? [`${row.runId} finish `] : []),
        ...(row.delivery.gaveUp?.state === 'queued' ? [`${row.runId} gave-up `] : []),
        ...(row.own.asks ?? [])
          .filter((ask) => ask.delivery.state === 'queued')
          .map((ask) => `${row.runId} ask ${ask.requestId}`),
        ...Object.entries(row.delivery.milestones ?? {})
          .filter(([, slot]) => slot.state === 'queued')
          .map(([name]) => `${row.runId} milestone ${name}`),
      ])
      .toSorted();
    expect(waiting).toEqual(queued);
  }

  private unchanged(row: Readonly<RunState>): void {
    if (!isSettled(row)) return;
    const { status, reason, result, error, settledAt, milestones, usage } = row;
    const now = JSON.stringify({ status, reason, result, error, settledAt, milestones, usage });
    if ((this.settled.get(row.runId) ?? '') === '') this.settled.set(row.runId, now);
    expect(now, 'a settled row never changes').toBe(this.settled.get(row.runId));
  }

  /** What must hold once everything has come to rest. */
  rest(): void {
    const { d } = this.world;
    const { state } = d;
    if (state.closing?.stage.is === 'done') return;
    expect(state.turn).toBeNull();
    expect(state.queue).toEqual([]);
    expect(state.lines).toEqual([]);
    expect(nextDeadline(state)).toBeUndefined();
    const events = d.log();
    for (const row of state.runs.all) {
      const told = events
        .filter((event) => event.type === 'run.delivered' && event.runId === row.runId)
        .map((event) => String(event['key']))
        .toSorted();
      const slots = [
        row.delivery.finish,
        ...(row.delivery.gaveUp === undefined ? [] : [row.delivery.gaveUp]),
        ...Object.values(row.delivery.milestones ?? {}),
      ];
      expect(told).toEqual(
        slots
          .filter((slot) => slot.state === 'delivered')
          .map((slot) => slot.key)
          .toSorted(),
      );
      expect(slots.filter((slot) => slot.state === 'pending' || slot.state === 'queued')).toEqual([]);
      const announced =
        row.own.detached.notify !== 'silent' && !(row.status === 'cancelled' && row.reason !== 'cancelled_by_user');
      expect(row.delivery.finish.state).toBe(announced ? 'delivered' : 'not_required');
      expect(row.delivery.gaveUp?.state).toBe(
        events.some((event) => event.type === 'run.gave_up' && event.runId === row.runId)
          ? row.own.detached.notify === 'silent'
            ? 'not_required'
            : 'delivered'
          : undefined,
      );
    }
    const open = state.transcript
      .flatMap((entry) => entry.message.parts)
      .filter(
        (part) =>
          part['toolCallId'] !== undefined && part['state'] !== 'output-available' && part['state'] !== 'output-error',
      );
    expect(open, 'every tool call has its result').toEqual([]);
  }
}

/** What rules ask of all rows at once. */
function sums(runs: State['runs']): unknown {
  return {
    placesTaken: runs.placesTaken,
    queuedBytes: runs.queuedBytes,
    liveBytes: runs.liveBytes,
    open: runs.open,
    queued: runs.queued,
    areDone: runs.areDone,
    ended: runs.ended,
    firstQueued: runs.firstQueued()?.runId,
    due: runs.due().map((row) => row.runId),
    nextDeadline: runs.nextDeadline(),
    until: runs.until(runs.nextDeadline()?.at ?? 0).map((row) => row.runId),
  };
}

function play(world: World, inputs: readonly (Input | Ending)[]): Watch {
  const watch = new Watch(world);
  for (const one of inputs) {
    world.apply(one);
    watch.check(one);
  }
  return watch;
}

test('D-03 D-04 D-14 E-01 T-01 whatever comes: numbers without gaps, slots filled once, settles once, places kept, turns one at a time in order, and all comes to rest', () => {
  always(
    350,
    fc.property(limits, fc.boolean(), sequence, (given, batchBackground, inputs) => {
      const world = new World({ limits: given, turns: { batchBackground } });
      const watch = play(world, inputs);
      world.drain();
      watch.check({ do: 'reset' });
      watch.rest();
    }),
  );
});

test('after a close everything comes to rest, and session.closed is the last event', () => {
  always(
    200,
    fc.property(limits, sequence, ending, fc.array(input, { maxLength: 30 }), (given, inputs, end, after) => {
      const world = new World({ limits: given });
      const watch = play(world, [...inputs, end, ...after]);
      world.drain();
      watch.check(end);
      expect(world.d.state.log.at(-1)?.type).toBe('session.closed');
      expect(sessionView(world.d.state).status).toBe('closed');
      const waiting = world.d.state.runs.all.filter(
        (row) =>
          isSettled(row) &&
          [row.delivery.finish, row.delivery.gaveUp].some(
            (slot) => slot?.state === 'pending' || slot?.state === 'queued',
          ),
      );
      expect(waiting, 'nothing is left behind that could be lost').toEqual([]);
    }),
  );
});

test('T-02 what was accepted under a key answers with the same turn for ever, and another payload is refused', () => {
  always(
    100,
    fc.property(limits, sequence, (given, inputs) => {
      const world = new World({ limits: given });
      play(world, inputs);
      const before = world.d.state.lastSeq;
      const turns = new Map<string, string>();
      for (const request of [...world.requests, ...world.requests]) {
        const answer = world.d.send((cx) => submitTurn(cx, request));
        if (isRefusal(answer)) throw new Error(answer.message);
        expect(answer.deduplicated).toBe(true);
        const name = JSON.stringify(request);
        expect(turns.get(name) ?? answer.turnId).toBe(answer.turnId);
        turns.set(name, answer.turnId);
        expect(world.d.send((cx) => submitTurn(cx, { ...request, input: user('something else') }))).toMatchObject({
          refused: 'IdempotencyConflict',
        });
      }
      expect(world.d.state.lastSeq).toBe(before);
    }),
  );
});

/** The same inputs to one that never continues as new and to one that does at every quiet point. */
function sameStory(
  kind: 'session' | 'run',
  given: ConstructorParameters<typeof World>[0],
  inputs: readonly Input[],
): void {
  // A look or a call of a handler that is under way is given up and taken again: that is seen in the effects.
  const quiet = inputs
    .filter((one) => one.do !== 'continue' && one.do !== 'look' && one.do !== 'handler')
    .map((one) => (one.do === 'start' ? { ...one, silence: 0 as const, handler: false } : one))
    .flatMap((one): Input[] => [one, { do: 'continue', abort: false }]);
  const whole = new World(given, false, kind);
  const parts = new World(given, true, kind);
  for (const one of quiet) {
    whole.apply(one);
    parts.apply(one);
  }
  whole.drain();
  parts.drain();
  expect(parts.d.log()).toEqual(whole.d.log());
  const did = ({ d }: World): unknown[] => d.did.filter((effect) => effect.do !== 'look');
  expect(did(parts)).toEqual(did(whole));
  for (const view of [
    sessionView,
    (state: World['d']['state']) => getTranscript(state, { includeHidden: true }),
    (state: World['d']['state']) => listRuns(state, {}),
  ])
    expect(view(parts.d.state)).toEqual(view(whole.d.state));
  // Of what a run was asked with and has told, no more is carried than its next execution needs.
  const kept = ({ d: { state } }: World): unknown => ({
    ...JSON.parse(JSON.stringify(state)),
    log: [],
    ...(state.self === undefined
      ? {}
      : { self: { ...state.self, input: null, milestones: state.self.milestones.at(-1) } }),
  });
  expect(kept(parts)).toEqual(kept(whole));
}

test('X-11 E-01 a session that continues as new at every quiet point tells the same story as one that never does', () => {
  always(
    200,
    fc.property(limits, sequence, (given, inputs) => {
      sameStory('session', { limits: given }, inputs);
    }),
  );
});

test('C-05 X-11 so does a run', () => {
  always(
    200,
    fc.property(limits, sequence, (given, inputs) => {
      sameStory('run', { limits: given }, inputs);
    }),
  );
});
