"""Which stored bars are still in the shares of before a split, of a provider that restates its past at each split.

A body is in the shares of one moment: splits that took effect later are not in its prices. That moment is when it was
fetched, unless its prices say otherwise: a file may be older than its loading, and a provider may restate some hours
before a session opens, or days after. Where a body's bars meet those of the next one, the overnight return tells a
split of 1.3 and more from none; a smaller one is told by the time alone.
"""

from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, log, prod

import numpy as np
from numpy.typing import NDArray

RESTATED_WITHIN = 3 * 86_400_000_000  # microseconds: no provider takes a split out earlier than this before its session
# By how much, in log return, another number of splits must explain an overnight return better: of a file and within
# those days a split is as likely as not, of other answers a fall of a third is likelier than a provider that forgot.
EVIDENCE, STRONG_EVIDENCE = 0.2, 0.5
LARGEST_RETURN = 0.4  # log return that may be left to the market where splits are told by prices


@dataclass(frozen=True)
class Splits:
    """The splits of a market in ascending order: when each took effect (microseconds), new shares for an old one."""

    times: NDArray[np.int64]
    ratios: Sequence[float]

    def later_than(self, time: int) -> int:
        """How many took effect after `time`."""
        return len(self.times) - int(np.searchsorted(self.times, time, side="right"))

    def product_of_last(self, count: int) -> float:
        """New shares for one of before the last `count` splits."""
        return prod(self.ratios[len(self.ratios) - count :])


@dataclass(frozen=True)
class Bars:
    """The bars of one listing and interval in ascending order; times in microseconds since the epoch.

    `of_file`: the bytes are a person's own file, which may be older than when it counts as fetched.
    """

    open_times: NDArray[np.int64]
    opens: NDArray[np.float64]
    closes: NDArray[np.float64]
    fetch_ids: NDArray[np.int64]
    fetched_at: NDArray[np.int64]
    of_file: NDArray[np.bool_]


@dataclass(frozen=True)
class Adjustment:
    """Bars of a fetch, from the first that opens at `from_time` to the last, that are to be divided by `ratio`.

    `basis`: `fetch_time` where the fetch came before the splits, `prices` where the prices contradict that.
    """

    fetch_id: int
    from_time: int
    to_time: int
    ratio: float
    basis: str
    known_at: int


def adjust_bars(bars: Bars, splits: Splits) -> tuple[list[Adjustment], dict[int, int]]:
    """Adjustments of bars in old shares, newest first, and how many splits each fetch has not applied, by its id.

    A run of bars of one fetch between two splits is compared with the bar after it, whose adjustment is known.
    """
    if not len(bars.open_times) or not len(splits.times):
        return [], {}
    eras = np.searchsorted(splits.times, bars.open_times, side="right")
    starts = np.flatnonzero(np.r_[True, (np.diff(bars.fetch_ids) != 0) | (np.diff(eras) != 0)])
    ends = np.r_[starts[1:], len(eras)] - 1
    found: list[Adjustment] = []
    missing_splits: dict[int, int] = {}
    next_open = None  # of the bar after the run, in the newest shares
    for start, end in zip(starts[::-1].tolist(), ends[::-1].tolist(), strict=True):
        later = len(splits.times) - int(eras[end])
        fetch_id, fetched_at = int(bars.fetch_ids[end]), int(bars.fetched_at[end])
        by_time = min(later, splits.later_than(fetched_at))
        count = by_time
        if later and next_open is not None:
            least = min(later, splits.later_than(fetched_at + RESTATED_WITHIN))
            is_usual = least == min(later, splits.later_than(fetched_at - RESTATED_WITHIN)) and not bars.of_file[end]
            evidence = STRONG_EVIDENCE if is_usual else EVIDENCE
            count = _best_count(bars.closes[end] / next_open, splits, range(least, later + 1), by_time, evidence)
        if later:
            missing_splits[fetch_id] = max(count, missing_splits.get(fetch_id, 0))
        ratio = splits.product_of_last(count)
        if ratio != 1.0:
            span = int(bars.open_times[start]), int(bars.open_times[end])
            basis = "fetch_time" if count == by_time else "prices"
            found.append(Adjustment(fetch_id, *span, ratio, basis, int(splits.times[-1])))
        next_open = bars.opens[start] / ratio
    return found, missing_splits


def adjust_superseded(
    versions: Sequence[tuple[int, int, int]],
    splits: Splits,
    missing_splits: Mapping[int, int],
    standing: Mapping[int, Sequence[int]],
) -> list[Adjustment]:
    """Adjustments of bars in old shares that another version has replaced; none of their spans holds a bar that stands.

    A fetch of which no bar stands is in the shares of its fetch time: no prices beside its own tell otherwise.

    Args:
        versions: fetch id, when it was fetched and when the bar opened, in microseconds; sorted by fetch and opening.
        missing_splits: from `adjust_bars`.
        standing: when the bars of each fetch opened that stand, in ascending order.
    """
    found: list[Adjustment] = []
    run = None
    for fetch_id, fetched_at, time in versions:
        count = min(missing_splits.get(fetch_id, splits.later_than(fetched_at)), splits.later_than(time))
        ratio, last = splits.product_of_last(count), run
        run = None if ratio == 1.0 else (fetch_id, count, bisect(standing.get(fetch_id, ()), time))
        if run is None:
            continue
        if run == last:
            found[-1] = replace(found[-1], to_time=time)
            continue
        by_time = splits.later_than(fetched_at)
        basis = "fetch_time" if missing_splits.get(fetch_id, by_time) == by_time else "prices"
        found.append(Adjustment(fetch_id, time, time, ratio, basis, int(splits.times[-1])))
    return found


def adjust_dividends(
    dividends: Sequence[tuple[int, int, int]],
    splits: Splits,
    missing_splits: dict[int, int],
    adjusted: Sequence[Adjustment],
) -> list[Adjustment]:
    """Adjustments of dividends in old shares, except within spans of their fetch that are `adjusted` already.

    Args:
        dividends: fetch id, when it was fetched and when the dividend went ex, in microseconds.
        missing_splits: from `adjust_bars`; rows of a fetch without bars are in the shares of their fetch time.
    """
    found = []
    for fetch_id, fetched_at, time in dividends:
        by_time = splits.later_than(fetched_at)
        count = min(missing_splits.get(fetch_id, by_time), splits.later_than(time))
        ratio = splits.product_of_last(count)
        among = any(one.fetch_id == fetch_id and one.from_time <= time <= one.to_time for one in adjusted)
        if ratio != 1.0 and not among:
            basis = "fetch_time" if missing_splits.get(fetch_id, by_time) == by_time else "prices"
            found.append(Adjustment(fetch_id, time, time, ratio, basis, int(splits.times[-1])))
    return found


def _best_count(growth: float, splits: Splits, counts: range, by_time: int, evidence: float) -> int:
    """How many of the last splits a bar has not applied, whose close is `growth` times the next open."""
    if not 0 < growth < inf:  # no price of a share, but a load must not fail for it
        return by_time
    rests = {count: abs(log(growth / splits.product_of_last(count))) for count in counts}
    best = min(rests, key=lambda count: (rests[count], count))
    told = rests[best] <= LARGEST_RETURN and rests.get(by_time, inf) - rests[best] >= evidence
    return best if told else by_time
