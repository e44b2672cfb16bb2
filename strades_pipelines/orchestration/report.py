"""The report of a run: one document, and how a person reads it."""

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

# In the order of the flow. No views: to count one is to work it out, all of history at every run.
LAYER_TABLES = {
    "rawsources": ["rawsources.fetches"],
    "records": [
        "records.candles",
        "records.trades",
        "records.quotes",
        "records.observations",
        "records.corporate_actions",
        "records.articles",
        "records.documents",
    ],
    "cleaned": [
        "cleaned.daily_bars",
        "cleaned.price_conflicts",
        "cleaned.gaps",
        "cleaned.news",
    ],
    "features": ["features.daily"],
    "predictions": ["predictions.forecasts"],
    "signals": ["signals.decisions"],
    "trading": ["trading.fills"],
    "results": ["results.equity"],
    "marts": ["marts.fct_coverage"],
}


def show(document: Mapping[str, Any], console: Console) -> None:
    """Print a report as tables."""
    window = document["window"]
    console.print(f"\n[bold]Strades[/] · world {document['world']} · window [{window['from']}, {window['to']})")
    layers = Table(title="Layers", title_justify="left", box=SIMPLE_HEAD)
    for column, justify in (("layer", "left"), ("rows", "right"), ("seconds", "right")):
        layers.add_column(column, justify=justify)  # type: ignore[arg-type]
    counted = document["rows"]  # a stored document has its keys in no order of ours
    for layer in filter(counted.__contains__, LAYER_TABLES):
        layers.add_row(layer, f"{counted[layer]:,}", f"{document['seconds'].get(layer, 0):.1f}")
    console.print(layers)
    console.print(" · ".join(f"{what} {document[what]:,}" for what in ("models", "decisions", "orders", "fills")))
    console.print(_wallets(document["performance"]))
    if parity := document.get("parity"):  # a report of before this was compared has none
        console.print(_parity(parity))
    for failure in document["failures"]:
        console.print(f"[red]failed[/] {failure}", soft_wrap=True, highlight=False)
    if document["example_fill"]:
        console.print(f"Follow a fill back to its bytes: strades trace {document['example_fill']}", soft_wrap=True)


def _wallets(performance: list[Mapping[str, Any]]) -> Table:
    wallets = Table(title="Wallets, against buy and hold", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1))
    for column in ("wallet", "fills", "return", "Sharpe", "drawdown", "buy & hold"):
        wallets.add_column(column, justify="left" if column == "wallet" else "right", no_wrap=True)
    for row in performance:
        wallets.add_row(
            row["wallet"].split("@")[0],
            f"{row['fills']:,}",
            _percent(row["statistics"].get("total_return")),
            _number(row["statistics"].get("sharpe")),
            _percent(row["statistics"].get("max_drawdown")),
            _percent(row["benchmark"].get("total_return")),
        )
    return wallets


def _parity(rows: list[Mapping[str, Any]]) -> Table:
    table = Table(title="As a backtest says, of all compared", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1))
    for column in ("strategy", "up to", "decisions", "fills"):
        table.add_column(column, justify="left" if column == "strategy" else "right", no_wrap=True)
    for row in rows:
        shares = ("-" if row[what] is None else f"{row[what]:.1%}" for what in ("decisions", "fills"))
        table.add_row(row["strategy"], row["day"], *shares)
    return table


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2%}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
