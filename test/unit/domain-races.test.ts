/** What meets in the same moment: nothing is lost, nothing waits for itself. */
import { expect, test } from 'vitest';
import { cancelRun } from '../../src/domain/run/cancel.ts';
import { close } from '../../src/domain/closing.ts';
import { messageRun, takeMessages } from '../../src/domain/run/to-runs.ts';
import { cancelTurn } from '../../src/domain/turn/cancel.ts';
import { submitTurn } from '../../src/domain/turn/submit.ts';
import { stepAborted } from '../../src/domain/turn/tool-calls.ts';
import { getTurn } from '../../src/domain/view/queries.ts';
import { Driver, user } from '../support/domain.ts';

function ask(d: Driver, runId: string, question = 'which?'): void {
  d.question(runId, { question });
}

test('a run ended by force is cancelled, also when Temporal is the first to say that it was terminated', () => {
  const d = Driver.session();
  d.running('x');
  d.send((cx) => cancelRun(cx, { runId: 'x' }));
  d.pass(36_000);
  d.take('terminate');
  d.ended('x', { status: 'failed', reason: 'lost', error: { type: 'Terminated', message: '' } });
  expect(d.row('x')).toMatchObject({ status: 'cancelled', reason: 'cancelled_by_user' });
});

test('an accepted message is sent before its session closes', () => {
  const d = Driver.session();
  d.running('x');
  d.send((cx) => messageRun(cx, { runId: 'x', message: 'one' }));
  d.send((cx) => messageRun(cx, { runId: 'x', message: 'two' }));
  d.send((cx) => close(cx, {}));
  expect(d.arrives('runMessage').messages.map((one) => one.message)).toEqual(['one']);
  expect(d.state.closing?.stage.is).not.toBe('done');
  expect(d.arrives('runMessage').messages.map((one) => one.message)).toEqual(['two']);
  expect(d.state.closing?.stage.is).toBe('done');
});

test('a session that closes does not wait for what it wanted to tell a run that has settled since', () => {
  const d = Driver.session();
  d.running('x');
  d.send((cx) => messageRun(cx, { runId: 'x', message: 'one' }));
  d.send((cx) => messageRun(cx, { runId: 'x', message: 'two' }));
  d.send((cx) => close(cx, {}));
  d.settled('x');
  expect(d.state.closing?.stage.is).toBe('done');
  expect(d.state.outbox.isEmpty).toBe(true);
});

test('nor for one that the server would not take, or that came while the execution was handing over', () => {
  const refused = Driver.session();
  refused.running('x');
  refused.send((cx) => messageRun(cx, { runId: 'x', message: 'one' }));
  refused.arrives('runMessage', 'refused');
  refused.send((cx) => close(cx, {}));
  refused.settled('x');
  refused.pass(1000);
  expect(refused.state.closing?.stage.is).toBe('done');

  const handing = Driver.session();
  handing.running('x');
  handing.holding = true;
  handing.send((cx) => messageRun(cx, { runId: 'x', message: 'one' }));
  handing.send((cx) => close(cx, {}));
  handing.settled('x');
  handing.continueAsNew();
  expect(handing.state.closing?.stage.is).toBe('done');
});

test('a run that asks before its start is confirmed again, after a reset of its starter, spends no budget', () => {
  const d = Driver.session({ limits: { maxConcurrentRuns: 1 } });
  d.running('first');
  d.start({ runId: 'x' });
  d.question('x');
  d.settled('first');
  d.confirm();
  expect(d.row('x')).toMatchObject({ status: 'input_required', life: { pausedAt: d.now } });
});

test('questions of runs that have settled take no room', () => {
  const d = Driver.session();
  for (let i = 0; i < 110; i++) {
    d.running(`r${i}`, { detached: { notify: 'silent' } });
    ask(d, `r${i}`, '問'.repeat(2000));
    if (d.state.turn !== null) d.send((cx) => cancelTurn(cx, {}));
    d.settled(`r${i}`);
  }
  expect(d.send((cx) => submitTurn(cx, { input: user('hi') }))).toMatchObject({ deduplicated: false });
});

test('a session that finishes its turn does not wait for a run that nobody will start', () => {
  const d = Driver.session({ limits: { maxConcurrentRuns: 1 } });
  d.running('x');
  d.submit('go');
  d.say([{ id: 'c', start: { agent: 'load', input: 1, wait: true } }]);
  d.send((cx) => close(cx, { turn: 'finish', runs: 'keep' }));
  d.say('Then not.');
  expect(d.story().at(-1)).toBe('session.closed');
  expect(d.state.runs.all.map((row) => row.status)).toEqual(['running', 'cancelled']);
});

test('a run that is waited for and asks is let go, so that its question can be answered', () => {
  const d = Driver.session();
  d.submit('go');
  d.say([{ id: 'c', start: { agent: 'load', input: 1, wait: true } }]);
  d.confirm();
  const runId = d.state.runs.all[0]?.runId ?? '';
  ask(d, runId);
  expect(d.log().find((event) => event.type === 'run.detached')).toMatchObject({ runId });
  d.say('It asks.');
  expect(d.state.transcript.at(-1)?.message.metadata).toMatchObject({ kind: 'ask' });
});

