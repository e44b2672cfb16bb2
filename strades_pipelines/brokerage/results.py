"""What came of a wallet: its equity at every instant, the same for buying and holding, and the statistics of both."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from strades_pipelines.brokerage.rows import Row, to_json
from strades_pipelines.market.events import Fill
from strades_pipelines.market.performance import activity, buy_and_hold, statistics
from strades_pipelines.strategy.simulation import Journal


def equity_rows(journal: Journal, capital: float) -> list[Row]:
    """Rows of results.equity, oldest first."""
    benchmark = buy_and_hold(np.array(journal.prices, dtype=float).reshape(len(journal.times), -1), capital)
    return [
        {
            "wallet": journal.wallet,
            "time": time,
            "cash": cash,
            "holdings": equity - cash,
            "equity": equity,
            "benchmark": float(held),
        }
        for time, cash, equity, held in zip(journal.times, journal.cash, journal.equity, benchmark, strict=True)
    ]


def performance_row(wallet: str, curves: Sequence[Row], fills: Sequence[Fill]) -> Row:
    """The row of results.performance for the curves of a wallet."""
    times = [row["time"] for row in curves]
    names = "equity", "holdings", "benchmark"
    equity, holdings, benchmark = (np.array([row[name] for row in curves]) for name in names)
    measured: dict[str, Any] = statistics(times, equity) | activity(fills, equity, holdings)
    return {"wallet": wallet, "statistics": to_json(measured), "benchmark": to_json(statistics(times, benchmark))}
