/** The merged stream of a tree, cut off and resumed: exactly once, whatever ends when, and with a cursor of what is open only. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readTree, readOwn } from '../../src/client/events.ts';
import type { EventItem } from '../../src/client/index.ts';
import { UnknownSession } from '../../src/errors.ts';
import { BEGINNING } from '../../src/client/cursor.ts';
import { identity, Tree, type Growth } from '../support/tree.ts';

const growth = fc.record({
  what: fc.constantFrom<Growth>(
    'start',
    'start',
    'start alike',
    'say',
    'say',
    'milestone',
    'settle',
    'force',
    'tell',
    'close',
  ),
  where: fc.nat(50),
  later: fc.boolean(),
});

async function all(stream: AsyncIterable<EventItem>): Promise<EventItem[]> {
  const items: EventItem[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

const readerOf = (tree: Tree): Parameters<typeof readTree>[0] => ({
  read: tree.read,
  standing: async () => Promise.resolve(BEGINNING),
  unknown: async (id) => Promise.resolve(new UnknownSession(id)),
});

function grown(steps: readonly { what: Growth; where: number; later: boolean }[]): Tree {
  const tree = new Tree();
  for (const { what, where, later } of steps) tree.grow(what, where, later);
  return tree;
}

test('E-03 E-07 a reader that is cut off anywhere and resumes reads the sequence of one that never left', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(growth, { maxLength: 40 }), async (steps) => {
      const tree = grown(steps);
      tree.end();
      const items = await all(readTree(readerOf(tree), 's', 0));
      const whole = items.map(identity);
      expect(whole.toSorted()).toEqual(tree.told().toSorted());
      for (const [i, { cursor }] of items.entries())
        expect((await all(readTree(readerOf(tree), 's', cursor))).map(identity)).toEqual(whole.slice(i + 1));
    }),
    { numRuns: 150 },
  );
});

test('E-03 E-07 a reader that resumes while runs start, settle and outlive their starters, with or without them, misses nothing and reads nothing twice', async () => {
  const phase = fc.record({ steps: fc.array(growth, { maxLength: 10 }), runs: fc.boolean(), upTo: fc.nat(20) });
  await fc.assert(
    fc.asyncProperty(fc.array(phase, { maxLength: 8 }), async (phases) => {
      const tree = new Tree();
      const seen: string[] = [];
      let after: string | number = 0;
      for (const { steps, runs, upTo } of phases) {
        for (const { what, where, later } of steps) tree.grow(what, where, later);
        let count = 0;
        for await (const item of (runs ? readTree : readOwn)(readerOf(tree), 's', after)) {
          if (count++ === upTo) break;
          seen.push(identity(item));
          after = item.cursor;
        }
      }
      tree.end();
      seen.push(...(await all(readTree(readerOf(tree), 's', after))).map(identity));
      expect(seen.toSorted()).toEqual(tree.told().toSorted());
      const numbers = new Map<string, number>();
      for (const one of seen) {
        const [log = '', seq] = one.split(' ');
        expect(Number(seq)).toBeGreaterThan(numbers.get(log) ?? 0);
        numbers.set(log, Number(seq));
      }
    }),
    { numRuns: 400 },
  );
});

test('E-07 a cursor over a thousand ended runs, with some that go on, stays under 2 KB, and none of the ended is read again', async () => {
  const tree = new Tree();
  for (let i = 0; i < 1000; i++) {
    tree.grow('start', 5 * i, true);
    tree.grow('say', 1, true);
    if (i >= 990) continue;
    tree.grow('settle', 1, true);
    tree.grow('tell', 0, true);
  }
  const cursors = (await all(readTree(readerOf(tree), 's', 0))).map(({ cursor }) => cursor);
  expect(Math.max(...cursors.map((cursor) => cursor.length))).toBeLessThan(2048);
  const last = cursors.at(-1) ?? '';
  tree.grow('say', 0, true);
  tree.reads.length = 0;
  expect(await all(readTree(readerOf(tree), 's', last))).toHaveLength(1);
  expect(tree.reads.length).toBeLessThanOrEqual(11);
});
