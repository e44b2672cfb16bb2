"""What came of a wallet: its equity at every instant, the same for buying and holding, and the statistics of both."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from operator import itemgetter
from typing import Any

import numpy as np

from strades_pipelines.brokerage.movements import CashFlow
from strades_pipelines.brokerage.rows import Row, to_json
from strades_pipelines.market.attribution import contribution
from strades_pipelines.market.events import Fill
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.performance import activity, buy_and_hold, statistics
from strades_pipelines.strategy.columns import Columns, Floats, Integers
from strades_pipelines.strategy.events import BAR, DAY_LENGTH, microseconds, moment
from strades_pipelines.strategy.session import Progress

KEYS = {
    "results.equity": ["wallet", "time"],
    "results.performance": ["wallet"],
    "results.listing_equity": ["wallet", "listing_id", "day"],
    "results.listing_performance": ["wallet", "listing_id"],
}


@dataclass(frozen=True)
class Curve:
    """An account at each instant: times in microseconds UTC, cash and equity in money, shape (n,)."""

    times: Integers
    cash: Floats
    equity: Floats


def curve_of(
    progress: Progress, opened_at: int, capital: Decimal, fills: Sequence[Fill], flows: Sequence[CashFlow] = ()
) -> Curve:
    """The account's values in a session; its cash is that of the exact books after what was known by then."""
    known = np.concatenate([np.zeros(0, np.int64), *progress.instants])
    times = np.unique(known[known >= opened_at])
    changes = [(microseconds(fill.knowledge_time), fill.cash) for fill in fills]
    changes = sorted(changes + [(flow.at, flow.amount) for flow in flows], key=itemgetter(0))
    balances = np.array([float(balance) for balance in accumulate((by for _, by in changes), initial=capital)])
    cash = balances[np.searchsorted([at for at, _ in changes], times, side="right")]
    return Curve(times, cash, np.ascontiguousarray(progress.journal["values"][:, 0]))


def growth_curve(times: Integers, equity: Floats, flows: Sequence[CashFlow]) -> Floats:
    """The equity as it would be had no money come in or gone out: linked over the sub-periods between flows.

    An instant's flows count as there from its beginning. Where no money was left to grow, the curve ends level.
    """
    moved = np.zeros(len(times))
    for flow in flows:
        place = int(np.searchsorted(times, flow.at, side="left"))
        if flow.is_external and 0 < place < len(times):
            moved[place] += float(flow.amount)
    if not moved.any():
        return equity
    base = equity[:-1] + moved[1:]
    steps = np.divide(equity[1:], base, out=np.ones(len(base)), where=base > 0)
    curve: Floats = equity[0] * np.concatenate([[1.0], np.cumprod(steps)])
    return curve


def last_closes_at(columns: Columns, size: int, times: Integers) -> Floats:
    """The last close of each instrument at each time, NaN before its first; shape (times, instruments)."""
    prices = np.full((len(times), size), np.nan)
    for i in range(size):
        own = (columns.kind == BAR) & (columns.i == i)
        closes = np.concatenate([[np.nan], columns.d[own]])
        prices[:, i] = closes[np.searchsorted(columns.time[own], times, side="right")]
    return prices


def result_rows(
    wallet: str,
    listings: Sequence[Listing],
    curve: Curve,
    prices: Floats,
    capital: float,
    fills: Sequence[Fill],
    flows: Sequence[CashFlow] = (),
) -> dict[str, list[Row]]:
    """The rows of every table of results; `prices` are the last closes, shape (times, instruments).

    A listing's statistics are those of an account with an equal part of the capital that holds nothing else; its
    benchmark is such an account that buys at the first close and keeps.
    """
    curves = equity_rows(wallet, curve, prices, capital)
    rows: dict[str, list[Row]] = {
        "results.equity": curves,
        "results.performance": [performance_row(wallet, curves, fills, growth_curve(curve.times, curve.equity, flows))],
        "results.listing_equity": [],
        "results.listing_performance": [],
    }
    for i, listing in enumerate(listings if len(curve.times) else ()):
        own = [fill for fill in fills if fill.listing_id == listing.listing_id]
        days, performance = _listing_rows(
            wallet, listing.listing_id, curve.times, prices[:, i], own, part=capital / len(listings)
        )
        rows["results.listing_equity"] += days
        rows["results.listing_performance"].append(performance)
    return rows


def _listing_rows(
    wallet: str, listing_id: int, times: Integers, closes: Floats, fills: Sequence[Fill], *, part: float
) -> tuple[list[Row], Row]:
    known = np.array([microseconds(fill.knowledge_time) for fill in fills], np.int64)
    brought = contribution(fills, known, times, closes)
    held = buy_and_hold(closes[:, np.newaxis], part)
    last_of_day = np.flatnonzero(np.diff(times // DAY_LENGTH, append=np.iinfo(np.int64).max))
    days: list[Row] = [
        {
            "wallet": wallet,
            "listing_id": listing_id,
            "day": moment(times[row]).date(),
            "time": moment(times[row]),
            "quantity": float(brought.quantity[row]),
            "value": float(brought.value[row]),
            "pnl": float(brought.pnl[row]),
            "benchmark": float(held[row] - part),
        }
        for row in last_of_day
    ]
    at = [moment(time) for time in times.tolist()]
    equity = part + brought.pnl
    measured: dict[str, Any] = statistics(at, equity) | activity(fills, equity, brought.value)
    performance: Row = {
        "wallet": wallet,
        "listing_id": listing_id,
        "pnl": days[-1]["pnl"],
        "fees": measured["fees"],
        "statistics": to_json(measured),
        "benchmark": to_json(statistics(at, held)),
    }
    return days, performance


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


def performance_row(wallet: str, curves: Sequence[Row], fills: Sequence[Fill], growth: Floats) -> Row:
    """The row of results.performance for the curves of a wallet.

    Args:
        growth: the equity without what flowed in and out, which the statistics are of.
    """
    times = [row["time"] for row in curves]
    names = "equity", "holdings", "benchmark"
    equity, holdings, benchmark = (np.array([row[name] for row in curves]) for name in names)
    measured: dict[str, Any] = statistics(times, growth) | activity(fills, equity, holdings)
    if len(equity):
        measured["final_equity"] = float(equity[-1])
    return {"wallet": wallet, "statistics": to_json(measured), "benchmark": to_json(statistics(times, benchmark))}
