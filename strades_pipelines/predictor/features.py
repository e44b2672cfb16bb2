"""The daily features: what they are, and their rows with what went into them.

A row's decision time is the moment its bar was known. It is computed from at most `SESSIONS` bars and `RATES` rates that
were all known by then, so neither later data nor the day history starts at can change it.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from strades_pipelines.market.records import TIME
from strades_pipelines.predictor.inputs import MISSING, Bars, Indices, Rates, last_known
from strades_pipelines.predictor.windows import (
    Floats,
    log_change,
    trailing_max,
    window_mean,
    window_std,
    window_sum,
)

VERSION = "1"  # goes into every inputs_hash: bump it when a formula changes
SESSIONS = 50
RATES = 6
MAX_RATE_AGE = np.timedelta64(10, "D")
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


def daily_features(bars: Bars, rates: Rates) -> pa.Table:
    """One row a session of `bars`, with the columns of features.daily but for listing_id and recorded_at.

    A bar that became known only after a later session's decision is not an input of that decision: such rows are computed
    from the bars known by then.
    """
    table = _features(bars, rates)
    known = bars.knowledge_time.astype(np.int64)
    late = np.flatnonzero(trailing_max(known, SESSIONS) > known)
    if not len(late):
        return table
    rows = [table.slice(place, 1) for place in range(len(bars))]
    for place in late:
        chosen = (bars.knowledge_time <= bars.knowledge_time[place]) & (np.arange(len(bars)) <= place)
        rows[place] = _features(bars.take(chosen), rates).slice(int(chosen.sum()) - 1)
    return pa.concat_tables(rows)


def _features(bars: Bars, rates: Rates) -> pa.Table:
    places = last_known(rates, bars.knowledge_time, count=RATES, max_age=MAX_RATE_AGE)
    recent = np.append(rates.value, np.nan)[places]  # MISSING is the last place
    columns: dict[str, pa.Array] = {
        "session_date": pa.array(bars.session_date.astype("datetime64[D]")),
        "decision_time": pa.array(bars.knowledge_time.astype("datetime64[us]"), TIME),
    }
    for feature in FEATURES:
        columns[feature.name] = pa.array(feature.compute(bars, recent), from_pandas=True)
    first = np.maximum(np.arange(len(bars)) - SESSIONS + 1, 0)
    columns["window_start"] = pa.array(bars.session_date[first].astype("datetime64[D]"))
    columns["max_knowledge_time"] = pa.array(_last_knowledge(bars, rates, places), TIME)
    columns["inputs_hash"] = pa.array(_hashes(bars, rates, first, places), pa.string())
    return pa.table(columns)


def _last_knowledge(bars: Bars, rates: Rates, places: Indices) -> NDArray[np.datetime64]:
    of_bars = trailing_max(bars.knowledge_time.astype("datetime64[us]").astype(np.int64), SESSIONS)
    times = np.append(rates.knowledge_time.astype("datetime64[us]").astype(np.int64), np.iinfo(np.int64).min)
    of_rates = times[places].max(axis=1, initial=np.iinfo(np.int64).min)
    return np.maximum(of_bars, of_rates).astype("datetime64[us]")


def _hashes(bars: Bars, rates: Rates, first: Indices, places: Indices) -> list[str]:
    """SHA-256 of each row's inputs: its window of bars, then the rates it knew."""
    session = bars.session_date.astype("datetime64[D]").astype(np.int64)
    prices = [bars.high, bars.low, bars.close, bars.volume, bars.factor]
    window = np.column_stack([session, *(np.ascontiguousarray(price).view(np.int64) for price in prices)])
    day = rates.event_time.astype("datetime64[us]").astype(np.int64)
    published = np.column_stack([day, np.ascontiguousarray(rates.value).view(np.int64)])
    return [
        hashlib.sha256(
            VERSION.encode() + window[start : place + 1].tobytes() + published[known[known != MISSING]].tobytes()
        ).hexdigest()
        for place, (start, known) in enumerate(zip(first, places, strict=True))
    ]
