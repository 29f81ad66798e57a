/** `limits.maxBackgroundTurns`: a model that starts a run whenever one has finished is stopped, and nothing else is. */
import { expect, test } from 'vitest';
import { answerOwn } from '../../src/domain/run/requests.ts';
import { getTranscript, sessionView } from '../../src/domain/view/queries.ts';
import { resetTurns } from '../../src/domain/turn/cancel.ts';
import { Driver } from '../support/domain.ts';

const LIMITS = { limits: { maxBackgroundTurns: 3 } };

/** The model answers the news of a failed run by starting another one. */
function again(d: Driver, n: number): void {
  d.say([{ id: `c${n}`, start: { agent: 'load', input: n } }]);
  d.confirm();
  d.say('started again');
  const row = d.state.runs.all.at(-1);
  d.settled(row?.runId ?? '', { status: 'failed', reason: 'agent_error', error: { type: 'E', message: 'no' } });
}

function looping(): Driver {
  const d = Driver.session(LIMITS);
  d.submit('go');
  for (let n = 0; n < 4; n++) again(d, n);
  return d;
}

test('T-25 beyond maxBackgroundTurns a background turn appends its inputs without a model call and ends skipped / loop', () => {
  const d = looping();
  expect(d.asks('model')).toBe(false);
  expect(d.state.past.at(-1)).toMatchObject({ status: 'skipped', reason: 'loop', steps: 0 });
  expect(d.story().slice(-3).join()).toContain('turn.skipped');
  expect(d.state.runs.all.at(-1)?.delivery.finish.state).toBe('delivered');
  expect(sessionView(d.state)).toMatchObject({ status: 'idle', loop: true });
  expect(getTranscript(d.state, { includeHidden: true }).messages.at(-1)?.metadata).toMatchObject({ kind: 'finish' });
  d.running('other', { runId: 'other' });
  d.continueAsNew();
  expect(sessionView(d.state).loop).toBeUndefined();
});

test.each<[string, (d: Driver) => void]>([
  ['a user says something', (d) => d.submit('what is it?')],
  ['a run is started from outside', (d) => d.start({ runId: 'outside' })],
  ['turns are reset', (d) => d.send((cx) => resetTurns(cx, {}))],
])('T-25 the count begins anew when %s', (_what, act) => {
  const d = looping();
  act(d);
  expect(sessionView(d.state).loop).toBeUndefined();
  while (d.asks('model')) d.say('noted');
  d.running('late');
  d.settled('late');
  expect(d.asks('model')).toBe(true);
});

test('T-25 turns that start no run are never stopped, nor is anything with maxBackgroundTurns 0', () => {
  const d = Driver.session(LIMITS);
  const runs = Array.from({ length: 10 }, (_, n) => `r${n}`);
  for (const runId of runs) d.running(runId);
  for (const runId of runs) {
    d.settled(runId);
    expect(d.asks('model')).toBe(true);
    d.say('nothing to do');
  }
  const free = Driver.session({ limits: { maxBackgroundTurns: 0 } });
  free.submit('go');
  for (let n = 0; n < 20; n++) again(free, n);
  expect(free.asks('model')).toBe(true);
});

test('T-25 in a run: an answer of its parent begins the count anew', () => {
  const d = Driver.run('agent', LIMITS);
  d.state.backgroundTurns = 3;
  d.say([{ id: 'q', runtime: 'ask_parent', input: { question: 'Which?' } }]);
  d.send((cx) => answerOwn(cx, { requestId: 's/x#1', value: 'this' }));
  expect(d.state.backgroundTurns).toBe(0);
});
