/** What the terminal view takes for the end, though it can only ask for one thing after the other. */
import { expect, test } from 'vitest';
import { Problem } from '../../src/cli/problem.ts';
import { isAllAnswered, isAtRest, watch, type Glimpse } from '../../src/cli/watch.ts';
import type { SessionHandle } from '../../src/client/index.ts';
import { close } from '../../src/domain/closing.ts';
import { getEvents, listRuns, sessionView } from '../../src/domain/view/queries.ts';
import { Driver } from '../support/domain.ts';

/** A session that goes on by one of these between any two questions. */
function moving(d: Driver, steps: (() => void)[]): SessionHandle {
  const answer = async <T>(of: () => T): Promise<T> => {
    const now = structuredClone(of());
    steps.shift()?.();
    return Promise.resolve(now);
  };
  return {
    getSession: async () => answer(() => sessionView(d.state)),
    listRuns: async () => answer(() => listRuns(d.state, {})),
    getEvents: async ({ after = 0 }: { after?: number }) => answer(() => getEvents(d.state, { after })),
    run: () => ({ inspect: async () => Promise.resolve({ status: 'unknown' }) }),
  } as unknown as SessionHandle;
}

test.each([0, 1, 2, 3])(
  'a result that is handed over between two questions is answered before it is over, however it falls: %i',
  async (before) => {
    const d = Driver.session();
    d.running('a');
    const steps = [
      ...Array.from({ length: before }, () => () => undefined),
      () => {
        d.settled('a');
      },
      () => undefined,
      () => undefined,
      () => undefined,
      () => {
        d.say('answered');
      },
    ];
    const told: string[] = [];
    const last = await watch(moving(d, steps), {
      seen: ({ fresh }: Glimpse) => {
        told.push(...fresh.map((event) => event.type));
      },
      done: isAllAnswered,
      patienceMs: 0,
    });
    expect(last.snapshot).toMatchObject({ status: 'idle', runs: { completed: 1 } });
    expect(told.at(-1)).toBe('turn.completed');
    expect(steps).toEqual([]);
  },
);

test('a run that was started between two questions keeps it going', async () => {
  const d = Driver.session();
  const steps = [
    () => {
      d.running('a', { detached: { notify: 'silent' } });
    },
    () => undefined,
    () => undefined,
    () => {
      d.send((cx) => close(cx, {}));
    },
  ];
  await watch(moving(d, steps), {
    seen: () => undefined,
    done: ({ snapshot, ...more }) => isAllAnswered({ snapshot, ...more }) || snapshot.status !== 'idle',
    patienceMs: 0,
  });
  expect(steps).toEqual([]);
});

test('case 41: rows that were read before the session came to rest do not count as at rest', () => {
  const d = Driver.session();
  const rows = (): Glimpse['rows'] => listRuns(d.state, {}).runs as Glimpse['rows'];
  d.running('a', { detached: { notify: 'silent' } });
  const before = structuredClone(rows());
  d.settled('a');
  const snapshot = { ...sessionView(d.state), now: '' };
  expect(isAtRest({ snapshot, rows: before })).toBe(false);
  expect(isAtRest({ snapshot, rows: rows() })).toBe(true);
});

test('case 40: what cannot be read for too long, or is known to be hopeless, ends in one sentence', async () => {
  const gone = async (): Promise<never> =>
    Promise.reject(new Error('Failed to query Workflow', { cause: new Error('14 UNAVAILABLE: no connection.') }));
  const session = { sessionId: 's', listRuns: gone } as unknown as SessionHandle;
  const watching = { seen: () => undefined, done: () => true };
  await expect(watch(session, { ...watching, patienceMs: -1 })).rejects.toMatchObject({
    name: 'Problem',
    message:
      'The session s could not be read for 0 s (14 UNAVAILABLE: no connection); it is kept, and goes on with the next start.',
  });
  const full = new Problem('The disk is full.');
  await expect(watch(session, { ...watching, hopeless: () => full })).rejects.toBe(full);
});
