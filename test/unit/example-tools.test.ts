import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createLoadData } from '../../examples/import-and-build/load-data.ts';
import { createTools } from '../../examples/import-and-build/tools.ts';
import { fitting } from '../../activities/fit.ts';
import type { ToolDefinition } from '../../src/define.ts';
import { folder, taskContext, toolContext } from './example-support.ts';

type Result = Record<string, any>;

async function workshop(
  dir: string,
  csv: string,
): Promise<{
  call: (name: string, input: unknown, context?: typeof toolContext) => Promise<Result>;
  database: string;
  columns: string[];
}> {
  writeFileSync(join(dir, 'data.csv'), csv);
  const places = { filesDir: dir, outDir: join(dir, 'out') };
  const tools: ToolDefinition<any, any>[] = createTools(places);
  const { database, columns } = await createLoadData(places).run({ file: 'data.csv' }, taskContext());
  return {
    database,
    columns: columns.map(({ sqlName }) => sqlName),
    call: async (name, input, context = toolContext) => {
      const tool = tools.find((one) => one.name === name) as ToolDefinition<any, any>;
      return (await tool.execute(await fitting(tool.input, input), context)) as Result;
    },
  };
}

const SALES = `shop,day,amount,note\n${Array.from({ length: 40 }, (_, i) => `${['north', 'south', 'east', ''][i % 4]},2026-0${1 + (i % 3)}-05,${i}.5,${i === 7 ? '"a, b"' : ''}`).join('\n')}\n`;

