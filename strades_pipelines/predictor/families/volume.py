"""Volume: how much was traded, on which side, and how much it took to move the price."""

import numpy as np

from strades_pipelines.predictor.families.returns import PRICES
from strades_pipelines.predictor.feature import Compute, Feature
from strades_pipelines.predictor.feature_inputs import Known
from strades_pipelines.predictor.windows import (
    Floats,
    earlier,
    log_change,
    window_correlation,
    window_mean,
    window_std,
    window_sum,
)

TRADED = (*PRICES, "volume")
BARS = ("high", "low", *TRADED)
NO_VOLUME = "missing until the window is complete, and where nothing was traded or the volume is unknown"


def _positive(values: Floats) -> Floats:
    return np.where(values > 0.0, values, np.nan)


def _over_mean(width: int) -> Compute:
    return lambda known: np.log(_positive(known.bars.volume) / window_mean(known.bars.volume, width))


def _typical(known: Known) -> Floats:
    bars = known.bars
    return (bars.high + bars.low + bars.close) * bars.factor / 3.0


def _money_flow(known: Known) -> Floats:
    typical = _typical(known)
    flow, change = typical * known.bars.volume, typical - earlier(typical)
    risen = window_sum(np.where(np.isnan(change), np.nan, np.where(change > 0.0, flow, 0.0)), 14)
    fallen = window_sum(np.where(np.isnan(change), np.nan, np.where(change < 0.0, flow, 0.0)), 14)
    return 100.0 * risen / _positive(risen + fallen)


def _signed_volume(known: Known) -> Floats:
    direction = np.sign(log_change(known.bars.growth, 1))
    traded = window_sum(np.where(np.isnan(direction), np.nan, known.bars.volume), 20)
    return window_sum(direction * known.bars.volume, 20) / _positive(traded)


def _illiquidity(known: Known) -> Floats:
    turnover = _positive(known.bars.close * known.bars.volume)
    return np.log(_positive(window_mean(np.abs(log_change(known.bars.growth, 1)) / turnover, 20)))


def _vwap_ratio(known: Known) -> Floats:
    paid = window_sum(_typical(known) * known.bars.volume, 20)
    return known.bars.growth * window_sum(known.bars.volume, 20) / _positive(paid) - 1.0


def _volume_deviation(known: Known) -> Floats:
    return window_std(known.bars.volume, 20) / _positive(window_mean(known.bars.volume, 20))


VOLUME = (
    Feature(
        "volume_ratio_20", "volume", "ln(volume / mean of the last 20 volumes)", 20, ("volume",), "TA-Lib SMA",
        _over_mean(20), missing=NO_VOLUME,
    ),
)  # fmt: skip
MORE_VOLUME = (
    Feature(
        "volume_ratio_5", "volume", "ln(volume / mean of the last 5 volumes)", 5, ("volume",), "TA-Lib SMA",
        _over_mean(5), missing=NO_VOLUME,
    ),
    Feature(
        "volume_deviation_20", "volume", "sample standard deviation / mean of the last 20 volumes", 20, ("volume",),
        "TA-Lib STDDEV", _volume_deviation, missing=NO_VOLUME,
    ),
    Feature(
        "money_flow_14", "volume", "100 * rising / (rising + falling) typical price * volume over 14 changes", 15, BARS,
        "TA-Lib MFI", _money_flow, missing=NO_VOLUME,
    ),
    Feature(
        "signed_volume_20", "volume", "sum of sign(return_1) * volume / sum of volume, of the last 20", 21, TRADED,
        "Granville's on-balance volume (TA-Lib OBV), as a share", _signed_volume, missing=NO_VOLUME,
    ),
    Feature(
        "illiquidity_20", "volume", "ln of the mean of the last 20 |return_1| / (close * volume)", 21, TRADED,
        "Amihud, Illiquidity and Stock Returns (2002)", _illiquidity, missing=NO_VOLUME,
    ),
    Feature(
        "vwap_ratio_20", "volume", "growth / volume-weighted mean typical price of the last 20 - 1", 20, BARS,
        "Berkowitz, Logue, Noser (1988)", _vwap_ratio, missing=NO_VOLUME,
    ),
    Feature(
        "price_volume_20", "volume", "correlation of return_1 with ln(volume) over 20 sessions", 21, TRADED,
        "TA-Lib CORREL",
        lambda known: window_correlation(log_change(known.bars.growth, 1), np.log(_positive(known.bars.volume)), 20),
        missing=NO_VOLUME,
    ),
)  # fmt: skip
