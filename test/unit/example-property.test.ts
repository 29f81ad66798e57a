import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { detectDialect } from '../../examples/import-and-build/csv/dialect.ts';
import { parseBlock, type Item, type Position } from '../../examples/import-and-build/csv/records.ts';
import { createLoadData } from '../../examples/import-and-build/load-data.ts';
import { folder, taskContext } from './example-support.ts';

/** Cells with everything that means something in CSV, in SQL, in JavaScript. */
const cell = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.string({ unit: fc.constantFrom('"', ',', ';', '\n', '\r', '\t', 'a', ' ', "'"), maxLength: 10 }),
  fc.constantFrom(
    '',
    '0',
    '12',
    '1,234.50',
    '12,5',
    '$3',
    '2026-03-04',
    '04/03/2026',
    'constructor',
    '__proto__',
    'null',
    '=1+1',
    '\0',
    '\ufeff',
  ),
  fc.integer().map(String),
  fc.double().map(String),
);

const table = fc.integer({ min: 2, max: 6 }).chain((width) =>
  fc.record({
    header: fc.array(cell, { minLength: width, maxLength: width }),
    // A few rows are ragged: those must be counted as broken.
    rows: fc.array(
      fc.oneof(
        { weight: 8, arbitrary: fc.array(cell, { minLength: width, maxLength: width }) },
        {
          weight: 1,
          arbitrary: fc.array(
            cell.filter((text) => text.trim() !== ''),
            { minLength: 2, maxLength: 9 },
          ),
        },
      ),
      { maxLength: 40 },
    ),
    lineBreak: fc.constantFrom('\n', '\r\n'),
    lastLineEnds: fc.boolean(),
  }),
);

/** Quotes every cell: the plainest writer there is. */
function write({
  header,
  rows,
  lineBreak,
  lastLineEnds,
}: {
  header: string[];
  rows: string[][];
  lineBreak: string;
  lastLineEnds: boolean;
}): string {
  const lines = [header, ...rows].map((cells) => cells.map((text) => `"${text.replaceAll('"', '""')}"`).join(','));
  return lines.join(lineBreak) + (lastLineEnds ? lineBreak : '');
}

describe('any table of strings', () => {
  it('loads to as many rows as it has, the broken ones counted', async () => {
    using dir = folder();
    const load = createLoadData({ filesDir: dir.path, outDir: dir.path });
    let n = 0;
    await fc.assert(
      fc.asyncProperty(table, async (given) => {
        writeFileSync(join(dir.path, 'table.csv'), write(given));
        const result = await load.run({ file: 'table.csv', database: 'table.db' }, taskContext({ runId: `r-${n++}` }));
        const ragged = given.rows.filter((row) => row.length !== given.header.length).length;
        const byWidth = (result.rejected['too_few_columns'] ?? 0) + (result.rejected['too_many_columns'] ?? 0);
        expect(result.rows + result.rejectedRows).toBe(given.rows.length);
        expect(Object.values(result.rejected).reduce((sum, count) => sum + count, 0)).toBe(result.rejectedRows);
        expect(byWidth).toBe(ragged);
        expect(result.columnCount).toBe(given.header.length);

        // What is text comes back as it was written, white space around it aside.
        using db = new DatabaseSync(join(dir.path, 's', 'table.db'), { readOnly: true });
        for (const row of db.prepare(`SELECT * FROM "${result.table}"`).all()) {
          const source = given.rows[Number(row['_row']) - 1] ?? [];
          for (const [i, { type, sqlName }] of result.columns.entries())
            if (type === 'text') expect(row[sqlName] ?? '').toBe((source[i] ?? '').toWellFormed().trim());
        }
      }),
      { numRuns: 150 },
    );
  });

  it('reads the same records in blocks of any size', () => {
    fc.assert(
      fc.property(table, fc.integer({ min: 800, max: 2500 }), fc.integer({ min: 1, max: 30 }), (given, size, most) => {
        const bytes = Buffer.from(write(given));
        const dialect = detectDialect(bytes, true);
        const whole = parseBlock(bytes, true, { offset: 0, line: 1, row: 0 }, dialect, 1e6, dialect.bom).items;
        const pieces: Item[] = [];
        let at: Position = { offset: 0, line: 1, row: 0 };
        while (at.offset < bytes.length) {
          const block = bytes.subarray(at.offset, at.offset + size);
          const { items, next } = parseBlock(
            block,
            at.offset + size >= bytes.length,
            at,
            dialect,
            most,
            at.offset === 0 ? dialect.bom : 0,
          );
          expect(next.offset).toBeGreaterThan(at.offset);
          pieces.push(...items);
          at = next;
        }
        expect(pieces.map(({ raw, ...item }) => ({ ...item, raw: raw.toString('latin1') }))).toEqual(
          whole.map(({ raw, ...item }) => ({ ...item, raw: raw.toString('latin1') })),
        );
      }),
      { numRuns: 500 },
    );
  });
});
