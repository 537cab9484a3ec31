"""The style sheet of reports: self-contained, without external fonts or scripts, light and dark."""

STYLE = """
:root { color-scheme: light dark; --page: #f4f5f7; --card: #ffffff; --text: #1b1f24; --muted: #5b636e;
  --line: #dfe3e8; --bar: #0072b2; --bar-ground: #e4e9ef; --mark: #fdf1d8; --mark-edge: #e69f00; --code: #f4f5f7; }
@media (prefers-color-scheme: dark) { :root { --page: #0e1013; --card: #15181d; --text: #eceff3; --muted: #a3acb8;
  --line: #2b3038; --bar: #56b4e9; --bar-ground: #262b33; --mark: #2e2612; --mark-edge: #e69f00; --code: #0e1013; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); line-height: 1.5;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
main, header, footer { max-width: 1080px; margin: 0 auto; padding: 0 16px; }
header { padding-top: 28px; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 8px; text-wrap: balance; }
h2 { font-size: 1.15rem; line-height: 1.3; margin: 0 0 12px; }
h3 { font-size: .95rem; margin: 0 0 6px; }
p { margin: 0 0 12px; max-width: 72ch; }
.lead { font-size: 1.15rem; line-height: 1.4; text-wrap: pretty; }
.muted, figcaption, caption { color: var(--muted); font-size: .9rem; }
.notice { border-left: 4px solid var(--mark-edge); background: var(--mark); padding: 10px 14px; border-radius: 4px;
  max-width: none; }
ul { margin: 0 0 12px; padding-left: 1.2em; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 20px; margin: 16px 0; }
figure { margin: 0; }
picture, img { display: block; }
img { width: 100%; height: auto; }
figcaption { margin-top: 8px; }
.pair { display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr)); }
.pair > article { border: 1px solid var(--line); border-radius: 6px; padding: 14px 16px; }
blockquote { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: 8px; }
th, td { text-align: left; padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top;
  overflow-wrap: anywhere; }
tr:last-child > * { border-bottom: 0; }
thead th { font-size: .85rem; color: var(--muted); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 500; }
.number { text-align: right; white-space: nowrap; }
.wide { width: 45%; }
.study { margin-top: 16px; }
.study thead th { white-space: normal; overflow-wrap: normal; vertical-align: bottom; }
.study tbody th { min-width: 8em; }
.bar { display: block; height: 10px; border-radius: 5px; background: var(--bar-ground); overflow: hidden;
  margin-top: 7px; min-width: 60px; }
.bar > span { display: block; height: 100%; background: var(--bar); }
.tag { display: inline-block; font-size: .75rem; line-height: 1.2; font-weight: 600; border: 1px solid var(--mark-edge);
  background: var(--mark); border-radius: 4px; padding: 1px 6px; margin-left: 6px; white-space: nowrap; }
tr.own > * { background: var(--mark); }
tr.own > :first-child { box-shadow: inset 4px 0 var(--mark-edge); padding-left: 12px; }
summary { cursor: pointer; font-weight: 600; font-size: 1.05rem; }
details[open] > summary { margin-bottom: 12px; }
pre { background: var(--code); border: 1px solid var(--line); border-radius: 6px; padding: 14px; margin: 0;
  overflow-x: auto; font: 14px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
footer { padding-bottom: 32px; }
a:focus-visible, summary:focus-visible { outline: 3px solid var(--bar); outline-offset: 2px; }
@media (max-width: 640px) {
  section { padding: 14px; border-radius: 0; border-left: 0; border-right: 0; margin: 12px -16px; }
  h1 { font-size: 1.4rem; } th, td { padding-right: 8px; } .wide { width: 30%; } }
@media print { section { break-inside: avoid; } body { background: #fff; } }
"""
