/** What a client refuses to send: told at once, also where no server is. */
import { Client, Connection, ServiceError } from '@temporalio/client';
import { afterAll, expect, test } from 'vitest';
import { OutliveClient } from '../../src/client/index.ts';
import * as alone from '../../src/client/index.ts';
import { failureOf } from '../../src/client/failures.ts';
import { checkSent, SENT_BYTES } from '../../src/client/sent.ts';
import { ERROR_TYPES, OutliveError } from '../../src/errors.ts';
import * as whole from '../../src/index.ts';

/** Whatever is sent there is `Unavailable`. */
const nowhere = Connection.lazy({ address: '127.0.0.1:1' });
const client = new OutliveClient(new Client({ connection: nowhere }));
const session = client.session('s');

afterAll(async () => nowhere.close());

async function refusalOf(call: () => unknown): Promise<string> {
  const error: unknown = await Promise.resolve()
    .then(call)
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(OutliveError);
  const { type, message } = error as OutliveError;
  return `${type}: ${message}`;
}

/** Given as JavaScript gives it. */
function js(value: unknown): never {
  return value as never;
}

/** Every way to send something, with it in a field `given`. */
const ways: Record<string, (given: unknown) => Promise<unknown>> = {
  startSession: async (given) => client.startSession('s', js({ given })),
  listSessions: async (given) => client.listSessions(js({ given })),
  submitTurn: async (given) => session.submitTurn(js({ given })),
  runTurn: async (given) => session.runTurn('hello', js({ given })),
  cancelTurn: async (given) => session.cancelTurn(js({ given })),
  startRun: async (given) => session.startRun(js({ given })),
  startRuns: async (given) => session.startRuns(js({ given })),
  cancelRun: async (given) => session.cancelRun(js({ given })),
  detachRun: async (given) => session.detachRun(js({ given })),
  messageRun: async (given) => session.messageRun(js({ given })),
  answer: async (given) => session.answer(js({ given })),
  resetTurns: async (given) => session.resetTurns(js({ given })),
  rewind: async (given) => session.rewind(js({ given })),
  close: async (given) => session.close(js({ given })),
  listRuns: async (given) => session.listRuns(js({ given })),
  getRun: async (given) => session.getRun(js({ given })),
  getTurn: async (given) => session.getTurn(js({ given })),
  getTranscript: async (given) => session.getTranscript(js({ given })),
  getEvents: async (given) => session.getEvents(js({ given })),
  'RunHandle.cancel': async (given) => session.run('x').cancel(js({ given })),
};

test.each(Object.entries(ways))(
  'X-01 %s sends nothing that is larger than Temporal carries, and says both sizes at once',
  async (_name, send) => {
    expect(await refusalOf(async () => send('x'.repeat(2_200_000)))).toMatch(
      /^InvalidInput: Expected the argument to be at most 1310720 bytes of JSON, got 22000\d\d\.$/u,
    );
  },
);

test('X-01 what is larger is measured in bytes of UTF-8, wherever it stands', async () => {
  expect(() => {
    checkSent('x'.repeat(SENT_BYTES - 2));
  }).not.toThrow();
  expect(() => {
    checkSent('é'.repeat(SENT_BYTES / 2));
  }).toThrow(`at most ${SENT_BYTES} bytes of JSON, got ${SENT_BYTES + 2}.`);
  for (const large of [
    async () => session.runTurn('x'.repeat(2_200_000)),
    async () => session.run('x').message('x'.repeat(2_200_000)),
    async () => session.run('x'.repeat(2_200_000)).result(),
    async () => session.run('x'.repeat(2_200_000)).inspect(),
    async () => client.startSession('s', { metadata: 'x'.repeat(5_000_000) }),
    async () => client.startSession('x'.repeat(5_000_000)),
  ])
    expect(await refusalOf(large)).toMatch(/^InvalidInput: /u);
});

const circle: Record<string, unknown> = {};
circle['self'] = circle;
const twice: unknown[] = [];
twice.push(twice, twice);
const throws = Object.defineProperty({}, 'x', {
  enumerable: true,
  get: () => {
    throw new Error('Not now.');
  },
});
const deep = (levels: number): unknown => Array.from({ length: levels }).reduce<unknown>((inner) => [inner], 1);

