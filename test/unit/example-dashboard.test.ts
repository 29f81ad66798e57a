import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { renderDashboard, renderSkeleton } from '../../examples/import-and-build/dashboard.ts';
import type { Figures } from '../../examples/import-and-build/figures.ts';
import { writer } from '../../examples/import-and-build/page/format.ts';
import { ticksFor } from '../../examples/import-and-build/page/line-chart.ts';
import type { ChartResult } from '../../examples/import-and-build/queries.ts';

const EVIL = '</title></style></svg><script>alert(1)</script><img src=x onerror="alert(2)" \'>\u202etxt.exe\u0000&lt;';

function chart(given: Partial<ChartResult>): ChartResult {
  return {
    id: 'c1',
    title: 'Chart',
    kind: 'bar',
    aggregate: 'sum',
    x: 'x',
    measure: 'm',
    points: [{ label: 'a', value: 1, rows: 1 }],
    ...given,
  };
}

function figures(charts: ChartResult[], more: Partial<Figures> = {}): Figures {
  return {
    file: 'data.csv',
    rows: 3,
    rejectedRows: 0,
    rejected: [],
    columns: [{ name: 'x', type: 'text' }],
    charts,
    ...more,
  };
}

const evil = figures(
  (['number', 'bar', 'line', 'table'] as const).map((kind) =>
    chart({
      kind,
      title: EVIL,
      x: EVIL,
      measure: EVIL,
      ...(kind === 'line' ? { unit: 'month' } : {}),
      points: [
        { label: EVIL, value: 5, rows: 1 },
        { label: EVIL, value: 1, rows: 1, kind: 'other' },
      ],
    }),
  ),
  {
    file: EVIL,
    rejectedRows: 1,
    rejected: [
      { reason: `bad_number:${EVIL}`, rows: 1, example: EVIL, line: 2 },
      { reason: 'constructor', rows: 1, example: '', line: 3 },
    ],
    range: { column: EVIL, first: EVIL, last: EVIL },
    columns: [{ name: EVIL, type: 'text' }],
  },
);

