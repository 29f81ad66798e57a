import { existsSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { generateOrders } from '../../examples/import-and-build/generate-orders.ts';
import { transaction, whenFree } from '../../examples/import-and-build/load/database.ts';
import { createLoadData, type LoadInput, type LoadResult } from '../../examples/import-and-build/load-data.ts';
import { nameFile } from '../../examples/import-and-build/named-files.ts';
import { folder, taskContext } from './example-support.ts';
import { recount } from './example-recount.ts';

type Row = Record<string, unknown>;

function all(path: string, sql: string): Row[] {
  using db = new DatabaseSync(path, { readOnly: true });
  return db
    .prepare(sql)
    .all()
    .map((row) => ({ ...row }));
}

async function load(dir: string, input: LoadInput, context = taskContext()): Promise<LoadResult> {
  return createLoadData({ filesDir: dir, outDir: join(dir, 'out') }).run(input, context);
}

async function loadText(
  dir: string,
  text: string,
  extra: Partial<LoadInput> = {},
): Promise<{ result: LoadResult; rows: Row[]; rejected: Row[] }> {
  writeFileSync(join(dir, 'data.csv'), text);
  const result = await load(
    dir,
    { file: 'data.csv', database: 'data.db', ...extra },
    taskContext({ runId: `r-${Math.random()}` }),
  );
  const path = join(dir, 'out', 's', 'data.db');
  return {
    result,
    rows: all(path, `SELECT * FROM "${result.table}" ORDER BY _row`),
    rejected: all(path, 'SELECT * FROM _rejected ORDER BY row'),
  };
}

describe('load_data', () => {
  it('loads what an independent count and the generator say is in the file, and accounts for every other row', async () => {
    using dir = folder();
    const truth = await generateOrders(join(dir.path, 'orders.csv'), { rows: 30_000, seed: 5 });
    const result = await load(dir.path, { file: 'orders.csv' });
    const counted = recount(join(dir.path, 'orders.csv'));
    const path = join(dir.path, 'out', result.database);

    expect(result).toMatchObject({
      file: 'orders.csv',
      database: 's/orders.db',
      table: 'orders',
      rows: truth.rows,
      rejected: truth.broken,
      attempts: 1,
      batches: 15,
    });
    expect(result.rows).toBe(counted.good);
    expect(result.rows + result.rejectedRows).toBe(30_000);
    expect(result.checks.every(({ ok }) => ok)).toBe(true);
    const sums = all(
      path,
      'SELECT count(*) AS rows, sum(quantity) AS quantity, round(sum(total) * 100) AS cents FROM orders',
    )[0];
    expect(sums).toEqual({ rows: counted.good, quantity: counted.quantity, cents: counted.cents });
    const months = all(
      path,
      'SELECT substr(order_date, 1, 7) AS month, count(*) AS rows, round(sum(total) * 100) AS cents FROM orders GROUP BY month',
    );
    expect(Object.fromEntries(months.map(({ month, rows, cents }) => [month, { rows, cents }]))).toEqual(
      counted.byMonth,
    );
    expect(all(path, 'SELECT order_id FROM orders ORDER BY _row').map(({ order_id }) => order_id)).toEqual(counted.ids);
    expect(result.columns.map(({ sqlName, type }) => `${sqlName} ${type}`)).toEqual([
      'order_id text',
      'order_date date',
      'customer text',
      'country text',
      'category text',
      'product text',
      'quantity integer',
      'unit_price number',
      'discount number',
      'total number',
      'status text',
      'note text',
    ]);
    expect(Buffer.byteLength(JSON.stringify(result))).toBeLessThan(8 * 1024);
  });

  it('reports phases in order, a fraction that never falls, a checkpoint with every batch, and two milestones', async () => {
    using dir = folder();
    await generateOrders(join(dir.path, 'orders.csv'), { rows: 9000 });
    const context = taskContext();
    await load(dir.path, { file: 'orders.csv' }, context);
    expect([...new Set(context.reports.map(({ phase }) => phase))]).toEqual(['spin-up', 'schema', 'ingest', 'verify']);
    const fractions = context.reports.flatMap(({ fraction }) => (fraction === undefined ? [] : [fraction]));
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
    expect(fractions.at(-1)).toBe(1);
    expect(
      context.reports
        .filter(({ phase }) => phase === 'ingest')
        .map(({ checkpoint }) => (checkpoint as { batch: number }).batch),
    ).toEqual([0, 1, 2, 3, 4, 5]);
    expect(context.milestones.map(({ name }) => name)).toEqual(['schema', 'loaded']);
    for (const said of [...context.reports, ...context.milestones])
      expect(Buffer.byteLength(JSON.stringify(said))).toBeLessThan(8 * 1024);
  });

  it('normalises values, keeps broken rows with line and text, and says why', async () => {
    using dir = folder();
    const { result, rows, rejected } = await loadText(
      dir.path,
      [
        'Name;When;Amount;Count',
        ' Ann ;04/03/2026;1.234,50;1',
        'Bob;2026-03-05;-;2',
        ';Mar 6, 2026;"12,00 €";n/a',
        'Cid;31/02/2026;1,00;3',
        'Dee;06.03.2026;a lot;4',
        'Eve;07/03/2026;1,00',
        'Fay;13/03/2026;1,00;5;6',
        'Gus;14/03/2026;1,5;7;;',
        'Hal;15/03/2026;"2,5;8',
        'Ivy;16/03/2026;3,5;9',
        'Jo;17/03/2026;0;10',
        'Kim;18/03/2026;1;11',
        'Lou;19/03/2026;2;12',
        '',
      ].join('\n'),
    );
    expect(rows.map(({ name, when, amount, count }) => [name, when, amount, count])).toEqual([
      ['Ann', '2026-03-04', 1234.5, 1],
      ['Bob', '2026-03-05', null, 2],
      [null, '2026-03-06', 12, null],
      ['Gus', '2026-03-14', 1.5, 7],
      ['Ivy', '2026-03-16', 3.5, 9],
      ['Jo', '2026-03-17', 0, 10],
      ['Kim', '2026-03-18', 1, 11],
      ['Lou', '2026-03-19', 2, 12],
    ]);
    expect(rejected.map(({ line, reason, raw }) => [line, reason, raw])).toEqual([
      [5, 'bad_date:when', 'Cid;31/02/2026;1,00;3'],
      [6, 'bad_number:amount', 'Dee;06.03.2026;a lot;4'],
      [7, 'too_few_columns', 'Eve;07/03/2026;1,00'],
      [8, 'too_many_columns', 'Fay;13/03/2026;1,00;5;6'],
      [10, 'unterminated_quote', 'Hal;15/03/2026;"2,5;8'],
    ]);
    expect(result.rows + result.rejectedRows).toBe(13);
  });

  it('loads a file of a header alone, and refuses an empty one', async () => {
    using dir = folder();
    const { result } = await loadText(dir.path, 'a,b\n');
    expect(result).toMatchObject({
      rows: 0,
      rejectedRows: 0,
      rejected: {},
      columns: [
        { name: 'a', type: 'text' },
        { name: 'b', type: 'text' },
      ],
    });
    await expect(loadText(dir.path, '\n\n')).rejects.toThrow('Expected a file with a header line, got an empty one.');
  });

  it('reports a column of whole numbers as such only if it has no fraction anywhere', async () => {
    using dir = folder();
    const { result } = await loadText(dir.path, `n\n${'1\n'.repeat(9000)}2.5\n${'1\n'.repeat(9000)}`);
    expect(result.columns).toEqual([{ name: 'n', type: 'number', sqlName: 'n' }]);
    expect(result.rows).toBe(18_001);
  });

  it('keeps a result small, however many columns there are', async () => {
    using dir = folder();
    const header = Array.from({ length: 800 }, (_, i) => `Spalte mit einem wirklich sehr langen Namen für Ärger ${i}`);
    const { result } = await loadText(dir.path, `${header.join(',')}\n${header.map(() => '1').join(',')}\n`);
    expect(result.columnCount).toBe(800);
    expect(Buffer.byteLength(JSON.stringify(result))).toBeLessThan(32 * 1024);
    await expect(loadText(dir.path, `${'x,'.repeat(1000)}x\n`)).rejects.toThrow(
      'Expected a file of at most 900 columns, got 1001.',
    );
  });
});

describe('load_data and its attempts', () => {
  it('stops with the reason of its signal between batches, and a retry ingests only the rest', async () => {
    using dir = folder();
    const truth = await generateOrders(join(dir.path, 'orders.csv'), { rows: 10_000 });
    const stop = new AbortController();
    const reason = new Error('cancelled by the test');
    const first = taskContext({
      signal: stop.signal,
      onProgress: ({ checkpoint }) => {
        if ((checkpoint as { batch: number } | undefined)?.batch === 2) stop.abort(reason);
      },
    });
    await expect(load(dir.path, { file: 'orders.csv', pace: 1 }, first)).rejects.toBe(reason);
    const second = taskContext({ attempt: 2, checkpoint: first.reports.at(-1)?.checkpoint });
    const result = await load(dir.path, { file: 'orders.csv' }, second);
    expect(result).toMatchObject({ rows: truth.rows, attempts: 2, batches: 5 });
    expect(
      all(join(dir.path, 'out', result.database), 'SELECT batch, attempt FROM _batches ORDER BY batch').map(
        ({ attempt }) => attempt,
      ),
    ).toEqual([1, 1, 2, 2, 2]);
    expect(second.milestones.map(({ name }) => name)).toEqual(['loaded']);
  });

  it('gives the same result again when it is retried after its end', async () => {
    using dir = folder();
    await generateOrders(join(dir.path, 'orders.csv'), { rows: 5000 });
    const once = await load(dir.path, { file: 'orders.csv' });
    const twice = await load(dir.path, { file: 'orders.csv' }, taskContext({ attempt: 2 }));
    expect({ ...twice, attempts: 1, durationMs: 0 }).toEqual({ ...once, durationMs: 0 });
    expect(all(join(dir.path, 'out', once.database), 'SELECT count(*) AS n FROM _batches')).toEqual([{ n: 3 }]);
  });

  it('starts over, and says so, when the database it had begun is gone', async () => {
    using dir = folder();
    await generateOrders(join(dir.path, 'orders.csv'), { rows: 3000 });
    const context = taskContext({ attempt: 2, checkpoint: { batch: 7, offset: 99, row: 9 } });
    expect(await load(dir.path, { file: 'orders.csv' }, context)).toMatchObject({ batches: 2 });
    expect(context.reports.map(({ message }) => message)).toContain(
      'Reading the columns, as the database that this run had begun is gone',
    );
  });

  it('replaces what an earlier run loaded into the same database', async () => {
    using dir = folder();
    await loadText(dir.path, 'a,b\n1,2\n');
    const { rows, result } = await loadText(dir.path, 'c\nx\ny\n');
    expect(rows).toEqual([
      { _row: 1, c: 'x' },
      { _row: 2, c: 'y' },
    ]);
    expect(
      all(
        join(dir.path, 'out', 's', 'data.db'),
        "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
      ).map(({ name }) => name),
    ).toEqual(['_batches', '_import', '_rejected', result.table]);
  });

  it('refuses a database that another live run writes to, and leaves that run alone', async () => {
    using dir = folder();
    const truth = await generateOrders(join(dir.path, 'orders.csv'), { rows: 6000 });
    let intruder: Promise<unknown> | undefined;
    const context = taskContext({
      runId: 'r-first',
      onProgress: ({ checkpoint }) => {
        if ((checkpoint as { batch: number } | undefined)?.batch === 1)
          intruder = load(dir.path, { file: 'orders.csv' }, taskContext({ runId: 'r-second' })).catch(
            (error: unknown) => error,
          );
      },
    });
    expect(await load(dir.path, { file: 'orders.csv' }, context)).toMatchObject({ rows: truth.rows });
    expect(await intruder).toMatchObject({
      name: 'DatabaseInUse',
      message: expect.stringContaining('is being written by run r-first, which is still alive') as string,
    });
  });

  it('takes over from an earlier attempt of the same run that still goes on, and no batch is written twice', async () => {
    using dir = folder();
    const truth = await generateOrders(join(dir.path, 'orders.csv'), { rows: 20_000 });
    let later: Promise<LoadResult> | undefined;
    const zombie = taskContext({
      onProgress: ({ checkpoint }) => {
        if ((checkpoint as { batch: number } | undefined)?.batch === 2)
          later ??= load(dir.path, { file: 'orders.csv' }, taskContext({ attempt: 2 }));
      },
    });
    await expect(load(dir.path, { file: 'orders.csv' }, zombie)).rejects.toThrow(
      'was taken over by a later attempt of this run',
    );
    const result = await later;
    expect(result).toMatchObject({ rows: truth.rows, batches: 10, attempts: 2 });
    expect(
      all(
        join(dir.path, 'out', 's/orders.db'),
        'SELECT count(*) AS n, count(DISTINCT first_row) AS firsts, sum(rows) AS rows FROM _batches',
      ),
    ).toEqual([{ n: 10, firsts: 10, rows: truth.rows }]);
  });

  it.each(['DELETE', 'WAL'])(
    'case 47: waits while another process has the database locked (%s), says so, and every row is there once',
    async (mode) => {
      using dir = folder();
      const truth = await generateOrders(join(dir.path, 'orders.csv'), { rows: 10_000 });
      const path = join(dir.path, 'out', 's', 'orders.db');
      const lock = (): DatabaseSync => {
        const other = new DatabaseSync(path);
        other.exec(`PRAGMA journal_mode = ${mode}; BEGIN EXCLUSIVE`);
        return other;
      };
      mkdirSync(join(dir.path, 'out', 's'), { recursive: true });
      let other: DatabaseSync | undefined = lock();
      let locked = 1;
      const context = taskContext({
        onProgress: ({ message, checkpoint }) => {
          if (message?.startsWith('Waits for') === true) {
            other?.close();
            other = undefined;
          } else if ((checkpoint as { batch: number } | undefined)?.batch === 2 && locked === 1) {
            locked += 1;
            other = new DatabaseSync(path);
            other.exec('BEGIN IMMEDIATE');
          }
        },
      });
      expect(await load(dir.path, { file: 'orders.csv' }, context)).toMatchObject({ rows: truth.rows, batches: 5 });
      expect(context.reports.filter(({ message }) => message?.startsWith('Waits for') === true)).toEqual([
        { message: 'Waits for orders.db, which another process has locked' },
        { message: 'Waits for orders.db, which another process has locked' },
      ]);
      expect(all(path, 'SELECT count(*) AS n, count(DISTINCT order_id) AS ids FROM orders')).toEqual([
        { n: truth.rows, ids: truth.rows },
      ]);
    },
  );

  it('case 47: does not wait for ever, and says in one sentence what to do', async () => {
    using dir = folder();
    const path = join(dir.path, 'x.db');
    using other = new DatabaseSync(path);
    other.exec('BEGIN EXCLUSIVE');
    using own = new DatabaseSync(path, { timeout: 0 });
    const signal = new AbortController().signal;
    const waiting = { database: 'x.db', signal, patienceMs: 300 };
    await expect(whenFree(() => own.exec('BEGIN IMMEDIATE'), waiting)).rejects.toMatchObject({
      name: 'DatabaseLocked',
      message: 'Another process has had the database x.db locked for 0 s: close it there, then ask again.',
    });
    const stop = AbortSignal.abort(new Error('told to stop'));
    await expect(whenFree(() => own.exec('BEGIN IMMEDIATE'), { ...waiting, signal: stop })).rejects.toThrow(
      'told to stop',
    );
  });

  it('case 47: a full disk is one sentence, and leaves what was there', async () => {
    using dir = folder();
    using db = new DatabaseSync(join(dir.path, 'x.db'));
    db.exec('CREATE TABLE t (x TEXT); PRAGMA max_page_count = 3');
    const work = (): void => transaction(db, () => db.exec('INSERT INTO t VALUES (hex(zeroblob(100000)))'));
    await expect(whenFree(work, { database: 'x.db', signal: new AbortController().signal })).rejects.toMatchObject({
      name: 'DiskFull',
      message: 'The disk is full: x.db needs more room. Make some, then ask again.',
    });
    expect(db.prepare('SELECT count(*) AS n FROM t').get()).toMatchObject({ n: 0 });
  });

  it('does not go on with a file that was changed', async () => {
    using dir = folder();
    await generateOrders(join(dir.path, 'orders.csv'), { rows: 5000 });
    await load(dir.path, { file: 'orders.csv' });
    utimesSync(join(dir.path, 'orders.csv'), 1, 1);
    await expect(load(dir.path, { file: 'orders.csv' }, taskContext({ attempt: 2 }))).rejects.toMatchObject({
      name: 'SourceChanged',
    });
  });
});

describe('load_data and the rest of the disk', () => {
  it('case 38: loads files that a person has named from wherever they lie, two of one name apart, and nothing else', async () => {
    using dir = folder();
    using other = folder();
    const out = join(dir.path, 'out');
    writeFileSync(join(dir.path, 'data.csv'), 'a\n1\n');
    writeFileSync(join(other.path, 'data.csv'), 'a\n1\n2\n');
    const names = [dir.path, other.path, dir.path].map((path) => nameFile(out, join(path, 'data.csv')));
    expect(names).toEqual(['data.csv', 'data-2.csv', 'data.csv']);
    // A worker whose own folder of files is another one.
    const task = createLoadData({ filesDir: join(dir.path, 'elsewhere'), outDir: out });
    for (const [name, rows] of [
      ['data.csv', 1],
      ['data-2.csv', 2],
    ] as const)
      expect(await task.run({ file: name }, taskContext({ runId: name }))).toMatchObject({ file: name, rows });
    await expect(task.run({ file: '../named-files/data.csv' }, taskContext())).rejects.toThrow(
      'Expected a name inside',
    );
  });

  it.each(['../orders.csv', '/etc/passwd', '', 'a\0b'])('does not read %j', async (file) => {
    using dir = folder();
    await expect(load(dir.path, { file })).rejects.toThrow('Expected a name inside the folder of this app');
  });

  it('does not write outside its folder, neither by name nor by a link, nor over a table that is not its own', async () => {
    using dir = folder();
    using other = folder();
    writeFileSync(join(dir.path, 'data.csv'), 'a\n1\n');
    await load(dir.path, { file: 'data.csv', database: 'first.db' });
    symlinkSync(other.path, join(dir.path, 'out', 's', 'link'));
    symlinkSync(join(other.path, 'new.db'), join(dir.path, 'out', 's', 'dangling.db'));
    for (const database of [
      '../x.db',
      join(other.path, 'x.db'),
      'link/x.db',
      'dangling.db',
      '../other-session/orders.db',
      '../temporal.db',
    ])
      await expect(load(dir.path, { file: 'data.csv', database })).rejects.toThrow();
    expect(existsSync(join(other.path, 'x.db')) || existsSync(join(other.path, 'new.db'))).toBe(false);

    const own = join(dir.path, 'out', 's', 'own.db');
    using db = new DatabaseSync(own);
    db.exec("CREATE TABLE data (mine TEXT); INSERT INTO data VALUES ('kept')");
    await expect(load(dir.path, { file: 'data.csv', database: 'own.db' })).rejects.toThrow(
      'has a table "data" that no import made',
    );
    expect(db.prepare('SELECT mine FROM data').get()).toMatchObject({ mine: 'kept' });
    writeFileSync(
      join(dir.path, 'out', 's', 'text.db'),
      'no database at all, just text, and longer than a header of SQLite would have to be, so that it looks',
    );
    await expect(load(dir.path, { file: 'data.csv', database: 'text.db' })).rejects.toThrow('file is not a database');
    expect(readFileSync(join(dir.path, 'out', 's', 'text.db'), 'utf8')).toContain('no database at all');
  });
});
