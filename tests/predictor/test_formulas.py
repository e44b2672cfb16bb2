"""Each feature against numbers worked out by hand."""

from math import log, sqrt

import numpy as np
import pytest

from strades_pipelines.database.tables import table_columns
from strades_pipelines.predictor.formulas import FEATURES, NAMES, RATES, SESSIONS, Feature, relative_strength
from strades_pipelines.predictor.inputs import Bars
from tests.predictor.made import FIRST

COMPUTE = {feature.name: feature.compute for feature in FEATURES}
NO_RATES = np.full((60, RATES), np.nan)


def bars_of(close: list[float], **other: list[float]) -> Bars:
    """Sessions with these closes; high, low and volume as given, or the close and 1."""
    day = np.datetime64(FIRST) + np.arange(len(close))
    price = np.array(close)
    columns = {"high": price, "low": price, "volume": np.ones(len(price)), "factor": np.ones(len(price))}
    columns |= {name: np.array(values) for name, values in other.items()}
    return Bars(
        day,
        (day + 1).astype("datetime64[us]"),
        columns["high"],
        columns["low"],
        price,
        columns["volume"],
        columns["factor"],
    )


def last(name: str, bars: Bars) -> float:
    """The feature's value at the last session."""
    return float(COMPUTE[name](bars, NO_RATES[: len(bars)])[-1])


def test_returns_are_total_returns() -> None:
    bars = bars_of([100.0, 110.0, 99.0], factor=[1.0, 1.0, 1.1])
    assert last("return_1", bars) == pytest.approx(log(99 * 1.1 / 110), rel=1e-14)
    twenty = bars_of([50.0] * 16 + [80.0, 60.0, 70.0, 90.0, 100.0])
    assert last("return_20", twenty) == pytest.approx(log(2), rel=1e-14)
    assert last("return_5", twenty) == pytest.approx(log(2), rel=1e-14)


def test_volatility_is_the_sample_deviation_of_twenty_returns() -> None:
    # Twenty returns, ten of +ln 2 and ten of -ln 2: mean 0, sum of squares 20 ln(2)^2, divisor 19.
    bars = bars_of([1.0, 2.0] * 10 + [1.0])
    assert last("volatility_20", bars) == pytest.approx(log(2) * sqrt(20 / 19), rel=1e-14)


def test_sma_ratios_are_the_price_over_its_mean() -> None:
    bars = bars_of([10.0] * 49 + [20.0])
    assert last("sma_ratio_10", bars) == pytest.approx(20 / 11 - 1, rel=1e-14)
    assert last("sma_ratio_50", bars) == pytest.approx(20 / 10.2 - 1, rel=1e-14)


def test_rsi_is_the_share_of_rises() -> None:
    # Fourteen changes: seven of +3 and seven of -1.
    closes = [10.0]
    for change in [3.0, -1.0] * 7:
        closes.append(closes[-1] + change)
    assert last("rsi_14", bars_of(closes)) == pytest.approx(75.0, rel=1e-14)
    assert last("rsi_14", bars_of([5.0] * 15)) == 50.0
    assert last("rsi_14", bars_of([float(number) for number in range(1, 16)])) == 100.0
    assert np.isnan(relative_strength(np.arange(1.0, 15.0), 14)).all()


def test_volume_ratio_is_the_logarithm_over_the_mean() -> None:
    assert last("volume_ratio_20", bars_of([1.0] * 20, volume=[1.0] * 19 + [21.0])) == pytest.approx(
        log(21 / 2), rel=1e-14
    )
    assert np.isnan(last("volume_ratio_20", bars_of([1.0] * 20, volume=[1.0] * 19 + [0.0])))
    assert np.isnan(last("volume_ratio_20", bars_of([1.0] * 20, volume=[np.nan] + [1.0] * 19)))


def test_range_is_the_mean_of_the_relative_ranges() -> None:
    bars = bars_of([10.0] * 20, high=[11.0] * 20, low=[9.0] * 19 + [5.0])
    assert last("range_20", bars) == pytest.approx((19 * 0.2 + 0.6) / 20, rel=1e-14)


def test_euro_return_is_from_the_first_to_the_last_of_six_rates() -> None:
    rates = np.array([[1.25, 9.0, 9.0, 9.0, 9.0, 1.5], [np.nan, 9.0, 9.0, 9.0, 9.0, 1.5]])
    found = COMPUTE["eurusd_return_5"](bars_of([1.0, 1.0]), rates)
    assert found[0] == pytest.approx(log(1.2), rel=1e-14)
    assert np.isnan(found[1])


@pytest.mark.parametrize("feature", FEATURES[:-1], ids=lambda feature: feature.name)
def test_window_of_the_registry_is_how_many_sessions_a_value_needs(feature: Feature) -> None:
    closes = [100.0 + number % 7 for number in range(SESSIONS)]
    values = feature.compute(bars_of(closes), NO_RATES[:SESSIONS])
    assert np.isnan(values[: feature.window - 1]).all()
    assert not np.isnan(values[feature.window - 1 :]).any()
    assert feature.window <= SESSIONS


def test_names_are_the_columns_of_the_table() -> None:
    columns = [column.name for column in table_columns()["features.daily"] if column.type == "double precision"]
    assert list(NAMES) == columns
