/**
 * The dashboard as one HTML file that needs nothing else: no script, font, image or style from elsewhere, and a
 * Content-Security-Policy that forbids them. Whatever stands in a file is shown as text.
 */
import { createHash } from 'node:crypto';
import type { ChartSpec } from './charts.ts';
import type { Figures } from './figures.ts';
import { card, tile } from './page/cards.ts';
import { count, day, percent } from './page/format.ts';
import { Html, html, shown } from './page/html.ts';
import { STYLE } from './page/style.ts';

const POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'`;

/** The finished page: every number from the figures. */
export function renderDashboard(title: string, figures: Figures): string {
  const { charts, file, rows, rejectedRows, range } = figures;
  const facts = [
    html`<li><b>${count(rows)}</b> rows loaded</li>`,
    html`<li><b>${count(rejectedRows)}</b> rejected</li>`,
    html`<li><b>${count(figures.columns.length)}</b> columns</li>`,
    ...(range ? [html`<li><b>${day(shown(range.first))}</b> to <b>${day(shown(range.last))}</b> (<bdi>${shown(range.column)}</bdi>)</li>`] : []),
  ];
  const tiles = charts.filter(({ kind }) => kind === 'number');
  const cards = charts.filter(({ kind }) => kind !== 'number');
  const halves = cards.filter(({ kind }) => kind !== 'line');
  const alone = halves.length % 2 === 1 ? halves.at(-1) : undefined;
  return page(title, file, html`
<ul class="facts">${facts}</ul>
${tiles.length > 0 ? html`<div class="tiles">${tiles.map(tile)}</div>` : html``}
<div class="cards">${cards.map((chart) => card(chart, chart === alone))}${quality(figures)}</div>
<footer>Every number here was computed from the rows that were loaded from <bdi>${shown(file)}</bdi>.</footer>`);
}

/** The page while the data is still being loaded: the shape of every chart, and not one number. */
export function renderSkeleton(title: string, file: string, charts: readonly ChartSpec[]): string {
  const waiting = (kind: ChartSpec['kind']): Html => (kind === 'line' ? html`<div class="wait w-plot"></div>` : html`<div>${Array.from({ length: 5 }, () => html`<div class="wait w-bar"></div>`)}</div>`);
  const tiles = charts.filter(({ kind }) => kind === 'number');
  return page(title, file, html`
<p class="notice" role="status">The data is still being loaded. The numbers come when it is there.</p>
${tiles.length > 0 ? html`<div class="tiles">${tiles.map((one) => html`<section class="card tile"><h2><bdi>${shown(one.title)}</bdi></h2><div class="wait w-big"></div></section>`)}</div>` : html``}
<div class="cards">${charts.filter(({ kind }) => kind !== 'number').map((one) => html`<section class="card${one.kind === 'line' ? ' wide' : ''}"><h2><bdi>${shown(one.title, 120)}</bdi></h2><p class="what">waiting for data</p>${waiting(one.kind)}</section>`)}</div>`);
}

function quality({ rows, rejectedRows, rejected }: Figures): Html {
  const all = rows + rejectedRows;
  const share = all === 0 ? 0 : rejectedRows / all;
  return html`<section class="card wide"><h2>Data quality</h2><p class="what">${count(all)} rows in the file, ${count(rows)} loaded, ${count(rejectedRows)} rejected (${percent(share)})</p>
<svg class="quality" role="img" aria-label="${percent(share)} of the rows were rejected"><rect class="good" width="100%" height="100%" rx="5"/>${rejectedRows > 0 ? html`<rect class="bad" x="${100 - Math.max(0.6, share * 100)}%" width="${Math.max(0.6, share * 100)}%" height="100%" rx="3"/>` : html``}</svg>
${rejected.length === 0 ? html`<p class="what">Every row could be read.</p>` : html`<table><thead><tr><th scope="col">Why rejected</th><th scope="col" class="r">Rows</th><th scope="col" class="minor pad">First one</th></tr></thead><tbody>${
  rejected.map(({ reason, rows: n, line, example }) => html`<tr><td class="why"><bdi>${reasonText(reason)}</bdi></td><td class="r">${count(n)}</td><td class="minor pad">line ${count(line)}: <code><bdi>${shown(example, 110)}</bdi></code></td></tr>`)}</tbody></table>`}</section>`;
}

const REASONS: Record<string, string> = {
  too_few_columns: 'Too few columns', too_many_columns: 'Too many columns', unterminated_quote: 'A quote is never closed', too_long: 'Longer than a record may be',
  bad_number: 'Not a number', bad_date: 'Not a date',
};

function reasonText(reason: string): string {
  const [kind = '', ...column] = shown(reason).split(':');
  const text = Object.hasOwn(REASONS, kind) ? REASONS[kind] ?? kind : kind;
  return column.length === 0 ? text : `${text}: ${column.join(':')}`;
}

function page(title: string, file: string, content: Html): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${shown(title, 120)}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<main>
<p class="over"><bdi>${shown(file)}</bdi></p>
<h1><bdi>${shown(title, 120)}</bdi></h1>
${content}
</main>
</body>
</html>
`.text;
}
