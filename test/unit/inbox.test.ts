/** Messages wait in order for what only a worker can tell: what names stand for, and whether input fits. */
import { expect, test } from 'vitest';
import type { StartRun } from '../../src/domain/run/admission.ts';
import { Inbox } from '../../workflows/inbox.ts';
import { Driver } from '../support/domain.ts';

/** An inbox whose worker answers when told to. */
function opened(known: readonly string[]) {
  const { state } = Driver.session();
  state.names = {};
  const asked: { names: readonly string[]; answer: () => void }[] = [];
  const checks: (() => void)[] = [];
  const inbox = new Inbox(state, {
    lookUp: (names, then) =>
      asked.push({
        names,
        answer: () => {
          for (const name of names)
            if (known.includes(name))
              state.names[name] = name.startsWith('handler:') ? { kind: 'handler' } : { kind: 'task', hasSchema: true };
          then();
        },
      }),
    check: (requests, then) => checks.push(() => then(requests.map(() => null))),
    isInAHurry: () => false,
  });
  inbox.open();
  const taken: string[] = [];
  const add = (runId: string, more: Partial<StartRun> = {}): void =>
    inbox.add([{ at: '', request: { agent: 'load', input: 1, runId, ...more } }], () =>
      taken.push(`${runId} ${Object.keys(state.names).toSorted().join()}`),
    );
  return { inbox, state, asked, checks, taken, add };
}

const detached = { notify: 'react', onFinish: 'told' } as StartRun['detached'];

test('X-12 names that are forgotten while the input of a message is checked are looked up again before it is taken', () => {
  const { state, asked, checks, taken, add } = opened(['load', 'handler:told']);
  add('a', { detached: detached as never });
  expect(asked.map(({ names }) => names)).toEqual([['load', 'handler:told']]);
  asked.shift()?.answer();
  expect(checks).toHaveLength(1);
  state.names = {};
  checks.shift()?.();
  expect(taken).toEqual([]);
  asked.shift()?.answer();
  expect(taken).toEqual(['a handler:told,load']);
});

test('a name that nobody knows is asked for once, and the message is taken all the same', () => {
  const { asked, checks, taken, add } = opened(['load']);
  add('a', { detached: detached as never });
  asked.shift()?.answer();
  checks.shift()?.();
  expect(asked).toEqual([]);
  expect(taken).toEqual(['a load']);
});
