/**
 * Plain JSON: canonical text for "the same payload", sizes in UTF-8 bytes, previews.
 * Pure and without a dependency on Node, because it also runs inside the workflow sandbox.
 */

/** JSON with sorted keys and without `undefined`; two payloads are the same when their canonical texts are equal. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item ?? null)).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).filter(([, field]) => field !== undefined);
    fields.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`).join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

// oxlint-disable-next-line no-control-regex -- All that takes one byte.
const ASCII = /^[\u0000-\u007f]*$/u;

/** Length of a text in UTF-8 bytes. */
export function utf8Length(text: string): number {
  if (ASCII.test(text)) return text.length;
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) bytes += 1;
    else if (code < 0x800) bytes += 2;
    else if (code >= 0xd800 && code <= 0xdbff && text.charCodeAt(i + 1) >= 0xdc00 && text.charCodeAt(i + 1) <= 0xdfff) {
      bytes += 4;
      i++;
    } else bytes += 3;
  }
  return bytes;
}

/** Size of a value as JSON, UTF-8 bytes. */
export function jsonBytes(value: unknown): number {
  return utf8Length(JSON.stringify(value) ?? '');
}

/** As many of the first items as fit into so many bytes of JSON, at least one. */
export function fitting<T>(items: readonly T[], most: number): T[] {
  let bytes = 2;
  const beyond = items.findIndex((item, i) => {
    bytes += jsonBytes(item) + 1;
    return bytes > most && i > 0;
  });
  return items.slice(0, beyond < 0 ? items.length : beyond);
}

/** The beginning of a value's JSON text, at most `bytes` long, never ending inside a surrogate pair. */
export function previewOf(value: unknown, bytes: number): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  let used = 0;
  let end = 0;
  for (const character of text) {
    used += utf8Length(character);
    if (used > bytes) break;
    end += character.length;
  }
  return text.slice(0, end);
}
