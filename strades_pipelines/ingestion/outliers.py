"""Find prices that cannot be meant: in a wrong unit, of before a split, or far off the bars around them.

Pure functions over the columns of one listing and interval. They look at both sides of a bar, so they tell what was
wrong afterwards; nothing that decides on prices reads what they find. The market itself may halve within a minute: a
finding is a question to a person, never an answer.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

CELLS = ("open", "high", "low", "close")
FEWEST_BARS = 8  # with fewer nobody can say what is usual
NEIGHBOURS = 5  # bars on each side of one that say what it should be about
TENFOLD = float(np.log(10))
UNIT_TOLERANCE = 0.17  # log return that the market may add to a jump by a power of ten: eightfold is none
WAY_BACK_TOLERANCE = 0.5  # the same, for a jump that undoes one that is certain
SMALLEST_SPIKE = float(np.log(2))
NOISE_OF_SPIKE = 12  # a spike is so many usual returns
SPLIT_RATIOS = (1.5, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50)
SMALLEST_SPLIT_TOLERANCE, LARGEST_SPLIT_TOLERANCE = 0.03, 0.12  # log return of a night
LASTING_TOLERANCE = 0.25  # log return by which the days after a split may differ from those before, beside its ratio
NIGHTS_OF_SPLIT = 4  # the tolerance is so many usual returns

Prices = NDArray[np.float64]


@dataclass(frozen=True)
class Outlier:
    """Bars `first` to `last`, by position, whose `cells` are `factor` times what the bars around them say.

    `cause` is hundredfold, wrong_unit (another power of ten), split_not_applied or outlier. Of a split, `first` is the
    first bar after it and `factor` how many new shares an old one became; the bars before it are what is wrong.
    `expected` is the close that `first` should have had, and `reference` the position of the bar that says so.
    `is_certain` is false of a run to the first or last bar that fewer than twice as many bars contradict: there the
    unit may have changed for good, and the others may be what is wrong.
    """

    first: int
    last: int
    cause: str
    factor: float
    cells: tuple[str, ...]
    expected: float
    reference: int
    is_certain: bool = True


def find_outliers(prices: Prices, *, may_split: bool) -> list[Outlier]:
    """Outliers of consecutive bars, by position and cause.

    Args:
        prices: open, high, low, close; shape (4, bars), in ascending order of time. A bar with a price that is not
            above zero is left out: it has no logarithm.
        may_split: the bars are sessions of shares. A lasting change to a tenth is a split there, and no wrong unit.
    """
    places = judged_places(prices)
    if len(places) < FEWEST_BARS:
        return []
    found = _find_in_positive(prices[:, places], places, may_split=may_split)
    in_all = [
        replace(one, first=int(places[one.first]), last=int(places[one.last]), reference=int(places[one.reference]))
        for one in found
    ]
    return sorted(in_all, key=lambda one: (one.first, one.cause, one.factor))


def judged_places(prices: Prices) -> NDArray[np.int64]:
    """The positions of bars whose prices are all above zero."""
    return np.flatnonzero((np.isfinite(prices) & (prices > 0)).all(axis=0))


def _find_in_positive(prices: Prices, places: NDArray[np.int64], *, may_split: bool) -> list[Outlier]:
    """Outliers of bars with logarithms, which are at `places` of all; no run goes over one that was left out."""
    logs = np.log(prices)
    # 1.4826 times the median deviation is the standard deviation of normal returns, and one outlier does not move it.
    noise = 1.4826 * float(np.median(np.abs(np.diff(logs[3]))))
    levels = logs[3] - TENFOLD * _misplaced_exponents(logs[3], least=2 if may_split else 1)
    off_by = _exponents(logs - levels)
    found = [*_wrong_units(off_by, prices[3], places), *_spikes(levels, np.any(off_by != 0, axis=0), noise)]
    if may_split:
        found += _splits(logs[0] - TENFOLD * off_by[0], levels, noise)
    return found


def _exponents(ratios: Prices, tolerance: float = UNIT_TOLERANCE) -> NDArray[np.int64]:
    """Which power of ten each log ratio is; 0 where it is none."""
    exponents = np.rint(ratios / TENFOLD)
    return np.asarray(np.where(np.abs(ratios - exponents * TENFOLD) <= tolerance, exponents, 0), np.int64)


def _jumps(closes: Prices) -> NDArray[np.int64]:
    """The power of ten by which each close differs from the one before it.

    The market may move on the bar on which a run in another unit begins or ends. Seen from one side alone, the jump
    would be none, and all that is beyond it in that unit: with the jump on the other side it is the way back.
    """
    changes = np.diff(closes)
    jumps, likely = _exponents(changes), _exponents(changes, WAY_BACK_TOLERANCE)
    for one, other in pairwise(np.flatnonzero(likely).tolist()):
        if likely[one] == -likely[other] and (jumps[one] or jumps[other]):
            jumps[one], jumps[other] = likely[one], likely[other]
    return jumps


def _misplaced_exponents(closes: Prices, *, least: int) -> NDArray[np.int64]:
    """By which power of ten each close differs from most of them, judged by the jumps between consecutive ones."""
    jumps = _jumps(closes)
    jumps[np.abs(jumps) < least] = 0
    # Summed up: all closes between two jumps have one exponent, and the commonest of them is right.
    exponents = np.concatenate([[0], np.cumsum(jumps)])
    values, counts = np.unique(exponents, return_counts=True)
    return np.asarray(exponents - values[np.argmax(counts)])


def _wrong_units(off_by: NDArray[np.int64], closes: Prices, places: NDArray[np.int64]) -> Iterator[Outlier]:
    """Runs of bars of which the same cells are off by the same power of ten."""
    right = np.flatnonzero(~off_by.any(axis=0))
    for exponent in np.unique(off_by[off_by != 0]).tolist():
        cells = off_by == exponent
        for first, last in _runs(cells, places):
            is_within = first > 0 and last < len(closes) - 1
            after = np.searchsorted(right, first)
            reference = int(right[after - 1]) if after else int(right[0]) if len(right) else first
            yield Outlier(
                first,
                last,
                "hundredfold" if abs(exponent) == 2 else "wrong_unit",
                10.0**exponent,
                tuple(name for name, is_off in zip(CELLS, cells[:, first].tolist(), strict=True) if is_off),
                _rounded(closes[first] / 10.0 ** off_by[3, first]),
                reference,
                # A run that reaches an end of the window is certain only where twice as many bars contradict it.
                is_within or 2 * (last - first + 1) <= len(right),
            )


def _runs(cells: NDArray[np.bool_], places: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Stretches of consecutive places with the same cells set, first and last; those with none are left out."""
    changes = np.flatnonzero((cells[:, 1:] != cells[:, :-1]).any(axis=0) | (np.diff(places) > 1)) + 1
    edges = [0, *changes.tolist(), cells.shape[1]]
    for first, end in pairwise(edges):
        if cells[:, first].any():
            yield first, end - 1


