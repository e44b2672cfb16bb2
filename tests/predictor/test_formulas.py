"""Each feature against numbers worked out by hand, TA-Lib, or the strategies' own streaming indicators."""

from math import log, sqrt
from typing import Any

import numpy as np
import pytest

from strades_pipelines.database.tables import table_columns
from strades_pipelines.predictor.families.cross_section import CROSS_SECTION
from strades_pipelines.predictor.families.published import PUBLICATIONS, SERIES
from strades_pipelines.predictor.families.trend import relative_strength
from strades_pipelines.predictor.feature import Feature
from strades_pipelines.predictor.feature_inputs import Bars, Known
from strades_pipelines.predictor.formulas import FAMILIES, FEATURES, NAMES, REGISTRY, SESSIONS, as_markdown
from strades_pipelines.predictor.windows import Floats
from strades_pipelines.settings import PROJECT
from tests.predictor.made import FIRST, made_bars

BY_NAME = {feature.name: feature for feature in FEATURES}
OF_BARS = [feature for feature in FEATURES if feature.family not in ("fx", "rates", "news")]
LONG = made_bars(300)


def bars_of(close: list[float], **other: list[float]) -> Bars:
    """Sessions with these closes; open, high, low and volume as given, or the close and 1."""
    day = np.datetime64(FIRST) + np.arange(len(close))
    price = np.array(close)
    ones = np.ones(len(price))
    columns = {"open": price, "high": price, "low": price, "close": price, "volume": ones, "factor": ones}
    columns |= {name: np.array(values) for name, values in other.items()}
    return Bars(session_date=day, knowledge_time=(day + 1).astype("datetime64[us]"), **columns)


def known_of(bars: Bars, **series: Floats) -> Known:
    """Bars with the given series, and nothing else published or written."""
    missing = np.full((len(bars), PUBLICATIONS), np.nan)
    return Known(bars, dict.fromkeys(SERIES, missing) | series, {})


def values(name: str, bars: Bars, **series: Floats) -> Floats:
    """The feature's values at every session."""
    return BY_NAME[name].compute(known_of(bars, **series))


def last(name: str, bars: Bars) -> float:
    """The feature's value at the last session."""
    return float(values(name, bars)[-1])


def test_returns_are_total_returns() -> None:
    bars = bars_of([100.0, 110.0, 99.0], factor=[1.0, 1.0, 1.1], open=[1.0, 1.0, 121.0])
    assert last("return_1", bars) == pytest.approx(log(99 * 1.1 / 110), rel=1e-14)
    assert last("overnight_return", bars) == pytest.approx(log(121 * 1.1 / 110), rel=1e-14)
    assert last("intraday_return", bars) == pytest.approx(log(99 / 121), rel=1e-14)
    twenty = bars_of([50.0] * 16 + [80.0, 60.0, 70.0, 90.0, 100.0])
    assert last("return_20", twenty) == pytest.approx(log(2), rel=1e-14)
    assert last("return_5", twenty) == pytest.approx(log(2), rel=1e-14)


def test_volatility_is_the_sample_deviation_of_twenty_returns() -> None:
    # Twenty returns, ten of +ln 2 and ten of -ln 2: mean 0, sum of squares 20 ln(2)^2, divisor 19.
    bars = bars_of([1.0, 2.0] * 10 + [1.0])
    assert last("volatility_20", bars) == pytest.approx(log(2) * sqrt(20 / 19), rel=1e-14)
    # Of the same the ten falls: the mean of their squares over twenty.
    assert last("downside_20", bars) == pytest.approx(log(2) * sqrt(0.5), rel=1e-14)
    assert last("skewness_20", bars) == pytest.approx(0.0, abs=1e-12)


def test_ranges_within_the_session() -> None:
    # Every session from 1 to e, opened at 1 and closed at e: ln(high / low) = ln(close / open) = 1.
    e = float(np.e)
    bars = bars_of([e] * 20, open=[1.0] * 20, high=[e] * 20, low=[1.0] * 20)
    assert last("parkinson_20", bars) == pytest.approx(1 / sqrt(4 * log(2)), rel=1e-14)
    assert last("garman_klass_20", bars) == pytest.approx(sqrt(0.5 - (2 * log(2) - 1)), rel=1e-14)


def test_sma_ratios_are_the_price_over_its_mean() -> None:
    bars = bars_of([10.0] * 49 + [20.0])
    assert last("sma_ratio_10", bars) == pytest.approx(20 / 11 - 1, rel=1e-14)
    assert last("sma_ratio_50", bars) == pytest.approx(20 / 10.2 - 1, rel=1e-14)
    assert last("sma_cross_10_50", bars) == pytest.approx(11 / 10.2 - 1, rel=1e-14)


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
    bars = bars_of([1.0] * 20, volume=[1.0] * 19 + [21.0])
    assert last("volume_ratio_20", bars) == pytest.approx(log(21 / 2), rel=1e-14)
    assert np.isnan(last("volume_ratio_20", bars_of([1.0] * 20, volume=[1.0] * 19 + [0.0])))
    assert np.isnan(last("volume_ratio_20", bars_of([1.0] * 20, volume=[np.nan] + [1.0] * 19)))


