"""The charts of the page, as Plotly's own JSON: data and layout, without colours of the theme, which the page adds."""

import math
from html import escape
from typing import Any

import numpy as np

from strades_pipelines.analysis.arrays import Floats, Ints
from strades_pipelines.analysis.drawdowns import drawdowns
from strades_pipelines.analysis.returns import monthly_returns
from strades_pipelines.analysis.tearsheet.sheet import TearSheet
from strades_pipelines.analysis.tearsheet.thinning import thinned

Chart = dict[str, Any]
BLUE, GREY, GREEN, RED = "#3b82f6", "#94a3b8", "#10b981", "#ef4444"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Year")
DOTS = 5_000  # trades drawn at most; of more, evenly chosen ones


def account(sheet: TearSheet) -> Chart:
    """Equity over drawdown over exposure, on one axis of time."""
    data = [_line(sheet.times, sheet.equity, "Equity", "y", BLUE, ",.2f")]
    if sheet.benchmark is not None and len(sheet.benchmark) and sheet.benchmark[0]:
        scaled = sheet.benchmark / sheet.benchmark[0] * sheet.equity[0]
        data.insert(0, _line(sheet.times, scaled, "Benchmark", "y", GREY, ",.2f"))
    data.append(_line(sheet.times, drawdowns(sheet.equity), "Drawdown", "y2", RED, ".2%", fill="tozeroy"))
    equity = f"Equity {escape(sheet.currency)}".strip()
    layout: dict[str, Any] = {
        "height": 560,
        "hovermode": "x unified",
        "xaxis": {"type": "date", "anchor": "y2"},
        "yaxis": {
            "domain": [0.34, 1.0],
            "title": {"text": equity},
            "tickformat": ",.3~s",
        },
        "yaxis2": {"domain": [0.0, 0.28], "title": {"text": "Drawdown"}, "tickformat": ".0%"},
        "legend": {"orientation": "h", "y": 1.06, "x": 0},
    }
    if sheet.exposure is not None:
        data.append(_line(sheet.times, sheet.exposure, "Exposure", "y3", GREEN, ".0%", fill="tozeroy"))
        layout |= {"height": 680, "xaxis": {"type": "date", "anchor": "y3"}}
        layout["yaxis"]["domain"], layout["yaxis2"]["domain"] = [0.46, 1.0], [0.2, 0.42]
        layout["yaxis3"] = {"domain": [0.0, 0.16], "title": {"text": "Exposure"}, "tickformat": ".0%"}
    return {"data": data, "layout": layout}


def months(sheet: TearSheet) -> Chart:
    """Returns by month, a row a year, the year's own at its end; the newest year on top."""
    years, grid = month_grid(sheet.times if sheet.sessions is None else sheet.sessions, sheet.equity, sheet.start)
    # At least a percent: months of next to nothing are not painted as if they were much.
    limit = float(np.nanmax(np.abs(grid[:, :12]), initial=0.01))
    text = [["" if np.isnan(x) else f"{100 * x:.1f}" for x in row] for row in grid]
    heat = {
        "type": "heatmap",
        "x": list(MONTHS),
        "y": [str(year) for year in years],
        "z": _plain(grid),
        "text": text,
        "texttemplate": "%{text}",
        "hovertemplate": "%{y} %{x}: %{text} %<extra></extra>",
        "zmin": -limit,
        "zmax": limit,
        "xgap": 2,
        "ygap": 2,
        "showscale": False,
        "colorscale": [[0, "rgba(239,68,68,.85)"], [0.5, "rgba(128,128,128,.12)"], [1, "rgba(16,185,129,.85)"]],
    }
    layout = {
        "height": 40 + 30 * len(years),
        "margin": {"l": 48, "r": 4, "t": 28, "b": 4},
        "xaxis": {"side": "top", "showgrid": False},
        "yaxis": {"type": "category", "autorange": "reversed", "showgrid": False},
    }
    return {"data": [heat], "layout": layout}