describe('the tools of the builder', () => {
  it('inspect_file tells columns, types and what they are good for, without a loaded database', async () => {
    using dir = folder();
    writeFileSync(join(dir.path, 'new.csv'), SALES);
    const { call } = await workshop(dir.path, SALES);
    const { columns } = await call('inspect_file', { file: 'new.csv' });
    expect(columns).toMatchObject([
      { name: 'shop', type: 'text', role: 'dimension', distinct: 3, examples: ['north', 'south', 'east'] },
      { name: 'day', type: 'date', role: 'date' },
      { name: 'amount', type: 'number', role: 'measure', aggregate: 'sum' },
      { name: 'note', type: 'text', role: 'other' },
    ]);
    await expect(call('inspect_file', { file: '../secret.csv' })).rejects.toThrow('Expected a name inside the folder');
    await expect(call('inspect_file', { file: 'missing.csv' })).rejects.toThrow(
      'Expected a file missing.csv in the folder of the files, found none.',
    );
  });

  it('run_queries computes every kind of chart from the rows', async () => {
    using dir = folder();
    const { call, database } = await workshop(dir.path, SALES);
    const charts = [
      { title: 'rows', kind: 'number' },
      { title: 'mean', kind: 'number', measure: 'amount', aggregate: 'avg' },
      { title: 'shops', kind: 'number', measure: 'shop', aggregate: 'distinct' },
      { title: 'by shop', kind: 'bar', x: 'shop', measure: 'amount', limit: 2 },
      { title: 'largest', kind: 'table', x: 'shop', measure: 'amount', aggregate: 'max' },
      { title: 'months', kind: 'line', x: 'day' },
    ];
    const answer = await call('run_queries', { database, charts });
    const figures = JSON.parse(readFileSync(join(dir.path, 'out', answer['figures'] as string), 'utf8')) as Result;
    const points = (i: number): unknown =>
      (figures['charts'] as { points: { label: string; value: number }[] }[])[i]?.points.map(({ label, value }) => [
        label,
        value,
      ]);
    // 0.5 to 39.5: every fourth one for each of north, south, east and the shop without a name.
    expect(points(0)).toEqual([['rows', 40]]);
    expect(points(1)).toEqual([['mean', 20]]);
    expect(points(2)).toEqual([['shops', 3]]);
    expect(points(3)).toEqual([
      ['empty', 215],
      ['east', 205],
      ['2 others', 380],
    ]);
    expect(points(4)).toEqual([
      ['empty', 39.5],
      ['east', 38.5],
      ['south', 37.5],
      ['north', 36.5],
    ]);
    expect((points(5) as [string, number][]).filter(([, value]) => value > 0)).toEqual([
      ['2026-01-05', 14],
      ['2026-02-05', 13],
      ['2026-03-05', 13],
    ]);
    expect(points(5)).toHaveLength(60);
    expect(answer).toMatchObject({
      rows: 40,
      rejectedRows: 0,
      range: { column: 'day', first: '2026-01-05', last: '2026-03-05' },
    });
  });

  it('takes column names as names only: nothing that a model writes is SQL', async () => {
    using dir = folder();
    const { call, database, columns } = await workshop(dir.path, '"a"") FROM x; DROP TABLE data; --",b\nx,1\ny,2\n');
    const answer = await call('run_queries', {
      database,
      charts: [{ title: 't', kind: 'bar', x: columns[0], measure: 'b' }],
    });
    expect(answer['charts']).toMatchObject([
      {
        top: [
          { label: 'y', value: 2 },
          { label: 'x', value: 1 },
        ],
      },
    ]);
    for (const chart of [
      { title: 't', kind: 'bar', x: 'b" FROM data; --' },
      { title: 't', kind: 'bar', x: '_row' },
      { title: 't', kind: 'number', measure: 'b), (SELECT 1' },
      { title: 't', kind: 'line', x: 'b' },
      { title: 't', kind: 'bar' },
      { title: 't', kind: 'number', measure: columns[0], aggregate: 'sum' },
      { title: 't', kind: 'number', aggregate: 'sum' },
    ])
      await expect(call('run_queries', { database, charts: [chart] })).rejects.toThrow(/^Expected /);
    await expect(call('run_queries', { database, charts: [{ title: 't', kind: 'pie', x: 'b' }] })).rejects.toThrow();
    await expect(
      call('design_queries', { file: 'data.csv', charts: [{ title: 'total', kind: 'line', x: 'b' }] }),
    ).rejects.toThrow('Expected x of chart 1 ("total") to be a date column, got b (integer).');
  });

  it('run_queries refuses a database that is not loaded yet, is none, or lies elsewhere', async () => {
    using dir = folder();
    const { call } = await workshop(dir.path, SALES);
    const stop = new AbortController();
    const half = taskContext({
      runId: 'r-half',
      signal: stop.signal,
      onProgress: ({ phase }) => {
        if (phase === 'ingest') stop.abort(new Error('stop'));
      },
    });
    await expect(
      createLoadData({ filesDir: dir.path, outDir: join(dir.path, 'out') }).run(
        { file: 'data.csv', database: 'half.db' },
        half,
      ),
    ).rejects.toThrow('stop');
    const charts = [{ title: 'rows', kind: 'number' }];
    await expect(call('run_queries', { database: 's/half.db', charts })).rejects.toThrow(
      'Expected a database whose import has finished',
    );
    await expect(call('run_queries', { database: 'missing.db', charts })).rejects.toThrow(
      'unable to open database file',
    );
    await expect(call('run_queries', { database: '../data.csv', charts })).rejects.toThrow(
      'Expected a name inside the folder',
    );
    expect(existsSync(join(dir.path, 'out', 'missing.db'))).toBe(false);
  });

  it('writes whole pages into the folder of its session, the same ones when called again', async () => {
    using dir = folder();
    const { call, database } = await workshop(dir.path, SALES);
    const charts = [{ title: 'By shop', kind: 'bar', x: 'shop', measure: 'amount' }];
    const steps = async (): Promise<string> => {
      await call('write_page', { title: 'Sales', file: 'data.csv', charts });
      const { figures } = await call('run_queries', { database, charts });
      expect(await call('finish_page', { title: 'Sales', figures })).toMatchObject({
        page: 's/dashboard.html',
        finished: true,
        rows: 40,
        charts: 1,
      });
      return readFileSync(join(dir.path, 'out', 's', 'dashboard.html'), 'utf8');
    };
    expect(await steps()).toBe(await steps());
    expect(readdirSync(join(dir.path, 'out', 's')).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    for (const page of ['../evil.html', '/tmp/evil.html', 'a/b.html', 'page.js', '.html'])
      await expect(call('write_page', { title: 'x', file: 'data.csv', charts, page })).rejects.toThrow();
    await expect(call('finish_page', { title: 'x', figures: '../data.csv' })).rejects.toThrow(
      'Expected a name inside the folder',
    );
    await expect(call('finish_page', { title: 'x', figures: 's/dashboard.html' })).rejects.toThrow(
      'Expected figures to name a file that run_queries has written.',
    );
    await call('write_page', { title: 'x', file: 'data.csv', charts }, { ...toolContext, sessionId: '..' });
    await call('write_page', { title: 'x', file: 'data.csv', charts }, { ...toolContext, sessionId: 'a:b' });
    expect(readdirSync(join(dir.path, 'out')).sort()).toEqual(['_', 'a%3Ab', 's']);
  });
});