def test_flows_of_volume() -> None:
    # Rises of +1 % on 3 units, falls back on 1: of 40 traded 30 less 10; each move over its turnover.
    bars = bars_of([100.0, *[101.0, 100.0] * 10], volume=[5.0, *[3.0, 1.0] * 10])
    assert last("signed_volume_20", bars) == pytest.approx((30 - 10) / 40, rel=1e-14)
    mean = (log(1.01) / 303 + log(1.01) / 100) / 2
    assert last("illiquidity_20", bars) == pytest.approx(log(mean), rel=1e-12)
    assert last("vwap_ratio_20", bars) == pytest.approx(100 / ((3 * 101 + 100) / 4) - 1, rel=1e-12)


def test_range_is_the_mean_of_the_relative_ranges() -> None:
    bars = bars_of([10.0] * 20, high=[11.0] * 20, low=[9.0] * 19 + [5.0])
    assert last("range_20", bars) == pytest.approx((19 * 0.2 + 0.6) / 20, rel=1e-14)


def test_calendar_is_that_of_the_date() -> None:
    day = np.array(["2024-02-28", "2024-02-29", "2024-03-04"], "datetime64[D]")  # a Wednesday, a Thursday, a Monday
    ones = np.ones(3)
    bars = Bars(day, (day + 1).astype("datetime64[us]"), ones, ones, ones, ones, ones, ones)
    assert values("weekday", bars).tolist() == [2.0, 3.0, 0.0]
    assert values("day_of_month", bars).tolist() == [28.0, 29.0, 4.0]
    assert values("days_to_month_end", bars).tolist() == [1.0, 0.0, 27.0]
    assert values("days_since_session", bars)[1:].tolist() == [1.0, 4.0]
    assert values("month_sine", bars) == pytest.approx([0.5, 0.5, sqrt(3) / 2])


def test_published_values_are_the_last_known() -> None:
    bars = bars_of([1.0, 1.0])
    usd = np.full((2, PUBLICATIONS), 9.0)
    usd[:, -6], usd[:, -1] = [1.25, np.nan], 1.5
    assert values("eurusd_return_5", bars, **{"ECB:USD": usd})[0] == pytest.approx(log(1.2), rel=1e-14)
    assert np.isnan(values("eurusd_return_5", bars, **{"ECB:USD": usd})[1])
    ours, theirs = np.full((2, PUBLICATIONS), 4.0), np.full((2, PUBLICATIONS), 3.0)
    ours[1, -1] = np.nan
    assert values("yield_10y", bars, UST_10Y=ours, DGS10=theirs).tolist() == [4.0, 3.0]
    assert values("term_spread", bars, UST_10Y=ours, DGS10=theirs, DGS2=theirs / 2).tolist() == [2.5, 1.5]


def test_tone_and_counts_of_news() -> None:
    nothing = {f"{scope}_{what}": np.zeros(2) for scope in ("own", "all") for what in ("positive_5", "negative_5")}
    counts = nothing | {"own_1": np.array([2.0, 0.0]), "own_5": np.array([3.0, 0.0]), "own_20": np.array([20.0, 0.0])}
    counts |= {"all_1": np.array([4.0, 0.0]), "all_30": np.array([50.0, 0.0])}
    counts |= {"own_positive_5": np.array([3.0, 0.0]), "own_negative_5": np.array([1.0, 0.0])}
    known = Known(bars_of([1.0, 1.0]), {}, counts)
    found = {one.name: one.compute(known) for one in FEATURES if one.family == "news"}
    assert {name: float(column[0]) for name, column in found.items()} == pytest.approx(
        {"news_count_1": log(3), "news_count_5": log(4), "news_surprise": log(1.5), "news_tone_5": 0.5,
         "all_news_count_1": log(5), "all_news_tone_5": 0.0}
    )  # fmt: skip
    assert all(np.isnan(column[1]) for column in found.values())


