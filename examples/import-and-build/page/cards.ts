/** One chart as one card: a tile, bars, a line or a table. The exact numbers are always there as a table too. */
import type { ChartResult, Point } from '../queries.ts';
import { count, day, describe, percent, writer } from './format.ts';
import { html, shown, type Html } from './html.ts';
import { lineChart } from './line-chart.ts';

export function tile(chart: ChartResult): Html {
  const value = chart.points[0]?.value ?? null;
  const write = writer([value]);
  const [short, long] = [write.compact(value), write.exact(value)];
  return html`<section class="card tile"><h2><bdi>${shown(chart.title)}</bdi></h2>
<p class="big">${short}</p>
<p class="what">${short === long ? '' : `${long} · `}<bdi>${shown(describe(chart), 120)}</bdi></p></section>
`;
}

/** `wide`: over the whole width, as a line always is. */
export function card(chart: ChartResult, wide: boolean): Html {
  return html`<section class="card${wide || chart.kind === 'line' ? ' wide' : ''}"><h2><bdi>${shown(chart.title, 120)}</bdi></h2>
<p class="what"><bdi>${shown(describe(chart), 160)}</bdi></p>
${body(chart)}</section>
`;
}

function body(chart: ChartResult): Html {
  if (!chart.points.some(({ value }) => value !== null)) return html`<p class="none">No data to show here.</p>`;
  switch (chart.kind) {
    case 'line':
      return html`${lineChart(chart)}${numbers(chart)}`;
    case 'bar':
      return html`${bars(chart)}${numbers(chart)}`;
    case 'table':
      return table(chart);
    case 'number':
      return tile(chart);
    default:
      return chart.kind satisfies never;
  }
}

function bars({ points }: ChartResult): Html {
  const write = writer(points.map(({ value }) => value));
  const most = Math.max(...points.map(({ value }) => Math.abs(value ?? 0)), Number.MIN_VALUE);
  const bar = (point: Point): Html => {
    const { value, label, rows } = point;
    const share = Math.round((Math.abs(value ?? 0) / most) * 1000) / 10;
    return html`<li class="${kindOf(point)}${(value ?? 0) < 0 ? ' minus' : ''}" title="${shown(label, 200)}: ${write.exact(value)} (${count(rows)} rows)">
<bdi class="name">${shown(label)}</bdi>
<svg class="bar" aria-hidden="true"><rect class="track" width="100%" height="100%" rx="4"/><rect class="fill" width="${share}%" height="100%" rx="4"/></svg>
<span class="num">${write.compact(value)}</span></li>
`;
  };
  return html`<ul class="bars">${points.map(bar)}</ul>`;
}

function table(chart: ChartResult): Html {
  const { points, aggregate, measure, x = '' } = chart;
  const write = writer(points.map(({ value }) => value));
  const total = points.reduce((sum, { value }) => sum + (value ?? 0), 0);
  const shares =
    (aggregate === 'count' || aggregate === 'sum') && total > 0 && points.every(({ value }) => (value ?? 0) >= 0);
  const what = describe({ aggregate, ...(measure === undefined ? {} : { measure }) });
  const right = (content: string): Html => html`<td class="r">${content}</td>`;
  const row = (
    point: Point,
  ): Html => html`<tr class="${kindOf(point)}"><td><bdi>${label(chart, point)}</bdi></td>${right(write.exact(point.value))}${
    shares ? right(percent((point.value ?? 0) / total)) : ''
  }${measure === undefined ? '' : right(count(point.rows))}</tr>
`;
  return html`<table><thead><tr><th scope="col"><bdi>${shown(x)}</bdi></th><th scope="col" class="r"><bdi>${shown(what, 60)}</bdi></th>${
    shares ? html`<th scope="col" class="r">Share</th>` : ''
  }${measure === undefined ? '' : html`<th scope="col" class="r">Rows</th>`}</tr></thead>
<tbody>${points.map(row)}</tbody></table>`;
}

function numbers(chart: ChartResult): Html {
  return html`<details><summary>Show the numbers</summary>
<div class="scroll" tabindex="0" role="region" aria-label="Numbers of ${shown(chart.title, 120)}">${table(chart)}</div></details>`;
}

function label(chart: ChartResult, point: Point): string {
  return chart.kind === 'line' ? day(shown(point.label)) : shown(point.label, 120);
}

function kindOf({ kind }: Point): string {
  return kind === undefined ? 'value' : kind === 'other' ? 'rest' : 'empty';
}
