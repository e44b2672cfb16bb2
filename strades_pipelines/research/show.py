"""What a backtest says to people."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from strades_pipelines.analysis.significance_report import Significance
from strades_pipelines.bars.bar_checks import iso
from strades_pipelines.research.document import cut, refused
from strades_pipelines.research.study import Run

PERCENT, NUMBER, COUNT = "{:.2%}", "{:,.2f}", "{:,}"
FIGURES = (
    ("final equity", "final_equity", NUMBER),
    ("total return", "total_return", PERCENT),
    ("CAGR", "cagr", PERCENT),
    ("volatility a year", "annual_volatility", PERCENT),
    ("Sharpe", "sharpe", NUMBER),
    ("Sortino", "sortino", NUMBER),
    ("Calmar", "calmar", NUMBER),
    ("max drawdown", "max_drawdown", PERCENT),
    ("longest drawdown, days", "max_drawdown_days", NUMBER),
    ("time in market", "time_in_market", PERCENT),
    ("turnover a year", "turnover", NUMBER),
    ("fills", "fills", COUNT),
    ("fees", "fees", NUMBER),
    ("trades", "trades", COUNT),
    ("hit rate", "hit_rate", PERCENT),
    ("profit factor", "profit_factor", NUMBER),
    ("expectancy", "expectancy", NUMBER),
    ("SQN", "sqn", NUMBER),
    ("beta", "beta", NUMBER),
)


def show(
    run: Run, figures: dict[str, float | int | None], found: Significance, seconds: float, console: Console
) -> None:
    """What ran, its statistics, what it is worth, and why it was not compiled if it was to be."""
    result = run.result
    console.print(f"[bold]{escape(run.strategy.title())}[/] {escape(_pairs(run.strategy.parameters))}")
    bars = sum(len(one.time) for one in run.study.bars)
    names = [one.name for one in run.study.bars]
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    first, last = (f(int(one.open_time[k]) for one in run.study.bars) for f, k in ((min, 0), (max, -1)))
    where = f"{escape(shown)}: {bars:,} bars from {iso(first)} to {iso(last)}, {result.mode}, {seconds:.2f} s"
    console.print(where, soft_wrap=True)
    if result.not_compiled:
        console.print(f"[yellow]not compiled[/]: {escape(result.not_compiled)}", soft_wrap=True)
    console.print(_two_columns(figures))
    for line in _significance_lines(found):
        console.print(line)
    if abs(run.best_equity - result.account.equity) > 0:
        console.print(f"by the best path through each bar the equity would be {run.best_equity:,.2f}")
    if said := refused(run):
        console.print(f"[yellow]refused[/]: {_pairs(said)}")
    if purchases := cut(run):
        console.print(f"[yellow]cut to the cash[/]: {purchases:,} purchases")
    if result.margin_calls:
        console.print(f"[yellow]margin calls[/]: {result.margin_calls:,}; positions were above --leverage")
    if result.ruined_at is not None:
        console.print(f"[red]ruined[/] at {iso(result.ruined_at)}: every position was closed, nothing traded after it")


def _two_columns(figures: dict[str, float | int | None]) -> Table:
    table = Table.grid(padding=(0, 2))
    cells = [(label, _number(figures.get(name), form)) for label, name, form in FIGURES if name in figures]
    half = (len(cells) + 1) // 2
    for k in range(half):
        right = cells[half + k] if half + k < len(cells) else ("", "")
        table.add_row(f"[dim]{cells[k][0]}[/]", cells[k][1], f"[dim]{right[0]}[/]", right[1])
    return table


def _number(value: float | int | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _significance_lines(found: Significance) -> list[str]:
    said = found.as_json()
    psr, dsr = (_number(said[name], "{:.1%}") for name in ("psr", "dsr"))
    trials = f"{found.trials:,} trial" + ("" if found.trials == 1 else "s")
    return [f"skill: {psr} that the Sharpe ratio is above 0, {dsr} after {trials} on these data"]


def _pairs(values: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items())
