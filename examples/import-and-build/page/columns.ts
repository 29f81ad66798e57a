/** Which of the file's columns are in a chart and which are not: a page that leaves some out says so. */
import type { Figures } from '../figures.ts';
import { count } from './format.ts';
import { html, shown, type Html } from './html.ts';

/** So many names are read at a glance; more are there to be opened. */
const AT_A_GLANCE = 12;

export function columnsCard({ columns, charts, range }: Figures): Html {
  const named = new Set([...charts.flatMap(({ x, measure }) => [x, measure]), range?.column]);
  const inChart = columns.filter(({ name }) => named.has(name));
  const left = columns.filter(({ name }) => !named.has(name));
  return html`<section class="card wide"><h2>Columns</h2>
<p class="what">${
    left.length === 0
      ? `${columns.length === 1 ? 'The one column of the file is' : `All ${count(columns.length)} columns of the file are`} shown here.`
      : `${count(inChart.length)} of the ${count(columns.length)} columns of the file are shown here; ${count(left.length)} ${left.length === 1 ? 'is' : 'are'} loaded but not shown.`
  }</p>
${inChart.length === 0 ? '' : names('Shown', inChart)}${left.length === 0 ? '' : names('Not shown', left)}</section>
`;
}

function names(what: string, columns: Figures['columns']): Html {
  const list = html`<ul class="names">${columns.map(({ name, type }) => html`<li><bdi>${shown(name)}</bdi> <span class="soft">${shown(type)}</span></li>`)}</ul>`;
  return columns.length <= AT_A_GLANCE
    ? html`<h3>${what}</h3>
${list}
`
    : html`<details><summary>${what}: ${count(columns.length)} columns</summary>
${list}</details>
`;
}
