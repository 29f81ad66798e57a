/** However a file is written, it is read rightly or refused in one sentence, and an import goes on at the exact byte. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Utf8Evidence, type Encoding } from '../../examples/import-and-build/csv/encoding.ts';
import { CsvSource } from '../../examples/import-and-build/csv/source.ts';
import { renderDashboard } from '../../examples/import-and-build/dashboard.ts';
import { readFigures } from '../../examples/import-and-build/figures.ts';
import { generateOrders } from '../../examples/import-and-build/generate-orders.ts';
import { createLoadData, type LoadResult } from '../../examples/import-and-build/load-data.ts';
import { folder, taskContext } from './example-support.ts';

/** Letters of Windows-1252 that Latin-1 does not have, at their bytes. */
const ONLY_1252 = new Map([
  ['€', 0x80],
  ['„', 0x84],
  ['“', 0x93],
  ['–', 0x96],
]);

function windows1252(text: string): Buffer {
  return Buffer.from(Array.from(text, (letter) => ONLY_1252.get(letter) ?? letter.charCodeAt(0)));
}

const WRITERS: [how: string, name: string, write: (text: string) => Buffer][] = [
  ['UTF-8', 'UTF-8', (text) => Buffer.from(text)],
  ['UTF-8 with a byte order mark', 'UTF-8', (text) => Buffer.from(`\ufeff${text}`)],
  ['UTF-16 as Windows writes it', 'UTF-16', (text) => Buffer.from(`\ufeff${text}`, 'utf16le')],
  ['UTF-16, big end first', 'UTF-16', (text) => Buffer.from(`\ufeff${text}`, 'utf16le').swap16()],
  ['UTF-16 without a byte order mark', 'UTF-16', (text) => Buffer.from(text, 'utf16le')],
  ['Windows-1252', 'Windows-1252', windows1252],
];

const CITIES =
  'Stadt;Umsatz;Notiz\nMünchen;1.234,50 €;„grün“ – gut\nKöln;2,00 €;"zwei\nZeilen; naïf"\nZürich;3,50 €;\n';

async function load(dir: string, bytes: Buffer): Promise<{ result: LoadResult; rows: unknown[][] }> {
  writeFileSync(join(dir, 'data.csv'), bytes);
  const context = taskContext({ runId: `r-${Math.random()}` });
  const result = await createLoadData({ filesDir: dir, outDir: dir }).run({ file: 'data.csv' }, context);
  return { result, rows: all(join(dir, result.database), `SELECT * FROM "${result.table}" ORDER BY _row`) };
}

function all(path: string, sql: string): unknown[][] {
  using db = new DatabaseSync(path, { readOnly: true });
  return db
    .prepare(sql)
    .all()
    .map((row) => Object.values(row));
}

describe('case 15: a file is read in the encoding that it is written in', () => {
  it.each(WRITERS)('%s, and table, result and page say so', async (_, name, write) => {
    using dir = folder();
    const { result, rows } = await load(dir.path, write(CITIES));
    expect(result).toMatchObject({ encoding: name, rows: 3, rejectedRows: 0 });
    expect(rows).toEqual([
      [1, 'München', 1234.5, '„grün“ – gut'],
      [2, 'Köln', 2, 'zwei\nZeilen; naïf'],
      [3, 'Zürich', 3.5, null],
    ]);
    const charts = [{ title: 'Umsatz', kind: 'bar' as const, x: 'stadt', measure: 'umsatz' }];
    const figures = await readFigures(join(dir.path, result.database), charts, new AbortController().signal);
    const page = renderDashboard('Städte', figures);
    expect(page).toContain('München');
    expect(page).toContain(`read as ${name}`);
    expect(page).not.toContain('\ufffd');
  });

  it('Latin-1 is known by a letter on the last line of a long file', async () => {
    using dir = folder();
    const text = `city,n\n${'Bonn,1\n'.repeat(200_000)}Münster,2\n`;
    const { result, rows } = await load(dir.path, windows1252(text));
    expect(result).toMatchObject({ encoding: 'Windows-1252', rows: 200_001 });
    expect(rows.at(-1)).toEqual([200_001, 'Münster', 2]);
  });

  it('a few broken letters do not make UTF-8 something else: their rows are rejected, with the reason', async () => {
    using dir = folder();
    const bytes = Buffer.from(`city,n\n${'München,1\n'.repeat(50)}M?nster,2\nKöln,3\n`);
    bytes[bytes.indexOf('M?nster') + 1] = 0xfc;
    const { result, rows } = await load(dir.path, bytes);
    expect(result).toMatchObject({ encoding: 'UTF-8', rows: 51, rejected: { bad_text: 1 } });
    expect(rows.at(-1)).toEqual([52, 'Köln', 3]);
  });

  it('a replacement character that stands in the file itself is a letter like any other', async () => {
    using dir = folder();
    expect((await load(dir.path, Buffer.from('city,n\nM\ufffdnchen,1\n'))).result).toMatchObject({ rows: 1 });
  });

  it.each([
    [
      'a PNG picture',
      Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), Buffer.alloc(500, 7)]),
      'a PNG picture',
    ],
    ['a JPEG picture', Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16, 74, 70, 73, 70]), 'a JPEG picture'],
    ['an Excel workbook', Buffer.from('PK\x03\x04\x14\0\x06\0\x08\0', 'latin1'), 'an Excel workbook'],
    ['zeros', Buffer.alloc(4000), 'one that holds no text'],
    [
      'noise',
      Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7919 + (i >> 3) * 104_729) % 256)),
      'one that holds no text',
    ],
  ])('case 39: %s named .csv is refused in one sentence', async (_, bytes, what) => {
    using dir = folder();
    await expect(load(dir.path, bytes)).rejects.toThrow(
      new RegExp(`^Expected a CSV file, got ${what}[^\\n]*\\.$`, 'u'),
    );
  });

  it('UTF-8 is told from anything else whatever blocks it is read in', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', ',', '\n', 'ü', '€', '表', '😀'), maxLength: 60 });
    fc.assert(
      fc.property(letters, fc.integer({ min: 1, max: 7 }), fc.boolean(), (text, size, latin) => {
        const bytes = latin ? windows1252(`ü${text.replaceAll(/[^a,\nü€]/gu, '')}`) : Buffer.from(text);
        const evidence = new Utf8Evidence();
        for (let at = 0; at < bytes.length; at += size)
          evidence.add(bytes.subarray(at, at + size), at + size >= bytes.length);
        expect(evidence.encoding).toBe(latin ? 'windows-1252' : 'utf-8');
      }),
      { numRuns: 1000 },
    );
  });
});

