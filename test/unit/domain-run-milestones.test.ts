/** Milestones of a run on their way up: at most one message outstanding, none larger than a message may be. */
import { expect, test } from 'vitest';
import { isQuiet } from '../../src/domain/advance.ts';
import { ownMilestone } from '../../src/domain/run/own-milestones.ts';
import { parentGone } from '../../src/domain/run/parent-gone.ts';
import { taskDone } from '../../src/domain/self/self.ts';
import { isRefusal } from '../../src/domain/state/types.ts';
import { Driver, refusal } from '../support/domain.ts';

test('at most one signal is outstanding; the next carries all since the last', () => {
  const d = Driver.run('task');
  for (const name of ['a', 'b', 'c']) d.send((cx) => ownMilestone(cx, name, undefined));
  expect(d.asked.filter((effect) => effect.do === 'tell')).toHaveLength(1);
  expect(d.arrives('runMilestones').milestones.map((one) => one.name)).toEqual(['a']);
  expect(d.arrives('runMilestones').milestones.map((one) => one.n)).toEqual([2, 3]);
  expect(d.tells('runMilestones')).toBe(false);
  expect(isQuiet(d.state)).toBe(false);
  d.send((cx) => taskDone(cx, null, undefined));
  expect(isQuiet(d.state)).toBe(true);
});

test('one message carries no more than a message may be, the rest follows', () => {
  const d = Driver.run('task');
  for (let i = 0; i < 200; i++) d.send((cx) => ownMilestone(cx, `m${i}`, 'x'.repeat(8000)));
  let told = 0;
  for (let messages = 0; d.tells('runMilestones'); messages++) {
    const { milestones } = d.arrives('runMilestones');
    expect(milestones[0]?.n).toBe(told + 1);
    expect(JSON.stringify(milestones).length).toBeLessThanOrEqual(256 * 1024);
    expect(messages).toBeLessThan(20);
    told = milestones.at(-1)?.n ?? 0;
  }
  expect(told).toBe(200);
});

test('what the parent has not heard goes with the settle, as whole as one message takes', () => {
  const d = Driver.run('task');
  for (let i = 0; i < 200; i++) d.send((cx) => ownMilestone(cx, `m${i}`, 'x'.repeat(8000)));
  d.send((cx) => taskDone(cx, null, undefined));
  const untold = d.state.self?.milestones.filter((one) => one.n > (d.state.self?.told ?? 0));
  expect(untold).toHaveLength(200);
  expect(JSON.stringify(untold).length).toBeLessThan(512 * 1024);
});

test('the 1,001st is refused in the run', () => {
  const d = Driver.run('task');
  for (let i = 0; i < 1000; i++) expect(isRefusal(d.send((cx) => ownMilestone(cx, 'again', undefined)))).toBe(false);
  expect(refusal(d.send((cx) => ownMilestone(cx, 'again', undefined)))).toBe('InvalidInput');
});

test('when the parent is gone none is told, and the one outstanding holds nothing up', () => {
  const d = Driver.run('task');
  d.send((cx) => ownMilestone(cx, 'a', undefined));
  d.send((cx) => parentGone(cx, 'parent-epoch'));
  d.letter('runMilestones');
  d.send((cx) => ownMilestone(cx, 'b', undefined));
  expect(d.tells('runMilestones')).toBe(false);
  d.send((cx) => taskDone(cx, null, undefined));
  expect(isQuiet(d.state)).toBe(true);
});

test('parentGone of another epoch is refused', () => {
  const d = Driver.run('task');
  expect(refusal(d.send((cx) => parentGone(cx, 'other')))).toBe('InvalidInput');
  expect(d.state.self?.parentGone).toBeUndefined();
});