def _medians(levels: Prices) -> Prices:
    """The median of NEIGHBOURS levels from each position on."""
    return np.asarray(np.median(sliding_window_view(levels, NEIGHBOURS), axis=1))


def _spikes(levels: Prices, is_off: NDArray[np.bool_], noise: float) -> Iterator[Outlier]:
    """Single closes far off both those before and those after, which agree."""
    if len(levels) <= 2 * NEIGHBOURS:
        return
    medians = _medians(levels)
    before, after = medians[: -NEIGHBOURS - 1], medians[NEIGHBOURS + 1 :]
    levels_between = levels[NEIGHBOURS:-NEIGHBOURS]
    above, below = levels_between - before, levels_between - after
    size = np.minimum(np.abs(above), np.abs(below))
    is_spike = (
        (np.sign(above) == np.sign(below))
        # Both: of a calm series the smallest return is no spike, of a wild one doubling is none.
        & (size > max(SMALLEST_SPIKE, NOISE_OF_SPIKE * noise))
        & (np.abs(before - after) < size / 3)
        & ~is_off[NEIGHBOURS:-NEIGHBOURS]
    )
    for place in np.flatnonzero(is_spike).tolist():
        expected = float((before[place] + after[place]) / 2)
        position = place + NEIGHBOURS
        factor = float(np.exp(levels[position] - expected))
        yield Outlier(position, position, "outlier", factor, CELLS, _rounded(np.exp(expected)), position - 1)


def _splits(opens: Prices, levels: Prices, noise: float) -> Iterator[Outlier]:
    """Nights over which prices changed by the ratio of a split, and stayed there."""
    if len(levels) <= 2 * NEIGHBOURS:
        return
    medians = _medians(levels)
    before, after = medians[:-NEIGHBOURS], medians[NEIGHBOURS:]
    nights = (levels[:-1] - opens[1:])[NEIGHBOURS - 1 : len(levels) - NEIGHBOURS]
    known = np.log(SPLIT_RATIOS)
    ratios = np.concatenate([known, -known])
    nearest = np.abs(nights[:, None] - ratios[None, :]).argmin(axis=1)
    split = ratios[nearest]
    # Bounded on both sides: a calm series would admit no night at all, a wild one every night.
    tolerance = min(LARGEST_SPLIT_TOLERANCE, max(SMALLEST_SPLIT_TOLERANCE, NIGHTS_OF_SPLIT * noise))
    is_split = (np.abs(nights - split) <= tolerance) & (np.abs(before - after - split) <= LASTING_TOLERANCE)
    for place in np.flatnonzero(is_split).tolist():
        position = place + NEIGHBOURS
        ratio = float(np.exp(split[place]))
        expected = _rounded(np.exp(levels[position - 1]) / ratio)
        yield Outlier(position, position, "split_not_applied", ratio, CELLS, expected, position - 1)


def _rounded(price: np.floating) -> float:
    """A price without what logarithms and quotients leave in its last digits."""
    return float(f"{price:.12g}")
