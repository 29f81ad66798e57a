/** Admission: the order of checks, places and the queue of runs, all or none, and every limit with the error that names it. */
import { expect, test } from 'vitest';
import { close } from '../../src/domain/closing.ts';
import { cancelRun } from '../../src/domain/run/cancel.ts';
import type { StartRun } from '../../src/domain/run/admission.ts';
import { startRun, startRuns } from '../../src/domain/run/start.ts';
import { submitTurn } from '../../src/domain/turn/submit.ts';
import { listRuns } from '../../src/domain/view/queries.ts';
import { isRefusal } from '../../src/domain/state/types.ts';
import { Driver, refusal, user } from '../support/domain.ts';

function start(d: Driver, more: Partial<StartRun> = {}): unknown {
  return refusal(d.send((cx) => startRun(cx, { agent: 'load', input: null, ...more })));
}

function startAll(d: Driver, requests: Partial<StartRun>[]): unknown {
  return refusal(
    d.send((cx) =>
      startRuns(
        cx,
        requests.map((one) => ({ agent: 'load', input: null, ...one })),
      ),
    ),
  );
}

function statuses(d: Driver): string {
  return d.state.runs.all.map((row) => `${row.runId} ${row.status}`).join(', ');
}

test('checks come in this order: closed, known key, names, input, caps', () => {
  const d = Driver.session({ limits: { maxConcurrentRuns: 1, maxQueuedRuns: 0 } });
  d.running('a');
  expect(start(d, { runId: 'a', agent: 'nobody' })).toBe('IdempotencyConflict');
  expect(start(d, { runId: 'a' })).toMatchObject({ deduplicated: true });
  expect(start(d, { agent: 'nobody' })).toBe('UnknownAgent');
  const request = { agent: 'load', input: 7 };
  const misfits = new Map([[request, { at: 'runs[0].', field: '.file', wrong: 'to be a text, got 7' }]]);
  const unfit = (refuses: boolean): unknown =>
    d.send((cx) => startRuns(cx, [request, { ...request, agent: 'load' }], {}, { misfits, refuses }));
  expect(unfit(true)).toEqual({ refused: 'InvalidInput', message: 'Expected runs[0].input.file to be a text, got 7.' });
  expect(unfit(false)).toMatchObject({ refused: 'RunLimitExceeded' });
  expect(start(d)).toBe('RunLimitExceeded');
  expect(startAll(d, [{}, { agent: 'nobody' }])).toBe('UnknownAgent');
  expect(startAll(d, [{}, { agent: 'nobody' }, { runId: 'a', input: 1 }])).toBe('IdempotencyConflict');
  d.send((cx) => close(cx, { runs: 'cancel' }));
  expect(start(d, { runId: 'a', input: 1 })).toBe('SessionClosed');
  expect(start(d, { runId: 'a' })).toBe('SessionClosed');
});

test('D-14 beyond maxConcurrentRuns a run is queued, and starts in order when a place is free', () => {
  const d = Driver.session({ limits: { maxConcurrentRuns: 2 } });
  const receipts = d.startAll(
    ['a', 'b', 'c', 'd', 'e'].map((runId) => ({ runId, detached: { notify: 'silent' as const } })),
  );
  expect(receipts.map((receipt) => receipt.status)).toEqual(['running', 'running', 'queued', 'queued', 'queued']);
  d.confirm();
  d.settled('b');
  expect(statuses(d)).toBe('a running, b completed, c running, d queued, e queued');
  d.send((cx) => cancelRun(cx, { runId: 'd' }));
  d.confirm();
  d.settled('a');
  expect(statuses(d)).toBe('a completed, b completed, c running, d cancelled, e running');
  expect(d.did.filter((effect) => effect.do === 'start').map((effect) => effect.runId)).toEqual(['a', 'b', 'c', 'e']);
});

test('D-15 maxQueuedRuns 0 refuses at once, leaves no row, and the place is usable again after a settle', () => {
  const d = Driver.session({ limits: { maxConcurrentRuns: 1, maxQueuedRuns: 0 } });
  d.running('a', { detached: { notify: 'silent' } });
  const before = d.state.lastSeq;
  expect(start(d, { runId: 'b' })).toBe('RunLimitExceeded');
  expect(d.story(before)).toEqual([]);
  expect(listRuns(d.state, {}).runs).toHaveLength(1);
  d.settled('a');
  expect(start(d, { runId: 'b' })).toMatchObject({ status: 'running', deduplicated: false });
});

