/** How much of the file could be loaded, and why the rest could not. */
import type { Figures } from '../figures.ts';
import { count, percent } from './format.ts';
import { html, shown, type Html } from './html.ts';

const REASONS: Record<string, string> = {
  too_few_columns: 'Too few columns',
  too_many_columns: 'Too many columns',
  unterminated_quote: 'A quote is never closed',
  bad_text: 'Letters that cannot be read',
  too_long: 'Longer than a record may be',
  bad_number: 'Not a number',
  bad_date: 'Not a date',
};

export function quality({ rows, rejectedRows, rejected, encoding }: Figures): Html {
  const all = rows + rejectedRows;
  const share = all === 0 ? 0 : rejectedRows / all;
  // A single row of many is still to be seen.
  const width = Math.max(0.6, share * 100);
  return html`<section class="card wide"><h2>Data quality</h2>
<p class="what">${count(all)} rows in the file, ${count(rows)} loaded, ${count(rejectedRows)} rejected (${percent(share)}). ${readAs(encoding)}</p>
<svg class="quality" role="img" aria-label="${percent(share)} of the rows were rejected"><rect class="good" width="100%" height="100%" rx="5"/>${
    rejectedRows > 0 ? html`<rect class="bad" x="${100 - width}%" width="${width}%" height="100%" rx="3"/>` : ''
  }</svg>
${rejected.length === 0 ? html`<p class="what">${all === 0 ? 'The file has no rows.' : 'Every row could be read.'}</p>` : reasons(rejected)}</section>
`;
}

function readAs(encoding: string | undefined): string {
  if (encoding === undefined) return '';
  return encoding === 'Windows-1252'
    ? 'The file is not UTF-8 and does not say how it is written; it was read as Windows-1252 (Latin-1).'
    : `It was read as ${shown(encoding)}.`;
}

function reasons(rejected: Figures['rejected']): Html {
  const row = ({
    reason,
    rows,
    line,
    example,
  }: Figures['rejected'][number]): Html => html`<tr><td class="why"><bdi>${reasonText(reason)}</bdi></td>
<td class="r">${count(rows)}</td><td class="minor pad">line ${count(line)}: <code><bdi>${shown(example, 110)}</bdi></code></td></tr>
`;
  return html`<table><thead><tr><th scope="col">Why rejected</th><th scope="col" class="r">Rows</th><th scope="col" class="minor pad">First one</th></tr></thead>
<tbody>${rejected.map(row)}</tbody></table>`;
}

/** A reason in words. */
export function reasonText(reason: string): string {
  const [kind = '', ...column] = shown(reason).split(':');
  const text = Object.hasOwn(REASONS, kind) ? (REASONS[kind] ?? kind) : kind;
  return column.length === 0 ? text : `${text}: ${column.join(':')}`;
}
