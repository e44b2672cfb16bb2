"""The HTML tables of the tear sheet. Text from outside is escaped here."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

import numpy as np

from strades_pipelines.analysis.arrays import DAY
from strades_pipelines.analysis.bootstrap import Band
from strades_pipelines.analysis.drawdowns import deepest
from strades_pipelines.analysis.significance_report import Significance
from strades_pipelines.analysis.tearsheet.sheet import TearSheet
from strades_pipelines.analysis.trades import Trades

SHOWN = 250  # trades in the table: the first and the last half of them
NONE = "–"  # noqa: RUF001  # what is not defined
PERCENT, RATIO, MONEY, COUNT = "{:.2%}", "{:.2f}", "{:,.2f}", "{:,.0f}"

GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "Return": {
        "total_return": ("Total return", PERCENT),
        "cagr": ("CAGR", PERCENT),
        "benchmark_return": ("Benchmark", PERCENT),
        "alpha": ("Alpha, a year", PERCENT),
        "beta": ("Beta", RATIO),
        "best_day": ("Best day", PERCENT),
        "worst_day": ("Worst day", PERCENT),
        "start_equity": ("Equity at start", MONEY),
        "final_equity": ("Equity at end", MONEY),
    },
    "Risk": {
        "sharpe": ("Sharpe", RATIO),
        "sortino": ("Sortino", RATIO),
        "calmar": ("Calmar", RATIO),
        "annual_volatility": ("Volatility, a year", PERCENT),
        "max_drawdown": ("Max drawdown", PERCENT),
        "max_drawdown_days": ("Longest drawdown, days", COUNT),
        "max_drawdown_bars": ("Longest drawdown, bars", COUNT),
        "skewness": ("Skewness", RATIO),
        "kurtosis": ("Kurtosis (normal: 3)", RATIO),
    },
    "Trades": {
        "trades": ("Closed", COUNT),
        "open_trades": ("Open", COUNT),
        "hit_rate": ("Hit rate", PERCENT),
        "profit_factor": ("Profit factor", RATIO),
        "expectancy": ("Expectancy", MONEY),
        "sqn": ("SQN", RATIO),
        "average_win": ("Average win", MONEY),
        "average_loss": ("Average loss", MONEY),
        "average_bars_held": ("Bars held", RATIO),
    },
    "Activity": {
        "fills": ("Fills", COUNT),
        "fees": ("Fees", MONEY),
        "turnover": ("Turnover, a year", "{:,.1f}x"),
        "exposure": ("Exposure", PERCENT),
        "time_in_market": ("Time in market", PERCENT),
        "average_mae": ("Average MAE", PERCENT),
        "average_mfe": ("Average MFE", PERCENT),
        "years": ("Years", RATIO),
        "periods_per_year": ("Valuations a year", COUNT),
    },
}
BANDS = {
    "growth": ("Final / first equity, returns redrawn", "{:.3f}"),
    "sharpe": ("Sharpe, returns redrawn", RATIO),
    "max_drawdown": ("Max drawdown, returns redrawn", PERCENT),
}
SHUFFLED = {
    "max_drawdown": ("Max drawdown, trades reordered", PERCENT),
    "final_equity": ("Final equity, trades redrawn", COUNT),
}


def format_figure(value: float | int | None, form: str) -> str:
    """A figure as text; a dash where it is not defined."""
    return form.format(value) if value is not None and np.isfinite(value) else NONE


def figure_table(rows: Mapping[str, str]) -> str:
    """A table of two columns: names and texts."""
    cells = (f"<tr><th scope=row>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in rows.items())
    return f"<table>{''.join(cells)}</table>"


def statistics_tables(figures: Mapping[str, float | int | None]) -> str:
    """The statistics, as four tables side by side."""
    tables = []
    for title, group in GROUPS.items():
        rows = {label: format_figure(figures.get(name), form) for name, (label, form) in group.items()}
        tables.append(f"<section><h3>{title}</h3>{figure_table(rows)}</section>")
    return f'<div class="four">{"".join(tables)}</div>'


def significance_table(found: Significance) -> str:
    """The figures of significance, and the bands of luck beside them."""
    rows = {
        "Probability that the true Sharpe is above 0 (PSR)": format_figure(found.psr, PERCENT),
        "Trials ever run on these data": format_figure(found.trials, COUNT),
        "Sharpe that the best of them shows by luck": format_figure(found.threshold, RATIO),
        "Probability that the true Sharpe is above that (DSR)": format_figure(found.dsr, PERCENT),
        "Years of record that 95 % takes": format_figure(found.track_record_years, RATIO),
        "Returns it rests on": format_figure(found.observations, COUNT),
    }
    body = [_band(*BANDS[name], band) for name, band in found.bootstrap.items()]
    body += [_band(*SHUFFLED[name], band) for name, band in found.shuffle.items()]
    head = ("Band of 90 %", "Actual", "Low", "Median", "High", "Better than")
    left, right = figure_table(rows), html_table(head, body)
    return f'<div class="two uneven"><section>{left}</section><section>{right}</section></div>'


def drawdown_table(sheet: TearSheet) -> str:
    """The five deepest drawdowns."""
    rows = []
    for drawdown in deepest(sheet.equity):
        back = date(sheet.times[drawdown.recovery]) if drawdown.recovery is not None else "not yet"
        end = drawdown.recovery if drawdown.recovery is not None else len(sheet.times) - 1
        days = (sheet.times[end] - sheet.times[drawdown.peak]) / DAY
        depth, peak, trough = (
            format_figure(drawdown.depth, PERCENT),
            date(sheet.times[drawdown.peak]),
            date(sheet.times[drawdown.trough]),
        )
        rows.append((depth, peak, trough, back, format_figure(days, COUNT)))
    return html_table(("Depth", "Peak", "Trough", "Recovered", "Days"), rows)


def trade_table(sheet: TearSheet) -> str:
    """The first and the last trades, with the count of those left out in between."""
    found = sheet.trades
    rows = list(_trade_rows(sheet, found.take(np.arange(len(found))[: SHOWN // 2]))) if len(found) > SHOWN else []
    if rows:
        rows.append((f"… {len(found) - SHOWN:,} more …", *[""] * 8))
        rows += _trade_rows(sheet, found.take(np.arange(len(found))[-(SHOWN // 2) :]))
    else:
        rows += _trade_rows(sheet, found)
    head = ("Instrument", "Side", "Entry", "Exit", "Quantity", "Entry price", "Exit price", "Profit", "Return")
    return f'<div class="scroll">{html_table(head, rows)}</div>'


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with a header row; negative figures are marked."""
    top = "".join(f"<th scope=col>{escape(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows)
    return f"<table class=wide><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def date(time: int) -> str:
    """The UTC day of an instant."""
    return str(np.datetime64(int(time), "us").astype("datetime64[D]"))


def minute(time: int) -> str:
    """The UTC minute of an instant."""
    return str(np.datetime64(int(time), "us").astype("datetime64[m]")).replace("T", " ")


def _cell(text: str) -> str:
    return f"<td{' class=down' if text.startswith('-') else ''}>{escape(text)}</td>"


def _band(label: str, form: str, band: Band) -> tuple[str, ...]:
    figures = (band.actual, band.lower, band.median, band.upper)
    return (label, *(format_figure(figure, form) for figure in figures), format_figure(band.rank, "{:.0%}"))


def _trade_rows(sheet: TearSheet, chosen: Trades) -> Iterable[tuple[str, ...]]:
    for k in range(len(chosen)):
        yield (
            sheet.names.get(int(chosen.i[k]), str(chosen.i[k])),
            "long" if chosen.direction[k] > 0 else "short",
            minute(chosen.entry_time[k]),
            "open" if chosen.is_open[k] else minute(chosen.exit_time[k]),
            format_figure(float(chosen.quantity[k]), "{:,.6g}"),
            format_figure(float(chosen.entry_price[k]), "{:,.6g}"),
            format_figure(float(chosen.exit_price[k]), "{:,.6g}"),
            format_figure(float(chosen.profit[k]), MONEY),
            format_figure(float(chosen.return_[k]), PERCENT),
        )
