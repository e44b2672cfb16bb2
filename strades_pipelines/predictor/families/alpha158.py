"""Alpha158: the 158 features of Qlib, over total-return prices.

Source: Qlib (MIT), `qlib/contrib/data/loader.py`, `Alpha158DL` with its default configuration: 9 shapes of the
session's candle, 4 price ratios, and 29 operators over windows of 5, 10, 20, 30 and 60 sessions. Names are Qlib's, in
lower case.

Two things are different here. Qlib gives a value from the first session on, from what there is of a window; here it is
missing until the window is complete, since it would depend on the day history starts at. And no source of ours has a
volume-weighted price of the session, so `vwap` is the typical price, (high + low + close) / 3.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from strades_pipelines.predictor.feature import Feature
from strades_pipelines.predictor.feature_inputs import Bars, Indices, Known
from strades_pipelines.predictor.merged_windows import (
    WIDTHS,
    window_correlations,
    window_extremes,
    window_lines,
    window_quantiles,
    window_ranks,
    window_sums,
)
from strades_pipelines.predictor.windows import Floats, earlier

FAMILY = "alpha158"
VERSION = "1"  # goes into every inputs_hash: bump it when a formula changes
SOURCE = "Qlib, Alpha158DL"
TINY = 1e-12  # what Qlib adds to a divisor that may be 0
PART = 4000  # bars computed at once: few enough for a core's cache, many for the cost of a call
STILL = 2e-5  # Qlib takes a deviation up to this for none, and has no correlation there
BARS = ("open", "high", "low", "close", "total_return_factor")
CLOSE = ("close", "total_return_factor")

SHAPES = {
    "kmid": "(close - open) / open",
    "klen": "(high - low) / open",
    "kmid2": "(close - open) / (high - low + 1e-12)",
    "kup": "(high - max(open, close)) / open",
    "kup2": "(high - max(open, close)) / (high - low + 1e-12)",
    "klow": "(min(open, close) - low) / open",
    "klow2": "(min(open, close) - low) / (high - low + 1e-12)",
    "ksft": "(2 * close - high - low) / open",
    "ksft2": "(2 * close - high - low) / (high - low + 1e-12)",
    "open0": "open / close",
    "high0": "high / close",
    "low0": "low / close",
    "vwap0": "(high + low + close) / 3 / close",
}
RANGE, TRADED, VOLUME = ("high", "low", *CLOSE), (*CLOSE, "volume"), ("volume",)
# By operator: the formula, `d` the window's width; the sessions needed before the window; what it reads.
OPERATORS: dict[str, tuple[str, int, tuple[str, ...]]] = {
    "roc": ("close d sessions ago / close", 1, CLOSE),
    "ma": ("mean of close / close", 0, CLOSE),
    "std": ("sample standard deviation of close / close", 0, CLOSE),
    "beta": ("least-squares slope of close, a session / close", 0, CLOSE),
    "rsqr": ("squared correlation of close with time", 0, CLOSE),
    "resi": ("close's distance from its least-squares line / close", 0, CLOSE),
    "max": ("highest high / close", 0, RANGE),
    "min": ("lowest low / close", 0, RANGE),
    "qtlu": ("0.8 quantile of close / close", 0, CLOSE),
    "qtld": ("0.2 quantile of close / close", 0, CLOSE),
    "rank": ("rank of close among the window's closes, ties at their mean / d", 0, CLOSE),
    "rsv": ("(close - lowest low) / (highest high - lowest low + 1e-12)", 0, RANGE),
    "imax": ("place of the highest high in the window, the oldest 1 / d", 0, RANGE),
    "imin": ("place of the lowest low in the window, the oldest 1 / d", 0, RANGE),
    "imxd": ("imax - imin", 0, RANGE),
    "corr": ("correlation of close with ln(volume + 1)", 0, TRADED),
    "cord": ("correlation of close / close before with ln(volume / volume before + 1)", 1, TRADED),
    "cntp": ("share of sessions with a rise of close", 1, CLOSE),
    "cntn": ("share of sessions with a fall of close", 1, CLOSE),
    "cntd": ("cntp - cntn", 1, CLOSE),
    "sump": ("rises of close / (rises + falls + 1e-12)", 1, CLOSE),
    "sumn": ("falls of close / (rises + falls + 1e-12)", 1, CLOSE),
    "sumd": ("(rises - falls) of close / (rises + falls + 1e-12)", 1, CLOSE),
    "vma": ("mean of volume / (volume + 1e-12)", 0, VOLUME),
    "vstd": ("sample standard deviation of volume / (volume + 1e-12)", 0, VOLUME),
    "wvma": ("sample standard deviation / (mean + 1e-12) of |close / close before - 1| * volume", 1, TRADED),
    "vsump": ("rises of volume / (rises + falls + 1e-12)", 1, VOLUME),
    "vsumn": ("falls of volume / (rises + falls + 1e-12)", 1, VOLUME),
    "vsumd": ("(rises - falls) of volume / (rises + falls + 1e-12)", 1, VOLUME),
}


class Columns(NamedTuple):
    """What the features are computed from: total-return prices and volume (NaN where unknown), arrays of shape (n,)."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def part(self, chosen: slice | Indices) -> "Columns":
        """The bars of a slice, or at places."""
        return Columns(*(column[chosen] for column in self))


