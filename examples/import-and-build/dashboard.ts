/**
 * The dashboard as one HTML file that needs nothing else: no script, font, image or style from elsewhere, and a
 * Content-Security-Policy that forbids them. Whatever stands in a file is shown as text.
 */
import { createHash } from 'node:crypto';
import type { ChartSpec } from './charts.ts';
import type { Figures } from './figures.ts';
import { card, tile } from './page/cards.ts';
import { columnsCard } from './page/columns.ts';
import { count, day } from './page/format.ts';
import { Html, html, shown } from './page/html.ts';
import { quality } from './page/quality.ts';
import { STYLE } from './page/style.ts';

const POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'`;

/** The finished page: every number from the figures. */
export function renderDashboard(title: string, figures: Figures): string {
  const { charts, file, rows, rejectedRows, columns } = figures;
  const tiles = charts.filter(({ kind }) => kind === 'number');
  const cards = charts.filter(({ kind }) => kind !== 'number');
  const halves = cards.filter(({ kind }) => kind !== 'line');
  const alone = halves.length % 2 === 1 ? halves.at(-1) : undefined;
  return page(
    title,
    file,
    html`${rows === 0 ? nothing(rejectedRows) : ''}<ul class="facts">
<li><b>${count(rows)}</b> rows loaded</li>
<li><b>${count(rejectedRows)}</b> rejected</li>
<li><b>${count(columns.length)}</b> columns</li>
${range(figures)}</ul>
${tiles.length === 0 ? '' : html`<div class="tiles">${tiles.map(tile)}</div>`}
<div class="cards">${cards.map((chart) => card(chart, chart === alone))}${quality(figures)}${columnsCard(figures)}</div>
<footer>Every number here was computed from the rows that were loaded from <bdi>${shown(file)}</bdi>.</footer>`,
  );
}

function nothing(rejectedRows: number): Html {
  return html`<p class="notice" role="status">${
    rejectedRows === 0
      ? 'The file has a header and no rows, so there is nothing to show.'
      : 'No row of the file could be loaded, so there is nothing to show. Why each was rejected stands below.'
  }</p>
`;
}

function range({ range }: Figures): Html | string {
  return range === undefined
    ? ''
    : html`<li><b>${day(shown(range.first))}</b> to <b>${day(shown(range.last))}</b> (<bdi>${shown(range.column)}</bdi>)</li>
`;
}

/** The page while the data is still being loaded: the shape of every chart, and not one number. */
export function renderSkeleton(title: string, file: string, charts: readonly ChartSpec[]): string {
  const name = (chart: ChartSpec): Html => html`<h2><bdi>${shown(chart.title, 120)}</bdi></h2>`;
  const tiles = charts
    .filter(({ kind }) => kind === 'number')
    .map(
      (chart) => html`<section class="card tile">${name(chart)}<div class="wait w-big"></div></section>
`,
    );
  const cards = charts
    .filter(({ kind }) => kind !== 'number')
    .map((chart) => {
      const line = chart.kind === 'line';
      const shape = line
        ? html`<div class="wait w-plot"></div>`
        : html`<div>${Array.from({ length: 5 }, () => html`<div class="wait w-bar"></div>`)}</div>`;
      return html`<section class="card${line ? ' wide' : ''}">${name(chart)}<p class="what">waiting for data</p>${shape}</section>
`;
    });
  return page(
    title,
    file,
    html`<p class="notice" role="status">The data is still being loaded. The numbers come when it is there.</p>
${tiles.length === 0 ? '' : html`<div class="tiles">${tiles}</div>`}
<div class="cards">${cards}</div>`,
  );
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
