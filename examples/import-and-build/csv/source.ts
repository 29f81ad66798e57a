/** A CSV file on disk: its shape, found once from samples of the whole of it, and its records from any position. */
import { open, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { inferColumns, type Column } from './columns.ts';
import type { DateOrder } from './dates.ts';
import { detectDialect, type Dialect } from './dialect.ts';
import { BLOCK_BYTES, parseBlock, type Item, type Position } from './records.ts';

const HEAD_ROWS = 500;
const SPOTS = 8;
const SPOT_BYTES = 64 * 1024;
const SPOT_ROWS = 100;

/** What a file is: how it is written, where its first record starts, its columns, and the sample they were read from. */
export interface Shape {
  dialect: Dialect;
  start: Position;
  columns: Column[];
  sample: string[][];
}

export class CsvSource implements AsyncDisposable {
  readonly #handle: FileHandle;
  readonly size: number;
  /** When the file was last changed, milliseconds since 1970. */
  readonly mtimeMs: number;

  private constructor(handle: FileHandle, size: number, mtimeMs: number) {
    this.#handle = handle;
    this.size = size;
    this.mtimeMs = mtimeMs;
  }

  static async open(path: string): Promise<CsvSource> {
    const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'ENOENT'
        ? new Error(`Expected a file ${basename(path)} in the folder of the files, found none.`)
        : error;
    });
    const stat = await handle.stat();
    if (!stat.isFile()) {
      await handle.close();
      throw new Error('Expected a file, got a folder or a device.');
    }
    return new CsvSource(handle, stat.size, Math.trunc(stat.mtimeMs));
  }

  /** The shape of the file. Throws when it is empty, not UTF-8, or too wide. */
  async shape(dateOrder?: DateOrder): Promise<Shape> {
    const head = await this.#block(0, BLOCK_BYTES);
    const dialect = detectDialect(head.subarray(0, SPOT_BYTES), this.size <= SPOT_BYTES);
    await setTimeout(0);
    const {
      items: [first],
      next,
    } = parseBlock(head, head.length >= this.size, { offset: 0, line: 1, row: 0 }, dialect, 1, dialect.bom);
    if (first === undefined) throw new Error('Expected a file with a header line, got an empty one.');
    if (!('fields' in first))
      throw new Error('Expected the header line to be well-formed CSV, got a quote that is left open.');
    const header = first.fields;
    const start = { ...next, row: 0 };
    const { items, next: headEnd } = await this.read(start, dialect, HEAD_ROWS);
    await setTimeout(0);
    const sample = [...items, ...(await this.#spots(headEnd, dialect))].flatMap((item) =>
      'fields' in item && item.fields.length === header.length ? [item.fields] : [],
    );
    return { dialect, start, columns: inferColumns(header, sample, headEnd.offset >= this.size, dateOrder), sample };
  }

  /** At most `most` records from a position on; none at the end of the file. */
  async read(from: Position, dialect: Dialect, most: number): Promise<{ items: Item[]; next: Position }> {
    const block = await this.#block(from.offset, BLOCK_BYTES);
    return parseBlock(
      block,
      from.offset + block.length >= this.size,
      from,
      dialect,
      most,
      from.offset === 0 ? dialect.bom : 0,
    );
  }

  /** Records from places all over the file: one that is sorted by date shows all its dates only so. */
  async #spots(from: Position, dialect: Dialect): Promise<Item[]> {
    const items: Item[] = [];
    const step = Math.floor((this.size - from.offset) / SPOTS);
    const spots = step > 0 ? SPOTS : 0;
    for (let i = 0; i < spots; i++) {
      const offset = from.offset + i * step;
      const block = await this.#block(offset, SPOT_BYTES);
      // The place may be in the middle of a line, and of a cell with line breaks: what does not fit is left out by its width.
      const begin = i === 0 ? 0 : block.indexOf(dialect.lineBreak) + 1;
      const atEnd = offset + block.length >= this.size;
      items.push(
        ...parseBlock(block.subarray(begin), atEnd, { offset: offset + begin, line: 0, row: 0 }, dialect, SPOT_ROWS)
          .items,
      );
    }
    return items;
  }

  async #block(offset: number, bytes: number): Promise<Buffer> {
    const block = Buffer.allocUnsafe(Math.max(0, Math.min(bytes, this.size - offset)));
    let filled = 0;
    while (filled < block.length) {
      const { bytesRead } = await this.#handle.read(block, filled, block.length - filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return block.subarray(0, filled);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}
