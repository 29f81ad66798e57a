/** T-26: what a step has so far is seen while it waits for a run or a person; a line of the runtime does not wait with it. */
import { expect, test } from 'vitest';
import { answerOwn } from '../../src/domain/run/requests.ts';
import { getTurn } from '../../src/domain/view/queries.ts';
import type { OutliveEvent, UIMessage } from '../../src/domain/state/types.ts';
import { Driver, type RuntimeAsk, type StartAsk, type ToolAsk } from '../support/domain.ts';

const WAIT: StartAsk = { id: 'w', start: { agent: 'load', input: 1, wait: true } };

function going(...asks: (ToolAsk | StartAsk | RuntimeAsk)[]): Driver {
  const d = Driver.session();
  d.submit('go', { turnId: 'one' });
  d.say(asks);
  return d;
}

const messageOf = (event: OutliveEvent | undefined): UIMessage | undefined =>
  event?.['message'] as UIMessage | undefined;
const shown = (d: Driver): (UIMessage | undefined)[] =>
  d
    .log()
    .filter(({ type }) => type === 'step.waiting')
    .map(messageOf);
const states = (message: UIMessage | undefined): unknown[] => (message?.parts ?? []).map((part) => part['state']);
const soFar = (d: Driver): UIMessage | undefined => getTurn(d.state, 'one')?.messages.at(-1);

test('case 20 T-26 a step that waits for a run shows its finished tools in getTurn and in the log, and its message replaces that', () => {
  const d = going({ id: 'quick' }, WAIT);
  expect(d.story().slice(-3)).toEqual([
    expect.stringMatching(/^run.queued/u),
    expect.stringMatching(/^run.started/u),
    'step.waiting assistant one',
  ]);
  d.confirm();
  d.answerTool('found', 'quick');
  expect(shown(d).map(states)).toEqual([
    ['input-available', 'input-available'],
    ['output-available', 'input-available'],
  ]);
  expect(soFar(d)).toMatchObject({ metadata: { partial: true }, parts: [{ output: 'found' }, {}] });
  const [run] = d.state.runs.all;
  d.settled(run?.runId ?? '');
  const message = messageOf(d.log().findLast(({ type }) => type === 'message.added'));
  expect(states(message)).toEqual(['output-available', 'output-available']);
  expect(new Set([...shown(d), message].map((one) => one?.id)).size).toBe(1);
  expect(message?.metadata).toBeUndefined();
  expect(shown(d)).toHaveLength(2);
});

test('case 20 T-26 while its run waits in the queue it is shown too, and once only while nothing changes', () => {
  const d = Driver.session({ limits: { maxConcurrentRuns: 1 } });
  d.running('x');
  d.submit('go', { turnId: 'one' });
  d.say([WAIT]);
  for (let i = 0; i < 3; i++) d.pass(1000);
  d.continueAsNew();
  expect(shown(d)).toHaveLength(1);
  expect(soFar(d)?.id).toBe(shown(d)[0]?.id);
  d.settled('x');
  expect(shown(d)).toHaveLength(1);
});

test('case 20 T-26 a step that asks its parent is shown behind its request.opened', () => {
  const d = Driver.run('agent');
  d.say([{ id: 'q', runtime: 'ask_parent', input: { question: 'Which year?' } }]);
  expect(d.story().slice(-2)).toEqual([
    expect.stringMatching(/^request.opened/u),
    expect.stringMatching(/^step.waiting/u),
  ]);
  d.send((cx) => answerOwn(cx, { requestId: 's/x#1', value: 2024 }));
  expect(shown(d)).toHaveLength(1);
});

test('case 20 T-26 a step whose tools only run is in getTurn and not in the log; one that has ended is neither', () => {
  const d = going({ id: 'a' }, { id: 'b' });
  d.answerTool('first', 'a');
  expect(shown(d)).toEqual([]);
  expect(soFar(d)).toMatchObject({ metadata: { partial: true }, parts: [{ output: 'first' }, { toolCallId: 'b' }] });
  d.answerTool('second', 'b');
  expect(soFar(d)?.metadata).toBeUndefined();
  d.say('done');
  expect(getTurn(d.state, 'one')?.messages).toHaveLength(3);
});

test('case 20 T-26 what is shown of a large step is small, however often', () => {
  const d = going({ id: 'a' }, { id: 'b' }, WAIT);
  d.confirm();
  d.answerTool('x'.repeat(200_000), 'a');
  d.answerTool('y'.repeat(200_000), 'b');
  expect(Math.max(...shown(d).map((one) => JSON.stringify(one).length))).toBeLessThan(70_000);
  expect(JSON.stringify(soFar(d)).length).toBeGreaterThan(400_000);
});

test('case 36 a narrated line is appended at once while a step waits for a run, before the message of the step', () => {
  const d = Driver.session();
  d.running('told', { detached: { notify: 'narrate' } });
  d.submit('go', { turnId: 'one' });
  d.say([{ id: 'quick' }, WAIT]);
  d.confirm();
  const before = d.state.lastSeq;
  d.settled('told');
  expect(d.story(before)).toEqual([
    'run.settled told completed',
    expect.stringMatching(/^message.added assistant/u),
    expect.stringMatching(/^run.delivered told finish/u),
  ]);
  expect(d.row('told').delivery.finish.state).toBe('delivered');
  expect(d.state.turn?.turnId).toBe('one');
});

test('case 36 so it is while a step waits for a person, and behind the results of tools that only run', () => {
  const asking = Driver.run('agent');
  asking.running('told', { detached: { notify: 'narrate' } });
  asking.say([{ id: 'q', runtime: 'ask_parent', input: { question: 'Which year?' } }]);
  asking.settled('told');
  expect(asking.row('told').delivery.finish.state).toBe('delivered');
  const working = Driver.session();
  working.running('told', { detached: { notify: 'narrate' } });
  working.submit('go');
  working.say([{ id: 'a' }]);
  working.settled('told');
  expect(working.row('told')).toMatchObject({ status: 'completed', delivery: { finish: { state: 'queued' } } });
  working.answerTool('done');
  expect(working.story().slice(-2)).toEqual([
    expect.stringMatching(/^message.added assistant/u),
    expect.stringMatching(/^run.delivered told finish/u),
  ]);
});

test('case 36 a milestone that is narrated, and a run that is given up, do not wait with the step either', () => {
  const d = Driver.session({ budgets: { turnMs: 1e12 } });
  d.running('told', {
    detached: { notify: 'narrate', maxBudgetMs: 1000, onMilestones: { names: ['half'], mode: 'narrate' } },
  });
  d.submit('go');
  d.say([WAIT]);
  d.confirm();
  d.reached('told', [[1, 'half']]);
  d.pass(1000);
  const lines = d.log().filter((event) => messageOf(event)?.metadata?.['source'] === 'background-run');
  expect(lines.map((event) => messageOf(event)?.metadata?.['kind'])).toEqual(['milestone', 'gave-up']);
});

test('T-26 a question of the run that is waited for lets the step go on', () => {
  const d = going(WAIT);
  d.confirm();
  const [run] = d.state.runs.all;
  d.question(run?.runId ?? '');
  expect(d.asks('model')).toBe(true);
});
