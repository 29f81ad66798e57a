/**
 * How the bytes of a file are text. UTF-8 where they are; UTF-16 by its byte order mark, or by the zero in every other byte; any other
 * text is taken for Windows-1252, which is what spreadsheets write in Western Europe and of which Latin-1 is a part. That last one is
 * a guess, so whoever shows the data says what was taken.
 *
 * What is read is read as UTF-8, what is remembered is a place in the file itself: in these encodings one follows from the other.
 */
import { isUtf8 } from 'node:buffer';

export type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252';

/** For people. */
export const ENCODING_NAMES: Record<Encoding, string> = {
  'utf-8': 'UTF-8',
  'utf-16le': 'UTF-16',
  'utf-16be': 'UTF-16',
  'windows-1252': 'Windows-1252',
};

/** Files that are often given a name that ends in `.csv`, by their first bytes. */
const KINDS: readonly { what: string; magic: readonly number[] }[] = [
  { what: 'a PNG picture', magic: [0x89, 0x50, 0x4e, 0x47] },
  { what: 'a JPEG picture', magic: [0xff, 0xd8, 0xff] },
  { what: 'a GIF picture', magic: [0x47, 0x49, 0x46, 0x38] },
  { what: 'a PDF document', magic: [0x25, 0x50, 0x44, 0x46, 0x2d] },
  { what: 'an Excel workbook or another zip archive; save its sheet as CSV', magic: [0x50, 0x4b, 0x03, 0x04] },
  { what: 'an old Excel workbook; save its sheet as CSV', magic: [0xd0, 0xcf, 0x11, 0xe0] },
  { what: 'a file packed with gzip; unpack it first', magic: [0x1f, 0x8b] },
  { what: 'a SQLite database', magic: [0x53, 0x51, 0x4c, 0x69, 0x74, 0x65, 0x20, 0x66] },
];

/** Shares of the bytes: what a text in UTF-16 has at least, what one has at most where no zero belongs. */
const MOST = 0.7;
const FEW = 0.1;
/** Control characters that a text does not have. */
const MOST_CONTROLS = 0.02;
/** So many characters are proof enough. */
const PLENTY = 10_000;

/** The encoding of a file that says it with its first bytes, or nothing. Throws one sentence when they are those of no text. */
export function encodingOfHead(head: Buffer): Encoding | undefined {
  if (begins(head, [0xef, 0xbb, 0xbf])) return 'utf-8';
  if (begins(head, [0xff, 0xfe])) return 'utf-16le';
  if (begins(head, [0xfe, 0xff])) return 'utf-16be';
  const kind = KINDS.find(({ magic }) => begins(head, magic));
  if (kind !== undefined) throw new Error(`Expected a CSV file, got ${kind.what}.`);
  const [even, odd] = [zeros(head, 0), zeros(head, 1)];
  if (odd > MOST && even < FEW) return 'utf-16le';
  if (even > MOST && odd < FEW) return 'utf-16be';
  const evidence = new Utf8Evidence();
  evidence.add(head, false);
  if ((even + odd) / 2 > 0.5 || (evidence.foreign > 0 && controls(head) > MOST_CONTROLS))
    throw new Error('Expected a CSV file, got one that holds no text.');
  return undefined;
}

/** What speaks for UTF-8 and against it, block by block; a character may lie on both sides of a cut. */
export class Utf8Evidence {
  /** Characters of several bytes, as UTF-8 writes them; counted up to a plenty. */
  wide = 0;
  /** Bytes that are no UTF-8. */
  foreign = 0;
  #rest = Buffer.alloc(0);

  add(block: Buffer, atEnd: boolean): void {
    const bytes = this.#rest.length === 0 ? block : Buffer.concat([this.#rest, block]);
    const end = atEnd ? bytes.length : wholeCharacters(bytes);
    this.#rest = Buffer.from(bytes.subarray(end));
    const text = bytes.subarray(0, end);
    if (!isUtf8(text)) this.#judge(text);
    else if (this.wide < PLENTY) for (const byte of text) if (byte >= 0xc0) this.wide += 1;
  }

  /** A few broken characters do not make a text one of another encoding. */
  get encoding(): Encoding {
    return this.foreign === 0 || this.wide > this.foreign ? 'utf-8' : 'windows-1252';
  }

  #judge(text: Buffer): void {
    for (let at = 0; at < text.length;) {
      const length = lengthOf(text[at] ?? 0);
      const isCharacter = length > 1 && at + length <= text.length && isUtf8(text.subarray(at, at + length));
      if (isCharacter) this.wide += 1;
      else if (length !== 1) this.foreign += 1;
      at += isCharacter ? length : 1;
    }
  }
}

/** Bytes of the file as UTF-8. */
export function utf8Of(block: Buffer, encoding: Encoding): Buffer {
  switch (encoding) {
    case 'utf-8':
      return block;
    case 'windows-1252':
      return Buffer.from(new TextDecoder('windows-1252').decode(block));
    case 'utf-16le':
      return Buffer.from(block.toString('utf16le').toWellFormed());
    case 'utf-16be':
      return utf8Of(Buffer.from(block.subarray(0, block.length & ~1)).swap16(), 'utf-16le');
    default:
      return encoding satisfies never;
  }
}

/** How many bytes of the file a text in UTF-8 was. */
export function bytesInFile(text: Buffer, encoding: Encoding): number {
  switch (encoding) {
    case 'utf-8':
      return text.length;
    case 'windows-1252':
      return text.toString('utf8').length;
    case 'utf-16le':
    case 'utf-16be':
      return text.toString('utf8').length * 2;
    default:
      return encoding satisfies never;
  }
}

/** The beginning of a block that is whole characters: what it was cut out of may have the rest of the last one. */
export function wholeEnd(block: Buffer, encoding: Encoding): number {
  if (encoding !== 'utf-16le' && encoding !== 'utf-16be') return block.length;
  const even = block.length & ~1;
  const last = block[encoding === 'utf-16le' ? even - 1 : even - 2] ?? 0;
  return last >= 0xd8 && last <= 0xdb ? even - 2 : even;
}

function begins(head: Buffer, magic: readonly number[]): boolean {
  return head.length >= magic.length && magic.every((byte, i) => head[i] === byte);
}

/** The share of zeros among the bytes at even or odd places. */
function zeros(head: Buffer, parity: 0 | 1): number {
  let [n, all] = [0, 0];
  for (let at = parity; at < head.length; at += 2) {
    all += 1;
    if (head[at] === 0) n += 1;
  }
  return all === 0 ? 0 : n / all;
}

function controls(head: Buffer): number {
  let n = 0;
  for (const byte of head) if (byte < 0x20 && (byte < 0x09 || byte > 0x0d)) n += 1;
  return head.length === 0 ? 0 : n / head.length;
}

/** Bytes of the UTF-8 character that begins with this one; 0 when none does. */
function lengthOf(byte: number): number {
  if (byte < 0x80) return 1;
  if (byte < 0xc2 || byte > 0xf4) return 0;
  return byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/** Where the last character begins that may go on behind the bytes; their end when none does. */
function wholeCharacters(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const length = lengthOf(bytes[bytes.length - back] ?? 0);
    if (length === 0) continue;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}
