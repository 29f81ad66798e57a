/**
 * A line over time as inline SVG. Everything is placed in percent of its box, so that it stretches to any width while strokes
 * and letters keep their size.
 */
import type { ChartResult, Point } from '../queries.ts';
import { day, describe, tick, writer } from './format.ts';
import { html, shown, type Html } from './html.ts';

type Stretch = { i: number; value: number }[];

export function lineChart(chart: ChartResult): Html {
  const { points } = chart;
  const values = points.flatMap(({ value }) => (value === null ? [] : [value]));
  const ticks = ticksFor(Math.min(0, ...values), Math.max(0, ...values));
  const [low, high] = [ticks[0] ?? 0, ticks.at(-1) ?? 1];
  const x = (i: number): number => (points.length < 2 ? 50 : round((i / (points.length - 1)) * 100));
  const y = (value: number): number => round(100 - ((value - low) / (high - low)) * 100);
  const width = 100 / Math.max(1, points.length - 1);
  const runs = unbroken(points);
  const write = writer(values);
  const label = `${shown(chart.title, 120)}: line of ${shown(describe(chart), 160)}, ${points.length} points`;
  const grid = (at: number): Html => html`<line x1="0" x2="100%" y1="${y(at)}%" y2="${y(at)}%"/>`;
  const figure = (at: number): Html => html`<text x="0" y="${y(at)}%" dy="-5">${tick(at)}</text>`;
  const run = (stretch: Stretch): Html => {
    const [first, last] = [x(stretch[0]?.i ?? 0), x(stretch.at(-1)?.i ?? 0)];
    const line = stretch.map(({ i, value }) => `L${x(i)} ${y(value)}`).join('');
    return html`<path class="area" d="M${first} ${y(0)}${line}L${last} ${y(0)}Z"/><path class="path" d="M${line.slice(1)}"/>`;
  };
  const mark = (point: Point, i: number): Html => {
    if (point.value === null) return html``;
    const alone = runs.some((stretch) => stretch.length === 1 && stretch[0]?.i === i);
    return html`<g class="${alone ? 'alone' : 'point'}"><rect x="${round(x(i) - width / 2)}%" y="0" width="${round(width)}%" height="100%"/>
<circle cx="${x(i)}%" cy="${y(point.value)}%" r="4"/><title>${day(shown(point.label))}: ${write.exact(point.value)}</title></g>
`;
  };
  return html`<svg class="plot" role="img" aria-label="${label}">
${ticks.map(grid)}<svg x="0" y="0" width="100%" height="100%" viewBox="0 0 100 100" preserveAspectRatio="none" overflow="visible">${runs.map(run)}</svg>
${ticks.map(figure)}
${points.map(mark)}</svg>
${axis(points, x)}`;
}

/** Up to seven dates below, evenly spaced; every other one leaves when it is narrow. */
function axis(points: readonly Point[], x: (i: number) => number): Html {
  const step = Math.max(1, Math.ceil((points.length - 1) / 6));
  const at = points.flatMap((_, i) => (i % step === 0 ? [i] : []));
  const anchor = (i: number): string =>
    points.length === 1 ? 'middle' : i === 0 ? 'start' : i === points.length - 1 ? 'end' : 'middle';
  const date = (i: number, n: number): Html =>
    html`<text x="${x(i)}%" y="18" text-anchor="${anchor(i)}" class="${at.length > 3 && n % 2 === 1 ? 'minor' : 'date'}">${day(
      shown(points[i]?.label ?? ''),
    )}</text>`;
  return html`<svg class="axis" aria-hidden="true">${at.map(date)}</svg>`;
}

/** Stretches of points with a value: where there is none the line breaks. */
function unbroken(points: readonly Point[]): Stretch[] {
  const runs: Stretch[] = [];
  for (const [i, { value }] of points.entries()) {
    if (value === null) continue;
    const last = runs.at(-1);
    if (last?.at(-1)?.i === i - 1) last.push({ i, value });
    else runs.push([{ i, value }]);
  }
  return runs;
}

/** Three to six round numbers that span a range. */
export function ticksFor(low: number, high: number): number[] {
  if (!(high > low)) return [0, 1];
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  const first = Math.floor(low / step);
  const last = Math.ceil(high / step);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
