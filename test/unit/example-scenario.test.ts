/** The main job from the user's sentence to the finished page, for two files that have nothing in common. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createBuilder } from '../../examples/import-and-build/agent.ts';
import { generateOrders } from '../../examples/import-and-build/generate-orders.ts';
import type { LoadResult } from '../../examples/import-and-build/load-data.ts';
import type { Json } from '../../src/contract.ts';
import { defineConfig, type AgentDefinition } from '../../src/define.ts';
import { Conversation } from './example-conversation.ts';
import { recount } from './example-recount.ts';
import { folder, taskContext } from './example-support.ts';

const exactly = (value: number, decimals = 2): string =>
  value.toLocaleString('en', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });

/** The rows of the table of one chart in the page, cell by cell. */
function tableOf(page: string, title: string): string[][] {
  const section = page.split('<section').find((part) => part.includes(`<h2><bdi>${title}</bdi></h2>`)) ?? '';
  return [...section.matchAll(/<tr class="[^"]*">(.*?)<\/tr>/gs)].map(([, row = '']) =>
    [...row.matchAll(/<td[^>]*>(.*?)<\/td>/gs)].map(([, cell = '']) => cell.replace(/<\/?bdi>/g, '')),
  );
}

async function build(
  dir: string,
  file: string,
): Promise<{ page: string; waiting: string; result: LoadResult; text: string; calls: string[][] }> {
  const {
    agents: [builder],
    tasks: [load],
  } = createBuilder({ outDir: join(dir, 'out'), filesDir: dir });
  const conversation = new Conversation(builder as AgentDefinition);
  const first = await conversation.say(`Load ${file} and build me a dashboard.`);
  const waiting = readFileSync(join(dir, 'out', 's', 'dashboard.html'), 'utf8');
  const result = (await load?.run(conversation.started[0]?.input, taskContext())) as LoadResult;
  const second = await conversation.report('r-1', 'completed', { result: result as unknown as Json });
  expect([...first.errors, ...second.errors]).toEqual([]);
  return {
    page: readFileSync(join(dir, 'out', 's', 'dashboard.html'), 'utf8'),
    waiting,
    result,
    text: second.text,
    calls: [first, second].map(({ calls }) => calls.map(({ toolName }) => toolName)),
  };
}