test('D-36 losing workers uses up no attempt of a step, but maxLosses in a row end its turn', () => {
  const d = Driver.session({ limits: { maxLosses: 3 } });
  d.submit('go');
  for (let i = 0; i < 7; i++) {
    d.stumble(i % 3 === 2 ? { maxAttempts: 4 } : { how: 'lost' });
    d.pass(60_000);
  }
  d.stumble({ how: 'lost' });
  d.pass(60_000);
  expect(d.state.turn).not.toBeNull();
  d.stumble({ how: 'lost' });
  expect(d.state.past.at(-1)).toMatchObject({ status: 'failed', error: { type: 'WorkerLost' } });
});

test('D-36 a step that comes further each time before its worker is lost is not given up; one that comes no further is', () => {
  const d = Driver.session({ limits: { maxLosses: 3 } });
  d.submit('go');
  for (const said of [10, 20, 30, 40, 50]) {
    d.stumble({ how: 'lost', said });
    d.continueAsNew();
    d.pass(60_000);
  }
  for (const said of [50, 0]) {
    expect(d.state.turn).not.toBeNull();
    d.stumble({ how: 'lost', said });
    d.pass(60_000);
  }
  expect(d.state.past.at(-1)).toMatchObject({ status: 'failed', error: { type: 'WorkerLost' } });
});

test('case 17 D-36 a tool that takes maxLosses workers with it in a row is an error result, and its turn goes on', () => {
  const d = Driver.session({ limits: { maxLosses: 3 } });
  d.submit('go');
  d.say([{ id: 'c', retries: 5 }]);
  for (let i = 0; i < 2; i++) {
    d.failTool('lost');
    d.pass(60_000);
  }
  // What throws has not lost its worker.
  d.failTool('threw');
  d.pass(60_000);
  for (let i = 0; i < 3; i++) {
    expect(d.asks('tool')).toBe(true);
    d.failTool('lost');
    d.pass(60_000);
  }
  expect(JSON.stringify(d.state.transcript.at(-1))).toContain('WorkerLost: ');
  d.say('noted');
  expect(d.state.past.at(-1)?.status).toBe('completed');
});

test('D-36 a worker that stops in order was not taken by its tool: however many do so in a row, the call is run again', () => {
  const d = Driver.session({ limits: { maxLosses: 3 } });
  d.submit('go');
  d.say([{ id: 'c' }]);
  for (let i = 0; i < 5; i++) {
    d.failTool('handed-back');
    d.pass(60_000);
  }
  d.answerTool('done');
  expect(JSON.stringify(d.state.transcript.at(-1))).toContain('done');
});

test('T-10 a call that must not run twice, given up because the history takes no more, is not run again: its outcome is unknown', () => {
  const d = Driver.session();
  d.submit('go');
  d.say([{ id: 'once', idempotent: false }, { id: 'repaired', idempotent: false, repairs: true }, { id: 'again' }]);
  const { turnId, step } = d.take('tool', ({ call }) => call.toolCallId === 'once');
  d.take('tool');
  d.take('tool');
  d.holding = true;
  for (const toolCallId of ['once', 'repaired', 'again']) d.send((cx) => stepAborted(cx, { turnId, step, toolCallId }));
  d.continueAsNew();
  expect(d.take('tool').call).toMatchObject({ toolCallId: 'repaired', attempt: 2 });
  expect(d.take('tool').call).toMatchObject({ toolCallId: 'again', attempt: 1 });
  expect(d.asks('tool')).toBe(false);
  expect(JSON.stringify(d.state.turn?.parts)).toContain('The outcome of this call is unknown');
});

test('a merged input keeps its own metadata, and its id answers with the turn it joined', () => {
  const d = Driver.session();
  d.submit('hold');
  d.submit('one', { metadata: { from: 'A' } });
  d.submit('two', { metadata: { from: 'B' }, onBusy: 'merge' });
  d.say([{ id: 'open', retries: 9 }]);
  d.failTool('threw');
  d.continueAsNew();
  d.pass(2000);
  d.answerTool(1);
  d.say('held');
  const { state } = d;
  expect(state.transcript.slice(-2).map(({ message }) => message.metadata)).toEqual([{ from: 'A' }, { from: 'B' }]);
  expect(getTurn(state, state.turn?.turnId ?? '')).not.toBeNull();
});

test('a message that a starter numbers anew after a reset is taken, the same one again is not', () => {
  const d = Driver.run('task');
  const say = (n: number, messageId: string): void => {
    d.send((cx) => takeMessages(cx, { epoch: d.state.epoch, messages: [{ n, messageId, message: messageId }] }));
  };
  say(1, 'a');
  say(2, 'b');
  say(2, 'b');
  say(1, 'c');
  expect(d.state.self?.work).toMatchObject({ inbox: [{ message: 'a' }, { message: 'b' }, { message: 'c' }] });
});
