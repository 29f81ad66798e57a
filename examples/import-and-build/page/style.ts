/** The look of the page. No font, image or script comes from elsewhere. */
export const STYLE = `
:root { color-scheme: light dark; --bg: #f6f6f3; --card: #fff; --ink: #1c1d22; --soft: #6a6c76; --line: #e6e5df; --accent: #3f51d9; --accent-2: #7b8bff; --rest: #c3c5cf; --bad: #c2453a; --warn-bg: #fff6e0; --warn: #7a5600; --shadow: 0 1px 2px rgb(20 20 40 / .05), 0 8px 24px rgb(20 20 40 / .05) }
@media (prefers-color-scheme: dark) { :root { --bg: #101116; --card: #191b22; --ink: #eceef4; --soft: #989cab; --line: #2a2d38; --accent: #8794ff; --accent-2: #5c6bf0; --rest: #4a4e5d; --bad: #ff8a7d; --warn-bg: #2c2613; --warn: #f1cd73; --shadow: none } }
* { box-sizing: border-box }
body { margin: 0; background: var(--bg); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; -webkit-font-smoothing: antialiased }
main { max-width: 1160px; margin: 0 auto; padding: 44px 24px 56px }
h1 { font-size: clamp(26px, 4vw, 36px); line-height: 1.15; letter-spacing: -.022em; margin: 4px 0 12px; font-weight: 680; overflow-wrap: anywhere }
h3 { font-size: 13px; margin: 14px 0 4px; font-weight: 560; color: var(--soft) }
h2 { font-size: 15px; margin: 0; font-weight: 620; letter-spacing: -.005em; overflow-wrap: anywhere }
.over { color: var(--accent); font-weight: 620; font-size: 13px; letter-spacing: .02em; margin: 0; overflow-wrap: anywhere }
.facts { display: flex; flex-wrap: wrap; gap: 6px 18px; margin: 0; padding: 0; list-style: none; color: var(--soft) }
.facts b { color: var(--ink); font-weight: 600; font-variant-numeric: tabular-nums }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 16px; margin-top: 28px }
.cards { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px; margin-top: 16px }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 20px 22px; box-shadow: var(--shadow); min-width: 0 }
.wide { grid-column: 1 / -1 }
.what { color: var(--soft); font-size: 13px; margin: 2px 0 16px; overflow-wrap: anywhere }
.tile h2 { color: var(--soft); font-weight: 560; font-size: 13.5px }
.big { font-size: 33px; line-height: 1.15; font-weight: 660; letter-spacing: -.028em; margin: 8px 0 2px; font-variant-numeric: tabular-nums }
.tile .what { margin: 0 }
.bars { list-style: none; margin: 0; padding: 0; display: grid; grid-template-columns: minmax(90px, 30%) minmax(40px, 1fr) minmax(52px, auto); gap: 11px 12px }
.bars li { display: grid; grid-column: 1 / -1; grid-template-columns: subgrid; align-items: center }
.name { text-align: left; overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
.num { text-align: right; font-variant-numeric: tabular-nums; font-weight: 560 }
.bar { display: block; width: 100%; height: 14px; overflow: visible }
.bar .track { fill: var(--line); opacity: .55 }
.bar .fill { fill: var(--accent) }
.minus .fill { fill: var(--bad) }
.rest .fill { fill: var(--rest) }
.rest .name, .empty .name { color: var(--soft); font-style: italic }
.plot { display: block; width: 100%; height: 232px; overflow: visible; margin-top: 26px }
.plot line { stroke: var(--line); stroke-width: 1; shape-rendering: crispEdges }
.plot text, .axis text { fill: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums }
.plot text { paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round }
.plot .path { fill: none; stroke: var(--accent); stroke-width: 2.25; stroke-linejoin: round; stroke-linecap: round; vector-effect: non-scaling-stroke }
.plot .area { fill: var(--accent); opacity: .1 }
.plot circle { fill: var(--card); stroke: var(--accent); stroke-width: 2.25; opacity: 0 }
.plot .alone circle, .plot g:hover circle { opacity: 1 }
.plot rect { fill: transparent }
.axis { display: block; width: 100%; height: 24px; overflow: visible }
table { border-collapse: collapse; width: 100%; font-size: 14px }
th { text-align: left; color: var(--soft); font-weight: 560; font-size: 12.5px; padding: 0 10px 7px 0; border-bottom: 1px solid var(--line); vertical-align: bottom; overflow-wrap: anywhere }
td { padding: 7px 10px 7px 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; vertical-align: top }
tr:last-child td { border-bottom: 0 }
th.r, td.r { text-align: right; padding-right: 0; padding-left: 10px; font-variant-numeric: tabular-nums; white-space: nowrap }
th.pad, td.pad { padding-left: 26px; width: 72% }
td.why { min-width: 130px }
tr.rest td:first-child, tr.empty td:first-child { color: var(--soft); font-style: italic }
details ~ details { margin-top: 8px }
.names { list-style: none; margin: 6px 0 0; padding: 0; display: flex; flex-wrap: wrap; gap: 2px 18px; font-size: 13px }
.names li { overflow-wrap: anywhere; min-width: 0 }
.soft { color: var(--soft) }
details { margin-top: 16px; font-size: 13px }
summary { color: var(--soft); cursor: pointer; width: fit-content; border-radius: 4px }
summary:hover { color: var(--ink) }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
details table { margin-top: 12px; font-size: 13px }
.scroll { max-height: 320px; overflow: auto }
.none { color: var(--soft); padding: 28px 0; text-align: center; margin: 0 }
.quality { display: block; width: 100%; height: 10px; margin: 14px 0 18px }
.quality .good { fill: var(--accent) } .quality .bad { fill: var(--bad) }
code { font: 12px/1.45 ui-monospace, "SF Mono", Menlo, Consolas, monospace; color: var(--soft); overflow-wrap: anywhere }
.notice { background: var(--warn-bg); color: var(--warn); border-radius: 12px; padding: 12px 16px; margin: 24px 0 0 }
.wait { border-radius: 7px; background: var(--line); animation: wait 1.8s ease-in-out infinite }
.w-plot { opacity: .6 } .w-big { height: 32px; width: 60%; margin-top: 12px } .w-plot { height: 220px } .w-bar { height: 14px; margin: 14px 0 } .w-bar:nth-child(2) { width: 78% } .w-bar:nth-child(3) { width: 61% } .w-bar:nth-child(4) { width: 43% } .w-bar:nth-child(5) { width: 30% }
@keyframes wait { 50% { opacity: .45 } }
@media (prefers-reduced-motion: reduce) { .wait { animation: none } }
footer { color: var(--soft); font-size: 12.5px; margin-top: 26px; overflow-wrap: anywhere }
@media (max-width: 760px) {
  main { padding: 26px 14px 36px }
  .cards { grid-template-columns: minmax(0, 1fr) }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 12px; margin-top: 20px }
  .cards { gap: 12px; margin-top: 12px }
  .card { padding: 16px; border-radius: 12px }
  .big { font-size: 26px }
  .minor { display: none }
  .tile:last-child:nth-child(odd) { grid-column: 1 / -1 }
  .bars { grid-template-columns: minmax(0, 1fr) auto }
  .bars li { row-gap: 4px }
  .bar { grid-row: 2; grid-column: 1 / -1; height: 9px }
  .plot { height: 190px }
}
@media print { body { background: #fff } .card { box-shadow: none; break-inside: avoid } }
`;
