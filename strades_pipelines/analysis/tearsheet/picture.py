"""The picture: equity, drawdown and months on one sheet, drawn by Matplotlib without a screen."""

from io import BytesIO
from typing import Any

import numpy as np

from strades_pipelines.analysis.drawdowns import drawdowns
from strades_pipelines.analysis.tearsheet import html_tables
from strades_pipelines.analysis.tearsheet.charts import BLUE, GREY, MONTHS, RED, month_grid
from strades_pipelines.analysis.tearsheet.report_layout import DEFAULT, DEFLATED, card_of
from strades_pipelines.analysis.tearsheet.sheet import TearSheet
from strades_pipelines.analysis.tearsheet.thinning import thinned

QUIET = "#6b7280"
EDGES = {"top": 0.84, "bottom": 0.04, "left": 0.07, "right": 0.975}
YEARS = 12  # rows of the table of months at most, the newest


def picture(sheet: TearSheet) -> bytes:
    """A PNG of 1600 x 1200 points."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16, 12), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(3, 1, height_ratios=(5, 2, 3), hspace=0.22, **EDGES)
    _head(figure, sheet)
    if len(sheet.times):
        _equity(figure.add_subplot(grid[0]), sheet)
        _drawdown(figure.add_subplot(grid[1]), sheet)
        _months(figure.add_subplot(grid[2]), sheet)
    file = BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _head(figure: Any, sheet: TearSheet) -> None:
    # parse_math=False: a dollar sign in a title is a dollar sign.
    figure.text(0.07, 0.955, sheet.title, size=22, weight="bold", parse_math=False)
    details = " · ".join(f"{name} {text}" for name, text in sheet.details.items())
    figure.text(0.07, 0.933, details[:200], size=11, color=QUIET, parse_math=False)
    if sheet.synthetic:
        box = {"facecolor": "#fef3c7", "edgecolor": "none", "pad": 6}
        figure.text(0.975, 0.957, "Synthetic data", size=13, color="#78350f", ha="right", bbox=box)
    for k, name in enumerate(name for name in DEFAULT.cards if name != DEFLATED):
        label, form = card_of(name)
        value = html_tables.format_figure(sheet.figures.get(name), form)
        figure.text(0.07 + 0.15 * k, 0.898, label, size=11, color=QUIET)
        figure.text(0.07 + 0.15 * k, 0.868, value, size=19, weight="bold")
    if sheet.significance is not None:
        figure.text(0.82, 0.898, "Deflated Sharpe", size=11, color=QUIET)
        figure.text(0.82, 0.868, html_tables.format_figure(sheet.significance.dsr, "{:.1%}"), size=19, weight="bold")


def _equity(axes: Any, sheet: TearSheet) -> None:
    if sheet.benchmark is not None and sheet.benchmark[0]:
        scaled = sheet.benchmark / sheet.benchmark[0] * sheet.equity[0]
        _line(axes, sheet, scaled, GREY, "Benchmark")
    _line(axes, sheet, sheet.equity, BLUE, "Equity")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel(f"Equity {sheet.currency}".strip(), color=QUIET, parse_math=False)
    axes.legend(loc="upper left", frameon=False)
    _plain(axes)


def _drawdown(axes: Any, sheet: TearSheet) -> None:
    below = drawdowns(sheet.equity)
    rows = thinned(below)
    axes.fill_between(sheet.times[rows].astype("datetime64[us]"), below[rows], 0, color=RED, alpha=0.25, linewidth=0)
    _line(axes, sheet, below, RED, "Drawdown")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_ylabel("Drawdown", color=QUIET)
    _plain(axes)


def _months(axes: Any, sheet: TearSheet) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    years, grid = month_grid(sheet.times if sheet.sessions is None else sheet.sessions, sheet.equity, sheet.start)
    years, grid = years[:YEARS], grid[:YEARS]
    limit = float(np.nanmax(np.abs(grid[:, :12]), initial=0.01))
    colours = LinearSegmentedColormap.from_list("returns", ["#f87171", "#f3f4f6", "#34d399"])
    axes.imshow(grid, cmap=colours, vmin=-limit, vmax=limit, aspect="auto")
    for row, column in np.argwhere(np.isfinite(grid)):
        axes.text(column, row, f"{100 * grid[row, column]:.1f}", ha="center", va="center", size=10)
    axes.set_xticks(range(13), MONTHS)
    axes.set_yticks(range(len(years)), years)
    axes.tick_params(length=0, colors=QUIET, top=True, bottom=False, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)


def _line(axes: Any, sheet: TearSheet, values: Any, colour: str, label: str) -> None:
    rows = thinned(values)
    axes.plot(sheet.times[rows].astype("datetime64[us]"), values[rows], color=colour, linewidth=1.3, label=label)


def _plain(axes: Any) -> None:
    axes.grid(color="#e5e7eb", linewidth=0.8)
    axes.tick_params(colors=QUIET, length=0)
    axes.spines[:].set_visible(False)
    axes.margins(x=0.01)
