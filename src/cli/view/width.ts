/**
 * Columns that text takes in a terminal, and making it fit. Where terminals differ (joined emoji, flags) the larger number
 * counts: a line that is a little short looks well, one that wraps breaks the frame.
 */

const WIDE =
  /^(?:\p{Emoji_Presentation}|[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18dff}\u{1aff0}-\u{1b2ff}\u{1f000}-\u{1faff}\u{20000}-\u{3fffd}])/u;
const NONE = /^[\p{Nonspacing_Mark}\p{Enclosing_Mark}\u200b-\u200d]/u;
/** Makes the sign before it an emoji, two columns wide. */
const EMOJI_VARIATION = '\ufe0f';
// oxlint-disable-next-line no-control-regex -- our own colours.
const SGR = /\u001b\[[0-9;]*m/gu;
const ASCII = /^[ -~]*$/u;

function columnsOf(character: string): number {
  if (character === EMOJI_VARIATION) return 1;
  if (NONE.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** Columns of a text, our own colours not counted. */
export function width(text: string): number {
  const shown = text.replaceAll(SGR, '');
  if (ASCII.test(shown)) return shown.length;
  let columns = 0;
  for (const character of shown) columns += columnsOf(character);
  return columns;
}

/** The longest beginning of plain text that takes at most so many columns. */
function head(text: string, columns: number): string {
  let used = 0;
  let end = 0;
  for (const character of text) {
    used += columnsOf(character);
    if (used > columns) break;
    end += character.length;
  }
  return text.slice(0, end).replace(/\u200d+$/u, '');
}

/** At most so many columns of plain text, ending in `ellipsis` when something was left out. */
export function fit(text: string, columns: number, ellipsis: string): string {
  if (columns <= 0) return '';
  if (width(text) <= columns) return text;
  return columns < width(ellipsis)
    ? head(text, columns)
    : `${head(text, columns - width(ellipsis)).trimEnd()}${ellipsis}`;
}

/** Cut or filled with spaces to exactly so many columns. */
export function pad(text: string, columns: number, ellipsis: string): string {
  const cut = fit(text, columns, ellipsis);
  return cut + ' '.repeat(Math.max(0, columns - width(cut)));
}

/** At most `most` lines of at most so many columns, broken at spaces; a longer word is broken where it must be. */
export function wrap(text: string, columns: number, most: number, ellipsis: string): string[] {
  const lines: string[] = [];
  let rest = text.trim();
  while (lines.length < most - 1 && width(rest) > columns) {
    const full = head(rest, columns);
    const space = rest[full.length] === ' ' ? full.length : full.lastIndexOf(' ');
    const end = space > 0 ? space : full.length;
    if (end === 0) break;
    lines.push(rest.slice(0, end).trimEnd());
    rest = rest.slice(end).trimStart();
  }
  return [...lines, fit(rest, columns, ellipsis)];
}
