"""What holds for any prices."""

import math
import random
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strades_pipelines.strategy import indicators as ind
from tests.strategy.indicators.catalog import EACH, FROM_BARS, ONE_VALUE

# Prices on a grid of 1/8: sums of them are exact. And anything a window may have held before.
PRICE = st.integers(1, 8_000).map(lambda eighths: eighths / 8)
ANYTHING = st.floats(-1e15, 1e15)
BAR = st.lists(PRICE, min_size=4, max_size=4).map(lambda p: (sorted(p)[1], max(p), min(p), p[3]))
BARS = st.lists(BAR, min_size=15, max_size=40)

REMEMBERING = {
    *(
        "Ema",
        "Smma",
        "Rsi",
        "Macd",
        "StochRsi",
        "Dema",
        "Tema",
        "T3",
        "Zlema",
        "Kama",
        "Mama",
        "DominantCycle",
        "SineWave",
    ),
    *("Ppo", "SmoothedCmo", "Trix", "Tsi", "RelativeVolatility"),
}
WINDOWED = [
    *("RollingCorrelation", "WilliamsR", "Cci", "Aroon", "RollingVwap", "Mfi", "Donchian", "AccelerationBands", "Imi"),
    *("Qstick", "Vwma", "AverageDayRange", "Cmf", "Vortex", "Ultimate", "Chop", "Awesome"),
]
# There are 92 of them.
FOR_EACH = settings(max_examples=20)
EXACT = {"Sma", "Wma", "Momentum", "Roc", "RollingMax", "RollingMin", "BarsSinceHighest"}


def outputs(indicator: Any) -> dict[str, float]:
    return {name: value for name, value in vars(indicator).items() if isinstance(value, float)}


def test_each_class_is_put_to_the_laws() -> None:
    assert set(ind.__all__) == set(EACH)


@pytest.mark.parametrize("name", sorted(set(ONE_VALUE) - REMEMBERING))
@given(before=st.lists(ANYTHING, max_size=20), window=st.lists(PRICE, min_size=6, max_size=9))
@FOR_EACH
def test_what_came_before_the_window_leaves_no_trace(name: str, before: list[float], window: list[float]) -> None:
    warmed, fresh = ONE_VALUE[name](), ONE_VALUE[name]()
    for value in before:
        warmed.update(value)
    for value in window:
        result, expected = warmed.update(value), fresh.update(value)
    assert result == (expected if name in EXACT else pytest.approx(expected, rel=1e-9, abs=1e-9))


@pytest.mark.parametrize("name", WINDOWED)
@given(before=st.lists(st.lists(ANYTHING, min_size=5, max_size=5), max_size=20), bars=st.lists(BAR, min_size=6))
@FOR_EACH
def test_nor_bars_before_it(
    name: str, before: list[list[float]], bars: list[tuple[float, float, float, float]]
) -> None:
    make, fields = EACH[name]
    warmed, fresh = make(), make()
    for values in before:
        warmed.update(*(values[field] for field in fields))
    for bar in bars:
        inputs = [(*bar, bar[0])[field] for field in fields]
        result, expected = warmed.update(*inputs), fresh.update(*inputs)
    assert result == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", sorted(ONE_VALUE))
@given(values=st.lists(PRICE | st.just(math.nan), min_size=15, max_size=30))
@FOR_EACH
def test_a_nan_is_no_observation(name: str, values: list[float]) -> None:
    with_gaps, without = ONE_VALUE[name](), ONE_VALUE[name]()
    for value in values:
        result = with_gaps.update(value)
        if not math.isnan(value):
            without.update(value)
        assert result == without.value or math.isnan(result)
        assert with_gaps.ready == without.ready
    assert outputs(with_gaps) == pytest.approx(outputs(without), rel=0, abs=0, nan_ok=True)


