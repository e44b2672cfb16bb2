"""How the page looks, in light and in dark, and the few lines that draw its charts."""

STYLE = """
:root { --page: #f6f7f9; --panel: #fff; --text: #111827; --quiet: #6b7280; --line: #e5e7eb; --down: #dc2626;
  --notice: #fef3c7; --notice-text: #78350f; }
@media (prefers-color-scheme: dark) { :root { --page: #0b0f17; --panel: #131a26; --text: #e5e7eb; --quiet: #9ca3af;
  --line: #263041; --down: #f87171; --notice: #422006; --notice-text: #fde68a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 26px; margin: 0 0 2px; letter-spacing: -.01em; overflow-wrap: anywhere; }
h2 { font-size: 15px; margin: 0 0 12px; font-weight: 600; }
h3 { font-size: 12px; margin: 0 0 6px; color: var(--quiet); text-transform: uppercase; letter-spacing: .06em; }
.quiet { color: var(--quiet); margin: 2px 0; overflow-wrap: anywhere; } .quiet b { font-weight: 600; }
.notice { background: var(--notice); color: var(--notice-text); border-radius: 8px; padding: 10px 14px;
  margin: 14px 0 0; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 18px 0 14px; }
.card, .panel { background: var(--panel); border: 1px solid var(--line); border-radius: 10px; }
.card { padding: 12px 16px; } .card span { display: block; color: var(--quiet); font-size: 12px; }
.figure { font-size: 22px; font-weight: 650; font-variant-numeric: tabular-nums; } .down { color: var(--down); }
.panel { padding: 16px 18px; margin: 0 0 14px; min-width: 0; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 0 28px; }
div.two > .panel { margin-bottom: 14px; } main > div.two { gap: 0 14px; }
.four { display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); gap: 18px 32px; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 400; } td { text-align: right; }
tr > * { padding: 4px 0; border-bottom: 1px solid var(--line); } tbody tr:last-child > * { border-bottom: 0; }
table.wide tr > * { padding: 4px 8px; } table.wide tr > :first-child { text-align: left; padding-left: 0; }
table.wide th { text-align: right; color: var(--quiet); font-size: 12px; }
thead th { position: sticky; top: 0; background: var(--panel); }
.scroll { max-height: 520px; overflow: auto; } .scroll td { white-space: nowrap; }
.uneven { grid-template-columns: 5fr 7fr; }
@media (max-width: 900px) { .two { grid-template-columns: 1fr; } .panel { padding: 12px; overflow-x: auto; } }
@media print { body { background: #fff; } .panel, .card { break-inside: avoid; } .scroll { max-height: none; } }
"""

SCRIPT = """
(() => {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const theme = () => {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    return { text: colour("--text"), quiet: colour("--quiet"), line: colour("--line"), panel: colour("--panel") };
  };
  const themed = (layout) => {
    const { text, quiet, line, panel } = theme();
    const result = {
      margin: { l: 64, r: 16, t: 24, b: 36 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: text, size: 12, family: getComputedStyle(document.body).fontFamily },
      hoverlabel: { bgcolor: panel, bordercolor: line, font: { color: text } }, showlegend: false, ...layout,
    };
    for (const key of Object.keys(result).filter((key) => /^[xy]axis/.test(key))) {
      const axis = result[key];
      const title = { ...(axis.title || {}), font: { color: quiet, size: 12 } };
      result[key] = { gridcolor: line, zerolinecolor: line, linecolor: line, automargin: true, ...axis, title };
    }
    return result;
  };
  const draw = () => {
    for (const [id, { data, layout }] of Object.entries(charts)) {
      const legend = { showlegend: id === "account" };
      const textfont = { color: theme().text };
      const coloured = data.map((trace) => (trace.type === "heatmap" ? { ...trace, textfont } : trace));
      Plotly.react(id, coloured, themed({ ...legend, ...layout }), { responsive: true, displayModeBar: false });
    }
  };
  draw();
  dark.addEventListener("change", draw);
})();
"""
