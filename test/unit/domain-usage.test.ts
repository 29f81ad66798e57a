/** D-34: what a run has used is merged while it works, as an absolute figure: what is said twice, late or never adds nothing twice. */
import { expect, test } from 'vitest';
import { runMilestones } from '../../src/domain/run/from-runs.ts';
import { cancelRun } from '../../src/domain/run/cancel.ts';
import { cancelTurn } from '../../src/domain/turn/cancel.ts';
import { modelAnswered } from '../../src/domain/turn/model-step.ts';
import { terminated } from '../../src/domain/deadlines.ts';
import { ownMilestone } from '../../src/domain/run/own-milestones.ts';
import { getTurn, sessionView } from '../../src/domain/view/queries.ts';
import { Driver, usage } from '../support/domain.ts';

const at = '2030-01-01T00:00:00.000Z';

function reached(d: Driver, runId: string, n: number, tokens: number): void {
  d.send((cx) =>
    runMilestones(cx, {
      runId,
      epoch: d.state.epoch,
      milestones: [{ n, name: `m${n}`, at }],
      usage: usage(tokens),
    }),
  );
}

function total(d: Driver): number {
  return sessionView(d.state).usage.inputTokens;
}

test('D-34 milestones, requests, looks and the settle bring absolute figures, in whatever order', () => {
  const d = Driver.session();
  d.running('x');
  reached(d, 'x', 1, 100);
  reached(d, 'x', 1, 100);
  expect(total(d)).toBe(100);
  d.question('x', { below: 'y', usage: usage(250) });
  expect(total(d)).toBe(250);
  d.pass(6000);
  d.glance({ runId: 'x', found: 'open', usage: usage(200) });
  expect(total(d), 'a look that comes late takes nothing back').toBe(250);
  d.pass(16_000);
  d.glance({ runId: 'x', found: 'open', usage: usage(300) });
  d.settled('x', { usage: usage(400) });
  d.settled('x', { usage: usage(500) });
  expect(total(d)).toBe(400);
  expect(d.row('x').usage).toEqual(usage(400));
});

test('D-34 a run that is ended by force, lost, or cancelled keeps what was last seen of it, in row, event and session', () => {
  const d = Driver.session();
  for (const runId of ['forced', 'asked', 'lost', 'cancelled']) {
    d.running(runId);
    reached(d, runId, 1, 100);
  }
  d.send((cx) => cancelRun(cx, { runId: 'forced' }));
  d.send((cx) => cancelRun(cx, { runId: 'asked' }));
  d.pass(36_000);
  d.send((cx) => terminated(cx, 'forced'));
  d.send((cx) => terminated(cx, 'asked', usage(150)));
  d.ended('lost', { status: 'failed', reason: 'lost' });
  d.ended('cancelled', { status: 'cancelled', reason: 'cancelled_by_user', usage: usage(120) });
  const settled = d.log().filter((event) => event.type === 'run.settled');
  expect(settled.map((event) => [event.runId, (event['usage'] as { inputTokens: number }).inputTokens])).toEqual([
    ['forced', 100],
    ['asked', 150],
    ['lost', 100],
    ['cancelled', 120],
  ]);
  expect(total(d)).toBe(470);
});

test('D-25 D-34 what a session has used is its own and all below, also after continue-as-new and when rows are forgotten', () => {
  const d = Driver.session();
  d.running('x');
  reached(d, 'x', 1, 100);
  d.submit('hello');
  d.say('hello', { usage: usage(7) });
  d.continueAsNew();
  reached(d, 'x', 2, 130);
  d.settled('x', { usage: usage(140), status: 'cancelled' });
  d.say('a pity', { usage: usage(0) });
  expect(total(d)).toBe(147);
  for (let i = 0; i < 250; i++) {
    d.running(`b${i}`, { detached: { notify: 'silent' } });
    d.settled(`b${i}`);
  }
  d.continueAsNew();
  expect(total(d)).toBe(147);
});

test('D-34 a model call that was answered counts also when its turn has ended meanwhile', () => {
  const d = Driver.session();
  d.submit('hello', { turnId: 'one' });
  d.send((cx) => cancelTurn(cx, { turnId: 'one' }));
  const answer = { parts: [{ type: 'text' as const, text: 'hello' }], calls: [], usage: usage(7), canStart: {} };
  d.send((cx) => modelAnswered(cx, { turnId: 'one', step: 1, attempt: 1 }, answer));
  expect(total(d)).toBe(7);
  expect(getTurn(d.state, 'one')?.usage).toMatchObject({ inputTokens: 7 });
  expect(d.state.transcript.map(({ message }) => message.role)).toEqual(['user']);
});

test('D-34 a run tells with its milestones what it and all below it have used', () => {
  const d = Driver.run('agent');
  d.say([{ id: 'a', idempotent: true }], { usage: usage(20) });
  d.running('y');
  reached(d, 'y', 1, 5);
  d.send((cx) => ownMilestone(cx, 'half', undefined));
  expect(d.arrives('runMilestones').usage.inputTokens).toBe(25);
});
