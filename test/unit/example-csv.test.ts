import { describe, expect, it } from 'vitest';
import { inferColumns } from '../../examples/import-and-build/csv/columns.ts';
import { parseDate } from '../../examples/import-and-build/csv/dates.ts';
import { detectDialect } from '../../examples/import-and-build/csv/dialect.ts';
import { isCode, parseNumber } from '../../examples/import-and-build/csv/numbers.ts';
import { parseBlock, RECORD_CHARS, type Item } from '../../examples/import-and-build/csv/records.ts';

function items(text: string): Item[] {
  const block = Buffer.from(text);
  const dialect = detectDialect(block, true);
  return parseBlock(block, true, { offset: 0, line: 1, row: 0 }, dialect, 10_000, dialect.bom).items;
}

const fields = (text: string): (string[] | string)[] =>
  items(text).map((item) => ('fields' in item ? item.fields : item.broken));

describe('numbers', () => {
  it.each([
    ['42', '.', 42],
    ['-3.50', '.', -3.5],
    ['+7', '.', 7],
    ['.5', '.', 0.5],
    ['1,234.50', '.', 1234.5],
    ['1,234,567', '.', 1_234_567],
    ['$1,234.50', '.', 1234.5],
    ['-$5', '.', -5],
    ['€ 9', '.', 9],
    ['12 €', '.', 12],
    ['USD 10', '.', 10],
    ['10 CHF', '.', 10],
    ['(1,200.00)', '.', -1200],
    ['15%', '.', 0.15],
    ['7 %', '.', 0.07],
    ["1'000.5", '.', 1000.5],
    ['1\u202f234', '.', 1234],
    ['1.5e3', '.', 1500],
    ['-0', '.', 0],
    ['1.234,50', ',', 1234.5],
    ['0,5', ',', 0.5],
    ['1 234,5', ',', 1234.5],
    ['1.234', ',', 1234],
    ['-12,5 %', ',', -0.125],
  ] as const)('reads %s with decimal %s as %d', (cell, decimal, value) =>
    expect(parseNumber(cell, decimal)).toBe(value),
  );

  it.each([
    '',
    'two',
    '1 box',
    '3x',
    '12.9.9',
    '$',
    '#REF!',
    '1,23',
    '12,34,567',
    '007',
    '1-2',
    'NaN',
    'Infinity',
    '9007199254740993',
    '5.',
    'e5',
    'ABC 1',
  ])('reads no number in %j', (cell) => expect(parseNumber(cell, '.')).toBeUndefined());

  it('tells codes from quantities', () =>
    expect(['007', '01234', '0', '10', '0.5'].map(isCode)).toEqual([true, true, false, false, false]));
});

describe('dates', () => {
  it.each([
    ['2026-03-04', 'dmy', '2026-03-04'],
    ['2026/3/4', 'dmy', '2026-03-04'],
    ['04/03/2026', 'dmy', '2026-03-04'],
    ['04/03/2026', 'mdy', '2026-04-03'],
    ['4.3.2026', 'dmy', '2026-03-04'],
    ['Mar 4, 2026', 'dmy', '2026-03-04'],
    ['4 March 2026', 'mdy', '2026-03-04'],
    ['4-Mar-2026', 'dmy', '2026-03-04'],
    ['Sept 9, 2026', 'dmy', '2026-09-09'],
    ['29/02/2024', 'dmy', '2024-02-29'],
    ['2026-03-04T10:20:30Z', 'dmy', '2026-03-04T10:20:30Z'],
    ['2026-03-04 10:20', 'dmy', '2026-03-04T10:20:00'],
    ['2026-03-04T00:30:00+02:00', 'dmy', '2026-03-03T22:30:00Z'],
  ] as const)('reads %s (%s) as %s', (cell, order, iso) => expect(parseDate(cell, order)).toBe(iso));

  it.each([
    '31/02/2026',
    '2026-13-01',
    '2026-00-00',
    '29/02/2026',
    'yesterday',
    '04/03/26',
    'Foo 4, 2026',
    '2026-03-04T25:00',
    '1.2.3',
    '2026-3',
  ])('reads no date in %j', (cell) => expect(parseDate(cell, 'dmy')).toBeUndefined());
});

