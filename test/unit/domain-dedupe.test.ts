/** Ids and keys: the same payload answers as before, another is a conflict; through continue-as-new, and after the row is gone. */
import { describe, expect, test } from 'vitest';
import type { StartRun } from '../../src/domain/run/admission.ts';
import { startRun } from '../../src/domain/run/start.ts';
import { submitTurn, type SubmitTurn } from '../../src/domain/turn/submit.ts';
import { Driver, refusal, user } from '../support/domain.ts';

type Again = (d: Driver) => void;
const ways: [string, Again][] = [
  ['at once', () => undefined],
  ['after continue-as-new', (d) => d.continueAsNew()],
];

/** Submits and answers the receipt or the type of the refusal. */
function submit(d: Driver, given: SubmitTurn): unknown {
  return refusal(d.send((cx) => submitTurn(cx, given)));
}

function start(d: Driver, given: StartRun): unknown {
  return refusal(d.send((cx) => startRun(cx, given)));
}

describe.each(ways)('%s', (_name, again) => {
  test('T-02 idempotencyKey: equal submits make one turn, another payload under the key is IdempotencyConflict', () => {
    const d = Driver.session();
    const first = d.submit('go', { idempotencyKey: 'k', metadata: { a: 1, b: 2 } });
    d.say('done');
    again(d);
    const before = d.state.lastSeq;
    for (let i = 0; i < 10; i++) {
      expect(submit(d, { input: user('go'), idempotencyKey: 'k', metadata: { b: 2, a: 1 } })).toEqual({
        turnId: first.turnId,
        status: 'completed',
        position: 0,
        deduplicated: true,
      });
    }
    expect(submit(d, { input: user('other'), idempotencyKey: 'k', metadata: { a: 1, b: 2 } })).toBe(
      'IdempotencyConflict',
    );
    expect(submit(d, { input: user('go'), idempotencyKey: 'k' })).toBe('IdempotencyConflict');
    expect(submit(d, { input: user('go'), idempotencyKey: 'k', metadata: { a: 1, b: 2 }, onBusy: 'drop' })).toBe(
      'IdempotencyConflict',
    );
    expect(submit(d, { input: user('go'), idempotencyKey: 'k', metadata: { a: 1, b: 2 }, turnId: 'mine' })).toBe(
      'IdempotencyConflict',
    );
    expect(d.story(before)).toEqual([]);
  });

  test('T-02 turnId: the same payload answers with the present status, another one is a conflict', () => {
    const d = Driver.session();
    d.submit('busy', { turnId: 'busy' });
    d.say([{ id: 'c1', retries: 1 }]);
    d.failTool('threw');
    d.submit('go', { turnId: 'one' });
    again(d);
    expect(submit(d, { input: user('go'), turnId: 'one' })).toEqual({
      turnId: 'one',
      status: 'queued',
      position: 1,
      deduplicated: true,
    });
    expect(submit(d, { input: user('other'), turnId: 'one' })).toBe('IdempotencyConflict');
    d.pass(60_000);
    d.answerTool(1);
    d.say('free');
    expect(submit(d, { input: user('go'), turnId: 'one' })).toEqual({
      turnId: 'one',
      status: 'running',
      position: 0,
      deduplicated: true,
    });
    d.say('done');
    expect(submit(d, { input: user('go'), turnId: 'one' })).toEqual({
      turnId: 'one',
      status: 'completed',
      position: 0,
      deduplicated: true,
    });
  });

  test('T-02 a key whose input was merged answers with the turn that it joined', () => {
    const d = Driver.session();
    d.submit('busy');
    d.say([{ id: 'c1', retries: 1 }]);
    d.failTool('threw');
    d.submit('go', { turnId: 'one' });
    d.submit('more', { turnId: 'two', idempotencyKey: 'k', onBusy: 'merge' });
    again(d);
    expect(submit(d, { input: user('more'), turnId: 'two', idempotencyKey: 'k', onBusy: 'merge' })).toEqual({
      turnId: 'one',
      status: 'queued',
      position: 1,
      deduplicated: true,
    });
    expect(submit(d, { input: user('more'), turnId: 'two', onBusy: 'merge' })).toMatchObject({
      turnId: 'one',
      deduplicated: true,
    });
  });

  test('T-02 a new key that comes with a known turnId is remembered too', () => {
    const d = Driver.session();
    d.submit('go', { turnId: 'one', idempotencyKey: 'k1' });
    expect(submit(d, { input: user('go'), turnId: 'one', idempotencyKey: 'k2' })).toMatchObject({
      turnId: 'one',
      deduplicated: true,
    });
    d.say('done');
    again(d);
    expect(submit(d, { input: user('other'), idempotencyKey: 'k2' })).toBe('IdempotencyConflict');
    expect(submit(d, { input: user('go'), turnId: 'one', idempotencyKey: 'k2' })).toMatchObject({
      turnId: 'one',
      status: 'completed',
      deduplicated: true,
    });
  });

  test('skipped input is remembered as skipped', () => {
    const d = Driver.session();
    d.submit([], { turnId: 'none' });
    again(d);
    expect(submit(d, { input: [], turnId: 'none' })).toEqual({
      turnId: 'none',
      status: 'skipped',
      position: 0,
      deduplicated: true,
    });
    expect(submit(d, { input: user('x'), turnId: 'none' })).toBe('IdempotencyConflict');
  });

  test('runId: the same payload, defaults filled in, answers with the present status; another one is a conflict', () => {
    const d = Driver.session();
    d.running('a', { label: 'first' });
    again(d);
    const same = { agent: 'load', input: null, runId: 'a', label: 'first' };
    const receipt = { runId: 'a', workflowId: 's/a', status: 'running', deduplicated: true };
    expect(start(d, same)).toEqual(receipt);
    expect(
      start(d, { ...same, detached: { notify: 'react', onBudget: 'cancel', maxBudgetMs: 24 * 3600 * 1000 } }),
    ).toEqual(receipt);
    expect(start(d, { ...same, detached: { notify: 'silent' } })).toBe('IdempotencyConflict');
    expect(start(d, { ...same, input: {} })).toBe('IdempotencyConflict');
    expect(start(d, { ...same, label: 'second' })).toBe('IdempotencyConflict');
    expect(start(d, { ...same, agent: 'check' })).toBe('IdempotencyConflict');
    expect(d.did.filter((effect) => effect.do === 'start')).toHaveLength(1);
  });

  test("D-13 startRun with the id of a settled run answers that run's real status", () => {
    for (const status of ['completed', 'failed', 'cancelled'] as const) {
      const d = Driver.session();
      d.running('a');
      d.settled('a', { status });
      d.say('read');
      again(d);
      expect(start(d, { agent: 'load', input: null, runId: 'a' })).toMatchObject({ status, deduplicated: true });
    }
  });

  test('D-13 also when its row has been forgotten, and when all but its key has', () => {
    const d = Driver.session({ limits: { maxConcurrentRuns: 1000 } });
    d.running('a', { detached: { notify: 'silent' } });
    d.settled('a', { status: 'failed', reason: 'agent_error' });
    for (let i = 0; i < 250; i++) {
      d.running(`b${i}`, { detached: { notify: 'silent' } });
      d.settled(`b${i}`);
    }
    again(d);
    expect(d.state.runs.all.some((row) => row.runId === 'a')).toBe(false);
    expect(start(d, { agent: 'load', input: null, runId: 'a', detached: { notify: 'silent' } })).toMatchObject({
      status: 'failed',
      deduplicated: true,
    });
    d.state.runs.forgetOld(0);
    expect(start(d, { agent: 'load', input: null, runId: 'a', detached: { notify: 'silent' } })).toMatchObject({
      status: 'failed',
      deduplicated: true,
    });
    expect(start(d, { agent: 'load', input: 1, runId: 'a' })).toBe('IdempotencyConflict');
  });
});

