/** The tool `start_run`: what a model may start, and what it reads as the answer. */
import { describe, expect, test } from 'vitest';
import { cancelTurn } from '../../src/domain/turn/cancel.ts';
import type { MessagePart } from '../../src/domain/state/types.ts';
import { runIdOfToolCall } from '../../src/domain/state/ids.ts';
import { Driver } from '../support/domain.ts';

/** The parts of the last step, after a model asked for these starts. */
function started(
  d: Driver,
  starts: { agent: unknown; [field: string]: unknown }[],
  canStart?: string[],
): MessagePart[] {
  d.say(
    starts.map((start, i) => ({ id: `c${d.state.turn?.step ?? 0}-${i}`, start: start as never })),
    canStart === undefined ? {} : { canStart },
  );
  return d.state.transcript.at(-1)?.message.parts ?? [];
}

function going(given: Parameters<typeof Driver.session>[0] = {}): Driver {
  const d = Driver.session(given);
  d.submit('go', { turnId: 'one' });
  return d;
}

test('D-02 a run is started at once and answered with its id; it belongs to the session, not to the turn', () => {
  const d = going();
  const [part] = started(d, [{ agent: 'load', input: { file: 'orders.csv' }, label: 'orders' }]);
  const [row] = d.state.runs.all;
  expect(part).toMatchObject({
    state: 'output-available',
    output: { runId: row?.runId, workflowId: `s/${row?.runId}`, status: 'running' },
  });
  expect(row).toMatchObject({ turnId: 'one', parentToolCallId: 'c1-0', label: 'orders' });
  expect(row?.runId).toMatch(/^r-00000001-[0-9a-f]{12}$/);
  d.confirm();
  d.send((cx) => cancelTurn(cx, {}));
  expect(d.row(row?.runId ?? '').status).toBe('running');
});

test("ids made from a tool call are a hash of it, never the provider's text", () => {
  const d = going();
  d.say([{ id: '../evil id', start: { agent: 'load', input: 0 } }]);
  expect(d.state.runs.all[0]?.runId).toMatch(/^r-00000001-[0-9a-f]{12}$/);
});

test('D-28 the same call, in the same step of the same turn, starts one run', () => {
  const d = going();
  const turnId = d.state.turn?.turnId ?? '';
  d.say([{ id: 'c', start: { agent: 'load', input: 0 } }]);
  const runId = runIdOfToolCall(d.state.epoch, turnId, 1, '1');
  expect(d.state.runs.all.map((row) => row.runId)).toEqual([runId]);
  // As a replay of the step would ask for it.
  expect(d.start({ agent: 'load', input: 0, runId })).toMatchObject({ runId, deduplicated: true });
  d.say([{ id: 'c', start: { agent: 'load', input: 0 } }]);
  expect(d.state.runs.size).toBe(2);
});

test.each([
  { agent: 'nobody' },
  { agent: 'check' },
  { agent: 'workflow:other' },
  { agent: 5 },
  { agent: null },
  { agent: '__proto__' },
  { agent: 'toString' },
])('S-02 a model can start only what canStart names: %j is an error result', (start) => {
  const d = going();
  const [part] = started(d, [start], ['load']);
  expect(part).toMatchObject({ state: 'output-error', errorText: expect.stringMatching(/^UnknownAgent: .*"load"/) });
  expect(d.state.runs.all).toEqual([]);
  expect(d.asks('model')).toBe(true);
});

test('S-02 deeper than maxDepth, or more than there is room for, is refused to it as an error result', () => {
  const deep = Driver.run('agent', { depth: 4 });
  deep.say([{ id: 'c', start: { agent: 'load', input: 0 } }]);
  expect(deep.state.transcript.at(-1)?.message.parts[0]).toMatchObject({
    state: 'output-error',
    errorText: expect.stringContaining('DepthExceeded'),
  });
  const full = going({ limits: { maxConcurrentRuns: 1, maxQueuedRuns: 0 } });
  expect(started(full, [{ agent: 'load' }, { agent: 'load' }])).toMatchObject([
    { state: 'output-available' },
    { state: 'output-error', errorText: expect.stringContaining('RunLimitExceeded') },
  ]);
});

