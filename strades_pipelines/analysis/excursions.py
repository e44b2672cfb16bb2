"""What prices did while a trade was held."""

from dataclasses import dataclass

import numpy as np

from strades_pipelines.analysis.arrays import Bools, Floats, Ints


@dataclass(frozen=True)
class Bars:
    """Bars of one instrument, arrays of shape (n,). time: the close of the bar, int64 microseconds UTC, ascending."""

    time: Ints
    high: Floats
    low: Floats


def bars_held(bars: Bars | None, entry_time: Ints, exit_time: Ints, is_open: Bools) -> Floats:
    """How many bars closed in (entry, exit], or since the entry for an open trade. nan without bars.

    A trade from one open to a later one is held for the bars between: the bar that opens with the exit closes after it.
    """
    if bars is None:
        return np.full(len(entry_time), np.nan)
    start, end = _rows(bars, entry_time, exit_time, is_open)
    return (end - start).astype(np.float64)


def excursions(
    bars: Bars | None, entry_time: Ints, exit_time: Ints, direction: Ints, entry_price: Floats, is_open: Bools
) -> tuple[Floats, Floats]:
    """Maximum adverse and favourable excursion (Sweeney 1996), as fractions of the average entry price.

    mae <= 0 <= mfe: the worst and the best extreme of the bars in (entry, exit], the entry price itself among them. The
    bar of an exit inside it counts whole, which can only make both wider. nan without bars.
    """
    if bars is None or len(bars.time) == 0:
        return np.full(len(entry_time), np.nan), np.full(len(entry_time), np.nan)
    start, end = _rows(bars, entry_time, exit_time, is_open)
    lowest = np.minimum(_over(np.minimum, bars.low, start, end, np.inf), entry_price) / entry_price - 1.0
    highest = np.maximum(_over(np.maximum, bars.high, start, end, -np.inf), entry_price) / entry_price - 1.0
    long = direction > 0
    return np.where(long, lowest, -highest), np.where(long, highest, -lowest)


def _rows(bars: Bars, entry_time: Ints, exit_time: Ints, is_open: Bools) -> tuple[Ints, Ints]:
    start = np.searchsorted(bars.time, entry_time, side="right")
    end = np.where(is_open, len(bars.time), np.searchsorted(bars.time, exit_time, side="right"))
    return start.astype(np.int64), np.maximum(start, end).astype(np.int64)


def _over(extreme: np.ufunc, values: Floats, start: Ints, end: Ints, nothing: float) -> Floats:
    """The extreme of each values[start:end]; `nothing` where that is empty. The ranges follow one another."""
    # A range may end behind the last row, and `reduceat` takes rows only.
    padded = np.append(values, nothing)
    rows = np.column_stack((start, end)).ravel()
    # Every other one is what lies between two ranges.
    found = extreme.reduceat(padded, rows)[::2]
    return np.where(start < end, found, nothing)