test('D-15 a given-up run that may still be running holds its place, a given-up queued one holds none', () => {
  const d = Driver.session({ limits: { maxConcurrentRuns: 1, maxQueuedRuns: 1 } });
  d.running('a', { detached: { onBudget: 'keep', maxBudgetMs: 1000 } });
  d.start({ runId: 'b', detached: { maxBudgetMs: 1000 } });
  d.pass(1000);
  expect(statuses(d)).toBe('a interrupted, b cancelled');
  d.start({ runId: 'c' });
  expect(start(d, { runId: 'd' })).toBe('RunLimitExceeded');
  d.settled('a');
  expect(statuses(d)).toBe('a completed, b cancelled, c running');
});

test('startRuns takes all or none: one that is refused leaves no row and no event of the others', () => {
  const d = Driver.session({ limits: { maxConcurrentRuns: 1, maxQueuedRuns: 1 } });
  const before = d.state.lastSeq;
  for (const requests of [
    [{}, {}, {}],
    [{ runId: 'x' }, { agent: 'nobody' }],
    [{ runId: 'x' }, { runId: 'x', input: 1 }],
  ])
    expect(
      isRefusal(
        d.send((cx) =>
          startRuns(
            cx,
            requests.map((one) => ({ agent: 'load', input: null, ...one })),
          ),
        ),
      ),
    ).toBe(true);
  expect(d.story(before)).toEqual([]);
  expect(d.state.counters.run).toBe(0);
  expect(startAll(d, [{ runId: 'x' }, { runId: 'x' }, {}])).toMatchObject([
    { runId: 'x', deduplicated: false },
    { runId: 'x', deduplicated: true },
    { status: 'queued' },
  ]);
});

test('the default limits take 16 runs at once and 1,000 queued, the next one is refused', () => {
  const d = Driver.session();
  for (let i = 0; i < 6; i++)
    d.startAll(
      Array.from({ length: 169 }, (_, n) => ({
        runId: `run-${i}-${n}`,
        input: { file: `orders-${i}-${n}.csv` },
        label: 'load the orders',
      })),
    );
  d.confirm();
  d.startAll([{}, {}]);
  expect(d.state.runs.all.filter((row) => row.status === 'running')).toHaveLength(16);
  expect(d.state.runs.all.filter((row) => row.status === 'queued')).toHaveLength(1000);
  expect(start(d)).toBe('RunLimitExceeded');
});

test('the default limits take 1,000 queued turns, the next one is QueueFull and changes nothing', () => {
  const d = Driver.session();
  for (let i = 0; i <= 1000; i++) d.submit(`input ${i}`, { idempotencyKey: `key-${i}` });
  const before = d.state.lastSeq;
  const answer = d.send((cx) => submitTurn(cx, { input: user('one more') }));
  expect(answer).toMatchObject({ refused: 'QueueFull', message: expect.stringContaining('limits.maxQueuedTurns') });
  expect(d.state.queue).toHaveLength(1000);
  expect(d.story(before)).toEqual([]);
});

test('maxQueuedBytes counts the inputs of queued turns and runs together, and nothing that is running', () => {
  const d = Driver.session({ limits: { maxConcurrentRuns: 1, maxQueuedBytes: 2000 } });
  d.submit('x'.repeat(5000));
  d.running('a', { input: 'x'.repeat(5000) });
  d.submit('x'.repeat(900));
  expect(start(d, { input: 'x'.repeat(900) })).toMatchObject({ status: 'queued' });
  expect(start(d, { input: 'x'.repeat(200) })).toBe('QueueFull');
  expect(refusal(d.send((cx) => submitTurn(cx, { input: user('x'.repeat(200)) })))).toBe('QueueFull');
  d.say('ok');
  d.say('ok');
  expect(start(d, { input: 'x'.repeat(200) })).toMatchObject({ status: 'queued' });
});

test("maxDepth: the depth of a session's own run is 1, and one run more is DepthExceeded", () => {
  const d = Driver.run('agent', { depth: 3, limits: { maxDepth: 4 } });
  expect(start(d, { runId: 'a' })).toMatchObject({ status: 'running' });
  expect(d.row('a')).toMatchObject({ depth: 4, workflowId: 's/x/a' });
  expect(start(Driver.run('agent', { depth: 4, limits: { maxDepth: 4 } }))).toBe('DepthExceeded');
});

