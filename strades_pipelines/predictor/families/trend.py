"""Trend: where a price is beside its own past. Definitions are TA-Lib's where it has them, over total-return prices."""

import numpy as np

from strades_pipelines.predictor.families.returns import PRICES
from strades_pipelines.predictor.feature import Compute, Feature
from strades_pipelines.predictor.feature_inputs import Known
from strades_pipelines.predictor.windows import (
    Floats,
    earlier,
    since_max,
    window_correlation,
    window_ema,
    window_max,
    window_mean,
    window_min,
    window_slope,
    window_std,
    window_sum,
)

BARS = ("high", "low", *PRICES)
EMA_WINDOW = 60


def relative_strength(growth: Floats, width: int) -> Floats:
    """Cutler's RSI: 100 * gains / (gains + losses) over `width` changes, plain sums; 50 where nothing moved.

    Wilder's own smoothing is recursive, so its value depends on where history starts.
    """
    change = np.concatenate([[np.nan], np.diff(growth)])[: len(growth)]
    gains = window_sum(np.maximum(change, 0.0), width)
    losses = window_sum(np.maximum(-change, 0.0), width)
    moved = gains + losses
    return np.where(moved == 0.0, 50.0, 100.0 * gains / np.where(moved == 0.0, 1.0, moved))


def _sma_ratio(width: int) -> Feature:
    def compute(known: Known) -> Floats:
        return known.bars.growth / window_mean(known.bars.growth, width) - 1.0

    formula = f"growth / mean of the last {width} growths - 1"
    return Feature(f"sma_ratio_{width}", "trend", formula, width, PRICES, "TA-Lib SMA", compute)


def _highs_and_lows(known: Known) -> tuple[Floats, Floats]:
    return known.bars.high * known.bars.factor, known.bars.low * known.bars.factor


def _stochastic(width: int) -> Compute:
    def compute(known: Known) -> Floats:
        high, low = _highs_and_lows(known)
        lowest = window_min(low, width)
        span = window_max(high, width) - lowest
        return 100.0 * (known.bars.growth - lowest) / np.where(span > 0.0, span, np.nan)

    return compute


def _aroon(width: int) -> Compute:
    def compute(known: Known) -> Floats:
        high, low = _highs_and_lows(known)
        return 100.0 * (since_max(-low, width + 1) - since_max(high, width + 1)) / width

    return compute


def commodity_channel(known: Known, width: int = 20) -> Floats:
    """Lambert's CCI: the typical price's distance from its mean, in 0.015 mean absolute deviations."""
    high, low = _highs_and_lows(known)
    typical = (high + low + known.bars.growth) / 3.0
    mean = window_mean(typical, width)
    deviation = np.zeros_like(mean)
    for lag in range(width):
        deviation += np.abs(earlier(typical, lag) - mean)
    deviation /= width
    return (typical - mean) / np.where(deviation > 0.0, 0.015 * deviation, np.nan)


def _z_score(known: Known) -> Floats:
    deviation = window_std(known.bars.growth, 20)
    return (known.bars.growth - window_mean(known.bars.growth, 20)) / np.where(deviation > 0.0, deviation, np.nan)


def _straightness(known: Known) -> Floats:
    place = np.arange(len(known.bars), dtype=np.float64)  # whole numbers: a later start changes no bit
    return window_correlation(np.log(known.bars.growth), place, 20)


TREND = (
    _sma_ratio(10),
    _sma_ratio(50),
    Feature(
        "rsi_14", "trend", "100 * rises / (rises + falls) of growth over 14 changes", 15, PRICES,
        "Cutler's RSI; Wilder, New Concepts in Technical Trading Systems (1978), with plain sums",
        lambda known: relative_strength(known.bars.growth, 14),
    ),
)  # fmt: skip
MORE_TREND = (
    _sma_ratio(20),
    Feature(
        "sma_cross_10_50", "trend", "mean of the last 10 growths / mean of the last 50 - 1", 50, PRICES, "TA-Lib SMA",
        lambda known: window_mean(known.bars.growth, 10) / window_mean(known.bars.growth, 50) - 1.0,
    ),
    Feature(
        "ema_ratio_10", "trend", "growth / exponential mean (smoothing 2 / 11) of the last 60 growths - 1", EMA_WINDOW,
        PRICES, "TA-Lib EMA of length 10, cut at 60 sessions",
        lambda known: known.bars.growth / window_ema(known.bars.growth, EMA_WINDOW, 10) - 1.0, tolerance=1e-5,
    ),
    Feature(
        "slope_20", "trend", "least-squares slope of ln(growth) over 20 sessions, a session", 20, PRICES,
        "TA-Lib LINEARREG_SLOPE", lambda known: window_slope(np.log(known.bars.growth), 20),
    ),
    Feature(
        "straightness_20", "trend", "correlation of ln(growth) with time over 20 sessions", 20, PRICES,
        "TA-Lib CORREL", _straightness, missing="missing until the window is complete, and where no price moved",
    ),
    Feature(
        "z_score_20", "trend", "(growth - mean) / sample standard deviation of the last 20 growths", 20, PRICES,
        "Bollinger on Bollinger Bands (2001); TA-Lib STDDEV", _z_score,
        missing="missing until the window is complete, and where no price moved",
    ),
    Feature(
        "stochastic_14", "trend", "100 * (growth - lowest low) / (highest high - lowest low) of 14 sessions", 14, BARS,
        "TA-Lib STOCHF, %K", _stochastic(14), missing="missing until the window is complete, and where no price moved",
    ),
    Feature(
        "channel_50", "trend", "100 * (growth - lowest low) / (highest high - lowest low) of 50 sessions", 50, BARS,
        "Donchian's channel; TA-Lib STOCHF, %K", _stochastic(50),
        missing="missing until the window is complete, and where no price moved",
    ),
    Feature(
        "aroon_25", "trend", "100 * (sessions since the lowest low - since the highest high) / 25, of 26 sessions", 26,
        BARS, "TA-Lib AROONOSC", _aroon(25),
    ),
    Feature(
        "cci_20", "trend", "(typical - mean) / (0.015 * mean absolute deviation) of 20; typical = (high+low+close)/3",
        20, BARS, "TA-Lib CCI", commodity_channel,
        missing="missing until the window is complete, and where no price moved",
    ),
)  # fmt: skip
