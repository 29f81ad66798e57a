/** Silence, and finding out about runs that cannot speak. */
import { expect, test } from 'vitest';
import { rowView } from '../../src/domain/view/queries.ts';
import { Driver } from '../support/domain.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function looks(d: Driver): number {
  return d.did.filter((effect) => effect.do === 'look').length;
}

test('a run is looked at after 5, 15, 30 and then every 120 s', () => {
  const d = Driver.session();
  d.running('x');
  const at: number[] = [];
  const start = d.now;
  while (at.length < 6) {
    d.pass(500);
    if (!d.asks('look')) continue;
    at.push(Math.round((d.now - start) / 1000));
    d.glance();
  }
  const waits = at.map((second, i) => second - (at[i - 1] ?? 0));
  for (const [i, least] of [5, 15, 30, 120, 120, 120].entries()) {
    expect(waits[i]).toBeGreaterThanOrEqual(least);
    expect(waits[i]).toBeLessThanOrEqual(least * 1.1 + 1);
  }
});

test('D-08 a run that is silent for its budget is looked at and then given up as no_progress', () => {
  const d = Driver.session();
  d.running('x', { detached: { noProgressBudgetMs: MINUTE } });
  d.watched(MINUTE - 1000, { runId: 'x' });
  expect(d.row('x').status).toBe('running');
  d.watched(2000, { runId: 'x' });
  expect(d.row('x')).toMatchObject({ status: 'interrupted', reason: 'no_progress', childStillRunning: true });
  expect(d.row('x').delivery.gaveUp?.state).toBe('delivered');
});

test('D-08 a fresh snapshot or a milestone moves the deadline; the same snapshot again does not', () => {
  const d = Driver.session();
  d.running('x', { detached: { noProgressBudgetMs: MINUTE } });
  let n = 0;
  for (let i = 0; i < 10; i++)
    d.watched(MINUTE / 2, { runId: 'x', progress: { n: ++n, at: new Date(d.now).toISOString() } });
  d.pass(MINUTE - 20_000);
  d.reached('x', [[1, 'half']]);
  d.watched(MINUTE - 2000, { runId: 'x', progress: { n, at: new Date(d.now).toISOString() } });
  expect(d.row('x').status).toBe('running');
  d.watched(5000, { runId: 'x', progress: { n, at: new Date(d.now).toISOString() } });
  expect(d.row('x')).toMatchObject({ status: 'interrupted', reason: 'no_progress' });
});

test('D-08 what an agent run says of its finished steps moves the deadline; with the budget 0 silence does not count', () => {
  const d = Driver.session();
  d.running('x', { detached: { noProgressBudgetMs: MINUTE } });
  d.running('quiet', { detached: { noProgressBudgetMs: 0 } });
  for (let i = 0; i < 5; i++) {
    d.pass(MINUTE);
    d.glance({ runId: 'x', movedAt: d.now - 1000 });
  }
  expect(d.row('x').status).toBe('running');
  d.watched(2 * HOUR, { runId: 'quiet' });
  expect(d.row('x').status).toBe('interrupted');
  expect(d.row('quiet').status).toBe('running');
});

test('D-09 a queued run spends no silence budget', () => {
  const d = Driver.session({ limits: { maxConcurrentRuns: 1 }, budgets: { noProgressBudgetMs: HOUR } });
  d.running('first', { detached: { noProgressBudgetMs: 0 } });
  d.start({ runId: 'second' });
  d.watched(3 * HOUR, { runId: 'first' });
  expect(d.row('second').status).toBe('queued');
  d.settled('first');
  d.confirm();
  d.watched(HOUR - MINUTE, { runId: 'second' });
  expect(d.row('second').status).toBe('running');
});

test('D-10 a run that Temporal has closed without a settle settles from what the look has seen', () => {
  const d = Driver.session();
  d.running('x');
  d.continueAsNew();
  d.pass(6000);
  d.glance({
    runId: 'x',
    found: 'closed',
    outcome: { status: 'failed', reason: 'lost', error: { type: 'Terminated', message: 'by an operator' } },
  } as never);
  expect(d.row('x')).toMatchObject({ status: 'failed', reason: 'lost', error: { type: 'Terminated' } });
  expect(d.row('x').delivery.finish.state).toBe('delivered');
});

test('one look that finds nothing proves nothing, four in a row mean lost; the place is free, and a settle that still comes is taken', () => {
  const d = Driver.session({ limits: { maxConcurrentRuns: 1 } });
  d.running('x');
  d.start({ runId: 'next' });
  const nothing = { runId: 'x', found: 'nothing' as const };
  for (let i = 0; i < 3; i++) {
    while (!d.asks('look')) d.pass(1000);
    d.glance(nothing);
  }
  while (!d.asks('look')) d.pass(1000);
  d.glance();
  for (let i = 0; i < 3; i++) {
    while (!d.asks('look')) d.pass(1000);
    d.glance(nothing);
  }
  expect(d.row('x').status).toBe('running');
  while (!d.asks('look')) d.pass(1000);
  d.glance(nothing);
  expect(rowView(d.row('x'), true)).toMatchObject({ status: 'interrupted', reason: 'lost', childStillRunning: false });
  expect(d.row('x').cancelRequestedAt).toBeUndefined();
  expect(d.row('next').status).toBe('running');
  expect(d.state.runs.placesTaken).toBe(1);
  d.settled('x', { result: 'after all' });
  expect(d.row('x')).toMatchObject({ status: 'completed', result: 'after all' });
  expect(
    d
      .log()
      .filter((event) => event.type === 'run.delivered' || event.type === 'turn.joined' || event.type === 'turn.queued')
      .length,
  ).toBeGreaterThanOrEqual(2);
});

test('a lost run does not keep a session from closing nor a run from settling', () => {
  const d = Driver.session();
  d.running('x');
  for (let i = 0; i < 4; i++) {
    while (!d.asks('look')) d.pass(1000);
    d.glance({ runId: 'x', found: 'nothing' });
  }
  d.say('So it is lost.');
  d.continueAsNew();
  expect(d.row('x')).toMatchObject({ status: 'interrupted', reason: 'lost', childStillRunning: false });
  const before = looks(d);
  d.pass(HOUR);
  expect(looks(d)).toBe(before);
});

test('one look at a time goes to all runs that are due; one that it did not come to is looked at again', () => {
  const d = Driver.session();
  d.running('a');
  d.pass(300);
  d.running('b');
  d.pass(5500);
  const { runs } = d.take('look');
  expect(runs.map((run) => run.runId)).toEqual(['a', 'b']);
  d.pass(MINUTE);
  expect(d.asks('look')).toBe(false);
});

test('P-08 an older snapshot never takes the place of a newer one', () => {
  const d = Driver.session();
  d.running('x');
  d.pass(6000);
  d.glance({ runId: 'x', progress: { n: 7, at: new Date(d.now).toISOString(), fraction: 0.7 } });
  d.pass(20_000);
  d.glance({ runId: 'x', progress: { n: 3, at: new Date(d.now).toISOString(), fraction: 0.3 } });
  expect(d.row('x').progress).toMatchObject({ n: 7, fraction: 0.7 });
});
