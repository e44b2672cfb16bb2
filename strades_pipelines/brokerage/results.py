"""What came of a wallet: its equity at every instant, the same for buying and holding, and the statistics of both."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import Any

import numpy as np

from strades_pipelines.brokerage.rows import Row, to_json
from strades_pipelines.market.events import Fill
from strades_pipelines.market.performance import activity, buy_and_hold, statistics
from strades_pipelines.strategy.columns import Columns, Floats, Integers
from strades_pipelines.strategy.events import BAR, microseconds, moment
from strades_pipelines.strategy.session import Progress


@dataclass(frozen=True)
class Curve:
    """An account at each instant: times in microseconds UTC, cash and equity in money, shape (n,)."""

    times: Integers
    cash: Floats
    equity: Floats


def curve_of(progress: Progress, opened_at: int, capital: Decimal, fills: Sequence[Fill]) -> Curve:
    """The account's values in a session; its cash is that of the exact books after the fills known by then."""
    known = np.concatenate([np.zeros(0, np.int64), *progress.instants])
    times = np.unique(known[known >= opened_at])
    balances = list(accumulate((-fill.signed * fill.price - fill.fee for fill in fills), initial=capital))
    done = np.array([microseconds(fill.knowledge_time) for fill in fills], np.int64)
    cash = np.array([float(balance) for balance in balances])[np.searchsorted(done, times, side="right")]
    return Curve(times, cash, np.ascontiguousarray(progress.journal["values"][:, 0]))


def last_closes_at(columns: Columns, size: int, times: Integers) -> Floats:
    """The last close of each instrument at each time, NaN before its first; shape (times, instruments)."""
    prices = np.full((len(times), size), np.nan)
    for i in range(size):
        own = (columns.kind == BAR) & (columns.i == i)
        closes = np.concatenate([[np.nan], columns.d[own]])
        prices[:, i] = closes[np.searchsorted(columns.time[own], times, side="right")]
    return prices


def equity_rows(wallet: str, curve: Curve, prices: Floats, capital: float) -> list[Row]:
    """Rows of results.equity, oldest first; `prices` are the last closes, shape (times, instruments)."""
    benchmark = buy_and_hold(prices, capital)
    columns = (curve.times.tolist(), curve.cash.tolist(), curve.equity.tolist(), benchmark.tolist())
    return [
        {
            "wallet": wallet,
            "time": moment(time),
            "cash": cash,
            "holdings": equity - cash,
            "equity": equity,
            "benchmark": held,
        }
        for time, cash, equity, held in zip(*columns, strict=True)
    ]


def performance_row(wallet: str, curves: Sequence[Row], fills: Sequence[Fill]) -> Row:
    """The row of results.performance for the curves of a wallet."""
    times = [row["time"] for row in curves]
    names = "equity", "holdings", "benchmark"
    equity, holdings, benchmark = (np.array([row[name] for row in curves]) for name in names)
    measured: dict[str, Any] = statistics(times, equity) | activity(fills, equity, holdings)
    return {"wallet": wallet, "statistics": to_json(measured), "benchmark": to_json(statistics(times, benchmark))}