def columns_of(bars: Bars) -> Columns:
    """The columns of one listing's bars, dividends in its prices."""
    factor = bars.factor
    return Columns(bars.open * factor, bars.high * factor, bars.low * factor, bars.growth, bars.volume)


def alpha158(columns: Columns, age: Indices, wanted: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The 158 features of the wanted bars, of several listings at once.

    Args:
        columns: the bars of one listing after the other, oldest first.
        age: shape (n,), how many bars of its listing are before a bar.
        wanted: shape (n,), which bars get a row; the others are only looked back on.

    Returns:
        Shape (158, wanted bars), in the order of ALPHA158; NaN where a feature is missing.
    """
    age = _since_break(age, np.isfinite(columns.open + columns.high + columns.low + columns.close))
    rows = np.concatenate([[0], np.cumsum(wanted)])
    result = np.empty((len(ALPHA158), int(rows[-1])), np.float32)

    def compute(begin: int) -> None:
        # A part begins with the bars that its first windows look back on.
        end, lead_in = min(begin + PART, len(age)), min(begin, int(WARM_UP.max()))
        places = np.flatnonzero(wanted[begin:end]) + lead_in
        part = slice(begin - lead_in, end)
        if len(places):
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                _fill(result[:, rows[begin] : rows[end]], columns.part(part), age[part], places)

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # NumPy does not hold Python's lock while it computes
        list(pool.map(compute, range(0, len(age), PART)))
    return result


def _fill(result: NDArray[np.float32], columns: Columns, age: Indices, places: Indices) -> None:
    """Put the features of the bars at `places` into the result, shape (158, places)."""
    result[: len(SHAPES)] = _shapes(columns.part(_slice(places)))
    rolling = _rolling(columns, age, places)
    for place, name in enumerate(OPERATORS):
        first = len(SHAPES) + place * len(WIDTHS)
        result[first : first + len(WIDTHS)] = rolling[name]
    own = age[places]
    short = np.flatnonzero(own < WARM_UP.max())
    result[:, short] = np.where(own[short] < WARM_UP[:, None], np.nan, result[:, short])
    infinite = np.isinf(result)
    if infinite.any():
        result[infinite] = np.nan


def _since_break(age: Indices, whole: NDArray[np.bool_]) -> Indices:
    """`age` counted from the last bar that lacks a price, -1 for that bar itself: no window reaches over it."""
    place = np.arange(len(age))
    return np.minimum(age, place - np.maximum.accumulate(np.where(whole, -1, place)) - 1)


def _shapes(columns: Columns) -> Floats:
    open, high, low, close, _ = columns
    body, upper, lower = close - open, high - np.maximum(open, close), np.minimum(open, close) - low
    shift, span = 2.0 * close - high - low, high - low + TINY
    return np.stack(
        [
            body / open, (high - low) / open, body / span, upper / open, upper / span, lower / open, lower / span,
            shift / open, shift / span, open / close, high / close, low / close, (high + low + close) / 3.0 / close,
        ]
    )  # fmt: skip


def _rolling(columns: Columns, age: Indices, places: Indices) -> dict[str, Floats]:
    """The 29 operators at `places`, each of shape (widths, places)."""
    _, high, low, close, volume = columns
    width = np.array(WIDTHS, np.float64)[:, None]
    chosen = _slice(places)
    last, traded = close[chosen], volume[chosen]
    before, volume_before = (np.where(age > 0, earlier(column), np.nan) for column in (close, volume))

    def sums(values: Floats) -> Floats:
        return window_sums(values)[:, chosen]

    mean, deviation, slope = _at(chosen, window_lines(close))
    highest, since_high = _at(chosen, window_extremes(high))
    lowest, since_low = _at(chosen, window_extremes(-low))
    upper, lower = _at(chosen, window_quantiles(close, (0.8, 0.2)))
    rises, falls = sums((close > before).astype(np.float64)), sums((close < before).astype(np.float64))
    gained, lost = sums(np.maximum(close - before, 0.0)), sums(np.maximum(before - close, 0.0))
    more, less = sums(np.maximum(volume - volume_before, 0.0)), sums(np.maximum(volume_before - volume, 0.0))
    volume_mean, volume_deviation, _ = _at(chosen, window_lines(volume))
    weighted_mean, weighted_deviation, _ = _at(chosen, window_lines(np.abs(close / before - 1.0) * volume))
    moved, turned, divisor = gained + lost + TINY, more + less + TINY, traded + TINY
    return {
        "roc": close[np.maximum(places - np.array(WIDTHS)[:, None], 0)] / last,
        "ma": mean / last,
        "std": deviation / last,
        "beta": slope / last,
        # The variance of 1 ... d is d * (d + 1) / 12.
        "rsqr": np.where(deviation > STILL, slope**2 * (width * (width + 1.0) / 12.0) / deviation**2, np.nan),
        "resi": (last - mean - slope * (width - 1.0) / 2.0) / last,
        "max": highest / last,
        "min": -lowest / last,
        "qtlu": upper / last,
        "qtld": lower / last,
        "rank": window_ranks(close)[:, chosen],
        "rsv": (last + lowest) / (highest + lowest + TINY),
        "imax": (width - since_high) / width,
        "imin": (width - since_low) / width,
        "imxd": (since_low - since_high) / width,
        "corr": _moving(_at(chosen, window_correlations(close, np.log(volume + 1.0)))),
        "cord": _moving(_at(chosen, window_correlations(close / before, np.log(volume / volume_before + 1.0)))),
        "cntp": rises / width,
        "cntn": falls / width,
        "cntd": (rises - falls) / width,
        "sump": gained / moved,
        "sumn": lost / moved,
        "sumd": (gained - lost) / moved,
        "vma": volume_mean / divisor,
        "vstd": volume_deviation / divisor,
        "wvma": weighted_deviation / (weighted_mean + TINY),
        "vsump": more / turned,
        "vsumn": less / turned,
        "vsumd": (more - less) / turned,
    }


def _slice(places: Indices) -> slice | Indices:
    """The same places as a slice, which copies nothing, where they are next to each other."""
    first, last = int(places[0]), int(places[-1])
    return slice(first, last + 1) if last - first == len(places) - 1 else places


def _at(chosen: slice | Indices, statistics: tuple[Floats, ...]) -> tuple[Floats, ...]:
    return tuple(column[:, chosen] for column in statistics)


def _moving(statistics: tuple[Floats, ...]) -> Floats:
    correlation, first, second = statistics
    return np.where((first > STILL) & (second > STILL), correlation, np.nan)


def _alone(place: int) -> Callable[[Known], Floats]:
    def compute(known: Known) -> Floats:
        age = np.arange(len(known.bars))
        values: Floats = alpha158(columns_of(known.bars), age, age >= 0)[place].astype(np.float64)
        return values

    return compute


def _registry() -> tuple[Feature, ...]:
    said: list[tuple[str, str, int, tuple[str, ...]]] = [(name, said, 1, BARS) for name, said in SHAPES.items()]
    for operator, (formula, more, inputs) in OPERATORS.items():
        said += [(f"{operator}{width}", f"{formula}; d = {width}", width + more, inputs) for width in WIDTHS]
    return tuple(
        Feature(name, FAMILY, formula, window, inputs, SOURCE, _alone(place))
        for place, (name, formula, window, inputs) in enumerate(said)
    )


ALPHA158 = _registry()
WARM_UP = np.array([feature.warm_up for feature in ALPHA158])
ALPHA158_NAMES = tuple(feature.name for feature in ALPHA158)
