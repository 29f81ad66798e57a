/**
 * Text that comes from outside, made fit to be shown: as plain text in Markdown, as harmless characters in a terminal. Names,
 * labels, progress and errors go through here wherever a person sees them. Runs in the workflow sandbox too.
 */

// C0, C1, line and paragraph separators, bidirectional controls, zero-width characters that reorder or hide text.
// oxlint-disable-next-line no-control-regex -- these are what is looked for.
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;

/** On one line, without anything that could move a cursor, colour or reorder what is around it. */
export function plain(text: string): string {
  return text.toWellFormed().replaceAll(CONTROL, ' ');
}

/** Plain text that Markdown and HTML show as it is, also inside a table cell. */
export function escapeMarkdown(text: string): string {
  return plain(text)
    .replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
    .replaceAll(/[\\`*_{}[\]()#+\-.!|~$:]/gu, (character) => `&#${character.codePointAt(0)};`);
}

/** The first `max` characters, with an ellipsis when something was left out. */
export function truncate(text: string, max: number): string {
  const characters = Array.from(text);
  return characters.length <= max ? text : `${characters.slice(0, Math.max(0, max - 1)).join('')}…`;
}
