"""The page: one HTML document with its style, its script and Plotly's in it, so that it opens anywhere, offline."""

import json
from html import escape

import numpy as np

from strades_pipelines.analysis.tearsheet import charts, html_tables
from strades_pipelines.analysis.tearsheet.report_layout import DEFAULT, DEFLATED, Layout, card_of, title_of
from strades_pipelines.analysis.tearsheet.sheet import TearSheet
from strades_pipelines.analysis.tearsheet.style import SCRIPT, STYLE

# Nothing is fetched from anywhere, whatever a title or a name holds.
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
NOTICE = "<p class=notice role=note><b>Synthetic data.</b> These prices were made up; no market ever had them.</p>"
SPREADS = ("distribution", "excursions")  # drawn side by side where they follow each other


def page(sheet: TearSheet, layout: Layout = DEFAULT) -> str:
    """The whole document, with the cards and panels of a layout; what the run has nothing for is left out."""
    from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]

    charts_of_run = _charts(sheet)
    shown = [name for name in layout.panels if name not in SPREADS or name in charts_of_run]
    drawn = {name: chart for name, chart in charts_of_run.items() if name in shown}
    title = escape(sheet.title)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}"><meta name="color-scheme" content="light dark">
<title>{title}</title><style>{STYLE}</style><script>{get_plotlyjs()}</script></head>
<body><main>{_head(sheet, layout)}{_body(sheet, drawn, shown)}</main>
<script type="application/json" id="charts">{_json(drawn)}</script><script>{SCRIPT}</script></body></html>
"""


def _charts(sheet: TearSheet) -> dict[str, charts.Chart]:
    drawn = {"account": charts.account(sheet), "months": charts.months(sheet)} if len(sheet.times) else {}
    if len(closed := sheet.trades.closed()):
        drawn |= {"profits": charts.profits(sheet), "distribution": charts.distribution(sheet)}
        if np.any(np.isfinite(closed.mae)):
            drawn["excursions"] = charts.excursions(sheet)
    return drawn


def _head(sheet: TearSheet, layout: Layout) -> str:
    span = "no valuation"
    if len(sheet.times):
        span = f"{html_tables.date(sheet.times[0])} to {html_tables.date(sheet.times[-1])} UTC"
    figures = dict(sheet.figures)
    if sheet.significance is not None:
        figures[DEFLATED] = sheet.significance.dsr
    names = [name for name in layout.cards if name != DEFLATED or sheet.significance is not None]
    forms = {name: card_of(name) for name in names}
    cards = [_card(label, html_tables.format_figure(figures.get(name), form)) for name, (label, form) in forms.items()]
    details = " · ".join(f"<b>{escape(k)}</b> {escape(v)}" for k, v in sheet.details.items())
    return (
        f"<header><h1>{escape(sheet.title)}</h1><p class=quiet>{span}</p><p class=quiet>{details}</p></header>"
        f"{NOTICE if sheet.synthetic else ''}<div class=cards>{''.join(cards)}</div>"
    )


def _body(sheet: TearSheet, drawn: dict[str, charts.Chart], shown: list[str]) -> str:
    panels = [(name, _panel_of(name, sheet, drawn)) for name in shown]
    parts: list[str] = []
    for k, (name, panel) in enumerate(panels):
        before, after = (panels[k - 1][0] if k else "", panels[k + 1][0] if k + 1 < len(panels) else "")
        opens, closes = name in SPREADS and after in SPREADS, name in SPREADS and before in SPREADS
        parts.append(f"{'<div class=two>' if opens else ''}{panel}{'</div>' if closes else ''}")
    return "".join(parts)


def _panel_of(name: str, sheet: TearSheet, drawn: dict[str, charts.Chart]) -> str:
    """A panel; nothing where the run has none of what it shows."""
    match name:
        case "statistics":
            return _panel(title_of(name), html_tables.statistics_tables(sheet.figures))
        case "significance" if sheet.significance is not None:
            return _panel(title_of(name), html_tables.significance_table(sheet.significance))
        case "drawdowns":
            return _panel(title_of(name), html_tables.drawdown_table(sheet))
        case "trades" if len(sheet.trades):
            return _panel(f"{title_of(name)} ({len(sheet.trades):,})", html_tables.trade_table(sheet))
        case "account" | "months":
            return _panel(title_of(name), _place(name, drawn))
        case _:
            return _panel(title_of(name), _place(name, drawn)) if name in drawn else ""


def _panel(title: str, content: str) -> str:
    return f"<section class=panel><h2>{title}</h2>{content}</section>"


def _place(name: str, drawn: dict[str, charts.Chart]) -> str:
    return f'<div class=chart id="{name}"></div>' if name in drawn else "<p class=quiet>Nothing to draw.</p>"


def _card(label: str, text: str) -> str:
    mark = " down" if text.startswith("-") else ""
    return f'<div class="card"><span>{label}</span><b class="figure{mark}">{text}</b></div>'


def _json(drawn: dict[str, charts.Chart]) -> str:
    """JSON that cannot end its own script element."""
    text = json.dumps(drawn, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