def talib_columns() -> dict[str, Floats]:
    """What TA-Lib makes of the same total-return prices."""
    import talib

    lib: Any = talib
    growth, volume = LONG.growth, LONG.volume
    high, low = LONG.high * LONG.factor, LONG.low * LONG.factor
    sample = sqrt(20 / 19)
    deviation = lib.STDDEV(growth, 20) * sample
    return {
        "sma_ratio_20": growth / lib.SMA(growth, 20) - 1,
        "slope_20": lib.LINEARREG_SLOPE(np.log(growth), 20),
        "straightness_20": lib.CORREL(np.log(growth), np.arange(300.0), 20),
        "z_score_20": (growth - lib.SMA(growth, 20)) / deviation,
        "stochastic_14": lib.STOCHF(high, low, growth, 14, 1)[0],
        "channel_50": lib.STOCHF(high, low, growth, 50, 1)[0],
        "aroon_25": lib.AROONOSC(high, low, 25),
        "cci_20": lib.CCI(high, low, growth, 20),
        "money_flow_14": lib.MFI(high, low, growth, volume, 14),
        "volume_deviation_20": lib.STDDEV(volume, 20) * sample / lib.SMA(volume, 20),
        "true_range_14": lib.SMA(lib.TRANGE(high, low, growth)[1:], 14) / growth[1:],
        "ema_ratio_10": growth / lib.EMA(growth, 10) - 1,
    }


@pytest.mark.parametrize("name", sorted(talib_columns()))
def test_feature_agrees_with_talib_within_its_tolerance(name: str) -> None:
    ours, theirs = values(name, LONG), talib_columns()[name]
    tolerance = max(BY_NAME[name].tolerance, 1e-8 * float(np.nanstd(theirs)))
    assert ours[-200:] == pytest.approx(theirs[-200:], rel=1e-7, abs=tolerance)


def streamed(indicator: Any, attribute: str, *columns: Floats) -> Floats:
    """The attribute of an indicator after each of its updates."""
    found = []
    for row in zip(*(column.tolist() for column in columns), strict=True):
        indicator.update(*row)
        found.append(getattr(indicator, attribute))
    return np.array(found)


def test_streaming_form_of_the_strategies_agrees_with_the_batch() -> None:
    from strades_pipelines.strategy.indicators.moving_averages import Sma
    from strades_pipelines.strategy.indicators.oscillators import Cci, WilliamsR
    from strades_pipelines.strategy.indicators.statistics import StandardDeviation
    from strades_pipelines.strategy.indicators.volume import Mfi

    growth, high, low = LONG.growth, LONG.high * LONG.factor, LONG.low * LONG.factor
    pairs = {
        "sma_ratio_50": growth / streamed(Sma(50), "value", growth) - 1,
        "cci_20": streamed(Cci(20), "value", high, low, growth),
        "channel_50": 100 + streamed(WilliamsR(50), "value", high, low, growth),
        "money_flow_14": streamed(Mfi(14), "value", high, low, growth, LONG.volume),
        "volatility_20": streamed(StandardDeviation(20, ddof=1), "value", values("return_1", LONG)),
    }
    for name, streaming in pairs.items():
        assert values(name, LONG)[-200:] == pytest.approx(streaming[-200:], rel=1e-8, abs=1e-10), name


@pytest.mark.parametrize("feature", OF_BARS, ids=lambda feature: feature.name)
def test_window_of_the_registry_is_how_many_sessions_a_value_needs(feature: Feature) -> None:
    found = feature.compute(known_of(LONG.take(np.arange(SESSIONS))))
    assert np.isnan(found[: feature.warm_up]).all()
    assert not np.isnan(found[feature.warm_up :]).any()
    assert feature.window <= SESSIONS


@pytest.mark.parametrize(
    "feature", [one for one in FEATURES if one.family in ("fx", "rates")], ids=lambda one: one.name
)
def test_window_of_the_registry_is_how_many_publications_a_value_needs(feature: Feature) -> None:
    series = np.full((2, PUBLICATIONS), 2.0)
    series[0, : PUBLICATIONS - feature.window] = np.nan
    series[1, : PUBLICATIONS - feature.window + 1] = np.nan
    found = feature.compute(Known(bars_of([1.0, 1.0]), dict.fromkeys(SERIES, series), {}))
    assert np.isnan(found).tolist() == [False, True]


def test_cross_section_needs_what_it_compares() -> None:
    assert all(feature.window == BY_NAME[feature.of].window for feature in CROSS_SECTION)


def test_names_are_the_columns_of_the_table() -> None:
    columns = [column.name for column in table_columns()["features.daily"] if column.type == "double precision"]
    assert list(NAMES) == columns


def test_registry_says_everything_of_every_feature() -> None:
    assert len(set(NAMES)) == len(NAMES) >= 40
    assert set(FAMILIES) == {
        "returns", "trend", "volatility", "volume", "cross-section", "calendar", "fx", "rates", "news",
    }  # fmt: skip
    for one in REGISTRY:
        assert one.formula, one.name
        assert one.source, one.name
        assert one.inputs, one.name
        assert one.missing, one.name
        assert one.version, one.name


def test_documentation_is_the_registry() -> None:
    document = (PROJECT / "docs/features.md").read_text()
    assert document.endswith(as_markdown())
