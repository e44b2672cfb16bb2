"""An account's cash and equity at each instant of its wallet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import accumulate
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from strades_pipelines.brokerage.movements import CashFlow
from strades_pipelines.engine.columns import Floats, Integers
from strades_pipelines.engine.session import Progress
from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.strategy.events import microseconds

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection


@dataclass(frozen=True)
class Curve:
    """An account at each instant: times in microseconds UTC, cash and equity in money, shape (n,)."""

    times: Integers
    cash: Floats
    equity: Floats


NO_CURVE = Curve(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))


def read_curve(adbc: "AdbcConnection", wallet: str, *, until: datetime) -> Curve:
    """The stored values of a wallet before `until`."""
    where = f"wallet = $1 AND time < '{until.isoformat()}'::timestamptz"
    query = f"SELECT time, cash, equity FROM results.equity WHERE {where} ORDER BY time"
    try:
        with adbc.cursor() as cursor:
            cursor.execute(query, [wallet])
            stored = cursor.fetch_arrow_table()
    finally:
        # ADBC begins a transaction with the first query. Left open, the next reader would see what this one saw.
        adbc.rollback()
    times = np.asarray(stored["time"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()))
    return Curve(times, *(np.asarray(stored[name]) for name in ("cash", "equity")))


def curve_of(
    progress: Progress,
    opened_at: int,
    capital: Decimal,
    fills: Sequence[Fill],
    flows: Sequence[CashFlow] = (),
    past: Curve = NO_CURVE,
    resumed_at: int | None = None,
) -> Curve:
    """The account's values in a session; its cash is that of the exact books after what was known by then.

    Args:
        fills, flows: all that were ever recorded.
        past: the values before those of the session.
        resumed_at: the instant at which the session went on, microseconds UTC: its value is the first.
    """
    begun = np.array([] if resumed_at is None else [resumed_at], np.int64)
    known = np.concatenate([begun, *progress.instants])
    times = np.concatenate([past.times, np.unique(known[known >= opened_at])])
    changes = [(microseconds(fill.knowledge_time), fill.cash) for fill in fills]
    changes = sorted(changes + [(flow.at, flow.amount) for flow in flows], key=itemgetter(0))
    balances = np.array([float(balance) for balance in accumulate((by for _, by in changes), initial=capital)])
    # `right`: what was booked at an instant counts in it.
    cash = balances[np.searchsorted(np.array([at for at, _ in changes], np.int64), times, side="right")]
    return Curve(times, cash, np.concatenate([past.equity, progress.journal["values"][:, 0]]))


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
