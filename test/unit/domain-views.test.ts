/** What readers see: pages that end where they say, lists cut at 1 MiB, and nothing that only the starter needs. */
import { describe, expect, test } from 'vitest';
import { close } from '../../src/domain/closing.ts';
import { getEvents, getRun, getTranscript, getTurn, listRuns, sessionView } from '../../src/domain/view/queries.ts';
import { Driver, user } from '../support/domain.ts';

const MIB = 1024 * 1024;
const silent = { detached: { notify: 'silent' as const } };

function bytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

describe('getSession', () => {
  test('idle, running with its queue, closing, closed; all seven counts are always there', () => {
    const d = Driver.session({ limits: { maxConcurrentRuns: 2 } });
    expect(sessionView(d.state)).toMatchObject({
      sessionId: 's',
      status: 'idle',
      turn: null,
      queue: [],
      requests: [],
      runs: { queued: 0, running: 0, input_required: 0, interrupted: 0, completed: 0, failed: 0, cancelled: 0 },
    });
    d.submit('one', { turnId: 'one' });
    d.submit('two', { turnId: 'two', idempotencyKey: 'k' });
    for (const runId of ['a', 'b', 'c']) d.start({ runId });
    d.confirm();
    d.settled('a');
    const view = sessionView(d.state);
    expect(view).toMatchObject({
      status: 'running',
      turn: { turnId: 'one', status: 'running', step: 1, attempt: 1 },
      runs: { running: 2, completed: 1 },
      lastSeq: d.state.lastSeq,
    });
    expect(view.queue.map(({ turnId, position, inputs }) => ({ turnId, position, inputs }))).toEqual([
      { turnId: 'two', position: 1, inputs: [{ source: 'user', key: 'k' }] },
      { turnId: 't-00000001-1', position: 2, inputs: [{ source: 'background-run', key: 'bg-task:s:a' }] },
    ]);
    d.confirm();
    d.send((cx) => close(cx, { turn: 'finish' }));
    expect(sessionView(d.state).status).toBe('closing');
    d.say('bye');
    expect(sessionView(d.state).status).toBe('closed');
  });

  test('a long queue with long keys is cut at 1 MiB', () => {
    const d = Driver.session({ limits: { maxConcurrentRuns: 1000 }, turns: { batchBackground: false } });
    d.submit('busy');
    for (let i = 0; i < 400; i++) d.submit('x', { idempotencyKey: `${i}${'🔑'.repeat(250)}` });
    expect(d.state.queue).toHaveLength(400);
    expect(bytes(sessionView(d.state).queue)).toBeLessThanOrEqual(MIB + 1000);
  });
});

