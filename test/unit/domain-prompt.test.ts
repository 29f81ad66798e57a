/** T-20: what a model is handed fits the strictest provider, whatever the transcript has come to. */
import { convertToModelMessages, type UIMessage as AiMessage } from 'ai';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { promptOf } from '../../src/domain/delivery/prompt.ts';
import type { MessagePart, UIMessage } from '../../src/domain/state/types.ts';
import { brokenRule, ofModel, RULES, type Said } from '../support/strict.ts';
import { Driver, noise, user } from '../support/domain.ts';

async function said(messages: readonly UIMessage[]): Promise<Said[]> {
  return ofModel(await convertToModelMessages(promptOf(messages) as unknown as AiMessage[]));
}

function message(role: 'user' | 'assistant', parts: MessagePart[], source?: string): UIMessage {
  return { id: '', role, parts, ...(source === undefined ? {} : { metadata: { source } }) };
}
const words = (value: string): MessagePart => ({ type: 'text', text: value });
const line = message('assistant', [words('Background run x completed.')], 'background-run');
const asked = message('user', [words('go')]);

function transcript(d: Driver): UIMessage[] {
  return d.state.transcript.map((entry) => entry.message);
}

async function fits(messages: readonly UIMessage[]): Promise<Said[]> {
  const prompt = await said(messages);
  expect(brokenRule(prompt)?.error).toBeUndefined();
  return prompt;
}

test.each(['   ', '\n', ''])('case 8 T-20 an answer of %j is left out of later prompts', async (blank) => {
  const d = Driver.session();
  d.submit('one');
  d.say(blank);
  d.submit('two');
  expect(await fits(transcript(d))).toMatchObject([{ role: 'user', texts: ['one', 'two'] }]);
});

test('case 8 T-20 an answer of reasoning only is left out, beside calls reasoning stays', async () => {
  const thought = { type: 'reasoning', text: 'hm' };
  const call = { type: 'tool-look', toolCallId: 'c', state: 'output-available', input: {}, output: 1 };
  const prompt = await fits([asked, message('assistant', [thought]), asked, message('assistant', [thought, call])]);
  expect(prompt.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool']);
  expect(promptOf([asked, message('assistant', [thought, call])])[1]?.parts).toEqual([thought, call]);
});

test('case 9 T-20 a line of the runtime before the first input, and two of them, are read behind a user message', async () => {
  const prompt = await fits([line, line, asked]);
  expect(prompt.map(({ role }) => role)).toEqual(['user', 'assistant', 'user']);
  expect(prompt.at(-1)?.texts).toEqual(['go']);
  expect((await fits([line])).map(({ role }) => role)).toEqual(['user', 'assistant', 'user']);
  expect((await fits([])).map(({ role }) => role)).toEqual(['user']);
});

test('case 9 T-20 what is left when the oldest messages were shed begins with a user', async () => {
  const d = Driver.session();
  for (let i = 0; i < 16; i++) {
    d.submit(user(noise(100_000, i)));
    d.say([{ id: `c${i}`, input: { i } }]);
    d.answerTool(noise(90_000, i));
    d.say(`a${i}`);
  }
  const before = transcript(d).length;
  for (let i = 0; i < 6; i++) {
    d.continueAsNew();
    d.submit(user(noise(100_000, 100 + i)));
    await fits(transcript(d));
    d.say(noise(90_000, 200 + i));
  }
  expect(transcript(d).length).toBeLessThan(before);
});

test('case 16b T-20 the input of a call that is no object is {} in the prompt, with its error as the result', async () => {
  const d = Driver.session();
  d.submit('go');
  d.say([{ id: 'c', input: '{"broken', invalid: 'InvalidInput: no JSON' }]);
  const [, step, result] = await fits(transcript(d));
  expect(step?.calls).toEqual([{ id: 'c', input: {} }]);
  expect(result).toMatchObject({ answers: ['c'], texts: ['InvalidInput: no JSON'] });
});

test('T-20 after a cancelled step every call has its result, and the next input is read', async () => {
  const d = Driver.session();
  d.submit('go');
  d.say([{ id: 'a' }, { id: 'b' }]);
  d.answerTool('', 'a');
  d.submit('instead', { onBusy: 'interrupt' });
  const prompt = await fits(transcript(d));
  expect(prompt.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'user']);
  expect(prompt[2]?.texts).toEqual(['""', expect.stringContaining('ended')]);
});