test('maxRunsPerTurn counts the runs of one turn, over all its steps, and the next turn begins anew', () => {
  const d = going({ limits: { maxRunsPerTurn: 2 } });
  started(d, [{ agent: 'load' }]);
  expect(started(d, [{ agent: 'load' }, { agent: 'load' }]).map((part) => part['state'])).toEqual([
    'output-available',
    'output-error',
  ]);
  d.say('done');
  d.submit('more');
  expect(started(d, [{ agent: 'load' }])[0]).toMatchObject({ state: 'output-available' });
  d.start();
  expect(d.state.runs.size).toBe(4);
});

test('a label that is too long is cut, never inside a character', () => {
  const d = going();
  started(d, [{ agent: 'load', label: '🙂'.repeat(300) }]);
  expect(d.state.runs.all[0]?.label).toBe('🙂'.repeat(200));
});

test('a queued run is answered as queued', () => {
  const d = going({ limits: { maxConcurrentRuns: 1 } });
  expect(
    started(d, [{ agent: 'load' }, { agent: 'load' }]).map((part) => (part['output'] as { status: string }).status),
  ).toEqual(['running', 'queued']);
});

describe('case 1 case 2 D-31 calls are told apart by their place in the step, whatever ids the provider gives them', () => {
  test.each(['call_0', ''])(
    'two starts with the id %j, with other and with equal inputs, are two runs with two results',
    (id) => {
      for (const inputs of [
        ['one', 'two'],
        ['same', 'same'],
      ]) {
        const d = Driver.session();
        d.submit('go');
        d.say(inputs.map((input) => ({ id, start: { agent: 'load', input } })));
        d.confirm();
        expect(d.state.runs.all.map((row) => row.runId)).toHaveLength(2);
        const parts = d.state.transcript.at(-1)?.message.parts ?? [];
        expect(parts.map((part) => (part['output'] as { runId: string }).runId)).toEqual(
          d.state.runs.all.map((row) => row.runId),
        );
        const ids = parts.map((part) => String(part['toolCallId']));
        expect(new Set(ids).size).toBe(2);
        expect(ids.filter((one) => one !== id)).toSatisfy((made: string[]) =>
          made.every((one) => /^c[0-9a-f]{8}$/u.test(one)),
        );
        expect(d.state.runs.all.map((row) => row.parentToolCallId)).toEqual(ids);
      }
    },
  );

  test('a tool beside a start, and two tools: each answer stands at its own call, also in the next step with the same ids', () => {
    const d = Driver.session();
    d.submit('go');
    for (const step of [1, 2]) {
      d.say([
        { id: 'call_0', input: `a${step}` },
        { id: 'call_0', start: { agent: 'load', input: step } },
        { id: 'call_0', input: `b${step}` },
      ]);
      d.confirm();
      for (const input of [`b${step}`, `a${step}`]) {
        const { call } = d.asked.find((effect) => effect.do === 'tool' && effect.call.input === input) as {
          call: { toolCallId: string };
        };
        d.answerTool(`answer to ${input}`, call.toolCallId);
      }
      const parts = d.state.transcript.at(-1)?.message.parts ?? [];
      expect(parts.map((part) => part['output'])).toMatchObject([
        `answer to a${step}`,
        { status: expect.any(String) },
        `answer to b${step}`,
      ]);
    }
    const ids = d.state.transcript.flatMap(({ message }) => message.parts.flatMap((part) => part['toolCallId'] ?? []));
    expect(new Set(ids).size).toBe(6);
  });

  test('two words to a run are two messages', () => {
    const d = Driver.session();
    d.running('x');
    d.submit('go');
    d.say([
      { id: '', runtime: 'message_run', input: { runId: 'x', message: 'first' } },
      { id: '', runtime: 'message_run', input: { runId: 'x', message: 'second' } },
    ]);
    expect(
      d
        .log()
        .filter((event) => event.type === 'message.sent')
        .map((event) => event['message']),
    ).toEqual(['first', 'second']);
  });
});
