/** A CSV file on disk: its shape, found once from samples of the whole of it, and its records from any position. */
import { open, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { inferColumns, type Column } from './columns.ts';
import type { DateOrder } from './dates.ts';
import { detectDialect, type Dialect } from './dialect.ts';
import { bytesInFile, encodingOfHead, utf8Of, Utf8Evidence, wholeEnd, type Encoding } from './encoding.ts';
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

  /** The shape of the file. Throws when it is empty, no text, or too wide. */
  async shape(dateOrder?: DateOrder): Promise<Shape> {
    const encoding = await this.#encoding();
    const head = utf8Of(await this.#block(0, SPOT_BYTES), encoding);
    const dialect = detectDialect(head, this.size <= SPOT_BYTES, encoding);
    await setTimeout(0);
    const {
      items: [first],
      next,
    } = await this.read({ offset: 0, line: 1, row: 0 }, dialect, 1);
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
    const { encoding = 'utf-8' } = dialect;
    const { text, atEnd } = await this.#text(from.offset, BLOCK_BYTES, encoding);
    const skip = from.offset === 0 ? dialect.bom : 0;
    const { items, next } = parseBlock(text, atEnd, { ...from, offset: 0 }, dialect, most, skip);
    const isAll = atEnd && next.offset === text.length;
    const offset = isAll ? this.size : from.offset + bytesInFile(text.subarray(0, next.offset), encoding);
    return { items, next: { ...next, offset } };
  }

  /** Read off all of the file: the first letter that tells may stand on its last line. */
  async #encoding(): Promise<Encoding> {
    const told = encodingOfHead(await this.#block(0, SPOT_BYTES));
    if (told !== undefined) return told;
    const evidence = new Utf8Evidence();
    for (let offset = 0; offset < this.size; offset += BLOCK_BYTES) {
      evidence.add(await this.#block(offset, BLOCK_BYTES), offset + BLOCK_BYTES >= this.size);
      await setTimeout(0);
    }
    return evidence.encoding;
  }

  /** Records from places all over the file: one that is sorted by date shows all its dates only so. */
  async #spots(from: Position, dialect: Dialect): Promise<Item[]> {
    const items: Item[] = [];
    const step = Math.floor((this.size - from.offset) / SPOTS);
    const spots = step > 0 ? SPOTS : 0;
    for (let i = 0; i < spots; i++) {
      // Where characters have two bytes, none is to be cut in two.
      const offset = from.offset + Math.floor((i * step) / 2) * 2;
      const { text, atEnd } = await this.#text(offset, SPOT_BYTES, dialect.encoding ?? 'utf-8');
      // The place may be in the middle of a line, and of a cell with line breaks: what does not fit is left out by its width.
      const begin = i === 0 ? 0 : text.indexOf(dialect.lineBreak) + 1;
      items.push(...parseBlock(text.subarray(begin), atEnd, { offset: 0, line: 0, row: 0 }, dialect, SPOT_ROWS).items);
    }
    return items;
  }

  /** A part of the file as UTF-8, without half a character at its end. */
  async #text(offset: number, bytes: number, encoding: Encoding): Promise<{ text: Buffer; atEnd: boolean }> {
    const block = await this.#block(offset, bytes);
    const atEnd = offset + block.length >= this.size;
    return { text: utf8Of(atEnd ? block : block.subarray(0, wholeEnd(block, encoding)), encoding), atEnd };
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