describe('the builder', () => {
  it('fits a configuration', () => {
    const { agents, tasks } = createBuilder({ outDir: 'out' });
    expect(defineConfig({ agents, tasks }).agents[0]).toMatchObject({ name: 'builder', canStart: ['load_data'] });
  });

  it('prepares the page while the import runs, and finishes it with the numbers of the file', async () => {
    using dir = folder();
    await generateOrders(join(dir.path, 'orders.csv'), { rows: 20_000, seed: 11 });
    const counted = recount(join(dir.path, 'orders.csv'));
    const { page, waiting, text, calls } = await build(dir.path, 'orders.csv');

    expect(calls).toEqual([
      ['start_run', 'inspect_file', 'design_queries', 'write_page'],
      ['run_queries', 'finish_page'],
    ]);
    expect(waiting).toContain('The data is still being loaded.');
    expect(waiting).toContain('Total over time');
    expect(waiting).not.toMatch(/class="big"|<svg|<td/);

    const broken = counted.broken;
    expect(page).toContain(`<b>${exactly(counted.good, 0)}</b> rows loaded`);
    expect(page).toContain(`<b>${exactly(broken, 0)}</b> rejected`);
    expect(page).toContain(exactly(counted.cents / 100));
    expect(page).toContain('<b>1 Jan 2025</b> to <b>30 Jun 2026</b>');
    expect(page).not.toContain('The data is still being loaded.');
    const categories = Object.entries(counted.byCategory).sort(([, a], [, b]) => b.cents - a.cents);
    expect(tableOf(page, 'Total by category').map(([name, total, , rows]) => [name, total, rows])).toEqual(
      categories.map(([name, { cents, rows }]) => [name.replace('&', '&amp;'), exactly(cents / 100), exactly(rows, 0)]),
    );
    const months = Object.entries(counted.byMonth).sort(([a], [b]) => (a < b ? -1 : 1));
    expect(tableOf(page, 'Total over time').map(([, total]) => total)).toEqual(
      months.map(([, { cents }]) => exactly(cents / 100)),
    );
    expect(text).toContain(
      `It shows ${exactly(counted.good, 0)} rows of orders.csv from 2025-01-01 to 2026-06-30; ${broken} could not be read`,
    );
    expect(text).toContain(`Total: ${exactly(counted.cents / 100)}`);
    expect(readdirSync(join(dir.path, 'out', 's')).sort()).toEqual([
      'dashboard.html',
      'orders.db',
      'orders.db.lock',
      'orders.figures.json',
    ]);
  });

  it('makes another dashboard of another file: semicolons, decimal commas, no date, other columns', async () => {
    using dir = folder();
    const cities = ['Köln', 'Zürich', 'Łódź', 'Århus', 'Québec'];
    const sums = new Map<string, { rows: number; hundredths: number; people: number }>();
    const lines = ['Stadt;Verkehrsmittel;Umsatz (€);Personen;Bemerkung'];
    let all = 0;
    for (let i = 0; i < 4321; i++) {
      const city = cities[(i * i) % 5] ?? '';
      const [hundredths, people] = [(i * 7919) % 250_000, (i * 31) % 90];
      if (i % 1000 === 999) {
        lines.push(`${city};Bus;kaputt;${people};`);
        continue;
      }
      const euros = `${Math.floor(hundredths / 100).toLocaleString('de-DE')},${String(hundredths % 100).padStart(2, '0')}`;
      lines.push(
        `${city};${['Bus', 'Bahn', 'Rad'][i % 3]};${euros} €;${people};${i % 7 === 0 ? '"mit ""Anführung""; und Strichpunkt"' : ''}`,
      );
      const sum = sums.get(city) ?? { rows: 0, hundredths: 0, people: 0 };
      sums.set(city, { rows: sum.rows + 1, hundredths: sum.hundredths + hundredths, people: sum.people + people });
      all += hundredths;
    }
    writeFileSync(join(dir.path, 'fahrten.csv'), `\ufeff${lines.join('\r\n')}\r\n`);
    const { page, result, text } = await build(dir.path, 'fahrten.csv');

    expect(result).toMatchObject({ table: 'fahrten', rows: 4317, rejected: { 'bad_number:umsatz': 4 } });
    expect(page).toContain(exactly(all / 100));
    expect(tableOf(page, 'Total Umsatz (€) by Stadt').map(([city, total, , rows]) => [city, total, rows])).toEqual(
      [...sums]
        .sort(([, a], [, b]) => b.hundredths - a.hundredths)
        .map(([city, { rows, hundredths }]) => [city, exactly(hundredths / 100), exactly(rows, 0)]),
    );
    expect(page).toContain('Not a number: umsatz');
    expect(page).not.toMatch(/order_date|category|quantity| to <b>/);
    expect(text).toContain('It shows 4,317 rows of fahrten.csv; 4 could not be read');
  });

  it.each([
    ['one row', 'city,people\nOslo,700000\n', '700,000'],
    ['no number column', 'word\nfoo\nbar\nfoo\n', 'Rows by word'],
    ['one column of numbers', 'n\n1\n2\n3.5\n', '6.50'],
    ['dates only', 'when\n2026-01-01\n2026-03-01\n', 'Rows over time'],
  ])('makes a sensible page of %s', async (_, csv, expected) => {
    using dir = folder();
    writeFileSync(join(dir.path, 'small.csv'), csv);
    const { page, text } = await build(dir.path, 'small.csv');
    expect(page).toContain(expected);
    expect(page).not.toMatch(/NaN|undefined|Infinity|null/);
    expect(text).toContain('The dashboard is ready: dashboard.html.');
  });

  it.each([
    ['a header and no row', 'a,b\n', 'has a header and no rows', /small\.csv has a header and no rows/],
    [
      'no good row',
      'a,b\n1\n2\n3,4,5\n',
      'No row of the file could be loaded',
      /No row of small\.csv could be loaded, 3 rows had to be rejected \(too few columns: 2; too many columns: 1\)/,
    ],
  ])('case 47: of a file with %s page and words say that nothing was loaded, and why', async (_, csv, shown, said) => {
    using dir = folder();
    writeFileSync(join(dir.path, 'small.csv'), csv);
    const { page, text } = await build(dir.path, 'small.csv');
    expect(page).toContain('<b>0</b> rows loaded');
    expect(page).toContain(shown);
    expect(page).not.toMatch(/NaN|undefined|Infinity|null/);
    expect(text).toMatch(said);
    expect(text).not.toContain('ready');
  });

  it('builds from data that is already loaded without starting a run', async () => {
    using dir = folder();
    await generateOrders(join(dir.path, 'orders.csv'), { rows: 3000 });
    const {
      agents: [builder],
      tasks: [load],
    } = createBuilder({ outDir: join(dir.path, 'out'), filesDir: dir.path });
    const result = (await load?.run(
      { file: 'orders.csv' },
      taskContext({ sessionId: 'another-session' }),
    )) as LoadResult;
    const conversation = new Conversation(builder as AgentDefinition);
    const told = await conversation.say(
      `The data of orders.csv is already loaded (result: ${JSON.stringify(result)}). Build me a dashboard.`,
    );
    expect(told.calls.map(({ toolName }) => toolName)).toEqual([
      'inspect_file',
      'design_queries',
      'write_page',
      'run_queries',
      'finish_page',
    ]);
    expect(told.text).toContain(`It shows ${exactly(result.rows, 0)} rows of orders.csv`);
    expect(conversation.started).toEqual([]);
  });
});
