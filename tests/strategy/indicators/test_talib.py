"""Equal to TA-Lib on daily, one-minute and one-second bars, stretches without any change among them."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import talib

from strades_pipelines.strategy import indicators as ind
from strades_pipelines.strategy.indicators.prices import average_price, median_price, typical_price, weighted_close
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
    (ind.Dema, (20,), "close", "value", talib.DEMA, (20,)),
    (ind.Tema, (20,), "close", "value", talib.TEMA, (20,)),
    (ind.T3, (5, 0.7), "close", "value", talib.T3, (5, 0.7)),
    (ind.Trima, (20,), "close", "value", talib.TRIMA, (20,)),
    (ind.Trima, (21,), "close", "value", talib.TRIMA, (21,)),
    (ind.Hma, (20,), "close", "value", talib.HMA, (20,)),
    (ind.Hma, (15,), "close", "value", talib.HMA, (15,)),
    (ind.Zlema, (20,), "close", "value", talib.ZLEMA, (20,)),
    (ind.Kama, (10,), "close", "value", talib.KAMA, (10,)),
    (ind.Vwma, (20,), "close volume", "value", talib.VWMA, (20,)),
    (ind.Mavp, (2, 30), "close periods", "value", talib.MAVP, (2, 30)),
    (ind.Midpoint, (14,), "close", "value", talib.MIDPOINT, (14,)),
    (ind.Donchian, (14,), HL, "middle", talib.MIDPRICE, (14,)),
    (ind.AccelerationBands, (20,), HLC, "upper middle lower", talib.ACCBANDS, (20,)),
    (ind.ParabolicSar, (0.02, 0.2), HL, "value", talib.SAR, (0.02, 0.2)),
    (ind.ParabolicSar, (0.5, 0.2), HL, "value", talib.SAR, (0.5, 0.2)),
    (ind.Mama, (0.5, 0.05), "close", "value fama", talib.MAMA, (0.5, 0.05)),
    (ind.DominantCycle, (), "close", "value", talib.HT_DCPERIOD, ()),
    (ind.DominantCycle, (), "close", "in_phase quadrature", talib.HT_PHASOR, ()),
    (ind.SineWave, (), "close", "value lead", talib.HT_SINE, ()),
    (ind.SineWave, (), "close", "phase", talib.HT_DCPHASE, ()),
    (ind.SineWave, (), "close", "trendline", talib.HT_TRENDLINE, ()),
    (ind.SineWave, (), "close", "trending", talib.HT_TRENDMODE, ()),
    (ind.Macd, (12, 26, 9), "close", "value", talib.APO, (12, 26, 1)),
    (ind.Ppo, (12, 26, 9), "close", "value", talib.PPO, (12, 26, 1)),
    (ind.Ppo, (12, 26, 9), "volume", "value", talib.PVO, (12, 26, 1)),
    (ind.Cmo, (14,), "close", "value", talib.CMOU, (14,)),
    (ind.SmoothedCmo, (14,), "close", "value", talib.CMO, (14,)),
    (ind.EfficiencyRatio, (10,), "close", "value", talib.ER, (10,)),
    (ind.Trix, (15,), "close", "value", talib.TRIX, (15,)),
    (ind.Tsi, (25, 13), "close", "value", talib.TSI, (25, 13)),
    (ind.Coppock, (10, 11, 14), "close", "value", talib.COPPOCK, (10, 11, 14)),
    (ind.Dpo, (20,), "close", "value", talib.DPO, (20,)),
    (ind.Vhf, (28,), "close", "value", talib.VHF, (28,)),
    (ind.ForecastOscillator, (5,), "close", "value", talib.FOSC, (5,)),
    (ind.Awesome, (5, 34, 5), HL, "value", talib.AO, (5, 34)),
    (ind.Awesome, (5, 34, 5), HL, "acceleration", talib.AC, (5, 34, 5)),
    (ind.Ultimate, (7, 14, 28), HLC, "value", talib.ULTOSC, (7, 14, 28)),
    (ind.Vortex, (14,), HLC, "plus minus", talib.VORTEX, (14,)),
    (ind.BalanceOfPower, (), "open high low close", "value", talib.BOP, ()),
    (ind.ElderRay, (13,), HLC, "bull bear", talib.ERI, (13,)),
    (ind.Imi, (14,), "open close", "value", talib.IMI, (14,)),
    (ind.Qstick, (10,), "open close", "value", talib.QSTICK, (10,)),
    (ind.DirectionalMovement, (14,), HL, "plus", talib.PLUS_DM, (14,)),
    (ind.DirectionalMovement, (14,), HL, "minus", talib.MINUS_DM, (14,)),
    (ind.AccumulationDistribution, (), HLCV, "value", talib.AD, ()),
    (ind.ChaikinOscillator, (3, 10), HLCV, "value", talib.ADOSC, (3, 10)),
    (ind.Cmf, (20,), HLCV, "value", talib.CMF, (20,)),
    (ind.ForceIndex, (13,), "close volume", "value", talib.EFI, (13,)),
    (ind.MarketFacilitation, (), "high low volume", "value", talib.MARKETFI, ()),
    (ind.VolumeIndices, (), "close volume", "negative", talib.NVI, ()),
    (ind.VolumeIndices, (), "close volume", "positive", talib.PVI, ()),
    (ind.Pvt, (), "close volume", "value", talib.PVT, ()),
    (ind.RelativeVolume, (20,), "volume", "value", talib.RVOL, (20,)),
    (ind.WilliamsAd, (), HLC, "value", talib.WAD, ()),
    (ind.RollingSum, (30,), "close", "value", talib.SUM, (30,)),
    (ind.AverageDeviation, (14,), "close", "value", talib.AVGDEV, (14,)),
    (ind.PercentRank, (100,), "close", "value", talib.PERCENTRANK, (100,)),
    (ind.Percentile, (30, 0.0), "close", "value", talib.PERCENTILE, (30, 0.0)),
    (ind.Percentile, (30, 40.0), "close", "value", talib.PERCENTILE, (30, 40.0)),
    (ind.Percentile, (30, 100.0), "close", "value", talib.PERCENTILE, (30, 100.0)),
    (ind.Beta, (5,), HL, "value", talib.BETA, (5,)),
    (ind.LinearRegression, (14,), "close", "value", talib.LINEARREG, (14,)),
    (ind.LinearRegression, (14,), "close", "intercept", talib.LINEARREG_INTERCEPT, (14,)),
    (ind.LinearRegression, (14,), "close", "forecast", talib.TSF, (14,)),
    (ind.AverageDayRange, (14,), HL, "value", talib.ADR, (14,)),
    (ind.ChaikinVolatility, (10, 10), HL, "value", talib.CVI, (10, 10)),
    (ind.MassIndex, (9, 25), HL, "value", talib.MASSI, (9, 25)),
    (ind.RelativeVolatility, (14, 10), "close", "value", talib.RVI, (14, 10)),
]
# TA-Lib holds %K back until there is a %D.
SHOWN_LATER: list[Case] = [
    (ind.Stochastic, (14, 3, 3), HLC, "value d", talib.STOCH, (14, 3, 0, 3, 0)),
    (ind.Stochastic, (5, 1, 3), HLC, "value d", talib.STOCHF, (5, 3, 0)),
    (ind.StochRsi, (14, 5, 1, 3), "close", "value d", talib.STOCHRSI, (14, 5, 3, 0)),
    (ind.Kdj, (9, 3, 3), HLC, "value d j", talib.KDJ, ()),
    (ind.Smi, (13, 2, 25, 9), HLC, "value signal", talib.SMI, (13, 2, 25, 9)),
]
# Seeded otherwise (see the docstrings); from bar 360 on nothing is left of the seed.
SEEDED_OTHERWISE: list[Case] = [
    (ind.Macd, (12, 26, 9), "close", "value signal histogram", talib.MACD, (12, 26, 9)),
    (ind.Adx, (14,), HLC, "value", talib.ADX, (14,)),
    (ind.Adx, (14,), HLC, "plus_di", talib.PLUS_DI, (14,)),
    (ind.Adx, (14,), HLC, "minus_di", talib.MINUS_DI, (14,)),
    (ind.Adxr, (14,), HLC, "value", talib.ADXR, (14,)),
]


@pytest.fixture(params=FILES, scope="module")
def bars(request: pytest.FixtureRequest, shared_data: Path) -> dict[str, Column]:
    columns = read_bars(shared_data / f"ohlcv/{request.param}.csv.gz")
    return columns | {"periods": np.random.default_rng(3).integers(1, 40, len(columns["close"])).astype(np.float64)}


def compared(bars: dict[str, Column], case: Case) -> Iterator[tuple[Column, Column]]:
    """Ours and theirs of each output."""
    make, parameters, columns, outputs, function, arguments = case
    inputs = [bars[name] for name in columns.split()]
    theirs = function(*inputs, *arguments)
    ours = fed(make(*parameters), inputs, outputs.split())
    several = theirs if isinstance(theirs, Sequence) else [theirs]
    # A function of whole numbers shows 0 before it has begun, as a bool of ours does.
    return zip(ours, [column.astype(np.float64) for column in several], strict=True)


@pytest.mark.parametrize("case", SAME, ids=lambda case: case[4].__name__)
def test_equals_talib_from_the_first_value(bars: dict[str, Column], case: Case) -> None:
    for ours, theirs in compared(bars, case):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9, equal_nan=True)


@pytest.mark.parametrize("case", SHOWN_LATER, ids=lambda case: case[4].__name__)
def test_equals_talib_where_talib_shows_it(bars: dict[str, Column], case: Case) -> None:
    for ours, theirs in compared(bars, case):
        shown = ~np.isnan(theirs)
        assert shown.sum() > len(theirs) - 50
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


def test_supertrend_and_its_direction(bars: dict[str, Column]) -> None:
    high, low, close = (bars[name] for name in HLC.split())
    line, rising = fed(ind.SuperTrend(10, 3.0), [high, low, close], ("value", "rising"))
    theirs, direction = talib.SUPERTREND(high, low, close, 10, 3.0)
    np.testing.assert_allclose(line, theirs, rtol=1e-9, equal_nan=True)
    shown = ~np.isnan(theirs)
    np.testing.assert_array_equal(rising[shown] == 1, direction[shown] == 1)


def test_fractals_are_known_when_talib_shows_them(bars: dict[str, Column]) -> None:
    up, down = fed(ind.Fractal(2, 2), [bars["high"], bars["low"]], ("since_up", "since_down"))
    highs, lows = talib.FRACTAL(bars["high"], bars["low"], 2, 2)
    np.testing.assert_array_equal(up == 2, highs == 100)
    np.testing.assert_array_equal(down == 2, lows == 100)
    (level,) = fed(ind.Fractal(2, 2), [bars["high"], bars["low"]], ["up"])
    at = np.flatnonzero(highs)
    np.testing.assert_array_equal(level[at], bars["high"][at - 2])


def test_angle_equals_talib_as_far_as_talib_is_exact(bars: dict[str, Column]) -> None:
    """Its slope is a difference of sums of prices: at 600 a bar and moves of a cent, nine digits are left."""
    (angle,) = fed(ind.LinearRegression(14), [bars["close"]], ["angle"])
    np.testing.assert_allclose(angle, talib.LINEARREG_ANGLE(bars["close"], 14), rtol=1e-9, atol=1e-8, equal_nan=True)


# Without volume ours is NaN, TA-Lib's VWAP 0.
@pytest.mark.parametrize("case", [case for case in SAME if case[0] is not ind.Vwap], ids=lambda case: case[4].__name__)
def test_equals_talib_where_nothing_moves_and_nothing_is_traded(case: Case) -> None:
    still = {name: np.full(120, 100.0) for name in ("open", "high", "low", "close")}
    bars = still | {"volume": np.zeros(120), "periods": np.full(120, 5.0)}
    for ours, theirs in compared(bars, case):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9, equal_nan=True)


def test_the_four_prices_of_a_bar(bars: dict[str, Column]) -> None:
    open_, high, low, close = (bars[name] for name in ("open", "high", "low", "close"))
    rows = [
        (average_price(*bar), median_price(*bar[1:3]), typical_price(*bar[1:]), weighted_close(*bar[1:]))
        for bar in zip(open_.tolist(), high.tolist(), low.tolist(), close.tolist(), strict=True)
    ]
    theirs = (
        talib.AVGPRICE(open_, high, low, close),
        talib.MEDPRICE(high, low),
        talib.TYPPRICE(high, low, close),
        talib.WCLPRICE(high, low, close),
    )
    np.testing.assert_allclose(np.array(rows).T, np.array(theirs), rtol=1e-14)