@pytest.mark.parametrize("name", sorted(FROM_BARS))
def test_a_bar_with_a_nan_is_passed_over(name: str) -> None:
    """Whichever of its numbers it is, and wherever it comes, before the first bar too."""
    prices = random.Random(5)
    make, fields = FROM_BARS[name]
    with_gaps, without = make(), make()
    for k in range(60):
        bar = [prices.uniform(10, 20), 0.0, 0.0, prices.uniform(10, 20), float(prices.randrange(9))]
        bar[1], bar[2] = max(bar) + prices.random(), min(bar[0], bar[3]) - prices.random()
        inputs = [bar[field] for field in fields]
        if k % 3 == 0:
            gap = list(inputs)
            gap[k // 3 % len(gap)] = math.nan
            before = with_gaps.value
            assert with_gaps.update(*gap) == before or math.isnan(before)
        with_gaps.update(*inputs)
        without.update(*inputs)
        assert outputs(with_gaps) == pytest.approx(outputs(without), rel=0, abs=0, nan_ok=True)
    assert with_gaps.ready


@given(length=st.integers(1, 40), prices=st.lists(PRICE, min_size=1, max_size=120))
def test_averages_of_prices_in_eighths_are_the_true_ones(length: int, prices: list[float]) -> None:
    """Rounded once: so two of them compare as the true ones do, in any engine."""
    sma, wma = ind.Sma(length), ind.Wma(length)
    for count, price in enumerate(prices, 1):
        mean, weighted = sma.update(price), wma.update(price)
        assert sma.ready == wma.ready == (count >= length)
        if sma.ready:
            window = [Fraction(p) for p in prices[count - length : count]]
            assert mean == float(sum(window) / length)
            weights = range(1, length + 1)
            assert weighted == float(sum(w * p for w, p in zip(weights, window, strict=True)) / sum(weights))


@given(length=st.integers(1, 40), values=st.lists(st.floats(0.0, 1e12), min_size=1, max_size=120))
def test_an_average_is_as_good_as_summing_its_window(length: int, values: list[float]) -> None:
    sma = ind.Sma(length)
    for count, value in enumerate(values, 1):
        mean = sma.update(value)
        if count >= length:
            assert mean == pytest.approx(math.fsum(values[count - length : count]) / length, rel=length * 2.3e-16)


@given(price=st.floats(1e-3, 1e6), length=st.integers(2, 30))
def test_a_price_that_stands_still(price: float, length: int) -> None:
    averages = ind.Sma(length), ind.Wma(length), ind.Ema(length), ind.Smma(length), ind.RollingMax(length)
    still = ind.Variance(length), ind.ZScore(length), ind.Momentum(length), ind.LinearRegressionSlope(length)
    flat = ind.Cci(length), ind.WilliamsR(length), ind.Atr(length)
    for _ in range(3 * length):
        for average in averages:
            average.update(price)
        for one in still:
            one.update(price)
        for three in flat:
            three.update(price, price, price)
    assert [average.value for average in averages] == [pytest.approx(price, rel=1e-14)] * 5
    assert [part.value for part in (*still, *flat)] == [0.0] * 7


@given(bars=BARS)
def test_bounds(bars: list[tuple[float, float, float, float]]) -> None:
    rsi, stochastic, stoch_rsi, mfi = ind.Rsi(5), ind.Stochastic(5, 3, 3), ind.StochRsi(5, 5), ind.Mfi(5)
    adx, williams, aroon, correlation = ind.Adx(5), ind.WilliamsR(5), ind.Aroon(5), ind.RollingCorrelation(5)
    past = 100 + 1e-9
    for _, high, low, close in bars:
        for part in (stochastic, adx, williams):
            part.update(high, low, close)
        for one in (rsi, stoch_rsi):
            one.update(close)
        mfi.update(high, low, close, high)
        aroon.update(high, low)
        correlation.update(high, low)
        percents = rsi.value, stochastic.value, stochastic.d, stoch_rsi.value, mfi.value, aroon.up, aroon.down
        for value in (*percents, adx.value, adx.plus_di, adx.minus_di, -williams.value):
            assert math.isnan(value) or -1e-9 <= value <= past
        assert math.isnan(correlation.value) or -1 <= correlation.value <= 1
    assert all(part.ready for part in (rsi, stochastic, mfi, williams, aroon, correlation))


@given(bars=BARS)
def test_channels_hold_what_they_are_drawn_around(bars: list[tuple[float, float, float, float]]) -> None:
    donchian, bollinger, heikin_ashi = ind.Donchian(7), ind.Bollinger(7), ind.HeikinAshi()
    for open_, high, low, close in bars:
        donchian.update(high, low)
        bollinger.update(close)
        heikin_ashi.update(open_, high, low, close)
        if donchian.ready:
            assert donchian.lower <= low <= close <= high <= donchian.upper
            assert bollinger.lower <= bollinger.middle <= bollinger.upper
        assert heikin_ashi.low <= min(heikin_ashi.open, heikin_ashi.close)
        assert heikin_ashi.high >= max(heikin_ashi.open, heikin_ashi.close)


@pytest.mark.parametrize("name", sorted(ind.__all__))
def test_state_keeps_its_names_types_and_sizes(name: str) -> None:
    """What a compiled run, a snapshot and a warm start rely on."""
    prices = random.Random(3)
    make, fields = EACH[name]
    indicator = make()
    before = shape(indicator)
    assert not indicator.ready
    assert math.isnan(indicator.value)
    for _ in range(80):
        low, open_, close, high = sorted(prices.uniform(10, 20) for _ in range(4))
        indicator.update(*((open_, high, low, close, 1.0)[field] for field in fields))
        assert not (indicator.ready and math.isnan(indicator.value))
    assert indicator.ready
    assert shape(indicator) == before


def shape(part: Any) -> Any:
    """Names and types of numbers, lists and parts, all the way down."""
    if isinstance(part, (bool, int, float)):
        return type(part)
    if isinstance(part, list):
        return [shape(item) for item in part]
    return {name: shape(value) for name, value in vars(part).items()}
