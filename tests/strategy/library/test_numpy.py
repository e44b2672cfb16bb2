"""Strategies against whole-array versions in NumPy that share no code with the engine: every fill, and the profit."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from strades_pipelines.simulation.backtest import Bars
from strades_pipelines.strategy.registry import strategies
from tests.strategy.library.data import packaged
from tests.strategy.library.running import run

Array = NDArray[np.float64]


def windows(values: Array, n: int) -> Array:
    """The last n values at each place, shape (len, n); NaN where there are not so many."""
    return sliding_window_view(np.concatenate([np.full(n - 1, np.nan), values]), n)


def kept(*changes: tuple[NDArray[np.bool_], float]) -> Array:
    """What was set last, 0 before anything was; of several at one place the first counts."""
    conditions, values = [condition for condition, _ in changes], [value for _, value in changes]
    found = np.select(conditions, values, default=np.nan)
    last = np.maximum.accumulate(np.where(np.isnan(found), -1, np.arange(len(found))))
    return np.where(last < 0, 0.0, found[last])


def sma_cross(bars: Array) -> Array:
    fast, slow = windows(bars[3], 10).mean(axis=1), windows(bars[3], 30).mean(axis=1)
    return np.where(fast > slow, 1.0, 0.0)


def bollinger_reversion(bars: Array) -> Array:
    close = bars[3]
    mean, deviation = windows(close, 20).mean(axis=1), windows(close, 20).std(axis=1)
    long = kept((close < mean - 2 * deviation, 1.0), (close > mean, 0.0))
    return long - kept((close > mean + 2 * deviation, 1.0), (close < mean, 0.0))


def cci_breakout(bars: Array) -> Array:
    price = bars[1:4].mean(axis=0)
    rows = windows(price, 20)
    mean = rows.mean(axis=1)
    index = (price - mean) / (0.015 * np.abs(rows - mean[:, None]).mean(axis=1))
    return np.where(index > 100, 1.0, np.where(index < -100, -1.0, 0.0))


def aroon_trend(bars: Array) -> Array:
    # Of equal extremes the newest counts: the first one from behind.
    since_high = np.argmax(windows(bars[1], 26)[:, ::-1], axis=1)
    since_low = np.argmin(windows(bars[2], 26)[:, ::-1], axis=1)
    oscillator = 100.0 * (since_low - since_high) / 25
    oscillator[:25] = np.nan
    return kept((oscillator > 50, 1.0), (oscillator < -50, 0.0))


def opening_gap(bars: Array) -> Array:
    change = bars[0] / np.concatenate([[np.nan], bars[3][:-1]]) - 1
    return np.where(change > 0.005, -1.0, np.where(change < -0.005, 1.0, 0.0))


def vwap_reversion(bars: Array) -> Array:
    traded = windows(bars[1:4].mean(axis=0) * bars[4], 60).sum(axis=1)
    vwap = traded / windows(bars[4], 60).sum(axis=1)
    return kept((bars[3] < vwap * 0.99, 1.0), (bars[3] >= vwap, 0.0))


VERSIONS: list[Callable[[Array], Array]] = [
    sma_cross, bollinger_reversion, cci_breakout, aroon_trend, opening_gap, vwap_reversion
]  # fmt: skip


# Not AAPL: on 2003-02-07 its two means are equal, and which of them is above is a matter of rounding.
@pytest.mark.parametrize("symbol", ["IBM", "MSFT"])
@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.__name__)
def test_fills_and_profit(version: Callable[[Array], Array], symbol: str) -> None:
    bars: Bars = packaged(symbol)
    with np.errstate(invalid="ignore"):
        targets = version(bars.prices)
    quantity = np.diff(targets, prepend=0.0)[:-1]
    at = np.flatnonzero(quantity)
    price = bars.prices[0][at + 1]
    result = run(strategies()[version.__name__](), [bars])
    assert len(at) > 50
    np.testing.assert_array_equal(result.column("fills", "filled_at"), bars.open_time[at + 1])
    np.testing.assert_array_equal(result.column("fills", "quantity"), quantity[at])
    np.testing.assert_array_equal(result.column("fills", "price"), price)
    fees = 0.001 * np.abs(quantity[at] * price).sum()
    profit = targets[-2] * bars.prices[3][-1] - (quantity[at] * price).sum() - fees
    assert result.equity[-1] - 100_000.0 == pytest.approx(profit, abs=1e-5)
