/** What a worker makes of activations that are not of its own tasks. Activations as the SDK gives them, the workflow left out. */
import { beforeEach, expect, test, vi } from 'vitest';
import type { ActivateInput, ConcludeActivationInput } from '@temporalio/workflow';
import { ASK_AGAIN } from '../../src/contract.ts';

type Activation = ActivateInput['activation'];
type Jobs = NonNullable<Activation['jobs']>;
type Commands = ConcludeActivationInput['commands'];

const SIGNAL: Jobs = [{ signalWorkflow: { signalName: 'any' } }];
const QUESTION: Jobs = [{ queryWorkflow: { queryId: 'legacy_query' } }];
const TIMER: Commands = [{ startTimer: { seq: 1 } }];

let take: (length: number, startedAt: number, jobs: Jobs, commands?: Commands, isReplaying?: boolean) => Commands;

beforeEach(async () => {
  vi.resetModules();
  const { interceptors } = await import('../../workflows/activations.ts');
  const internals = interceptors().internals?.[0];
  take = (historyLength, startedAt, jobs, commands = [], isReplaying = jobs === QUESTION) => {
    const timestamp = { seconds: startedAt, nanos: 0 } as unknown as Activation['timestamp'];
    const activation = { historyLength, timestamp, jobs, isReplaying } as Activation;
    internals?.activate?.({ activation, batchIndex: 0 }, () => undefined);
    return internals?.concludeActivation?.({ commands: [] }, () => ({ commands })).commands ?? [];
  };
});

/** The history of a workflow that has begun and started a timer: started, scheduled, started, completed, timer. */
function begin(isReplaying = false): void {
  take(3, 1, [{ initializeWorkflow: {} }], TIMER, isReplaying);
}

test('a question is answered between two tasks', () => {
  begin();
  take(3, 1, QUESTION);
  take(8, 2, SIGNAL, TIMER);
  take(8, 2, QUESTION);
  take(13, 3, SIGNAL);
  take(13, 3, QUESTION);
});

test('a question fails that comes between an event and its task', () => {
  begin();
  expect(() => take(7, 1, SIGNAL)).toThrow(ASK_AGAIN);
});

test('a question is answered that comes when the workflow was ended from outside before the task of an event', () => {
  begin();
  // Also the end.
  take(8, 1, SIGNAL);
  take(8, 1, QUESTION);
});

test('after a replay a question fails that comes while another worker may have the task', () => {
  begin(true);
  take(8, 2, SIGNAL);
  expect(() => take(8, 2, QUESTION)).toThrow(ASK_AGAIN);
});

test('after a replay a question is answered when the workflow was ended from outside during a task', () => {
  begin(true);
  // Also the failure of the task, and the end.
  take(10, 2, SIGNAL);
  take(10, 2, QUESTION);
});

test.each<[string, number]>([
  ['with more', 12],
  ['again', 16],
])('what a question took of the task of another worker is found when the task comes %s', (_case, length) => {
  begin();
  take(8, 2, SIGNAL, TIMER);
  take(8, 2, QUESTION);
  // One more event than own work would have left there, the end of the task that timed out, and one less, the timer.
  expect(() => take(length, 3, SIGNAL)).toThrow(ASK_AGAIN);
});

test('an own task of one event is told from what a question took', () => {
  begin();
  take(8, 2, SIGNAL);
  take(8, 2, QUESTION);
  take(13, 3, SIGNAL);
});

test('a task that asks for nothing leaves one event all the same', () => {
  begin();
  expect(take(8, 2, SIGNAL)).toHaveLength(1);
  expect(take(8, 2, QUESTION)).toEqual([]);
});