describe('listRuns', () => {
  test('a row is forgotten by when its run settled, not by when it started', () => {
    const d = Driver.session({ limits: { maxConcurrentRuns: 50 } });
    d.running('long', { detached: { notify: 'silent' } });
    for (let i = 0; i < 230; i++) {
      d.running(`r${i}`, { detached: { notify: 'silent' } });
      d.pass(1);
      d.settled(`r${i}`);
    }
    d.pass(1);
    d.settled('long', { result: 'at last' });
    expect(getRun(d.state, 'long')).toMatchObject({ status: 'completed', result: 'at last' });
    expect(getRun(d.state, 'r30')).toMatchObject({ forgotten: true });
    expect(getRun(d.state, 'r31')).toMatchObject({ result: { of: 'r31' } });
  });

  /** A session of 260 settled runs, 60 of them forgotten, whose first one is still live. */
  function many(): Driver {
    const d = Driver.session({ limits: { maxConcurrentRuns: 1000 } });
    d.running('first', silent);
    for (let i = 0; i < 260; i++) {
      d.running(`r${i}`, silent);
      d.settled(`r${i}`, i % 2 === 0 ? {} : { status: 'failed', reason: 'agent_error' });
    }
    return d;
  }

  function pages(d: Driver, given: Parameters<typeof listRuns>[1]): string[][] {
    const all: string[][] = [];
    let after: string | undefined;
    for (;;) {
      const page = listRuns(d.state, { ...given, ...(after === undefined ? {} : { after }) });
      all.push(page.runs.map((row) => row.runId));
      after = page.runs.at(-1)?.runId;
      if (!page.hasMore) return all;
    }
  }

  test('in the order they were started, forgotten ones among them, by pages without gap or repeat', () => {
    const d = many();
    const started = ['first', ...Array.from({ length: 260 }, (_, i) => `r${i}`)];
    expect(pages(d, { limit: 7 }).flat()).toEqual(started);
    expect(pages(d, {}).map((page) => page.length)).toEqual([100, 100, 61]);
    d.continueAsNew();
    expect(pages(d, {}).flat()).toEqual(started);
    expect(getRun(d.state, 'r0')).toEqual({
      runId: 'r0',
      status: 'completed',
      settledAt: '2030-01-01T00:00:00.000Z',
      forgotten: true,
    });
    expect(getRun(d.state, 'r259')).toMatchObject({ status: 'failed', milestones: [] });
  });

  test('the session keeps whole rows of the last 200 settled', () => {
    const d = many();
    expect(d.state.runs.all.filter((row) => row.status !== 'running')).toHaveLength(200);
    expect(d.state.runs.allForgotten).toHaveLength(60);
  });

  test('by status, and the page after the last is empty', () => {
    const d = many();
    expect(pages(d, { status: 'running' })).toEqual([['first']]);
    expect(pages(d, { status: 'failed', limit: 50 }).flat()).toHaveLength(130);
    expect(listRuns(d.state, { after: 'r259' })).toEqual({ runs: [], hasMore: false });
    expect(listRuns(d.state, { limit: 261 }).hasMore).toBe(false);
    expect(listRuns(d.state, { limit: 260 }).hasMore).toBe(true);
  });

  test('rows come without their result; getRun has it; an unknown id is null', () => {
    const d = Driver.session();
    d.running('a', silent);
    d.settled('a', { result: { x: 1 } });
    expect(listRuns(d.state, {}).runs[0]).not.toHaveProperty('result');
    expect(getRun(d.state, 'a')).toMatchObject({ result: { x: 1 } });
    expect(getRun(d.state, 'ghost')).toBeNull();
  });

  test('a row shows the fields of the contract and nothing else', () => {
    const d = Driver.session();
    d.submit('go');
    d.say([{ id: 'call-1', start: { agent: 'load', input: 1, label: 'orders' } }]);
    d.confirm();
    const [row] = listRuns(d.state, {}).runs;
    expect(Object.keys(row ?? {}).toSorted()).toEqual([
      'agent',
      'createdAt',
      'deadlineAt',
      'delivery',
      'depth',
      'kind',
      'label',
      'milestones',
      'parentToolCallId',
      'runId',
      'startedAt',
      'status',
      'turnId',
      'usage',
      'workflowId',
    ]);
    expect(row).toMatchObject({
      parentToolCallId: 'call-1',
      turnId: 't-00000001-1',
      depth: 1,
      kind: 'task',
      label: 'orders',
      deadlineAt: '2030-01-02T00:00:00.000Z',
    });
  });

  test('a page is cut at 1 MiB, and hasMore says so', () => {
    const d = Driver.session({ limits: { maxConcurrentRuns: 1000 } });
    for (let i = 0; i < 200; i++) {
      d.running(`r${i}`, { ...silent });
      d.settled(`r${i}`, { status: 'failed', error: { type: 'E', message: '🙂'.repeat(2000) } });
    }
    const page = listRuns(d.state, { limit: 200 });
    expect(bytes(page.runs)).toBeLessThanOrEqual(MIB);
    expect(page.runs.length).toBeGreaterThan(50);
    expect(page.hasMore).toBe(true);
    expect(pages(d, { limit: 200 }).flat()).toHaveLength(200);
  });
});

