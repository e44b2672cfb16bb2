"""The page: one HTML document with its style, its script and Plotly's in it, so that it opens anywhere, offline."""

import json
from html import escape

import numpy as np

from strades_pipelines.analysis.tearsheet import charts, html_tables
from strades_pipelines.analysis.tearsheet.sheet import TearSheet
from strades_pipelines.analysis.tearsheet.style import SCRIPT, STYLE

# Nothing is fetched from anywhere, whatever a title or a name holds.
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
NOTICE = "<p class=notice role=note><b>Synthetic data.</b> These prices were made up; no market ever had them.</p>"
CARDS = (
    ("total_return", "Total return", html_tables.PERCENT),
    ("cagr", "CAGR", html_tables.PERCENT),
    ("sharpe", "Sharpe", html_tables.RATIO),
    ("max_drawdown", "Max drawdown", html_tables.PERCENT),
    ("trades", "Trades", html_tables.COUNT),
)


def page(sheet: TearSheet) -> str:
    """The whole document."""
    from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]

    drawn = _charts(sheet)
    title = escape(sheet.title)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}"><meta name="color-scheme" content="light dark">
<title>{title}</title><style>{STYLE}</style><script>{get_plotlyjs()}</script></head>
<body><main>{_head(sheet)}{_body(sheet, drawn)}</main>
<script type="application/json" id="charts">{_json(drawn)}</script><script>{SCRIPT}</script></body></html>
"""


def _charts(sheet: TearSheet) -> dict[str, charts.Chart]:
    drawn = {"account": charts.account(sheet), "months": charts.months(sheet)} if len(sheet.times) else {}
    if len(closed := sheet.trades.closed()):
        drawn |= {"profits": charts.profits(sheet), "distribution": charts.distribution(sheet)}
        if np.any(np.isfinite(closed.mae)):
            drawn["excursions"] = charts.excursions(sheet)
    return drawn


def _head(sheet: TearSheet) -> str:
    span = "no valuation"
    if len(sheet.times):
        span = f"{html_tables.date(sheet.times[0])} to {html_tables.date(sheet.times[-1])} UTC"
    cards = [_card(label, html_tables.format_figure(sheet.figures.get(name), form)) for name, label, form in CARDS]
    if sheet.significance is not None:
        cards.append(_card("Deflated Sharpe", html_tables.format_figure(sheet.significance.dsr, "{:.1%}")))
    details = " · ".join(f"<b>{escape(k)}</b> {escape(v)}" for k, v in sheet.details.items())
    return (
        f"<header><h1>{escape(sheet.title)}</h1><p class=quiet>{span}</p><p class=quiet>{details}</p></header>"
        f"{NOTICE if sheet.synthetic else ''}<div class=cards>{''.join(cards)}</div>"
    )


def _body(sheet: TearSheet, drawn: dict[str, charts.Chart]) -> str:
    parts = [_panel("Account", _place("account", drawn)), _panel("Returns by month, %", _place("months", drawn))]
    parts.append(_panel("Statistics", html_tables.statistics_tables(sheet.figures)))
    if sheet.significance is not None:
        parts.append(_panel("What it is worth", html_tables.significance_table(sheet.significance)))
    parts.append(_panel("Deepest drawdowns", html_tables.drawdown_table(sheet)))
    if "profits" in drawn:
        spread = [_place(name, drawn) for name in ("distribution", "excursions") if name in drawn]
        titles = ["Returns of the trades", "Return against the worst on the way"]
        parts.append(_panel("Profit of each trade", _place("profits", drawn)))
        panels = "".join(_panel(title, chart) for title, chart in zip(titles, spread, strict=False))
        parts.append(f"<div class=two>{panels}</div>" if len(spread) > 1 else panels)
    if len(sheet.trades):
        parts.append(_panel(f"Trades ({len(sheet.trades):,})", html_tables.trade_table(sheet)))
    return "".join(parts)


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
