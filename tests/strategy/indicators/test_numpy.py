"""What TA-Lib lacks, or seeds otherwise, against a second computation with NumPy and pandas."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from strades_pipelines.strategy import indicators as ind
from tests.strategy.indicators.feeding import Column, fed, read_bars


@pytest.fixture(scope="module")
def bars(shared_data: Path) -> dict[str, Column]:
    return read_bars(shared_data / "ohlcv/equity/stockindicators_default_1d.csv.gz")


def wilder(values: Column, length: int) -> Column:
    """The sums of Wilder's book: the first of `length` values, then each less its `length`-th part plus the next."""
    sums = [values[:length].sum()]
    for value in values[length:]:
        sums.append(sums[-1] - sums[-1] / length + value)
    return np.array(sums)


def test_directional_movement_as_in_wilders_book(bars: dict[str, Column]) -> None:
    high, low, close = bars["high"], bars["low"], bars["close"]
    up, down = np.diff(high), -np.diff(low)
    tr = np.max([high[1:] - low[1:], abs(high[1:] - close[:-1]), abs(low[1:] - close[:-1])], axis=0)
    plus = 100 * wilder(np.where((up > down) & (up > 0), up, 0.0), 14) / wilder(tr, 14)
    minus = 100 * wilder(np.where((down > up) & (down > 0), down, 0.0), 14) / wilder(tr, 14)
    adx = wilder(100 * abs(plus - minus) / (plus + minus), 14) / 14
    ours = fed(ind.Adx(14), [high, low, close], ("plus_di", "minus_di", "value"))
    for result, expected in zip(ours, (plus, minus, adx), strict=True):
        assert np.isnan(result[: -len(expected)]).all()
        np.testing.assert_allclose(result[-len(expected) :], expected, rtol=1e-9)


def test_donchian_and_the_age_of_the_highest(bars: dict[str, Column]) -> None:
    high, low = pd.Series(bars["high"]), pd.Series(bars["low"])
    upper, middle, lower = fed(ind.Donchian(55), [bars["high"], bars["low"]], ("upper", "middle", "lower"))
    np.testing.assert_array_equal(upper, high.rolling(55).max())
    np.testing.assert_array_equal(lower, low.rolling(55).min())
    np.testing.assert_array_equal(middle, (high.rolling(55).max() + low.rolling(55).min()) / 2)
    rounded = bars["high"].round()  # so that there are equal ones
    ages = pd.Series(rounded).rolling(55).apply(lambda window: np.argmax(window[::-1]), raw=True)
    np.testing.assert_array_equal(fed(ind.BarsSinceHighest(55), [rounded])[0], ages)


def test_keltner(bars: dict[str, Column]) -> None:
    high, low, close = (pd.Series(bars[name]) for name in ("high", "low", "close"))
    seeded = pd.concat([pd.Series([close[:20].mean()]), close[20:]])
    average = seeded.ewm(span=20, adjust=False).mean().to_numpy()
    tr = np.maximum(high, close.shift()) - np.minimum(low, close.shift())
    atr = pd.concat([pd.Series([tr[1:11].mean()]), tr[11:]]).ewm(alpha=1 / 10, adjust=False).mean().to_numpy()
    upper, middle, lower = fed(
        ind.Keltner(20, 10, 1.5), [bars["high"], bars["low"], bars["close"]], ("upper", "middle", "lower")
    )
    np.testing.assert_allclose(middle[19:], average, rtol=1e-9)
    np.testing.assert_allclose(upper[19:], average + 1.5 * atr[9:], rtol=1e-9)
    np.testing.assert_allclose(lower[19:], average - 1.5 * atr[9:], rtol=1e-9)


def test_rolling_vwap(bars: dict[str, Column]) -> None:
    price = pd.Series((bars["high"] + bars["low"] + bars["close"]) / 3)
    volume = pd.Series(bars["volume"])
    expected = (price * volume).rolling(20).sum() / volume.rolling(20).sum()
    (result,) = fed(ind.RollingVwap(20), [bars[name] for name in ("high", "low", "close", "volume")])
    np.testing.assert_allclose(result, expected, rtol=1e-9, equal_nan=True)


def test_vwap_of_sessions(bars: dict[str, Column]) -> None:
    vwap = ind.Vwap()
    price = (bars["high"] + bars["low"] + bars["close"]) / 3
    rows = list(zip(*(bars[name].tolist() for name in ("high", "low", "close", "volume")), strict=True))
    for start in (0, 100, 300):
        vwap.reset()
        assert not vwap.ready
        results = [vwap.update(*row) for row in rows[start : start + 100]]
        session = slice(start, start + 100)
        expected = np.cumsum((price * bars["volume"])[session]) / np.cumsum(bars["volume"][session])
        np.testing.assert_allclose(results, expected, rtol=1e-12)


@pytest.mark.parametrize("ddof", [0, 1])
def test_moments(bars: dict[str, Column], ddof: int) -> None:
    close = pd.Series(bars["close"])
    window = close.rolling(30)
    expected = window.std(ddof=ddof)
    for result, other in (
        (ind.Variance(30, ddof), expected**2),
        (ind.StandardDeviation(30, ddof), expected),
        (ind.ZScore(30, ddof), (close - window.mean()) / expected),
    ):
        np.testing.assert_allclose(fed(result, [bars["close"]])[0], other, rtol=1e-9, atol=1e-9, equal_nan=True)


def test_correlation_and_slope(bars: dict[str, Column]) -> None:
    close, volume = pd.Series(bars["close"]), pd.Series(bars["volume"])
    (correlation,) = fed(ind.RollingCorrelation(30), [bars["close"], bars["volume"]])
    np.testing.assert_allclose(correlation, close.rolling(30).corr(volume), rtol=1e-9, atol=1e-9, equal_nan=True)
    (slope,) = fed(ind.LinearRegressionSlope(30), [bars["close"]])
    fitted = close.rolling(30).apply(lambda window: np.polyfit(np.arange(30), window, 1)[0], raw=True)
    np.testing.assert_allclose(slope, fitted, rtol=1e-9, atol=1e-9, equal_nan=True)


def test_where_squares_of_prices_lose_every_digit() -> None:
    """Moves of a cent at a price of a hundred million, where mean of squares less square of mean is noise."""
    steps = np.random.default_rng(7).integers(-9, 9, 500).astype(np.float64)
    prices = np.float64(1e8) + steps * np.float64(0.0078125)
    exact = np.array([np.var(prices[i - 20 : i] - 1e8) for i in range(20, 501)])
    (variance,) = fed(ind.Variance(20), [prices])
    np.testing.assert_allclose(variance[19:], exact, rtol=1e-6)
