"""Performance of an account: statistics of an equity curve, and the equity curve of buying and holding.

Rates are per observation, annualized by the number of observations a year of the curve itself; the risk-free rate is 0.
An undefined statistic (too short a curve, no variance) is None.
"""

import math
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt

from strades_pipelines.market.attribution import round_trips
from strades_pipelines.market.bars_and_fills import Fill

YEAR_SECONDS = 365.25 * 86_400
Floats = npt.NDArray[np.float64]


def statistics(times: Sequence[datetime], equity: Floats) -> dict[str, float | int | str | None]:
    """The statistics of a curve.

    `times` are those of its values; only the first and the last are used.
    total_return is last / first - 1; cagr is (last / first) ** (1 / years) - 1, for 30 days or more; volatility and
    sharpe see below; max_drawdown is the deepest fall from a running maximum, a number <= 0 (Magdon-Ismail and
    Atiya, "Maximum Drawdown", Risk 2004).
    """
    # Of nothing, or of a debt, no return is defined.
    if len(equity) == 0 or equity[0] <= 0:
        return {"observations": len(equity)}
    years = (times[-1] - times[0]).total_seconds() / YEAR_SECONDS
    growth = float(equity[-1] / equity[0])
    volatility, sharpe = _per_year(np.diff(equity) / equity[:-1], years)
    return {
        "observations": len(equity),
        "from": times[0].isoformat(),
        "to": times[-1].isoformat(),
        "final_equity": float(equity[-1]),
        "total_return": growth - 1,
        # A few days raised to a year would say nothing.
        "cagr": growth ** (1 / years) - 1 if years >= 30 / 365.25 and growth > 0 else None,
        "volatility": volatility,
        "sharpe": sharpe,
        "max_drawdown": float(np.min(equity / np.maximum.accumulate(equity) - 1)),
    }


def _per_year(returns: Floats, years: float) -> tuple[float | None, float | None]:
    """Sample standard deviation, and mean over it (Sharpe, "The Sharpe Ratio", JPM 1994), both brought to a year."""
    if len(returns) < 2 or years <= 0:
        return None, None
    scale = math.sqrt(len(returns) / years)
    deviation = float(np.std(returns, ddof=1))
    return deviation * scale, float(np.mean(returns)) / deviation * scale if deviation > 0 else None


def activity(fills: Sequence[Fill], equity: Floats, holdings: Floats) -> dict[str, float | int | None]:
    """What was done: trades are fills; turnover is all that was bought and sold, over the mean equity; exposure is the
    part of the observations with something held; a round trip goes from a flat position in a listing to the next, and
    hit_rate is the part of them that brought more than they cost, fees included. A fee in a currency without a known
    rate is in none of it."""
    traded = float(sum(fill.quantity * fill.price for fill in fills))
    by_listing: dict[int, list[Fill]] = {}
    for fill in fills:
        by_listing.setdefault(fill.listing_id, []).append(fill)
    trips = [trip.profit for own in by_listing.values() for trip in round_trips(own) if trip.profit is not None]
    won = sum(profit > 0 for profit in trips)
    return {
        "trades": len(fills),
        "traded": traded,
        "fees": float(sum(fill.fee_cost or 0 for fill in fills)),
        "turnover": traded / float(np.mean(equity)) if len(equity) else None,
        "exposure": float(np.mean(holdings != 0)) if len(holdings) else None,
        "round_trips": len(trips),
        "won": won,
        "hit_rate": won / len(trips) if trips else None,
    }


def buy_and_hold(prices: Floats, capital: float) -> Floats:
    """The curve of putting an equal part of `capital` in each listing at its first price and keeping it; no fees.

    Args:
        prices: times x listings, NaN before a listing's first price; the part of such a listing waits as cash.
    """
    if prices.size == 0:
        return np.empty(0)
    known = ~np.isnan(prices)
    first = prices[np.argmax(known, axis=0), np.arange(prices.shape[1])]
    growth = np.where(known, prices / first, 1.0)
    curve: Floats = capital * growth.mean(axis=1)
    return curve