test('D-19 in a run 4 run at once and 16 are queued unless its agent says otherwise', () => {
  const d = Driver.run('agent');
  d.startAll(Array.from({ length: 20 }, () => ({})));
  expect(d.state.runs.all.filter((row) => row.status === 'running')).toHaveLength(4);
  expect(start(d)).toBe('RunLimitExceeded');
});

test('a run with an input larger than a message is refused', () => {
  expect(start(Driver.session(), { input: 'x'.repeat(256 * 1024) })).toBe('InvalidInput');
});

test('inputs of runs that are starting do not keep others from being accepted', () => {
  const d = Driver.session();
  for (let i = 0; i < 10; i++) expect(start(d, { input: 'x'.repeat(200_000) })).toMatchObject({ status: 'running' });
});

test('X-11 while the next execution is to take over, nothing starts, and what is accepted is bounded as what it will carry', () => {
  const d = Driver.session();
  d.holding = true;
  const inputs = Array.from({ length: 4 }, () => ({ input: 'x'.repeat(200_000) }));
  expect(startAll(d, inputs)).toBe('QueueFull');
  expect(d.state.runs.all).toEqual([]);
  expect(startAll(d, inputs.slice(0, 2))).toMatchObject([{ status: 'queued' }, { status: 'queued' }]);
  d.holding = false;
  expect(startAll(d, inputs)).toMatchObject(inputs.map(() => ({ status: 'running' })));
});

test('a run whose workflow id would be longer than Temporal takes is refused, however deep runs may be nested', () => {
  const d = Driver.session({ id: `${'s'.repeat(120)}/${'x'.repeat(820)}`, limits: { maxDepth: 100 } });
  expect(start(d, { runId: 'x'.repeat(19) })).toBe('DepthExceeded');
  expect(start(d, { runId: 'x'.repeat(18) })).toMatchObject({ status: 'running' });
  expect(start(d)).toBe('DepthExceeded');
});

test('case 16 the default limits take 16 running and 1,000 queued runs with small inputs, the next one is RunLimitExceeded and changes nothing', () => {
  const d = Driver.session();
  for (let i = 0; i < 1016; i += 8)
    d.startAll(
      Array.from({ length: 8 }, (_, j) => ({
        input: { file: `orders-${i + j}.csv` },
        label: `Load orders ${i + j} of the year`,
        detached: { onFinish: 'told', onMilestones: { names: ['half'], mode: 'react' } },
      })),
    );
  d.confirm();
  expect(d.state.runs.all.filter((row) => row.status === 'running')).toHaveLength(16);
  expect(d.state.runs.all.filter((row) => row.status === 'queued')).toHaveLength(1000);
  const before = d.state.lastSeq;
  expect(start(d)).toBe('RunLimitExceeded');
  expect(d.state.lastSeq).toBe(before);
});

test('many starts go in waves: no more than 50 are under way, the rest follow as they are confirmed', () => {
  const d = Driver.session({ limits: { maxConcurrentRuns: 200 } });
  d.startAll(Array.from({ length: 120 }, (_, i) => ({ runId: `r${i}` })));
  expect(d.asked).toHaveLength(50);
  expect(d.state.runs.all.filter((row) => row.status === 'queued')).toHaveLength(70);
  d.confirm();
  expect(d.state.runs.all.every((row) => row.status === 'running')).toBe(true);
  expect(d.did.filter((effect) => effect.do === 'start').map((effect) => effect.runId)).toEqual(
    Array.from({ length: 120 }, (_, i) => `r${i}`),
  );
});

test('a refusal is one sentence that names what was expected and what came', () => {
  const d = Driver.session({ limits: { maxConcurrentRuns: 1, maxQueuedRuns: 0 } });
  d.start();
  const answers = [
    start,
    (one: Driver) => one.send((cx) => startRun(cx, { agent: 'nobody', input: 0 })),
    (one: Driver) => one.send((cx) => startRun(cx, { agent: 'load', input: 0 })),
  ]
    .slice(1)
    .map((ask) => ask(d));
  for (const answer of answers) expect((answer as { message: string }).message).toMatch(/^Expected .+, got .+\.$/);
});
