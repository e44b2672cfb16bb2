"""Equal to TA-Lib on daily, one-minute and one-second bars, stretches without any change among them."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import talib

from strades_pipelines.strategy import indicators as ind
from tests.strategy.indicators.feeding import Column, fed, read_bars

FILES = (
    "equity/stockindicators_default_1d",
    "equity/ibm_1m",
    "crypto/coinbase_ethusd_1m",
    "crypto/coinbase_btcusd_1s",
)
HL, HLC, HLCV = "high low", "high low close", "high low close volume"

# The class and its parameters, what goes in, what comes out, TA-Lib's function and its parameters.
Case = tuple[type[Any], tuple[float, ...], str, str, Callable[..., Any], tuple[float, ...]]
SAME: list[Case] = [
    (ind.Sma, (20,), "close", "value", talib.SMA, (20,)),
    (ind.Wma, (14,), "close", "value", talib.WMA, (14,)),
    (ind.Ema, (20,), "close", "value", talib.EMA, (20,)),
    (ind.Smma, (20,), "close", "value", talib.RMA, (20,)),
    (ind.Rsi, (14,), "close", "value", talib.RSI, (14,)),
    (ind.Roc, (14,), "close", "value", talib.ROC, (14,)),
    (ind.Momentum, (14,), "close", "value", talib.MOM, (14,)),
    (ind.RollingMax, (20,), "close", "value", talib.MAX, (20,)),
    (ind.RollingMin, (20,), "close", "value", talib.MIN, (20,)),
    (ind.LinearRegressionSlope, (14,), "close", "value", talib.LINEARREG_SLOPE, (14,)),
    (ind.RollingCorrelation, (20,), "high volume", "value", talib.CORREL, (20,)),
    (ind.Bollinger, (20, 2.5), "close", "upper middle lower", talib.BBANDS, (20, 2.5, 2.5)),
    (ind.Donchian, (20,), HL, "upper middle lower", talib.DONCHIAN, (20,)),
    (ind.Aroon, (25,), HL, "down up", talib.AROON, (25,)),
    (ind.Aroon, (25,), HL, "value", talib.AROONOSC, (25,)),
    (ind.TrueRange, (), HLC, "value", talib.TRANGE, ()),
    (ind.Atr, (14,), HLC, "value", talib.ATR, (14,)),
    (ind.Atr, (14,), HLC, "percent", talib.NATR, (14,)),
    (ind.WilliamsR, (14,), HLC, "value", talib.WILLR, (14,)),
    (ind.Cci, (20,), HLC, "value", talib.CCI, (20,)),
    (ind.Mfi, (14,), HLCV, "value", talib.MFI, (14,)),
    (ind.Vwap, (), HLCV, "value", talib.VWAP, ()),
    (ind.HeikinAshi, (), "open high low close", "open high low close", talib.HA, ()),
]
# TA-Lib holds %K back until there is a %D.
SHOWN_LATER: list[Case] = [
    (ind.Stochastic, (14, 3, 3), HLC, "value d", talib.STOCH, (14, 3, 0, 3, 0)),
    (ind.Stochastic, (5, 1, 3), HLC, "value d", talib.STOCHF, (5, 3, 0)),
    (ind.StochRsi, (14, 5, 1, 3), "close", "value d", talib.STOCHRSI, (14, 5, 3, 0)),
]
# Seeded otherwise (see the docstrings); from bar 360 on nothing is left of the seed.
SEEDED_OTHERWISE: list[Case] = [
    (ind.Macd, (12, 26, 9), "close", "value signal histogram", talib.MACD, (12, 26, 9)),
    (ind.Adx, (14,), HLC, "value", talib.ADX, (14,)),
    (ind.Adx, (14,), HLC, "plus_di", talib.PLUS_DI, (14,)),
    (ind.Adx, (14,), HLC, "minus_di", talib.MINUS_DI, (14,)),
]


@pytest.fixture(params=FILES, scope="module")
def bars(request: pytest.FixtureRequest, shared_data: Path) -> dict[str, Column]:
    return read_bars(shared_data / f"ohlcv/{request.param}.csv.gz")


def compared(bars: dict[str, Column], case: Case) -> Iterator[tuple[Column, Column]]:
    """Ours and theirs of each output."""
    make, parameters, columns, outputs, function, arguments = case
    inputs = [bars[name] for name in columns.split()]
    theirs = function(*inputs, *arguments)
    ours = fed(make(*parameters), inputs, outputs.split())
    return zip(ours, theirs if isinstance(theirs, Sequence) else [theirs], strict=True)


@pytest.mark.parametrize("case", SAME, ids=lambda case: case[4].__name__)
def test_equals_talib_from_the_first_value(bars: dict[str, Column], case: Case) -> None:
    for ours, theirs in compared(bars, case):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9, equal_nan=True)


@pytest.mark.parametrize("case", SHOWN_LATER, ids=lambda case: case[4].__name__)
def test_equals_talib_where_talib_shows_it(bars: dict[str, Column], case: Case) -> None:
    for ours, theirs in compared(bars, case):
        shown = ~np.isnan(theirs)
        assert shown.sum() > len(theirs) - 40
        np.testing.assert_allclose(ours[shown], theirs[shown], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", SEEDED_OTHERWISE, ids=lambda case: case[4].__name__)
def test_equals_talib_once_the_seed_has_faded(bars: dict[str, Column], case: Case) -> None:
    for ours, theirs in compared(bars, case):
        assert not np.isnan(theirs[360:]).any()
        np.testing.assert_allclose(ours[360:], theirs[360:], rtol=1e-9, atol=1e-9)


def test_on_balance_volume_but_for_the_first_bar_whose_volume_talib_counts(bars: dict[str, Column]) -> None:
    close, volume = bars["close"], bars["volume"]
    (balance,) = fed(ind.Obv(), [close, volume])
    np.testing.assert_allclose(balance, talib.OBV(close, volume) - volume[0], rtol=1e-9, atol=1e-9)


def test_variance_equals_talib_as_far_as_talib_is_exact(bars: dict[str, Column]) -> None:
    """TA-Lib subtracts squares of prices, and so loses (price / deviation)^2 of the digits of a float."""
    close = bars["close"]
    lost = 1e-14 * np.max(close) ** 2
    (variance,), (deviation,) = fed(ind.Variance(14), [close]), fed(ind.StandardDeviation(14), [close])
    np.testing.assert_allclose(variance, talib.VAR(close, 14), rtol=1e-9, atol=lost, equal_nan=True)
    np.testing.assert_allclose(deviation**2, talib.STDDEV(close, 14) ** 2, rtol=1e-9, atol=lost, equal_nan=True)


def test_keltner_equals_the_averages_of_talib(bars: dict[str, Column]) -> None:
    """Its own KC takes (high + low + close) / 3 for the middle; its reach is ours once the seed has faded."""
    high, low, close = (bars[name] for name in HLC.split())
    upper, middle, lower = fed(ind.Keltner(20, 10, 2), [high, low, close], ("upper", "middle", "lower"))
    average, reach = talib.EMA(close, 20), 2 * talib.ATR(high, low, close, 10)
    np.testing.assert_allclose(middle, average, rtol=1e-12, equal_nan=True)
    np.testing.assert_allclose(upper, average + reach, rtol=1e-12, equal_nan=True)
    np.testing.assert_allclose(lower, average - reach, rtol=1e-12, equal_nan=True)
    theirs, _, below = talib.KC(high, low, close, 20, 10, 2)
    np.testing.assert_allclose((upper - lower)[360:], (theirs - below)[360:], rtol=1e-9, atol=1e-9)
