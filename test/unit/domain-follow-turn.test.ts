/** What one who follows a turn reads of it: steps by their numbers, as many as he has not read, and the step under way. */
import { expect, test } from 'vitest';
import { followTurn } from '../../src/domain/view/follow-turn.ts';
import { Driver } from '../support/domain.ts';

test('T-18 finished steps come with their numbers, from wherever the reader is, and the step under way with what it has so far', () => {
  const d = Driver.session();
  d.submit('go', { turnId: 'one' });
  expect(followTurn(d.state, { turnId: 'one' })).toMatchObject({ steps: [], underWay: { step: 1, attempt: 1 } });
  d.say([{ id: 'a' }]);
  d.answerTool('first');
  d.say([{ id: 'b' }]);
  const early = followTurn(d.state, { turnId: 'one' });
  expect(early?.steps.map(({ step }) => step)).toEqual([1]);
  expect(early?.underWay).toMatchObject({ step: 2, message: { metadata: { partial: true } } });
  expect(followTurn(d.state, { turnId: 'one', after: 1 })?.steps).toEqual([]);
  d.answerTool('second');
  d.say('done');
  const late = followTurn(d.state, { turnId: 'one', after: 1 });
  expect(late?.steps.map(({ step }) => step)).toEqual([2, 3]);
  expect(late?.turn).toMatchObject({ status: 'completed', steps: 3, messages: [] });
  expect(late?.underWay).toBeUndefined();
  expect(followTurn(d.state, { turnId: 'other' })).toBeNull();
});

test('T-18 steps that do not fit into one answer come in the next, each once', () => {
  const d = Driver.session();
  d.submit('go', { turnId: 'one' });
  for (let i = 0; i < 30; i++) {
    d.say([{ id: `c${i}` }]);
    d.answerTool('x'.repeat(60_000));
  }
  d.say('done');
  const read: number[] = [];
  for (let more = true; more;) {
    const page = followTurn(d.state, { turnId: 'one', after: read.at(-1) ?? 0 });
    read.push(...(page?.steps ?? []).map(({ step }) => step));
    more = page?.hasMore === true;
  }
  expect(read).toEqual(Array.from({ length: 31 }, (_, i) => i + 1));
});
