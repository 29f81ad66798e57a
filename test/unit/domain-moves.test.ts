/** Rows, a run's own end, the end of a session and the outbox move one way only, and say in words why not otherwise. */
import { expect, test } from 'vitest';
import { close } from '../../src/domain/closing.ts';
import { moveTo } from '../../src/domain/state/closing.ts';
import { Outbox } from '../../src/domain/state/outbox.ts';
import { begin, confirm, end, giveUpOn, lose, pause, resume, type RunState } from '../../src/domain/state/row.ts';
import { decide, settle } from '../../src/domain/state/self.ts';
import { Driver, START } from '../support/domain.ts';

/** A row that waits for a place. */
function queued(): RunState {
  const d = Driver.session({ limits: { maxConcurrentRuns: 1 } });
  d.start({ runId: 'first' });
  d.start({ runId: 'x' });
  return d.row('x');
}

test('a run is started once, confirmed, given up and settled, in this order', () => {
  const row = queued();
  expect(() => giveUpOn(row)).toThrow(
    'Run x is queued and cannot be given up: a queued run is started first, in its turn, or never.',
  );
  begin(row, START);
  expect(row).toMatchObject({ status: 'running', life: { stage: 'starting' } });
  expect(() => begin(row, START)).toThrow('Run x is starting and cannot be started again.');
  expect(() => lose(row)).toThrow('Run x is starting: who is lost was given up first.');
  confirm(row, 'epoch');
  expect(row.life).toMatchObject({ stage: 'live', epoch: 'epoch' });
  expect(row.life).not.toHaveProperty('asked');
  giveUpOn(row);
  expect(row.status).toBe('interrupted');
  end(row, 'completed', {});
  expect(row).toMatchObject({ status: 'completed', life: { stage: 'settled' } });
  for (const again of ['completed', 'failed', 'cancelled'] as const)
    expect(() => end(row, again, {})).toThrow(
      'Run x is settled and cannot become settled: the first settle stands and never changes.',
    );
  expect(() => giveUpOn(row)).toThrow('Run x is settled and cannot be given up');
});

test('clocks that stand still move the ceiling when they go on, and only once', () => {
  const row = queued();
  begin(row, START);
  const { deadline } = row.own;
  pause(row, START + 1000);
  pause(row, START + 2000);
  expect(row.status).toBe('input_required');
  resume(row, START + 5000);
  resume(row, START + 9000);
  expect(row).toMatchObject({ status: 'running', own: { deadline: deadline + 4000 } });
});

test("a run's outcome is decided once, but a completion goes before a cancellation that has not taken effect", () => {
  const self = Driver.run('task').state.self;
  if (self === undefined) throw new Error('Expected a run.');
  expect(() => settle(self)).toThrow('Run x is working and cannot settle: that needs an outcome, and happens once.');
  decide(self, { status: 'cancelled', reason: 'cancelled_by_user' });
  expect(() => decide(self, { status: 'failed' })).toThrow(
    'Run x is ending as cancelled: its outcome is decided once.',
  );
  decide(self, { status: 'completed', result: 1 });
  expect(settle(self)).toEqual({ status: 'completed', result: 1 });
  expect(() => settle(self)).toThrow('Run x is settled and cannot settle');
});

test('nothing of an end is left out or done twice', () => {
  const d = Driver.session();
  d.running('x');
  d.keepsTelling = true;
  d.send((cx) => close(cx, {}));
  const { closing } = d.state;
  if (closing === undefined) throw new Error('Expected an end.');
  expect(closing.stage.is).toBe('telling');
  expect(() => moveTo(closing, { is: 'done' })).toThrow('An end that is at "telling" cannot go on to "done"');
});

test('of one entry of the outbox at most one message is under way, and what is put meanwhile leaves with the next', () => {
  const outbox = new Outbox();
  outbox.put({ lane: 'milestones' });
  outbox.put({ lane: 'milestones' });
  const [entry, ...others] = outbox.ready;
  if (entry === undefined) throw new Error('Expected an entry.');
  expect(others).toEqual([]);
  outbox.leave(entry);
  expect(() => outbox.leave(entry)).toThrow('What is under-way cannot leave');
  expect(outbox.isQuiet).toBe(false);
  outbox.put({ lane: 'milestones' });
  outbox.told(entry);
  expect([...outbox.ready]).toHaveLength(1);
  expect(outbox.isQuiet).toBe(true);
  const [again] = outbox.ready;
  if (again === undefined) throw new Error('Expected an entry.');
  outbox.leave(again);
  outbox.failed(again, 5000);
  expect(outbox.nextRetry()).toEqual({ at: 5000, what: 'retry of milestones' });
  expect([...new Outbox(JSON.parse(JSON.stringify(outbox)) as never).ready]).toEqual([]);
  outbox.wake(5000);
  expect([...outbox.ready]).toHaveLength(1);
  outbox.drop(again);
  expect(outbox.isEmpty).toBe(true);
});
