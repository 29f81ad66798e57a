/** The plan of `npm run chaos`: the same for the same seed, with all that was asked for in it, as far down as runs go. */
import { expect, test } from 'vitest';
import { plan, roundOf } from '../../chaos/generator.ts';
import { FORGERIES, shown, type Item, type Wanted } from '../../chaos/plan.ts';
import { labelOf, readLabel, runsOf, type Call, type Script, type Work } from '../../chaos/script.ts';

const WANTED: Wanted = { seed: 7, runs: 1000, kills: 50, restarts: 10 };
const rounds = plan(WANTED);
const items = rounds.flatMap((round) => round.items);
const sends = items.flatMap((item) => (item.do === 'send' ? [item] : []));

function scripts(): Script[] {
  const inputs = sends.flatMap(({ message }): unknown[] => {
    if (message.name === 'submitTurn') return [JSON.parse(message.argument.input as string)];
    if (message.name === 'startRun') return [message.argument.input];
    return message.name === 'startRuns' ? message.argument.runs.map(({ input }) => input) : [];
  });
  return inputs.filter((input): input is Script => typeof input === 'object' && input !== null && 'steps' in input);
}

function calls(script: Script): Call[] {
  return script.steps
    .flat()
    .flatMap((call) => (call.tool === 'start_run' && call.agent === 'helper' ? [call, ...calls(call.input)] : [call]));
}

function depth(script: Script): number {
  const below = script.steps.flat().flatMap((call) => {
    if (call.tool !== 'start_run') return [];
    return [1 + (call.agent === 'helper' ? depth(call.input) : 0)];
  });
  return Math.max(0, ...below);
}

test('the same seed gives the same plan, another seed another one', () => {
  const text = (wanted: Wanted): string => plan(wanted).map(shown).join('\n');
  expect(text(WANTED)).toBe(text(WANTED));
  expect(text({ ...WANTED, seed: 8 })).not.toBe(text(WANTED));
});

test('a round alone is the one of the whole plan', () => {
  expect(roundOf(WANTED, rounds.length, 4)).toEqual(rounds[3]);
});

test('rounds beyond the last have numbers and ids of their own', () => {
  const more = roundOf(WANTED, rounds.length, rounds.length + 1);
  expect(more.round).toBe(rounds.length + 1);
  const before = new Set(rounds.flatMap(({ sessions }) => sessions.map(({ sessionId }) => sessionId)));
  expect(more.sessions.filter(({ sessionId }) => before.has(sessionId))).toEqual([]);
});

test('it has as many losses and restarts as were asked for, of every kind, and at least as many runs', () => {
  const lost = items.flatMap((item) => (item.do === 'lose' ? [item.loss] : []));
  expect(lost).toHaveLength(WANTED.kills);
  expect(new Set(lost)).toEqual(new Set(['kill', 'stop', 'term']));
  expect(items.filter((item) => item.do === 'restart server')).toHaveLength(WANTED.restarts);
  expect(rounds.reduce((sum, { runs }) => sum + runs, 0)).toBeGreaterThanOrEqual(WANTED.runs);
});

test('it has all that a session can be asked, sent twice and stale too, and runs three levels deep', () => {
  const names = new Set(sends.map(({ message }) => message.name));
  expect([...names].toSorted()).toEqual(
    ['cancelRun', 'cancelTurn', 'messageRun', 'resetTurns', 'startRun', 'startRuns', 'submitTurn'].toSorted(),
  );
  expect(sends.filter(({ again }) => again === true).length).toBeGreaterThan(0);
  const forged = new Set(items.flatMap((item) => (item.do === 'forge' ? [item.forgery] : [])));
  expect(forged).toEqual(new Set(FORGERIES));
  expect(items.some((item: Item) => item.do === 'close')).toBe(true);
  const asked = new Set(scripts().flatMap((script) => calls(script).map(({ tool }) => tool)));
  for (const tool of ['ask_parent', 'cancel_run', 'charge', 'inspect_run', 'note', 'report_milestone', 'start_run'])
    expect(asked).toContain(tool);
  expect(Math.max(...scripts().map(depth))).toBe(3);
});

test('a script counts the runs that it starts and those below them', () => {
  const work: Call = { tool: 'start_run', agent: 'work', input: { units: 1, paceMs: 1 } };
  const below: Script = { key: 'b', steps: [[work, work]], thinkMs: 0 };
  expect(
    runsOf({ key: 'a', steps: [[work], [{ tool: 'start_run', agent: 'helper', input: below }]], thinkMs: 0 }),
  ).toBe(4);
});

test('a label is read as it was written, and another text says nothing', () => {
  expect(readLabel(labelOf({ notify: 'silent', units: 3 }))).toEqual({ notify: 'silent', units: 3 });
  expect(readLabel('import')).toEqual({});
  expect(readLabel(undefined)).toEqual({});
});

test('every run that waits for a message is sent one, before its session is closed', () => {
  const waits: string[] = [];
  for (let seed = 1; seed <= 60; seed++)
    for (const { items: all } of plan({ seed, runs: 200, kills: 2, restarts: 1 })) {
      const waiting = new Set<string>();
      for (const item of all) {
        if (item.do === 'close') waits.push(...[...waiting].filter((one) => one.startsWith(`${item.session}/`)));
        if (item.do !== 'send' || item.again === true) continue;
        const { message, session } = item;
        const started =
          message.name === 'startRun' ? [message.argument] : message.name === 'startRuns' ? message.argument.runs : [];
        for (const { runId, input } of started)
          if ((input as Partial<Work>).hears === true) waiting.add(`${session}/${runId}`);
        if (message.name === 'messageRun') waiting.delete(`${session}/${message.argument.runId}`);
      }
      waits.push(...waiting);
    }
  expect(waits).toEqual([]);
}, 60_000);
