/** Columns that text takes in a terminal, and cutting it to a number of columns. */

const WIDE = /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f000}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const COMBINING = /^(?:\p{Mark}|[\u200b-\u200d]|\p{Variation_Selector})/u;
// oxlint-disable-next-line no-control-regex -- our own colours.
const SGR = /\u001b\[[0-9;]*m/gu;

function columnsOf(character: string): number {
  if (COMBINING.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** Columns of a text, our own colours not counted. */
export function width(text: string): number {
  let columns = 0;
  for (const character of text.replaceAll(SGR, '')) columns += columnsOf(character);
  return columns;
}

/** At most so many columns of plain text, with an ellipsis when something was left out. */
export function fit(text: string, columns: number): string {
  if (columns <= 0) return '';
  if (width(text) <= columns) return text;
  let used = 0;
  let cut = '';
  for (const character of text) {
    used += columnsOf(character);
    if (used > columns - 1) break;
    cut += character;
  }
  return `${cut}…`;
}

/** Cut or filled with spaces to exactly so many columns. */
export function pad(text: string, columns: number): string {
  const cut = fit(text, columns);
  return cut + ' '.repeat(Math.max(0, columns - width(cut)));
}