describe('records', () => {
  it.each([
    ['a,b\n1,2\n', ','],
    ['a;b\n1,5;2\n', ';'],
    ['a\tb\n1,5\t2;3\n', '\t'],
    ['a|b\n1|2', '|'],
    ['only\n"1,2"\n"3;4"\n', ','],
    ['a;b,c\n"x;y";2\n1;2\n', ';'],
  ])('finds the delimiter of %j', (text, delimiter) => {
    expect(detectDialect(Buffer.from(text), true).delimiter).toBe(delimiter);
  });

  it('reads quotes, line breaks in cells, CRLF, CR, a byte order mark and a last line without end', () => {
    expect(fields('a,b\r\n"x ""y"", z","1\r\n2"\r\n\r\n"",last')).toEqual([
      ['a', 'b'],
      ['x "y", z', '1\r\n2'],
      ['', 'last'],
    ]);
    expect(fields('a,b\r1,2\r3,4')).toEqual([
      ['a', 'b'],
      ['1', '2'],
      ['3', '4'],
    ]);
    expect(fields('\ufeffname,ünïcode\n1,2')).toEqual([
      ['name', 'ünïcode'],
      ['1', '2'],
    ]);
    expect(fields('a,b\n\n\n1,2\n\n')).toEqual([
      ['a', 'b'],
      ['1', '2'],
    ]);
    expect(fields('')).toEqual([]);
  });

  it('takes a block that ends between the two halves of a line break for what it is', () => {
    const text = 'a,b\r\n"1","x\r\ny"\r\n"2","z"\r\n';
    const bytes = Buffer.from(text);
    const dialect = detectDialect(bytes, true);
    const cut = text.indexOf('"\r\n"2"') + 2;
    const start = { offset: 0, line: 1, row: 0 };
    const first = parseBlock(bytes.subarray(0, cut), false, start, dialect, 100);
    const rest = parseBlock(bytes.subarray(first.next.offset), true, first.next, dialect, 100);
    expect([...first.items, ...rest.items]).toEqual(items(text));
  });

  it('takes a stray quote as it is, as long as the record stays on its line', () => {
    expect(fields('a,b\n5" pipe,2\n"x"y,3\n1,2\n')).toEqual([
      ['a', 'b'],
      ['5" pipe', '2'],
      ['"x"y', '3'],
      ['1', '2'],
    ]);
  });

  it('rejects the line whose quote is never closed, and no other', () => {
    expect(fields('a,b\n1,"open\n2,"fine"\n3,"fine too"\n')).toEqual([
      ['a', 'b'],
      'unterminated_quote',
      ['2', 'fine'],
      ['3', 'fine too'],
    ]);
    expect(fields('a,b\n1,2\n3,"open')).toEqual([['a', 'b'], ['1', '2'], 'unterminated_quote']);
    expect(fields('a,b\n1,"open\n2,3\n4,5\n')).toEqual([['a', 'b'], 'unterminated_quote', ['2', '3'], ['4', '5']]);
  });

  it('rejects what is longer than a record may be', () => {
    expect(fields(`a,b\n1,${'x'.repeat(RECORD_CHARS + 1)}\n2,3\n`)).toEqual([['a', 'b'], 'too_long', ['2', '3']]);
  });

  it('knows the lines of every record', () => {
    const text = 'a,b\n\n1,"x\ny"\n2,"open\n\n3,z\n';
    expect(items(text).map(({ row, line, lines, raw }) => [row, line, lines, raw.toString()])).toEqual([
      [1, 1, 1, 'a,b\n'],
      [2, 3, 2, '1,"x\ny"\n'],
      [3, 5, 1, '2,"open\n'],
      [4, 7, 1, '3,z\n'],
    ]);
  });
});

describe('columns', () => {
  const types = (header: string[], ...rows: string[][]): Record<string, string> =>
    Object.fromEntries(inferColumns(header, rows, true).map(({ sqlName, type }) => [sqlName, type]));

  it('tells types from the sample, and lets a few cells be wrong', () => {
    expect(
      types(
        ['n', 'x', 'd', 't', 'zip', 'none'],
        ['1', '1.5', '2026-01-02', 'a', '01234', ''],
        ['2', '2', '3/4/2026', '7', '55555', ''],
        ['3', '$3', 'May 5, 2026', 'c', '66666', ''],
        ['4', '1,000', '2026-01-01', 'd', '77777', ''],
        ['?', '1', 'soon', '1', '11111', ''],
      ),
    ).toEqual({ n: 'integer', x: 'number', d: 'date', t: 'text', zip: 'text', none: 'text' });
  });

  it('names every column: repeated, empty, unicode, and SQL in the header', () => {
    const columns = inferColumns(
      ['Name', 'name', '', 'Größe (cm)', 'a"; DROP TABLE x; --', '名前', '_row', '!!!'],
      [],
      true,
    );
    expect(columns.map(({ name }) => name)).toEqual([
      'Name',
      'name (2)',
      'Column 3',
      'Größe (cm)',
      'a"; DROP TABLE x; --',
      '名前',
      '_row',
      '!!!',
    ]);
    expect(columns.map(({ sqlName }) => sqlName)).toEqual([
      'name',
      'name_2',
      'column_3',
      'größe_cm',
      'a_drop_table_x',
      '名前',
      'row',
      'column_8',
    ]);
  });

  it('reads the decimal mark off the column, and off the rest of the file where a column is silent', () => {
    const [price, people] = inferColumns(
      ['price', 'people'],
      [
        ['12,50', '1.234'],
        ['0,99', '2.345'],
      ],
      true,
    );
    expect([price?.decimal, people?.decimal, people?.type]).toEqual([',', ',', 'integer']);
    expect(inferColumns(['people'], [['1.234'], ['2.345']], true)[0]?.type).toBe('number');
  });

  it('reads day or month first off the dates, and takes day first when none tells', () => {
    const order = (...cells: string[]): string | undefined =>
      inferColumns(
        ['d'],
        cells.map((cell) => [cell]),
        true,
      )[0]?.dateOrder;
    expect(order('04/13/2026', '01/02/2026')).toBe('mdy');
    expect(order('13/04/2026', '01/02/2026')).toBe('dmy');
    expect(order('01/02/2026')).toBe('dmy');
    expect(inferColumns(['d'], [['01/02/2026']], true, 'mdy')[0]?.dateOrder).toBe('mdy');
  });
});
