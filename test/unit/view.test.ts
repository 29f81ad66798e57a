/** What a person sees: in a terminal of any size, without colour, in a pipe, and on the page of details in Temporal's Web UI. */
import { expect, test } from 'vitest';
import { renderView, savedBanner, viewOptions, type ViewModel } from '../../src/cli/view.ts';
import { feedOf, FeedReader } from '../../src/cli/view/feed.ts';
import { PlainLog } from '../../src/cli/view/plain-log.ts';
import { width } from '../../src/cli/view/width.ts';
import type { OutliveEvent, Row, SessionSnapshot } from '../../src/contract.ts';
import { sessionDetails } from '../../src/domain/view/details.ts';

const NASTY = '\u001b[31mred\u0007 <script>alert(1)</script> | **bold** \u202e[x](y)';

function row(given: Partial<Row> = {}): Row {
  return {
    runId: 'r-1',
    workflowId: 's/r-1',
    agent: 'load_data',
    kind: 'task',
    status: 'running',
    depth: 1,
    createdAt: '2026-01-01T00:00:00.000Z',
    deadlineAt: '2026-01-02T00:00:00.000Z',
    milestones: [],
    usage: { inputTokens: 0, outputTokens: 0, totalTokens: 0, modelCalls: 0 },
    delivery: { finish: { key: 'k', state: 'pending' } },
    ...given,
  };
}

function snapshot(given: Partial<SessionSnapshot> = {}): SessionSnapshot {
  return {
    sessionId: 's',
    epoch: 'e',
    status: 'running',
    agent: 'builder',
    createdAt: '2026-01-01T00:00:00.000Z',
    turn: null,
    queue: [],
    requests: [],
    lastSeq: 1,
    now: '2026-01-01T00:00:00.000Z',
    rules: 1,
    runs: { queued: 0, running: 1, input_required: 0, interrupted: 0, completed: 0, failed: 0, cancelled: 0 },
    usage: { inputTokens: 0, outputTokens: 0, totalTokens: 0, modelCalls: 0 },
    ...given,
  };
}

function model(given: Partial<ViewModel> = {}): ViewModel {
  return {
    title: 'Load orders.csv',
    modelNote: 'demo model: scripted',
    snapshot: snapshot(),
    rows: [
      row({ label: 'orders.csv', progress: { fraction: 0.5, phase: 'ingest', message: '40 rows', n: 1, at: '' } }),
    ],
    feed: [],
    links: [],
    ...given,
  };
}

const wide = { width: 100, height: 30, color: false, unicode: true, now: Date.parse('2026-01-01T00:00:10.000Z') };

test('a run shows its name, status, bar, percent, phase and milestones', () => {
  const lines = renderView(
    model({
      rows: [
        row({
          label: 'orders.csv',
          milestones: [{ n: 1, name: 'schema', at: '' }],
          progress: { fraction: 0.5, phase: 'ingest', message: '40 rows', n: 1, at: '' },
        }),
      ],
    }),
    wide,
  ).join('\n');
  expect(lines).toContain(`● load_data · orders.csv running   ${'█'.repeat(6)}${'░'.repeat(6)}  50% ingest: 40 rows`);
  expect(lines).toContain('◆ schema');
});

test('a narrow terminal loses the words and then the status, never the name and the percent', () => {
  expect(renderView(model(), { ...wide, width: 40 }).join('\n')).toContain('● load_data · o… running   ████░░░░  50%');
  expect(renderView(model(), { ...wide, width: 24 }).join('\n')).toContain('● load_da… ████░░░░  50%');
});

test('a low terminal keeps the newest of the feed and says how many runs it leaves out', () => {
  const feed = Array.from({ length: 50 }, (_, i) => ({
    at: '2026-01-01T00:00:00.000Z',
    mark: 'say' as const,
    text: `line ${i}`,
  }));
  const rows = Array.from({ length: 40 }, (_, i) => row({ runId: `r-${i}`, label: `file ${i}` }));
  const lines = renderView(model({ feed, rows }), { ...wide, height: 14 });
  expect(lines.length).toBeLessThanOrEqual(14);
  expect(lines.join('\n')).toContain('line 49');
  expect(lines.join('\n')).toMatch(/… \d+ more runs/u);
});