test('the order of fields does not matter, that of lists does', () => {
  const d = Driver.session();
  d.start({ runId: 'a', input: { x: [1, 2], y: { p: 1, q: 2 } } });
  expect(start(d, { agent: 'load', runId: 'a', input: { y: { q: 2, p: 1 }, x: [1, 2] } })).toMatchObject({
    deduplicated: true,
  });
  expect(start(d, { agent: 'load', runId: 'a', input: { x: [2, 1], y: { p: 1, q: 2 } } })).toBe('IdempotencyConflict');
});

test('what is left out equals what is undefined', () => {
  const d = Driver.session();
  d.submit('go', { idempotencyKey: 'k' });
  expect(
    submit(d, {
      input: user('go'),
      idempotencyKey: 'k',
      metadata: undefined,
      onBusy: undefined,
    } as unknown as SubmitTurn),
  ).toMatchObject({ deduplicated: true });
});

test('T-02 at least the last 4,000 keys hold across continue-as-new, and those of a live run and a queued turn however old', () => {
  const d = Driver.session({ limits: { maxConcurrentRuns: 5 } });
  d.running('live');
  d.submit('waits', { turnId: 'old', onBusy: { debounceMs: 1e12 } });
  const receipts = Array.from({ length: 5000 }, (_, i) => {
    const receipt = d.submit(`input ${i}`, { idempotencyKey: `k${i}` });
    d.say('ok');
    return receipt;
  });
  d.continueAsNew();
  for (const i of [1001, 2500, 4999])
    expect(submit(d, { input: user(`input ${i}`), idempotencyKey: `k${i}` })).toMatchObject({
      turnId: receipts[i]?.turnId,
      deduplicated: true,
    });
  for (let i = 1000; i < 5000; i++)
    expect(submit(d, { input: user('other'), idempotencyKey: `k${i}` })).toBe('IdempotencyConflict');
  expect(submit(d, { input: user('other'), turnId: 'old' })).toBe('IdempotencyConflict');
  expect(start(d, { agent: 'load', input: 1, runId: 'live' })).toBe('IdempotencyConflict');
});

test('a minted id never meets an id that a caller has chosen', () => {
  const d = Driver.session();
  d.submit('a', { turnId: 't-00000001-1' });
  d.start({ runId: 'r-00000001-1' });
  d.confirm();
  d.settled('r-00000001-1');
  expect(d.state.queue.map((turn) => turn.turnId)).toEqual(['t-00000001-2']);
  expect(d.start().runId).toBe('r-00000001-2');
  expect(submit(d, { input: user('x'), turnId: 't-00000001-2' })).toBe('IdempotencyConflict');
});