describe('case 15: what is remembered is a place in the file itself', () => {
  const cell = fc.oneof(
    fc.string({ unit: fc.constantFrom('a', 'ü', '€', '"', ',', '\n', '\r', ' ', ';'), maxLength: 8 }),
    fc.integer().map(String),
  );
  const table = fc
    .integer({ min: 2, max: 4 })
    .chain((width) =>
      fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 20 }),
    );
  const write = (rows: string[][], lineBreak: string): string =>
    `${rows.map((cells) => cells.map((text) => `"${text.replaceAll('"', '""')}"`).join(',')).join(lineBreak)}${lineBreak}`;

  /** All records, taken up anew after every few of them. */
  async function records(path: string, most: number): Promise<{ encoding: Encoding | undefined; fields: unknown[] }> {
    await using source = await CsvSource.open(path);
    const { dialect } = await source.shape();
    const fields: unknown[] = [];
    for (let at = { offset: 0, line: 1, row: 0 }; at.offset < source.size;) {
      const { items, next } = await source.read(at, dialect, most);
      expect(next.offset).toBeGreaterThan(at.offset);
      fields.push(...items.map((item) => ({ ...item, raw: item.raw.toString('utf8') })));
      at = next;
    }
    return { encoding: dialect.encoding, fields };
  }

  it('from any record on the same is read as in UTF-8', async () => {
    using dir = folder();
    const path = join(dir.path, 'table.csv');
    await fc.assert(
      fc.asyncProperty(
        table,
        fc.constantFrom('\n', '\r\n'),
        fc.integer({ min: 1, max: 5 }),
        async (rows, end, most) => {
          // A letter that tells Windows-1252 from UTF-8, wherever it stands.
          const text = write([['x', 'ü', 'y', 'z'].slice(0, rows[0]?.length), ...rows], end);
          writeFileSync(path, text);
          const { fields } = await records(path, 1e6);
          for (const [, , writer] of WRITERS.filter(([how]) => how !== 'UTF-8 with a byte order mark')) {
            writeFileSync(path, writer(text));
            const bom = writer(text)[0] === 0xff || writer(text)[0] === 0xfe;
            const read = await records(path, most);
            // The mark is part of the first line as it is written.
            const expected = bom
              ? [{ ...(fields[0] as object), raw: expect.anything() as unknown }, ...fields.slice(1)]
              : fields;
            expect(read.fields).toEqual(expected);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each(WRITERS.slice(2))(
    '%s: a long import that is stopped goes on there, and every row is in the table once',
    async (_, __, writer) => {
      using dir = folder();
      const truth = await generateOrders(join(dir.path, 'orders.csv'), { rows: 12_000, seed: 3 });
      const text = readFileSync(join(dir.path, 'orders.csv'), 'utf8').replaceAll(/[^\n-ÿ€„“–]/gu, '?');
      writeFileSync(join(dir.path, 'orders.csv'), writer(text.replace('order_id', 'order_id_ü')));
      const stop = new AbortController();
      const reason = new Error('stopped by the test');
      const first = taskContext({
        signal: stop.signal,
        onProgress: ({ checkpoint }) => {
          if ((checkpoint as { batch: number } | undefined)?.batch === 2) stop.abort(reason);
        },
      });
      const task = createLoadData({ filesDir: dir.path, outDir: dir.path });
      await expect(task.run({ file: 'orders.csv' }, first)).rejects.toBe(reason);
      const result = await task.run({ file: 'orders.csv' }, taskContext({ attempt: 2 }));
      expect(result).toMatchObject({ rows: truth.rows, rejected: truth.broken, attempts: 2, batches: 6 });
      expect(
        all(
          join(dir.path, result.database),
          'SELECT count(*), count(DISTINCT order_id_ü), sum(quantity), round(sum(total) * 100) FROM orders',
        ),
      ).toEqual([[truth.rows, truth.rows, truth.quantity, truth.totalCents]]);
      const batches = all(join(dir.path, result.database), 'SELECT byte_from, byte_to FROM _batches ORDER BY batch');
      expect(batches.slice(1).map(([from]) => from)).toEqual(batches.slice(0, -1).map(([, to]) => to));
      expect(batches.at(-1)?.[1]).toBe(readFileSync(join(dir.path, 'orders.csv')).length);
    },
  );
});