def month_grid(times: Ints, equity: Floats, start: float | None = None) -> tuple[list[int], Floats]:
    """The years, newest first, and their returns, shape (years, 13): January to December, then the whole year."""
    returns = monthly_returns(times, equity, start)
    years = sorted({year for year, _, _ in returns}, reverse=True)
    grid = np.full((len(years), 13), np.nan)
    for year, month, value in returns:
        grid[years.index(year), month - 1] = value
    grown = np.where(np.isnan(grid[:, :12]), 1.0, 1.0 + grid[:, :12])
    grid[:, 12] = np.prod(grown, axis=1) - 1.0
    return years, grid


def profits(sheet: TearSheet) -> Chart:
    """Profit of each closed trade at its exit."""
    trades = sheet.trades.closed()
    trades = trades.take(_some(len(trades)))
    labels = [escape(sheet.names.get(int(i), str(i))) for i in trades.i]
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": _milliseconds(trades.exit_time),
        "y": _plain(trades.profit),
        "text": labels,
        "hovertemplate": "%{text}<br>%{x|%Y-%m-%d %H:%M}<br>%{y:,.2f}<extra></extra>",
        "marker": {"color": _colours(trades.profit), "size": 6, "opacity": 0.75},
    }
    layout = {"height": 320, "xaxis": {"type": "date"}, "yaxis": {"tickformat": ",.3~s", "zeroline": True}}
    return {"data": [dots], "layout": layout}


def distribution(sheet: TearSheet) -> Chart:
    """How the trades' returns are spread."""
    returns = sheet.trades.closed().return_
    returns = returns[np.isfinite(returns)]
    counts, edges = np.histogram(returns, bins=min(60, max(10, int(np.sqrt(len(returns)) * 2))))
    middles = (edges[:-1] + edges[1:]) / 2
    bars = {
        "type": "bar",
        "x": _plain(middles),
        "y": counts.tolist(),
        "width": float(edges[1] - edges[0]),
        "hovertemplate": "%{x:.2%}: %{y} trades<extra></extra>",
        "marker": {"color": _colours(middles), "opacity": 0.8},
    }
    layout = {"height": 320, "xaxis": {"tickformat": ".1%"}, "yaxis": {"title": {"text": "Trades"}}, "bargap": 0.04}
    return {"data": [bars], "layout": layout}


def excursions(sheet: TearSheet) -> Chart:
    """The return of each trade against its worst open loss."""
    trades = sheet.trades.closed()
    trades = trades.take(_some(len(trades)))
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": _plain(trades.mae),
        "y": _plain(trades.return_),
        "hovertemplate": "worst %{x:.2%}, came to %{y:.2%}<extra></extra>",
        "marker": {"color": _colours(trades.profit), "size": 6, "opacity": 0.75},
    }
    axis = {"title": {"text": "Maximum adverse excursion"}, "tickformat": ".1%"}
    layout = {"height": 320, "xaxis": axis, "yaxis": {"title": {"text": "Return"}, "tickformat": ".1%"}}
    return {"data": [dots], "layout": layout}


def _line(times: Ints, values: Floats, name: str, axis: str, colour: str, shown: str, **more: Any) -> Chart:
    rows = thinned(values)
    trace = {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": _milliseconds(times[rows]),
        "y": _plain(values[rows]),
        "yaxis": axis,
        "line": {"color": colour, "width": 1.6 if axis == "y" else 1},
        "hovertemplate": f"%{{y:{shown}}}",
    }
    return trace | more


def _some(count: int) -> Ints:
    return np.arange(count) if count <= DOTS else np.linspace(0, count - 1, DOTS).astype(np.int64)


def _colours(values: Floats) -> list[str]:
    return [GREEN if value > 0 else RED for value in values.tolist()]


def _milliseconds(times: Ints) -> list[int]:
    """What an axis of dates takes."""
    return [int(time) for time in times // 1000]


def _plain(values: Floats) -> Any:
    """Lists of numbers and None: JSON has no nan."""
    if values.ndim > 1:
        return [_plain(row) for row in values]
    return [value if math.isfinite(value) else None for value in values.tolist()]
