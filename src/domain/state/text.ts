/**
 * Text that comes from outside, made fit to be shown: as plain text in Markdown, as harmless characters in a terminal. Names,
 * labels, progress and errors go through here wherever a person sees them. Pure and small: runs in the workflow sandbox too.
 *
 * Invariant: what comes out is one line that shows what went in and can do nothing, neither move a cursor nor start a tag.
 */
import { utf8Length } from './json.ts';

const BREAKS = /[\t\n\v\f\r\u0085\u2028\u2029]+/gu;
/** What has no width and reorders, hides or joins what is around it: soft hyphen, directions and overrides, byte order mark, tags. */
const UNSEEN = /[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
// oxlint-disable-next-line no-control-regex -- C0 (ESC among them), DEL and C1 are what is looked for.
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/gu;

/**
 * Whatever means something in Markdown or HTML. A point, dash or underscore inside a word, a colon in a time or before a space mean
 * nothing and are left as they are, so that names stay readable where the page is read as it is.
 */
const MEANINGFUL =
  /[\\`*{}[\]()#+!|~$<>&=@^]|(?<![A-Za-z0-9])[._-]|[._-](?![A-Za-z0-9])|(?<=www)\.|:(?![ \d])|(?<!\d):(?! )|^:/giu;

/** One line without anything that could move a cursor, colour or reorder what is around it. Controls are shown as `\ufffd`. */
export function stripControl(text: string): string {
  return text.toWellFormed().replaceAll(BREAKS, ' ').replaceAll(UNSEEN, '').replaceAll(CONTROL, '\ufffd');
}

/**
 * One line that Markdown and HTML show as it is, also inside a table cell. Only numeric references are used: Temporal's Web UI
 * shows `&lt;` as these four characters, and its parser splits a cell at a pipe before it looks at backslashes.
 */
export function escapeMarkdown(text: string): string {
  return stripControl(text)
    .trim()
    .replaceAll(MEANINGFUL, (character) => `&#${character.codePointAt(0)};`);
}

const JOINED = /^(?:\p{Mark}|\p{Join_Control}|\p{Variation_Selector}|\p{Emoji_Modifier})/u;

/** At most `max` characters, with an ellipsis when something was left out; never half a character or one without its accents. */
export function truncate(text: string, max: number): string {
  const characters = Array.from(text);
  if (characters.length <= max) return text;
  let end = Math.max(0, max - 1);
  while (end > 0 && (JOINED.test(characters[end] ?? '') || characters[end - 1] === '\u200d')) end -= 1;
  return max <= 0 ? '' : `${characters.slice(0, end).join('')}…`;
}

const ELLIPSIS_BYTES = 3;

/** At most `maxBytes` bytes of UTF-8, with an ellipsis when something was left out and there is room for it. */
export function cutBytes(text: string, maxBytes: number): string {
  if (utf8Length(text) <= maxBytes) return text;
  const ellipsis = maxBytes >= ELLIPSIS_BYTES ? '…' : '';
  let room = maxBytes - utf8Length(ellipsis);
  let end = 0;
  for (const character of text) {
    room -= utf8Length(character);
    if (room < 0) break;
    end += character.length;
  }
  return text.slice(0, end) + ellipsis;
}