test('T-20 results that are blank, errors without words and calls without an answer say so', async () => {
  const part = (given: object): MessagePart => ({ type: 'tool-t', toolCallId: 'c', input: [], ...given });
  for (const given of [
    { state: 'output-available', output: ' ' },
    { state: 'output-error', errorText: '' },
    { state: 'input-available' },
  ])
    await fits([asked, message('assistant', [part(given)])]);
});

test('T-20 lines of the runtime behind a step with calls come before it, and its results are the last', async () => {
  const call = { type: 'tool-look', toolCallId: 'c', state: 'output-available', input: {}, output: 1 };
  const prompt = await fits([asked, message('assistant', [words('done')]), message('assistant', [call]), line]);
  expect(prompt.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool']);
  expect(prompt[1]?.texts).toEqual(['done', 'Background run x completed.']);
});

test('T-20 whatever stands in a transcript, its prompt breaks no rule of any provider', async () => {
  const blanks = fc.constantFrom('', ' ', '\n\t', 'words');
  const id = fc.integer({ min: 0, max: 1e9 }).map((n) => `call_${n}`);
  const state = fc.constantFrom(
    { state: 'output-available', output: '' },
    { state: 'output-available', output: { rows: 1 } },
    { state: 'output-error', errorText: ' ' },
    { state: 'input-available' },
  );
  const part: fc.Arbitrary<MessagePart> = fc.oneof(
    blanks.map(words),
    blanks.map((value) => ({ type: 'reasoning', text: value })),
    fc
      .tuple(id, fc.constantFrom<unknown>({}, 'no object', [], null, { a: 1 }), state)
      .map(([toolCallId, input, rest]) => ({ type: 'tool-t', toolCallId, input, ...rest })),
  );
  const messages = fc.array(
    fc.oneof(
      fc.array(blanks.map(words), { maxLength: 3 }).map((parts) => message('user', parts)),
      fc.array(part, { maxLength: 4 }).map((parts) => message('assistant', parts)),
      fc.constant(line),
    ),
    { maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(messages, async (all) => {
      const ids = all.flatMap(({ parts }) => parts.flatMap((one) => one['toolCallId'] ?? []));
      // Unique in every transcript, which is made so: see `turn/calls.ts`.
      fc.pre(new Set(ids).size === ids.length);
      await fits(all);
    }),
  );
});

test('T-20 the table of rules refuses what each of them is about', () => {
  const one = (role: string, more: Partial<Said> = {}): Said => ({
    role,
    texts: ['words'],
    more: false,
    calls: [],
    answers: [],
    ...more,
  });
  const calling = (input: unknown, ...ids: string[]): Said =>
    one('assistant', { calls: ids.map((id) => ({ id, input })) });
  const result = (id: string): Said => one('tool', { answers: [id] });
  const broken: Said[][] = [
    [],
    [one('assistant'), one('user')],
    [one('user'), one('assistant')],
    [one('user'), one('user')],
    [one('user'), one('assistant'), one('assistant'), one('user')],
    [one('user', { texts: [' '] })],
    [one('user', { texts: [] })],
    [one('user'), calling({}, 'a'), one('user')],
    [one('user'), result('a')],
    [one('user'), calling({}, 'a', 'a'), result('a'), result('a')],
    [one('user'), calling({}, 'a.b'), result('a.b')],
    [one('user'), calling('text', 'a'), result('a')],
  ];
  expect(broken.map((prompt) => brokenRule(prompt)?.error)).toEqual(RULES.map(({ error }) => error));
  expect(brokenRule([one('user'), calling({}, 'a'), result('a'), one('user')])).toBeUndefined();
});
