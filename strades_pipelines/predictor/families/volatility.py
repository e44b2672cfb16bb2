"""Volatility: how much a price moves, from closes and from what happened within the sessions."""

import numpy as np

from strades_pipelines.predictor.families.returns import PRICES
from strades_pipelines.predictor.feature import Compute, Feature
from strades_pipelines.predictor.feature_inputs import Known
from strades_pipelines.predictor.windows import Floats, earlier, log_change, window_mean, window_skew, window_std

RANGE = ("high", "low", "close")
LN2 = float(np.log(2.0))


def _deviation(width: int) -> Compute:
    return lambda known: window_std(log_change(known.bars.growth, 1), width)


def _volatility(width: int) -> Feature:
    formula = f"sample standard deviation of the last {width} return_1"
    return Feature(f"volatility_{width}", "volatility", formula, width + 1, PRICES, "TA-Lib STDDEV", _deviation(width))


def _ratio(known: Known) -> Floats:
    long = _deviation(60)(known)
    return np.log(_deviation(5)(known) / np.where(long > 0.0, long, np.nan))


def _downside(known: Known) -> Floats:
    return np.sqrt(window_mean(np.minimum(log_change(known.bars.growth, 1), 0.0) ** 2, 20))


def _parkinson(known: Known) -> Floats:
    return np.sqrt(window_mean(np.log(known.bars.high / known.bars.low) ** 2, 20) / (4.0 * LN2))


def _garman_klass(known: Known) -> Floats:
    bars = known.bars
    spread, drift = np.log(bars.high / bars.low) ** 2, np.log(bars.close / bars.open) ** 2
    return np.sqrt(np.maximum(window_mean(0.5 * spread - (2.0 * LN2 - 1.0) * drift, 20), 0.0))


def _true_range(known: Known) -> Floats:
    bars = known.bars
    high, low, before = bars.high * bars.factor, bars.low * bars.factor, earlier(bars.growth)
    true_range = np.maximum(high, before) - np.minimum(low, before)
    return window_mean(true_range, 14) / bars.growth


RANGES = (
    Feature(
        "range_20", "volatility", "mean of the last 20 (high - low) / close", 20, RANGE,
        "Alizadeh, Brandt, Diebold, Range-Based Estimation (2002), the range itself",
        lambda known: window_mean((known.bars.high - known.bars.low) / known.bars.close, 20),
    ),
)  # fmt: skip
VOLATILITY = (_volatility(20),)
MORE_VOLATILITY = (
    _volatility(5),
    _volatility(60),
    Feature(
        "volatility_ratio_5_60", "volatility", "ln(volatility_5 / volatility_60)", 61, PRICES, "TA-Lib STDDEV", _ratio,
        missing="missing until the window is complete, and where no price moved",
    ),
    Feature(
        "downside_20", "volatility", "root of the mean of the last 20 min(return_1, 0) ** 2", 21, PRICES,
        "Sortino, van der Meer, Downside Risk (1991), target 0", _downside,
    ),
    Feature(
        "skewness_20", "volatility", "m3 / m2 ** 1.5 of the last 20 return_1", 21, PRICES,
        "Fisher's moment coefficient of skewness",
        lambda known: window_skew(log_change(known.bars.growth, 1), 20),
        missing="missing until the window is complete, and where no price moved",
    ),
    Feature(
        "parkinson_20", "volatility", "root of the mean of the last 20 ln(high / low) ** 2, over 4 ln 2", 20,
        ("high", "low"), "Parkinson, The Extreme Value Method (1980)", _parkinson,
    ),
    Feature(
        "garman_klass_20", "volatility",
        "root of the mean of the last 20 ln(high / low) ** 2 / 2 - (2 ln 2 - 1) ln(close / open) ** 2, at least 0", 20,
        ("open", *RANGE), "Garman, Klass, On the Estimation of Security Price Volatilities (1980)", _garman_klass,
    ),
    Feature(
        "true_range_14", "volatility", "plain mean of the last 14 true ranges / growth", 15, ("high", "low", *PRICES),
        "TA-Lib TRANGE; Wilder's ATR with a plain mean", _true_range,
    ),
)  # fmt: skip
