"""Results of a wallet: its equity at every instant, that of buying and holding, and statistics of both."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from strades_pipelines.analysis.arrays import finite_or_none
from strades_pipelines.analysis.returns import simple_returns
from strades_pipelines.analysis.significance import Moments, probabilistic_sharpe_ratio
from strades_pipelines.brokerage.equity_curve import Curve, growth_curve
from strades_pipelines.brokerage.movements import CashFlow
from strades_pipelines.brokerage.trading_rows import Row, frame, to_json
from strades_pipelines.database.bulk import copy_frame
from strades_pipelines.engine.columns import Columns, Floats, Integers
from strades_pipelines.market.attribution import RoundTrip, contribution, round_trips
from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.ledger_chain import plain
from strades_pipelines.market.performance import YEAR_SECONDS, activity, buy_and_hold, statistics
from strades_pipelines.strategy.events import BAR, DAY_LENGTH, microseconds, moment

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

KEYS = {
    "results.equity": ["wallet", "time"],
    "results.performance": ["wallet"],
    "results.listing_equity": ["wallet", "listing_id", "day"],
    "results.listing_performance": ["wallet", "listing_id"],
    "results.round_trips": ["wallet", "sequence"],
}


def delete_vanished(cursor: "Cursor", wallet: str, rows: Sequence[Row]) -> None:
    """Delete the stored values from the first of `rows` on that are of no instant any more: a bar was deleted.

    Args:
        rows: of results.equity, oldest first.
    """
    since = f"wallet = $1 AND time >= '{rows[0]['time'].isoformat()}'::timestamptz"
    # A count first: a bar is hardly ever deleted.
    cursor.execute(f"SELECT count(*) FROM results.equity WHERE {since}", [wallet])
    [(stored,)] = cursor.fetchall()
    if stored > len(rows):
        kept = copy_frame(cursor, "results.equity", frame(rows))
        cursor.execute(
            f"DELETE FROM results.equity AS t WHERE {since} AND NOT EXISTS (SELECT FROM {kept} WHERE n.time = t.time)",
            [wallet],
        )


def delete_joined_trips(cursor: "Cursor", wallet: str, rows: Sequence[Row]) -> None:
    """Delete the stored round trips beyond the last of `rows`: a fill that became known late joined two of them."""
    if rows:
        query = "DELETE FROM results.round_trips WHERE wallet = $1 AND sequence > $2"
        cursor.execute(query, [wallet, rows[-1]["sequence"]])


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
    *,
    first: int = 0,
) -> dict[str, list[Row]]:
    """The rows of every table of results; `prices` are the last closes, shape (times, instruments).

    Of equity only those from the place `first` of the curve on; the statistics are over all of it. A listing's
    statistics are those of an account with an equal part of the capital that holds nothing else; its benchmark is such
    an account that buys at the first close and keeps.
    """
    benchmark = buy_and_hold(prices, capital)
    growth = growth_curve(curve.times, curve.equity, flows)
    since = moment(curve.times[first]) if first < len(curve.times) else None
    rows: dict[str, list[Row]] = {
        "results.equity": equity_rows(wallet, curve, growth, benchmark, first=first),
        "results.performance": [performance_row(wallet, curve, growth, benchmark, fills)],
        "results.listing_equity": [],
        "results.listing_performance": [],
        "results.round_trips": round_trip_rows(wallet, fills, since=since),
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
    # The last instant of all ends a day, too.
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
    at = _ends(times)
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


def equity_rows(wallet: str, curve: Curve, growth: Floats, benchmark: Floats, *, first: int = 0) -> list[Row]:
    """Rows of results.equity from the place `first` of the curve on, oldest first; all arrays of shape (n,)."""
    # A fall is a part of the peak: of an account at 0 or below there is none.
    drawdown = growth / np.maximum.accumulate(growth) - 1 if np.all(growth > 0) else np.full(len(growth), np.nan)
    arrays = curve.times, curve.cash, curve.equity, growth, drawdown, benchmark
    columns = (array[first:].tolist() for array in arrays)
    return [
        {
            "wallet": wallet,
            "time": moment(time),
            "cash": cash,
            "holdings": equity - cash,
            "equity": equity,
            "growth": grown,
            "drawdown": None if np.isnan(fall) else fall,
            "benchmark": held,
        }
        for time, cash, equity, grown, fall, held in zip(*columns, strict=True)
    ]


def round_trip_rows(wallet: str, fills: Sequence[Fill], *, since: datetime | None = None) -> list[Row]:
    """Rows of results.round_trips by sequence: the last one, and all with a fill that was known at `since` or later.

    Args:
        fills: all of the wallet, in the order in which they became known; of several listings.
        since: None for all.
    """
    places = {id(fill): place for place, fill in enumerate(fills)}
    by_listing: dict[int, list[Fill]] = {}
    for fill in fills:
        by_listing.setdefault(fill.listing_id, []).append(fill)
    trips = [trip for own in by_listing.values() for trip in round_trips(own)]
    trips.sort(key=lambda trip: places[id(trip.fills[0])])
    last = len(trips) - 1
    return [
        _round_trip_row(wallet, sequence, trip)
        for sequence, trip in enumerate(trips)
        # The last one always: `delete_joined_trips` goes by it.
        if sequence == last or since is None or trip.fills[-1].knowledge_time >= since
    ]


def _round_trip_row(wallet: str, sequence: int, trip: RoundTrip) -> Row:
    exit_price, profit = trip.exit_price, trip.profit
    return {
        "wallet": wallet,
        "sequence": sequence,
        "listing_id": trip.fills[0].listing_id,
        "side": trip.side,
        "opened_at": trip.fills[0].filled_at,
        "closed_at": trip.fills[-1].filled_at if trip.is_closed else None,
        "fills": len(trip.fills),
        "quantity": plain(trip.quantity),
        "entry_price": plain(trip.entry_price),
        "exit_price": None if exit_price is None else plain(exit_price),
        "fees": plain(trip.fees),
        "profit": None if profit is None else plain(profit),
        "last_fill_at": trip.fills[-1].knowledge_time,
    }


def performance_row(wallet: str, curve: Curve, growth: Floats, benchmark: Floats, fills: Sequence[Fill]) -> Row:
    """The row of results.performance for the curves of a wallet; its statistics are without what flowed in and out."""
    at = _ends(curve.times)
    measured: dict[str, Any] = statistics(at, growth) | activity(fills, curve.equity, curve.equity - curve.cash)
    measured |= significance_of(at, growth)
    if len(curve.equity):
        measured["final_equity"] = float(curve.equity[-1])
    return {"wallet": wallet, "statistics": to_json(measured), "benchmark": to_json(statistics(at, benchmark))}


@np.errstate(all="ignore")  # nan in, nan out
def significance_of(at: Sequence[datetime], growth: Floats) -> dict[str, float | int | None]:
    """What a deflated Sharpe ratio is made of beside the trials (`analysis/significance.py`); None is not defined.

    psr: the probability that the true Sharpe ratio is above 0.
    """
    moments = Moments.of(simple_returns(growth))
    years = (at[-1] - at[0]).total_seconds() / YEAR_SECONDS if at else 0.0
    return {
        "returns": moments.n,
        "sharpe_per_return": finite_or_none(moments.sharpe),
        "skewness": finite_or_none(moments.skewness),
        "kurtosis": finite_or_none(moments.kurtosis),
        "returns_per_year": moments.n / years if years > 0 else None,
        "psr": finite_or_none(probabilistic_sharpe_ratio(moments)),
    }


def _ends(times: Integers) -> list[datetime]:
    """The first and the last time, which are all that statistics want of them."""
    return [moment(time) for time in (times[0], times[-1])] if len(times) else []