test('S-03 labels, progress and events with control characters are shown as text, also with colours', () => {
  const feed = [
    feedOf({
      seq: 1,
      at: '2026-01-01T00:00:00.000Z',
      type: 'run.started',
      workflowId: 's',
      sessionId: 's',
      agent: 'a',
      label: NASTY,
    } satisfies OutliveEvent),
  ].filter((item) => item !== null);
  const lines = renderView(
    model({ title: NASTY, feed, rows: [row({ label: NASTY, progress: { message: NASTY, n: 1, at: '' } })] }),
    { ...wide, color: true },
  );
  for (const line of lines) {
    // oxlint-disable-next-line no-control-regex -- what is looked for.
    expect(line.replaceAll(/\u001b\[(?:0|1|2|3[1-6]|1;32)m/gu, '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/u);
    expect(line).not.toContain('\u001b[31mred');
  }
});

test('S-03 the page of details escapes Markdown and HTML, stays a table, and is at most 20,000 bytes', () => {
  const rows = Array.from({ length: 500 }, (_, i) =>
    row({ runId: `r-${i}`, label: NASTY, progress: { fraction: 0.3, message: NASTY, n: 1, at: '' } }),
  );
  const page = sessionDetails(snapshot({ title: NASTY }), rows);
  expect(Buffer.byteLength(page)).toBeLessThanOrEqual(20_000);
  expect(page).not.toContain('<script');
  expect(page).not.toContain('**bold**');
  const table = page.split('\n').filter((line) => line.startsWith('|'));
  expect(table.length).toBeGreaterThan(3);
  for (const line of table) expect(line.split('|')).toHaveLength(8);
  expect(page).toMatch(/… \d+ more runs/u);
});

test('without a terminal every happening is one line, progress a line at each tenth, and nothing has colours', () => {
  const lines: string[] = [];
  const log = new PlainLog((line) => lines.push(line));
  const shown = model();
  for (let i = 0; i <= 100; i++) {
    shown.rows = [row({ progress: { fraction: i / 100, phase: 'ingest', message: `${i} rows`, n: i, at: '' } })];
    log.update(shown);
  }
  shown.feed.push({ at: '2026-01-01T00:00:00.000Z', mark: 'done', text: 'load_data completed' });
  log.update(shown);
  log.update(shown);
  expect(lines.filter((line) => line.includes('load_data:'))).toHaveLength(11);
  expect(lines.filter((line) => line.includes('load_data completed'))).toHaveLength(1);
  expect(lines.join('')).not.toContain('\u001b');
});

test('case 46: without a terminal what happened stands in the order in which it happened, whenever it was read', () => {
  const lines: string[] = [];
  let now = Date.parse('2026-01-01T00:00:10.400Z');
  const log = new PlainLog(
    (line) => lines.push(line),
    { unicode: true },
    () => now,
  );
  const at = (second: number): string => new Date(Date.parse('2026-01-01T00:00:00.000Z') + second * 1000).toISOString();
  const shown = model({ title: '', modelNote: '', snapshot: null, asOf: now });
  shown.rows = [row({ progress: { fraction: 0.5, phase: 'ingest', n: 1, at: at(10) } })];
  log.update(shown);
  // What happened before that progress is read only behind it, as nothing could be read for a while.
  now += 5000;
  log.say('the server is back');
  shown.feed.push({ at: at(9.5), mark: 'run', text: 'load_data started' });
  shown.asOf = now;
  now += 2000;
  log.update(shown);
  log.finish();
  expect(lines.map((line) => line.replace(/^00:00:/u, ''))).toEqual([
    '09 ⤷ load_data started',
    '10   load_data: 50% ingest',
    '15 ! the server is back',
  ]);
});

test('case 46: a run has its name in every line, also where an event or a model has only its id', () => {
  const reader = new FeedReader();
  const read = (event: Partial<OutliveEvent>): string | undefined =>
    reader.read({ seq: 1, at: '', type: '', workflowId: 's', sessionId: 's', ...event } as OutliveEvent)?.text;
  const runId = 'r-12345678-abc';
  expect(read({ type: 'run.queued', runId, agent: 'load_data', label: 'orders.csv' })).toBeUndefined();
  expect(read({ type: 'run.milestone', runId, name: 'schema' })).toBe('load_data · orders.csv: schema');
  expect(read({ type: 'run.settled', runId, agent: 'load_data', status: 'completed' })).toBe(
    'load_data · orders.csv completed',
  );
  const message = { id: 'm', role: 'assistant', parts: [{ type: 'text', text: `It runs as ${runId}.` }] };
  expect(read({ type: 'message.added', message } as unknown as OutliveEvent)).toBe(
    'It runs as load_data · orders.csv.',
  );
});

test('case 42: an address is whole and in one piece in a terminal of any width', () => {
  const url = `http://127.0.0.1:8233/namespaces/default/workflows/import-and-build-20261126T214712-knc`;
  for (const columns of [40, 60, 79, 119]) {
    const lines = renderView(model({ links: [{ label: 'Web UI', url }] }), { ...wide, width: columns });
    expect(lines.filter((line) => line.includes(url))).toHaveLength(1);
  }
});

test('case 42: while a worker or the server is being replaced the view says so, and its clock goes on', () => {
  const turn = {
    turnId: 't-1',
    status: 'running' as const,
    step: 2,
    attempt: 1,
    recovering: false,
    startedAt: '2026-01-01T00:00:00.000Z',
  };
  const shown = model({ snapshot: snapshot({ turn }), trouble: 'The worker is being replaced.' });
  const lines = (seconds: number): string[] => renderView(shown, { ...wide, now: wide.now + seconds * 1000 });
  expect(lines(0)).toContain('! The worker is being replaced.');
  expect(lines(0).join('\n')).toContain('step 2 · 10 s');
  expect(lines(7).join('\n')).toContain('step 2 · 17 s');
});

test('case 42: what went wrong is not cut where there is room for it', () => {
  const text =
    'The worker (pid 24787) was lost (SIGKILL): starting another one. What it was doing goes on from where it stood.';
  const feed = [{ at: '2026-01-01T00:00:00.000Z', mark: 'trouble' as const, text }];
  const lines = renderView(model({ feed }), { ...wide, width: 79 });
  expect(lines.map((line) => line.trim()).join(' ')).toContain('where it stood.');
});

test('case 41: what was disturbed is not compared', () => {
  const lost = { detached: 2, serial: 0 };
  expect(savedBanner({ detachedMs: 40_000, serialMs: 20_000, lost })).toEqual([
    'Overlapped 40.0 s, one after the other 20.0 s: not compared, because the first was twice disturbed by the loss of a worker or of the server. Start again for a measurement.',
  ]);
  for (const one of [lost, { detached: 0, serial: 1 }, { detached: 1, serial: 3 }])
    expect(savedBanner({ detachedMs: 40_000, serialMs: 20_000, lost: one }).join()).not.toMatch(
      /measured\.|slower|saved/u,
    );
});

test('the closing line says honestly when overlapping saved nothing', () => {
  expect(savedBanner({ detachedMs: 20_000, serialMs: 30_000 })).toEqual([
    'Overlapped 20.0 s, one after the other 30.0 s: saved 10.0 s (33 %). Both measured.',
  ]);
  expect(savedBanner({ detachedMs: 30_000, serialMs: 20_000 })[0]).toContain('overlapping was slower by 10.0 s (50 %)');
});

test('NO_COLOR, FORCE_COLOR, TERM and the locale are respected', () => {
  const terminal = { isTTY: true };
  expect(viewOptions(terminal, { LANG: 'en_US.UTF-8' })).toEqual({ live: true, color: true, unicode: true });
  expect(viewOptions(terminal, { NO_COLOR: '1', LANG: 'C' })).toEqual({ live: true, color: false, unicode: false });
  expect(viewOptions(terminal, { NO_COLOR: '1', FORCE_COLOR: '1' }).color).toBe(true);
  expect(viewOptions(terminal, { TERM: 'dumb' })).toEqual({ live: false, color: false, unicode: true });
  expect(viewOptions({}, { LANG: 'en_US.UTF-8' })).toEqual({ live: false, color: false, unicode: true });
  expect(viewOptions({}, { LANG: 'en_US.UTF-8', FORCE_COLOR: '1' })).toEqual({
    live: false,
    color: true,
    unicode: true,
  });
});

test('columns are counted as a terminal does: wide characters two, combining marks none', () => {
  expect(width('表テスト')).toBe(8);
  expect(width('e\u0301')).toBe(1);
  expect(width('\u001b[31mred\u001b[0m')).toBe(3);
});
