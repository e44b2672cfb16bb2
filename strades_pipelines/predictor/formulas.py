"""The registry of the daily features: what each is, what it sees, and how it is computed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from strades_pipelines.predictor.inputs import Bars
from strades_pipelines.predictor.windows import Floats, log_change, window_mean, window_std, window_sum

FEATURES_VERSION = "1"  # goes into every inputs_hash: bump it when a formula changes
SESSIONS = 50  # the longest window of bars
RATES = 6
SERIES = "ECB:USD"


@dataclass(frozen=True)
class Feature:
    """An entry of the registry: all features are unit-free, NaN where their window is not complete."""

    name: str
    formula: str
    window: int
    inputs: tuple[str, ...]
    compute: Callable[[Bars, Floats], Floats]


def relative_strength(growth: Floats, width: int) -> Floats:
    """Cutler's RSI: 100 * gains / (gains + losses) over `width` changes, plain sums; 50 where nothing moved.

    Wilder's own smoothing is recursive, so its value depends on where history starts.
    """
    change = np.concatenate([[np.nan], np.diff(growth)])[: len(growth)]
    gains = window_sum(np.maximum(change, 0.0), width)
    losses = window_sum(np.maximum(-change, 0.0), width)
    moved = gains + losses
    return np.where(moved == 0.0, 50.0, 100.0 * gains / np.where(moved == 0.0, 1.0, moved))


def _volume_ratio(bars: Bars, _: Floats) -> Floats:
    traded = np.where(bars.volume > 0.0, bars.volume, np.nan)
    return np.log(traded / window_mean(bars.volume, 20))


def _return(lag: int) -> Callable[[Bars, Floats], Floats]:
    return lambda bars, _: log_change(bars.growth, lag)


def _sma_ratio(width: int) -> Callable[[Bars, Floats], Floats]:
    return lambda bars, _: bars.growth / window_mean(bars.growth, width) - 1.0


_PRICES = ("close", "total_return_factor")
FEATURES = (
    Feature("return_1", "ln(growth / growth 1 session ago); growth = close * factor", 2, _PRICES, _return(1)),
    Feature("return_5", "ln(growth / growth 5 sessions ago)", 6, _PRICES, _return(5)),
    Feature("return_20", "ln(growth / growth 20 sessions ago)", 21, _PRICES, _return(20)),
    Feature(
        "volatility_20", "sample standard deviation of the last 20 return_1", 21, _PRICES,
        lambda bars, _: window_std(log_change(bars.growth, 1), 20),
    ),
    Feature("sma_ratio_10", "growth / mean of the last 10 growths - 1", 10, _PRICES, _sma_ratio(10)),
    Feature("sma_ratio_50", "growth / mean of the last 50 growths - 1", 50, _PRICES, _sma_ratio(50)),
    Feature(
        "rsi_14", "100 * rises / (rises + falls) of growth over 14 changes", 15, _PRICES,
        lambda bars, _: relative_strength(bars.growth, 14),
    ),
    Feature("volume_ratio_20", "ln(volume / mean of the last 20 volumes)", 20, ("volume",), _volume_ratio),
    Feature(
        "range_20", "mean of the last 20 (high - low) / close", 20, ("high", "low", "close"),
        lambda bars, _: window_mean((bars.high - bars.low) / bars.close, 20),
    ),
    Feature(
        "eurusd_return_5", "ln(rate / rate 5 publications ago) of the ECB's USD for 1 EUR, as known", RATES, (SERIES,),
        lambda _, rates: np.log(rates[:, -1] / rates[:, 0]),
    ),
)  # fmt: skip
NAMES = tuple(feature.name for feature in FEATURES)
