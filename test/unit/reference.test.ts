/**
 * `docs/reference.md` is in step with the types: each of its tables has a row for every field that there is and for no other, and says the
 * defaults that hold. What is new is so documented before it passes.
 */
import { execFileSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { KIB } from '../../src/contract.ts';
import { settingsOf } from '../../src/domain/state/settings.ts';
import { ERROR_TYPES } from '../../src/errors.ts';
import { aliasIn, argumentsOf, fieldsOf, memberOf, membersIn, type Member } from '../support/declarations.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const reference = read('docs/reference.md');

type Row = Readonly<Record<string, string>> & { readonly key: string };

/** The rows of the one table under a heading, by the titles of its columns; `key` is the name in the first one. */
function tableOf(heading: string): Row[] {
  const sections = reference.split(/^#+ /mu).filter((section) => section.split('\n', 1)[0] === heading);
  expect(sections, `sections of the reference called "${heading}"`).toHaveLength(1);
  const lines = (sections[0] ?? '').split('\n').filter((line) => line.startsWith('|'));
  const [titles = [], rule, ...rows] = lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  expect(
    rule?.every((cell) => cell === '---'),
    `one table under "${heading}"`,
  ).toBe(true);
  return rows.map((cells) => {
    expect(cells, `a row of "${heading}"`).toHaveLength(titles.length);
    const [, key] = /^`([^\s`]+)[^`]*`$/u.exec(cells[0] ?? '') ?? [];
    if (key === undefined) throw new Error(`Expected a name in backticks in "${heading}", got ${cells[0]}.`);
    return { ...Object.fromEntries(titles.map((title, i) => [title, cells[i] ?? ''])), key };
  });
}

const UNITS = new Map(
  Object.entries({ milliseconds: 1, s: 1000, min: 60_000, minutes: 60_000, h: 3_600_000, days: 86_400_000, KiB: KIB }),
);

/** The numbers in a text, with a unit in the smallest one: milliseconds, bytes. */
function quantities(text: string): number[] {
  return Array.from(
    text.matchAll(/(?<![\w.])(\d[\d,]*)(?: ([A-Za-z]+)\b)?/gu),
    ([, digits = '', unit = '']) => Number(digits.replaceAll(',', '')) * (UNITS.get(unit) ?? 1),
  );
}

/** What can be compared of a default that is said in words: numbers, code, and the words for yes, no and nothing. */
function saidIn(text: string): unknown[] {
  const code = Array.from(text.matchAll(/`["']?([^`"']+)["']?`|\b(true|false|none)\b/gu), ([, a, b]) => a ?? b);
  return [...code, ...quantities(text.replaceAll(/`[^`]*`|\([^)]*\)/gu, ''))];
}

/** The default that the comment of a field names, if it says it in a way that can be compared. */
function defaultInComment({ comment }: Member): unknown[] {
  const words = comment.replaceAll(/\s*\n\s*\*\s*/gu, ' ').replaceAll('*/', '');
  const [, said = ''] = /\bdefaults?:? ((?:`[^`]*`|[^.;:`]|[.:](?!\s))+)/iu.exec(words) ?? [];
  return saidIn(said);
}

interface Documented {
  members: Member[];
  /** Given as `Partial`. */
  partial?: boolean;
}

const session = membersIn('src/client/session-handle.ts', 'SessionHandle');
const inputs = (name: string): Documented => ({ members: membersIn('src/client/inputs.ts', name) });
const defined = (name: string): Documented => ({ members: membersIn('src/define.ts', name) });
const types = 'src/domain/state/types.ts';
const detached = fieldsOf(memberOf(inputs('RunRequest').members, 'detached').text);
const argument = (method: string): Documented => ({ members: fieldsOf(argumentsOf(memberOf(session, method))) });
const view = (name: string): Documented => ({ members: membersIn('src/domain/view/queries.ts', name) });
const testing = (file: string, name: string): Documented => ({ members: membersIn(`src/testing/${file}.ts`, name) });
const serverOptions = testing('server', 'TestServerOptions').members;
const processSettings = testing('worker-process', 'ProcessSettings').members.filter(({ name }) => name !== 'args');

/** What the tables are about, by their headings. */
const documented: Record<string, Documented> = {
  StartSessionOptions: { members: membersIn('src/client/client.ts', 'StartSessionOptions') },
  SessionInput: inputs('SessionInput'),
  limits: { members: membersIn(types, 'Limits'), partial: true },
  budgets: { members: membersIn(types, 'Budgets'), partial: true },
  turns: { members: membersIn(types, 'TurnSettings'), partial: true },
  SessionHandle: { members: session },
  SubmitTurnInput: inputs('SubmitTurnInput'),
  RunTurnOptions: inputs('RunTurnOptions'),
  cancelTurn: argument('cancelTurn'),
  RunRequest: inputs('RunRequest'),
  detached: { members: detached },
  onMilestones: { members: fieldsOf(memberOf(detached, 'onMilestones').text) },
  startRuns: argument('startRuns'),
  cancelRun: argument('cancelRun'),
  detachRun: argument('detachRun'),
  messageRun: argument('messageRun'),
  AnswerInput: inputs('AnswerInput'),
  rewind: { members: membersIn('src/domain/turn/rewind.ts', 'Rewind') },
  resetTurns: argument('resetTurns'),
  close: { members: membersIn('src/domain/closing.ts', 'Close') },
  listRuns: view('ListRuns'),
  getRun: argument('getRun'),
  getTurn: argument('getTurn'),
  getTranscript: view('GetTranscript'),
  getEvents: view('GetEvents'),
  EventsOptions: { members: membersIn('src/client/events.ts', 'EventsOptions') },
  OutliveClientOptions: { members: membersIn('src/client/client.ts', 'OutliveClientOptions') },
  OutliveClient: { members: membersIn('src/client/client.ts', 'OutliveClient') },
  ListSessions: { members: membersIn('src/client/list-sessions.ts', 'ListSessions') },
  RunHandle: { members: membersIn('src/client/run-handle.ts', 'RunHandle') },
  Config: defined('Config'),
  AgentDefinition: defined('AgentDefinition'),
  InterruptedCall: defined('InterruptedCall'),
  InstructionsContext: defined('InstructionsContext'),
  CallContext: defined('CallContext'),
  AiTool: defined('AiTool'),
  TaskDefinition: defined('TaskDefinition'),
  TaskContext: defined('TaskContext'),
  ProgressReport: defined('ProgressReport'),
  ToolDefinition: defined('ToolDefinition'),
  ToolContext: defined('ToolContext'),
  HandlerCall: defined('HandlerCall'),
  HandlerContext: defined('HandlerContext'),
  WorkerSetup: { members: membersIn('src/worker.ts', 'WorkerSetup') },
  OutliveWorker: { members: membersIn('src/worker.ts', 'OutliveWorker') },
  TestEnvironmentOptions: {
    members: [...testing('environment', 'TestEnvironmentOptions').members, ...serverOptions],
  },
  TestServerOptions: { members: serverOptions },
  TestEnvironment: testing('environment', 'TestEnvironment'),
  TestProcessSettings: { members: [...testing('environment', 'TestProcessSettings').members, ...processSettings] },
  WorkerProcess: testing('worker-process', 'WorkerProcess'),
  ManualTaskOptions: testing('manual-task', 'ManualTaskOptions'),
  StartedOptions: testing('manual-task', 'StartedOptions'),
  ManualRun: testing('manual-task', 'ManualRun'),
  ModelCall: testing('model/scripted-model', 'ModelCall'),
  ModelReply: { members: fieldsOf(aliasIn('src/testing/model/scripted-model.ts', 'ModelReply')), partial: true },
};

/** Tables about something else than a type; each has a test of its own below. */
const OTHERS = /^(?:Reference|onBusy|Errors|Environment variables|Command line|outlive \w+)$/u;

test.each(Object.entries(documented))(
  'the table %s has a row for each field and for no other, and says which are required and the defaults that the types say',
  (heading, { members, partial = false }) => {
    const rows = tableOf(heading);
    expect(rows.map(({ key }) => key).toSorted()).toEqual([...new Set(members.map(({ name }) => name))].toSorted());
    if (!rows.some((row) => 'default' in row)) return;
    const required = rows.filter((row) => row['default'] === 'required').map(({ key }) => key);
    const needed = partial ? [] : members.filter(({ isOptional }) => !isOptional).map(({ name }) => name);
    expect(required.toSorted(), 'required fields').toEqual(needed.toSorted());
    for (const member of members) {
      const said = defaultInComment(member);
      const written = rows.find(({ key }) => key === member.name)?.['default'] ?? '';
      if (said.length > 0) expect(saidIn(written), `default of ${member.name}`).toEqual(said);
    }
  },
);

test('every table under a heading is compared with something', () => {
  const headings = reference
    .split(/^#+ /mu)
    .filter((section) => section.includes('\n|'))
    .map((section) => section.split('\n', 1)[0] ?? '');
  expect(headings.filter((heading) => !OTHERS.test(heading)).toSorted()).toEqual(Object.keys(documented).toSorted());
});

test('every interface that an app writes or is given has a table', () => {
  for (const file of ['src/define.ts', 'src/client/inputs.ts'])
    for (const [, name = ''] of read(file).matchAll(/^export interface (\w+)/gmu))
      expect(documented).toHaveProperty(name);
});

test('the defaults of limits, budgets and turns are those that hold', () => {
  const said = (value: unknown): unknown => (typeof value === 'boolean' ? String(value) : value);
  const ofSession = settingsOf('session');
  const ofRun = settingsOf('run');
  for (const part of ['limits', 'budgets', 'turns'] as const) {
    const table = new Map(tableOf(part).map((row) => [row.key, row['default'] ?? '']));
    for (const [name, value] of Object.entries(ofSession[part]) as [string, unknown][]) {
      const inRun = (ofRun[part] as unknown as Record<string, unknown>)[name];
      expect(saidIn(table.get(name) ?? ''), `${part}.${name}`).toEqual(
        value === inRun ? [said(value)] : [said(value), said(inRun)],
      );
    }
  }
});

test('every value of onBusy is there', () => {
  const type = aliasIn(types, 'OnBusy');
  const words = Array.from(type.matchAll(/'(\w+)'/gu), ([, word = '']) => word);
  const values = [...words, ...fieldsOf(type).map(({ name }) => name)];
  expect(tableOf('onBusy').map(({ key }) => key)).toEqual(values);
});

test('every type of error that is thrown is there', () => {
  expect(
    tableOf('Errors')
      .map(({ key }) => key)
      .toSorted(),
  ).toEqual(ERROR_TYPES.toSorted());
});

test('every environment variable that the package reads is there', () => {
  // Of the demo, which the package does not ship.
  const sources = globSync('{src,activities,workflows}/**/*.ts', { cwd: ROOT }).map(read);
  const own = sources.flatMap(
    (text) =>
      text.match(
        /\b(?:OUTLIVE_(?!(?:OUT|FILES|MODEL|PACE)\b)[A-Z_]+|TEMPORAL_CLI_PATH|XDG_[A-Z_]+|[A-Z_]+_(?:API_KEY|BASE_URL|OIDC_TOKEN))\b/gu,
      ) ?? [],
  );
  const standard =
    read('node_modules/@temporalio/envconfig/lib/envconfig-toml.js').match(/\bTEMPORAL_[A-Z_]+\b/gu) ?? [];
  // Read by the SDK and used for nothing there.
  const unused = /^TEMPORAL_(?:CODEC_|TLS_DISABLE_HOST_VERIFICATION)/u;
  const names = new Set([...own, ...standard.filter((name) => !unused.test(name))]);
  expect(
    tableOf('Environment variables')
      .map(({ key }) => key)
      .toSorted(),
  ).toEqual([...names].toSorted());
});

describe('the command line', () => {
  const help = (...args: string[]): string =>
    execFileSync(process.execPath, [join(ROOT, 'src/cli/main.ts'), ...args, '--help'], { encoding: 'utf8' });
  const commands = tableOf('Command line').map(({ key }) => key);

  test('every command is there', () => {
    const [, listed = ''] = help().split('Commands:\n');
    const names = Array.from(listed.matchAll(/^ {2}([a-z]\S*)/gmu), ([, name = '']) => name);
    expect(commands).toEqual(names.filter((name) => name !== 'help'));
  });

  test.each(commands)('every option of %s is there', (command) => {
    const options = Array.from(help(command).matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gmu), ([, name = '']) => name);
    const rows = reference.includes(`### outlive ${command}\n\n|`) ? tableOf(`outlive ${command}`) : [];
    expect(rows.map(({ key }) => key)).toEqual(options.filter((name) => name !== '--help'));
  });
});

test('links lead to headings that are there', () => {
  const slugs = (text: string): string[] =>
    Array.from(text.matchAll(/^#+ (.+)$/gmu), ([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^a-z\d -]/gu, '')
        .replaceAll(' ', '-'),
    );
  for (const [, file = '', anchor = ''] of reference.matchAll(/\]\(([\w.-]*)#([^)]+)\)/gu))
    expect(slugs(file === '' ? reference : read(`docs/${file}`)), `${file}#${anchor}`).toContain(anchor);
});