describe('getTurn', () => {
  test('queued, running, ended, unknown', () => {
    const d = Driver.session();
    d.submit('one', { turnId: 'one', idempotencyKey: 'k1' });
    d.submit('two', { turnId: 'two' });
    expect(getTurn(d.state, 'one')).toMatchObject({
      status: 'running',
      position: 0,
      steps: 0,
      inputs: [{ source: 'user', key: 'k1' }],
      messages: [{ role: 'user' }],
    });
    expect(getTurn(d.state, 'two')).toMatchObject({ status: 'queued', position: 1, messages: [] });
    d.pass(1000);
    d.say('1');
    expect(getTurn(d.state, 'one')).toMatchObject({
      status: 'completed',
      position: 0,
      steps: 1,
      queuedAt: '2030-01-01T00:00:00.000Z',
      startedAt: '2030-01-01T00:00:00.000Z',
      endedAt: '2030-01-01T00:00:01.000Z',
      messages: [{ role: 'user' }, { role: 'assistant' }],
    });
    expect(getTurn(d.state, 'three')).toBeNull();
  });

  test('messages are cut at 1 MiB', () => {
    const d = Driver.session();
    d.submit('go', { turnId: 'one' });
    for (let i = 0; i < 8; i++) {
      d.say([{ id: `c${i}` }]);
      d.answerTool('x'.repeat(200_000));
    }
    expect(bytes(getTurn(d.state, 'one')?.messages)).toBeLessThanOrEqual(MIB);
  });
});

describe('getTranscript', () => {
  test('by pages after a message id, without the hidden ones; with them exactly what the model sees', () => {
    const d = Driver.session();
    d.running('a');
    d.settled('a');
    d.say('read');
    for (let i = 0; i < 5; i++) {
      d.submit(`q${i}`);
      d.say(`a${i}`);
    }
    const seen: string[] = [];
    let after: string | undefined;
    for (let more = true; more;) {
      const page = getTranscript(d.state, { limit: 3, ...(after === undefined ? {} : { after }) });
      seen.push(...page.messages.map((message) => message.id));
      after = page.messages.at(-1)?.id;
      more = page.hasMore;
    }
    expect(seen).toEqual(d.state.transcript.slice(1).map((entry) => entry.message.id));
    expect(getTranscript(d.state, { includeHidden: true }).messages).toEqual(
      d.state.transcript.map((entry) => entry.message),
    );
  });

  test('a page is cut at 1 MiB', () => {
    const d = Driver.session();
    for (let i = 0; i < 8; i++) {
      d.submit(user('x'.repeat(200_000)));
      d.say('ok');
    }
    const page = getTranscript(d.state, {});
    expect(bytes(page.messages)).toBeLessThanOrEqual(MIB);
    expect(page.hasMore).toBe(true);
  });
});

describe('getEvents', () => {
  test('E-01 numbered from 1 without gaps or repeats, by pages, by type', () => {
    const d = Driver.session();
    for (let i = 0; i < 20; i++) {
      d.submit('q');
      d.say('a');
    }
    const page = getEvents(d.state, { after: 3, limit: 4 });
    expect(page.events.map((event) => event.seq)).toEqual([4, 5, 6, 7]);
    expect(page).toMatchObject({ firstSeq: 1, lastSeq: d.state.lastSeq, hasMore: true });
    expect(getEvents(d.state, { after: d.state.lastSeq })).toMatchObject({ events: [], hasMore: false });
    expect(getEvents(d.state, { types: ['turn.completed'] }).events).toHaveLength(20);
    expect(getEvents(d.state, { limit: d.state.lastSeq })).toMatchObject({ hasMore: false });
  });

  test('an after below firstSeq - 1 answers from firstSeq, what lies before is in the archive', () => {
    const d = Driver.session();
    for (let i = 0; i < 30; i++) {
      d.submit('x'.repeat(10_000));
      d.say('a');
    }
    d.continueAsNew();
    const page = getEvents(d.state, { after: 0 });
    expect(page.firstSeq).toBeGreaterThan(1);
    expect(page.events[0]?.seq).toBe(page.firstSeq);
    expect(d.archive.at(-1)?.seq).toBe(page.firstSeq - 1);
    expect(d.log().map((event) => event.seq)).toEqual(Array.from({ length: d.state.lastSeq }, (_, i) => i + 1));
  });

  test('a page is cut at 1 MiB', () => {
    const d = Driver.session();
    for (let i = 0; i < 8; i++) {
      d.submit(user('x'.repeat(200_000)));
      d.say('ok');
    }
    const page = getEvents(d.state, {});
    expect(bytes(page.events)).toBeLessThanOrEqual(MIB);
    expect(page.hasMore).toBe(true);
  });
});