describe('the dashboard', () => {
  it.each([
    ['finished', renderDashboard(EVIL, evil)],
    [
      'waiting',
      renderSkeleton(EVIL, EVIL, [
        { title: EVIL, kind: 'line', x: EVIL },
        { title: EVIL, kind: 'number' },
      ]),
    ],
  ])('shows as text whatever a file or a model wrote, when it is %s', (_, page) => {
    expect(page).not.toMatch(/<(script|img|iframe|object|link|base|form)\b/i);
    const tags = [...page.matchAll(/<\/?([a-z0-9]+)/gi)].map(([, tag]) => (tag ?? '').toLowerCase());
    const known =
      'html head meta title style body main p h1 h2 h3 ul li b bdi span div section svg g line text path rect circle details summary table thead tbody tr th td code footer'.split(
        ' ',
      );
    expect(tags.filter((tag) => !known.includes(tag))).toEqual([]);
    expect(page).not.toMatch(/\son\w+="|\sstyle="|javascript:/i);
    expect(page).not.toMatch(/(?!\n)\p{Cc}|[\u202a-\u202e\u2066-\u2069]/u);
    expect(page.match(/<title>/g)?.length).toBeGreaterThan(0);
    expect(page).toContain('&lt;script&gt;alert(1)');
  });

  it('needs nothing from elsewhere, and a policy forbids it', () => {
    const page = renderDashboard('Sales', figures([chart({})]));
    const style = /<style>([\s\S]*)<\/style>/.exec(page)?.[1] ?? '';
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1]?.replaceAll('&#39;', "'");
    expect(policy).toBe(
      `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; base-uri 'none'; form-action 'none'`,
    );
    expect(page).not.toMatch(/https?:|url\(|@import|src=|href=/);
    expect(page.indexOf('Content-Security-Policy')).toBeLessThan(page.indexOf('<style>'));
  });

  it('gives every chart a name, and its numbers as text', () => {
    const page = renderDashboard(
      'Sales',
      figures(
        [
          chart({
            title: 'Per month',
            kind: 'line',
            x: 'day',
            unit: 'month',
            points: [
              { label: '2026-01', value: 1234.5, rows: 3 },
              { label: '2026-02', value: null, rows: 0 },
              { label: '2026-03', value: 7, rows: 1 },
            ],
          }),
          chart({
            title: 'Per shop',
            points: [
              { label: 'north', value: 20_000.25, rows: 2 },
              { label: '12 others', value: -3, rows: 9, kind: 'other' },
            ],
          }),
        ],
        { range: { column: 'day', first: '2026-01-02', last: '2026-03-31' } },
      ),
    );
    expect(page).toContain('role="img" aria-label="Per month: line of sum of m by month of day, 3 points"');
    expect(page).toContain('<title>Jan 2026: 1,234.50</title>');
    expect(page).toMatch(/<td><bdi>Feb 2026<\/bdi><\/td><td class="r">–<\/td>/);
    expect(page).toContain('<td><bdi>north</bdi></td><td class="r">20,000.25</td>');
    expect(page).toContain('class="rest minus"');
    expect(page).toContain('<b>2 Jan 2026</b> to <b>31 Mar 2026</b>');
  });

  it('case 45: says which columns it shows and which it does not, and folds a long list', () => {
    const columns = Array.from({ length: 60 }, (_, i) => ({ name: `col ${i}`, type: 'text' }));
    const page = renderDashboard('Wide', figures([chart({ x: 'col 7', measure: 'col 9' })], { columns }));
    expect(page).toContain('2 of the 60 columns of the file are shown here; 58 are loaded but not shown.');
    expect(page).toMatch(/<h3>Shown<\/h3>\s*<ul class="names"><li><bdi>col 7<\/bdi>/u);
    expect(page).toMatch(/<summary>Not shown: 58 columns<\/summary>/u);
    const whole = renderDashboard('Small', figures([chart({})], { columns: [{ name: 'x', type: 'text' }] }));
    expect(whole).toContain('The one column of the file is shown here.');
  });

  it('case 45: the bars of a chart share the columns of one grid, so that they are on one scale', () => {
    const page = renderDashboard('Sales', figures([chart({})]));
    expect(page).toMatch(/\.bars li \{[^}]*grid-template-columns: subgrid/u);
    // Nothing else may give one line columns of its own.
    expect([...page.matchAll(/\.bars li \{[^}]*grid-template-columns: (\w+)/gu)].map(([, how]) => how)).toEqual([
      'subgrid',
    ]);
  });

  it('tells what was rejected and why', () => {
    const page = renderDashboard(
      'Sales',
      figures([], {
        rows: 90,
        rejectedRows: 10,
        rejected: [
          { reason: 'too_few_columns', rows: 8, example: 'a,b', line: 12 },
          { reason: 'bad_date:day', rows: 2, example: 'x', line: 40 },
        ],
      }),
    );
    expect(page).toContain('100 rows in the file, 90 loaded, 10 rejected (10.0\u00a0%)');
    expect(page).toMatch(/Too few columns.*>8<.*line 12: <code><bdi>a,b<\/bdi>.*Not a date: day.*>2</s);
    expect(renderDashboard('Sales', figures([]))).toContain('Every row could be read.');
  });

  it.each([
    ['no points', chart({ points: [] })],
    ['no values', chart({ points: [{ label: 'a', value: null, rows: 0 }] })],
    ['a line without points', chart({ kind: 'line', unit: 'day', points: [] })],
  ])('says that there is nothing to show for %s', (_, one) => {
    const page = renderDashboard('Sales', figures([one]));
    expect(page).toContain('No data to show here.');
    expect(page).not.toMatch(/NaN|Infinity/);
  });

  it.each([
    ['one point', [5]],
    ['zeros', [0, 0, 0]],
    ['only negative', [-5, -1]],
    ['gaps', [1, null, null, 4]],
    ['tiny', [1e-9, 3e-9]],
    ['huge', [1e15, 5e15]],
  ])('draws a line of %s without a number that is none', (_, values) => {
    const page = renderDashboard(
      'Sales',
      figures([
        chart({
          kind: 'line',
          unit: 'day',
          points: values.map((value, i) => ({ label: `2026-01-0${i + 1}`, value, rows: 1 })),
        }),
      ]),
    );
    expect(page).not.toMatch(/NaN|Infinity|undefined/);
    expect(page).toContain('<circle');
  });

  it('marks its axes with round numbers around the values', () => {
    expect(ticksFor(0, 4.47e6)).toEqual([0, 2e6, 4e6, 6e6]);
    expect(ticksFor(-3, 10)).toEqual([-5, 0, 5, 10]);
    expect(ticksFor(0, 0)).toEqual([0, 1]);
    expect(ticksFor(0, 0.3)).toEqual([0, 0.1, 0.2, 0.3]);
  });

  it('writes the numbers of one chart alike', () => {
    const of = (...values: (number | null)[]): string[] => values.map((value) => writer(values).exact(value));
    expect(of(1, 20, 3000)).toEqual(['1', '20', '3,000']);
    expect(of(1.5, 2, null)).toEqual(['1.50', '2.00', '–']);
    expect(of(0.125, 0.5)).toEqual(['0.125', '0.500']);
    expect([999, 12_345, 4.6e7].map((value) => writer([999, 12_345, 4.6e7]).compact(value))).toEqual([
      '999',
      '12.3K',
      '46.0M',
    ]);
  });
});