const NO_JSON: [string, unknown, string][] = [
  ['an object that holds itself', circle, 'Expected given.self to be JSON, got an object that holds itself.'],
  ['a list that holds itself twice', [twice], 'Expected given[0][0] to be JSON, got an object that holds itself.'],
  ['a bigint', { a: [0, 1n] }, 'Expected given.a[1] to be JSON, got a bigint.'],
  ['no number', { a: Number.NaN }, 'Expected given.a to be JSON, got NaN.'],
  ['an infinite number', -Infinity, 'Expected given to be JSON, got -Infinity.'],
  ['what throws', throws, 'Expected the argument to be JSON, got what cannot be read ("Error: Not now.").'],
  ['ten thousand levels', deep(10_000), 'Expected the argument to be nested at most 500 levels deep, got more.'],
];

test.each(NO_JSON)('X-01 %s is no JSON: refused at once, and the field is named', async (_what, given, message) => {
  for (const [name, send] of Object.entries(ways))
    expect(await refusalOf(async () => send(given)), name).toBe(`InvalidInput: ${message}`);
});

test('X-01 a function or a symbol is no argument, and inside one it is left out, as undefined is', async () => {
  for (const one of [() => 1, Symbol('x'), { toJSON: () => () => 1 }])
    expect(await refusalOf(async () => session.startRun(js(one)))).toMatch(
      /^InvalidInput: Expected the argument to be JSON, got a (?:function|symbol)\.$/u,
    );
  const date = new Date(0);
  for (const fine of [undefined, null, { a: undefined, b: () => 1, c: [Symbol('x')] }, [date, date], deep(500)])
    expect(() => {
      checkSent(fine);
    }).not.toThrow();
});

test.each([
  ['InvalidInput', 'grpc: received message larger than max (5000123 vs. 4194304)'],
  ['Internal', 'Received message larger than max (5000123 vs 4194304)'],
  ['Unavailable', 'namespace rate limit exceeded'],
])('case 24 a resource that is exhausted is %s when the server says "%s"', async (type, details) => {
  const cause = Object.assign(new Error(`8 RESOURCE_EXHAUSTED: ${details}`), { code: 8, details, metadata: {} });
  const failure = await failureOf(client.temporal, 's', new ServiceError('Failed', { cause }));
  expect(failure).toMatchObject({ type });
  expect(failure.message).toContain(details);
});

async function all(stream: AsyncIterable<unknown>): Promise<unknown[]> {
  const items: unknown[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

const MODES = '"submit", "wait", "stream"';

test.each([
  ['ifExists', async () => client.startSession('s', {}, { ifExists: js('zzz') }), 'one of "fail", "use", got "zzz".'],
  ['options', async () => client.startSession('s', {}, js(null)), '{ ifExists?: "fail" | "use" }, got null.'],
  ['options', async () => client.startSession('s', {}, js('use')), '{ ifExists?: "fail" | "use" }, got "use".'],
  ['options', () => new OutliveClient(client.temporal, js(null)), '{ taskQueue?: string }, got null.'],
  ['status', async () => client.listSessions({ status: js('zzz') }), 'one of "open", "closed", got "zzz".'],
  ['mode', async () => session.runTurn('x', { mode: js('zzz') }), `one of ${MODES}, got "zzz".`],
  ['mode', async () => all(js(session.runTurn('x', { mode: js('zzz') }))), `one of ${MODES}, got "zzz".`],
  ['mode', async () => session.runTurn('x', { mode: js({}) }), `one of ${MODES}, got an object.`],
  ['options', async () => session.runTurn('x', js(null)), '{ mode?: "submit" | "wait" | "stream", … }, got null.'],
  ['signal', async () => session.runTurn('x', { signal: js('x') }), 'an AbortSignal, got "x".'],
  ['signal', async () => all(session.streamTurn('x', { signal: js(1n) })), 'an AbortSignal, got 1.'],
  ['options', async () => all(session.streamTurn('x', js(null))), '{ signal?: AbortSignal }, got null.'],
  ['includeRuns', async () => all(session.events({ includeRuns: js('zzz') })), 'true or false, got "zzz".'],
  ['after', async () => all(session.events({ after: js(1n) })), 'a seq or a cursor of this stream, got 1.'],
  ['after', async () => all(session.events({ after: js(circle) })), 'a seq or a cursor of this stream, got an object.'],
  [
    'options',
    async () => all(session.events(js(null))),
    '{ after?: number | string, includeRuns?: boolean }, got null.',
  ],
])('X-01 an ill-formed option is refused at once: %s', async (field, call, message) => {
  expect(await refusalOf(call)).toBe(
    `InvalidInput: Expected ${field === 'options' ? 'the options' : field} to be ${message}`,
  );
});

test('the client alone has the failures that its methods throw, the same as the package', () => {
  for (const type of ERROR_TYPES) {
    expect(alone).toHaveProperty(type);
    expect(whole).toHaveProperty(type, (alone as Record<string, unknown>)[type]);
  }
});
